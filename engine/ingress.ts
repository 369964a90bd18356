/**
 * The way in: receive > parse > classify > apply > enqueue. The one idea: a straight corridor. Ingress calls every
 * stage in order and the stages never call each other, so that the path of a packet can be read here from top to
 * bottom. Nothing on it allocates, waits or reads a clock.
 *
 * Guarantees: every packet that enters is, when a call returns, queued, parked, delivered or counted under a drop
 * reason (counters.ts); a packet is decapsulated and classified again a bounded number of times.
 */
import { ACCEPT_ARP, acceptFrame } from './acceptance.ts'
import * as verdicts from './actions/apply.ts'
import { spendTtl } from './actions/rewrite.ts'
import { END_REUSED, type FlowTable } from './classifier/flow-table.ts'
import type { Nanoseconds } from './clock.ts'
import type { Datagrams } from './datagrams.ts'
import { dropCode } from './drop-reason.ts'
import type { Forwarder } from './forwarder.ts'
import type { PacketSlab } from './packet.ts'
import * as slabWords from './packet.ts'
import type { Port } from './port.ts'
import { FRAGMENT_HELD } from './routing/fragment-table.ts'
import * as routeKinds from './routing/route-table.ts'
import type { Stages } from './stages.ts'
import { read32 } from './wire/byte-order.ts'
import { parseNetwork } from './wire/parse.ts'

// An imported binding is loaded and checked at each use; a constant of this module is folded into the code.
const { FLAGS, FLOW, IN_PORT, LENGTH, NETWORK, NEXT, META_SHIFT, NONE } = slabWords
const { KEY_SOURCE, KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL } = slabWords
const { FLAG_BROADCAST, FLAG_FRAGMENT, FLAG_LATER_FRAGMENT, FLAG_MULTICAST } = slabWords
const { FLAG_RELATED, FLAG_TCP_SYN } = slabWords
const { ROUTE_BLACKHOLE, ROUTE_BROADCAST, ROUTE_CONNECTED, ROUTE_LOCAL } = routeKinds
const { VERDICT_DECAPSULATE, VERDICT_DECIDE, VERDICT_DROP, VERDICT_PIN } = verdicts
const { VERDICT_REPLICATE, VERDICT_ROUTE, VERDICT_SEND, VERDICT_TUNNEL } = verdicts
const NOT_UNICAST = FLAG_MULTICAST | FLAG_BROADCAST

/** Most frames taken from one port before the next one has its turn. */
export const RECEIVE_BATCH = 64

const OWN_SOURCE = dropCode('own-source')
const MULTICAST_UNWANTED = dropCode('multicast-unwanted')
const NO_ROUTE = dropCode('no-route')
const BLACKHOLE = dropCode('blackhole')
const MARTIAN_DESTINATION = dropCode('martian-destination')
const TTL_EXPIRED = dropCode('ttl-expired')
const SLAB_FULL = dropCode('slab-full')
const COPY_LIMIT = dropCode('copy-limit')

export class Ingress {
  readonly #stages: Stages
  readonly #slab: PacketSlab
  readonly #flows: FlowTable
  readonly #forwarder: Forwarder
  readonly #datagrams: Datagrams
  readonly #batch = new Int32Array(RECEIVE_BATCH)
  readonly #codes = new Int32Array(RECEIVE_BATCH)
  /** Means nothing: keeps the reads of warming alive. */
  #warmth = 0

  constructor(stages: Stages, forwarder: Forwarder, datagrams: Datagrams) {
    this.#stages = stages
    this.#slab = stages.slab
    this.#flows = stages.flows
    this.#forwarder = forwarder
    this.#datagrams = datagrams
  }

