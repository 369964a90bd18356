/**
 * Pinning flows to actions (R-SLR-11: later packets go where the first went, whatever changes meanwhile). The one
 * idea: a flow entry is one user of its action's row, from here until the entry goes (the table's sink then releases
 * it), so that what a pinned flow needs, its tunnel above all, lives as long as the flow.
 */
import type { ActionTable } from './actions/action-table.ts'
import type { FlowTable } from './classifier/flow-table.ts'
import type { Nanoseconds } from './clock.ts'
import {
  FLAGS,
  FLOW,
  KEY_DESTINATION,
  KEY_PORTS,
  KEY_PROTOCOL,
  KEY_SOURCE,
  LENGTH,
  META_SHIFT,
  NONE,
  type PacketSlab,
} from './packet.ts'

export class Pins {
  readonly #slab: PacketSlab
  readonly #flows: FlowTable
  readonly #actions: ActionTable
  /** Choices that could not be pinned because the table was full; they work packet by packet. */
  unpinned = 0

  constructor(slab: PacketSlab, flows: FlowTable, actions: ActionTable) {
    this.#slab = slab
    this.#flows = flows
    this.#actions = actions
  }

  /**
   * Pins the flow of a packet to the row that `choice` chose: a new flow, or one that is pinned to the choice itself.
   * What else a flow may be pinned to stays.
   */
  pinChoice(
    packet: number,
    choice: number,
    row: number,
    idleNs: Nanoseconds,
    owner: number,
    now: Nanoseconds,
  ): void {
    const meta = this.#slab.meta
    const at = packet << META_SHIFT
    const source = meta[at + KEY_SOURCE]
    const destination = meta[at + KEY_DESTINATION]
    const ports = meta[at + KEY_PORTS]
    const protocol = meta[at + KEY_PROTOCOL]
    const present = this.#flows.lookup(source, destination, ports, protocol)
    if (present >= 0) {
      if (this.#flows.actionOf(present) === choice) this.repin(present, row, idleNs)
      return
    }
    const flow = this.install(source, destination, ports, protocol, row, idleNs, owner, now)
    if (flow < 0) this.unpinned++
    else this.touch(packet, flow, now)
  }

  /** Pins a flow to a row, of which it becomes a user. Returns the flow, or -1 when the table is full. */
  install(
    source: number,
    destination: number,
    ports: number,
    protocol: number,
    row: number,
    idleNs: Nanoseconds,
    owner: number,
    now: Nanoseconds,
  ): number {
    const flow = this.#flows.insert(source, destination, ports, protocol, row, owner, idleNs, now)
    if (flow < 0) return NONE
    this.#actions.retain(row)
    return flow
  }

  /** Points a pinned flow at another row. */
  repin(flow: number, row: number, idleNs: Nanoseconds): void {
    const before = this.#flows.actionOf(flow)
    this.#actions.retain(row)
    this.#flows.replace(flow, row, idleNs)
    this.#actions.release(before)
  }

  /** Counts a packet, which was not classified by it, as one of a flow. */
  touch(packet: number, flow: number, now: Nanoseconds): void {
    const meta = this.#slab.meta
    const at = packet << META_SHIFT
    meta[at + FLOW] = flow
    this.#flows.touch(flow, meta[at + LENGTH], meta[at + FLAGS], now)
  }
}
