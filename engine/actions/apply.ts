/**
 * Applying an action: the only switch over its kinds. The one idea: apply changes the packet and answers with a
 * verdict; what comes after the verdict (routing, parking, copying, dropping) is ingress's business, so that no
 * stage calls another. Results stand in fields, since the data path allocates nothing.
 */
import { type DropCode, dropCode } from '../drop-reason.ts'
import type { PacketSlab } from '../packet.ts'
import * as slabWords from '../packet.ts'
import { read32 } from '../wire/byte-order.ts'
import { hashFlowKey } from '../wire/flow-key.ts'
import type { ActionTable } from './action-table.ts'
import * as rows from './action-table.ts'
import { rewritePacket, spendTtl } from './rewrite.ts'

// An imported binding is loaded and checked at each use; a constant of this module is folded into the code.
const { ARRIVAL, CLASS, FLAGS, NETWORK, META_SHIFT, RECIRCULATION_MASK, RECIRCULATION_SHIFT } = slabWords
const { KEY_SOURCE, KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL } = slabWords
const { FLAG_RELATED, FLAG_REWRITTEN, FLAG_TTL_SPENT } = slabWords
const { A, B, C, D, OP, ACTION_NEXT, ACTION_SHIFT } = rows
const { OP_CLASS, OP_DECAPSULATE, OP_DECIDE, OP_DROP, OP_FORWARD, OP_REPLICATE } = rows
const { OP_REWRITE, OP_SPREAD, OP_TUNNEL } = rows

/** Route on `nextHop`, the packet's destination, which may be the router itself. */
export const VERDICT_ROUTE = 0
/** Give the packet up for `code`. */
export const VERDICT_DROP = 1
/** Enter tunnel `tunnel`, then route on its far end. */
export const VERDICT_TUNNEL = 2
/** The outer header was named for removal: decapsulate, parse and classify again. */
export const VERDICT_DECAPSULATE = 3
/** Park for a decision of `owner`; `row` happens after `waitNs` without one. */
export const VERDICT_DECIDE = 4
/** One copy for each of `rows`. */
export const VERDICT_REPLICATE = 5
/** `choice` chose `row`: pin the flow to it for `waitNs` of idleness (0: default), then apply it. */
export const VERDICT_PIN = 6
/** Send to `nextHop`, a neighbour. */
export const VERDICT_SEND = 7

/** Most decapsulations of one packet. */
export const RECIRCULATION_LIMIT = 4

const RECIRCULATED = dropCode('recirculation-limit')
const TTL_EXPIRED = dropCode('ttl-expired')
const NO_ROWS = new Int32Array(0)
/** Sets the hashes of a choice within a choice apart. */
const LEVEL_SEED = 0x9e3779b9

export class Applier {
  nextHop = 0
  code: DropCode = 0
  tunnel = 0
  owner = 0
  row = 0
  choice = 0
  rows: Int32Array = NO_ROWS
  waitNs = 0
  readonly #slab: PacketSlab
  readonly #table: ActionTable
  readonly #seed: number

  constructor(slab: PacketSlab, table: ActionTable, seed: number) {
    this.#slab = slab
    this.#table = table
    this.#seed = seed
  }

  /** Applies a row to a parsed packet up to the point where something else must act. */
  apply(packet: number, row: number): number {
    const words = this.#table.words
    for (;;) {
      const at = row << ACTION_SHIFT
      switch (words[at + OP]) {
        case OP_TUNNEL:
          if (!spendTtl(this.#slab, packet)) return this.#drop(TTL_EXPIRED)
          this.tunnel = words[at + A]
          return VERDICT_TUNNEL
        case OP_FORWARD:
          if (words[at + A] === 0) {
            this.nextHop = this.#destination(packet)
            return VERDICT_ROUTE
          }
          this.nextHop = words[at + B] >>> 0
          return VERDICT_SEND
        case OP_DROP:
          return this.#drop(words[at + A])
        case OP_CLASS:
          this.#slab.meta[(packet << META_SHIFT) + CLASS] = words[at + A]
          row = words[at + ACTION_NEXT]
          break
        case OP_REWRITE:
          this.#rewrite(packet, at)
          row = words[at + ACTION_NEXT]
          break
        case OP_DECAPSULATE:
          return this.#decapsulate(packet)
        case OP_REPLICATE:
          this.row = row
          this.rows = this.#table.lists[words[at + A]].rows
          return VERDICT_REPLICATE
        case OP_DECIDE:
          this.owner = words[at + A]
          this.row = words[at + ACTION_NEXT]
          this.waitNs = this.#table.wait[row]
          return VERDICT_DECIDE
        case OP_SPREAD:
          this.choice = row
          this.row = this.#choose(packet, row)
          this.owner = words[at + C]
          this.waitNs = this.#table.wait[row]
          return VERDICT_PIN
        default:
          throw new Error(`action row ${row} is not in use`)
      }
    }
  }

  #drop(code: DropCode): number {
    this.code = code
    return VERDICT_DROP
  }

  #destination(packet: number): number {
    return read32(this.#slab.bytes, this.#slab.meta[(packet << META_SHIFT) + NETWORK] + 16)
  }

  /** An ICMP error that speaks of the flow keeps its own addresses. */
  #rewrite(packet: number, at: number): void {
    if ((this.#slab.meta[(packet << META_SHIFT) + FLAGS] & FLAG_RELATED) !== 0) return
    const words = this.#table.words
    rewritePacket(this.#slab, packet, words[at + A], words[at + B], words[at + C], words[at + D])
  }

  #decapsulate(packet: number): number {
    const meta = this.#slab.meta
    const at = packet << META_SHIFT
    const flags = meta[at + FLAGS]
    const depth = (flags & RECIRCULATION_MASK) >>> RECIRCULATION_SHIFT
    if (depth >= RECIRCULATION_LIMIT) return this.#drop(RECIRCULATED)
    const kept = flags & ~(RECIRCULATION_MASK | FLAG_TTL_SPENT | FLAG_REWRITTEN)
    meta[at + FLAGS] = ((depth + 1) << RECIRCULATION_SHIFT) | kept
    meta[at + ARRIVAL] = 0
    return VERDICT_DECAPSULATE
  }

  /** The branch of a choice for a packet's flow; where that is a choice again, the branch of that one. */
  #choose(packet: number, choice: number): number {
    const meta = this.#slab.meta
    const words = this.#table.words
    const at = packet << META_SHIFT
    let row = choice
    for (let seed = this.#seed; words[(row << ACTION_SHIFT) + OP] === OP_SPREAD; seed += LEVEL_SEED) {
      const { rows: branches, cumulative } = this.#table.lists[words[(row << ACTION_SHIFT) + A]]
      const hash = hashFlowKey(
        meta[at + KEY_SOURCE],
        meta[at + KEY_DESTINATION],
        meta[at + KEY_PORTS],
        meta[at + KEY_PROTOCOL],
        seed | 0,
      )
      const point = (hash >>> 0) % words[(row << ACTION_SHIFT) + B]
      let i = 0
      while (cumulative[i] <= point) i++
      row = branches[i]
    }
    return row
  }
}