  /** Takes up to RECEIVE_BATCH frames from a port through the whole corridor. Returns how many. */
  receive(port: Port, now: Nanoseconds): number {
    const batch = this.#batch
    const count = port.driver.receive(this.#slab, batch, RECEIVE_BATCH, now)
    this.#stages.counters.in += count
    const codes = this.#codes
    for (let i = 0; i < count; i++) codes[i] = acceptFrame(this.#slab, batch[i], port)
    // Between parsing and look-ups: among many flows the cache misses of a batch overlap then.
    if (count > 1) this.#warmth ^= this.#flows.warm(this.#slab.meta, batch, count)
    for (let i = 0; i < count; i++) this.#accept(batch[i], codes[i], port, now)
    return count
  }

  /** A frame as it was judged: for us, well-formed. */
  #accept(packet: number, code: number, port: Port, now: Nanoseconds): void {
    if (code === 0) this.#admit(packet, now)
    else if (code === ACCEPT_ARP) this.#stages.arp.receive(packet, port, now)
    else this.#forwarder.drop(packet, code, now)
  }

  /** A parsed packet from outside: refuse our own addresses as source, give later fragments their flow. */
  #admit(packet: number, now: Nanoseconds): void {
    const meta = this.#slab.meta
    const at = packet << META_SHIFT
    const flags = meta[at + FLAGS]
    // The key of a related packet speaks of another one.
    const source =
      (flags & FLAG_RELATED) === 0 ? meta[at + KEY_SOURCE] : read32(this.#slab.bytes, meta[at + NETWORK] + 12)
    if (this.#stages.own.has(source)) return this.#forwarder.drop(packet, OWN_SOURCE, now)
    if ((flags & FLAG_FRAGMENT) !== 0) return this.#admitFragment(packet, now)
    this.classify(packet, now)
  }

  /** Later fragments get the key of their first one, and wait for it if they came too early. */
  #admitFragment(packet: number, now: Nanoseconds): void {
    const { slab, fragments, counters } = this.#stages
    const later = (slab.meta[(packet << META_SHIFT) + FLAGS] & FLAG_LATER_FRAGMENT) !== 0
    if (later && this.#forwarder.isCrowded) return this.#forwarder.drop(packet, SLAB_FULL, now)
    const code = later ? fragments.recall(packet, now) : fragments.learn(packet, now)
    if (code === FRAGMENT_HELD) {
      counters.parked++
      return
    }
    if (code !== 0) return this.#forwarder.drop(packet, code, now)
    let waiting = later ? NONE : fragments.takeReleased()
    this.classify(packet, now)
    while (waiting !== NONE) {
      const next = slab.meta[(waiting << META_SHIFT) + NEXT]
      slab.meta[(waiting << META_SHIFT) + NEXT] = NONE
      counters.parked--
      this.classify(waiting, now)
      waiting = next
    }
  }

  /** Flow, else filter, else routing. Also where packets re-enter that waited elsewhere. */
  classify(packet: number, now: Nanoseconds): void {
    const meta = this.#slab.meta
    const flows = this.#flows
    const at = packet << META_SHIFT
    const source = meta[at + KEY_SOURCE]
    const destination = meta[at + KEY_DESTINATION]
    const ports = meta[at + KEY_PORTS]
    const protocol = meta[at + KEY_PROTOCOL]
    const flags = meta[at + FLAGS]
    const flow = flows.lookup(source, destination, ports, protocol)
    if (flow >= 0 && !this.#endReused(flow, flags)) {
      meta[at + FLOW] = flow
      flows.touch(flow, meta[at + LENGTH], flags, now)
      return this.apply(packet, flows.actionOf(flow), now)
    }
    // An ICMP error about a flow that nobody pinned is an ordinary packet to its own destination.
    if ((flags & FLAG_RELATED) !== 0) return this.#routeHeader(packet, now)
    const { filters } = this.#stages
    const filter = filters.lookup(source, destination, ports, protocol, meta[at + IN_PORT], flags)
    if (filter < 0) return this.#route(packet, destination, now)
    filters.hit(filter, meta[at + LENGTH])
    this.apply(packet, filters.payloadOf(filter), now)
  }

  /** A new connection under the key of one that has ended is decided anew. */
  #endReused(flow: number, flags: number): boolean {
    if ((flags & FLAG_TCP_SYN) === 0 || !this.#flows.isReused(flow, flags)) return false
    this.#flows.remove(flow, END_REUSED)
    return true
  }

  /**
   * Carries out an action row, going on until the packet has come to rest.
   * @param isCopy the row is a branch of a replicate: a choice in it must not become the flow's only action
   */
  apply(packet: number, row: number, now: Nanoseconds, isCopy = false): void {
    const { applier } = this.#stages
    for (;;) {
      switch (applier.apply(packet, row)) {
        case VERDICT_TUNNEL:
          return this.#forwarder.enterTunnel(packet, applier.tunnel, now)
        case VERDICT_ROUTE:
          return this.#route(packet, applier.nextHop, now)
        case VERDICT_SEND:
          return this.#send(packet, applier.nextHop, now)
        case VERDICT_DROP:
          return this.#forwarder.drop(packet, applier.code, now)
        case VERDICT_DECAPSULATE:
          return this.#decapsulate(packet, now)
        case VERDICT_DECIDE:
          return this.#park(packet, now)
        case VERDICT_REPLICATE:
          return this.#replicate(packet, applier.row, applier.rows, now)
        case VERDICT_PIN:
          row = applier.row
          if (!isCopy)
            this.#stages.pins.pinChoice(packet, applier.choice, row, applier.waitNs, applier.owner, now)
          break
        default:
          throw new Error('apply gave an unknown verdict')
      }
    }
  }

  #route(packet: number, address: number, now: Nanoseconds): void {
    if ((this.#slab.meta[(packet << META_SHIFT) + FLAGS] & NOT_UNICAST) !== 0)
      return this.#forwarder.drop(packet, MULTICAST_UNWANTED, now)
    const { routes } = this.#stages
    const route = routes.lookup(address)
    if (route < 0) return this.#forwarder.drop(packet, NO_ROUTE, now)
    const kind = routes.kind[route]
    if (kind === ROUTE_LOCAL) return this.#stages.local.deliver(packet, now)
    if (kind === ROUTE_BLACKHOLE) return this.#forwarder.drop(packet, BLACKHOLE, now)
    if (kind === ROUTE_BROADCAST) return this.#forwarder.drop(packet, MARTIAN_DESTINATION, now)
    if (!spendTtl(this.#slab, packet)) return this.#forwarder.drop(packet, TTL_EXPIRED, now)
    const nextHop = kind === ROUTE_CONNECTED ? address : routes.gateway[route]
    this.#forwarder.send(packet, routes.port[route], nextHop, now)
  }

  /** By the header's own destination, where the key speaks of another packet. */
  #routeHeader(packet: number, now: Nanoseconds): void {
    this.#route(packet, this.#forwarder.destinationOf(packet), now)
  }

  /** To a neighbour that the action named, whatever the packet's destination. */
  #send(packet: number, nextHop: number, now: Nanoseconds): void {
    const port = this.#stages.routes.connectedPort(nextHop)
    if (port < 0) return this.#forwarder.drop(packet, NO_ROUTE, now)
    if (!spendTtl(this.#slab, packet)) return this.#forwarder.drop(packet, TTL_EXPIRED, now)
    this.#forwarder.send(packet, port, nextHop, now)
  }

  #decapsulate(packet: number, now: Nanoseconds): void {
    const { slab, tunnels } = this.#stages
    const datagram = this.#datagrams.whole(packet, now)
    if (datagram === NONE) return
    const code = tunnels.exit(slab, datagram) || parseNetwork(slab, datagram)
    if (code !== 0) return this.#forwarder.drop(datagram, code, now)
    slab.meta[(datagram << META_SHIFT) + FLOW] = NONE
    this.#admit(datagram, now)
  }

  #park(packet: number, now: Nanoseconds): void {
    if (this.#forwarder.isCrowded) return this.#forwarder.drop(packet, SLAB_FULL, now)
    const { applier, upcalls, counters } = this.#stages
    const code = upcalls.park(packet, applier.owner, applier.row, now + applier.waitNs)
    if (code !== 0) return this.#forwarder.drop(packet, code, now)
    counters.parked++
  }

  #replicate(packet: number, row: number, branches: Int32Array, now: Nanoseconds): void {
    const { slab, counters, actions } = this.#stages
    // What a copy sets off may end whatever holds the row.
    actions.retain(row)
    // Copies first: the original is changed by its own action last.
    for (let i = 1; i < branches.length; i++) {
      const copy = this.#forwarder.isCrowded ? NONE : slab.copy(packet)
      counters.copies++
      if (copy === NONE) counters.dropped[COPY_LIMIT]++
      else this.apply(copy, branches[i], now, true)
    }
    this.apply(packet, branches[0], now, true)
    actions.release(row)
  }
}
