/**
 * From a routed packet to a queue, or to its end. The one idea: the few ways in which a packet leaves ingress
 * (sent to a next hop, put into a tunnel, dropped, made here) share one place, so that each drop is counted, shown
 * to the trace and, where RFC 1812 asks for it, told to the sender.
 *
 * The slab is shared by dynamic thresholds (A. Choudhury, E. Hahne, IEEE/ACM ToN 6(2), 1998): a port may queue at
 * most QUEUE_SHARE times what is free, so that n congested ports leave 1 / (n QUEUE_SHARE + 1) of it, and a port that
 * is not congested still gets what it sends.
 */
import type { Nanoseconds } from './clock.ts'
import { type DropCode, dropCode } from './drop-reason.ts'
import type { PacketSlab } from './packet.ts'
import * as slabWords from './packet.ts'
import type { Port } from './port.ts'
import { fragment } from './routing/fragment.ts'
import * as routeKinds from './routing/route-table.ts'
import type { Stages } from './stages.ts'
import { NEEDS_FRAGMENTS } from './tunnels/ip-in-ip.ts'
import { IPV4_HEADER_BYTES, read16, read32 } from './wire/index.ts'

// An imported binding is loaded and checked at each use; a constant of this module is folded into the code.
const { CLASS, FLAGS, LENGTH, NEIGHBOUR, NETWORK, NEXT, OUT_PORT, START, META_SHIFT, NONE } = slabWords
const { FLAG_ENCAPSULATED, FLAG_TTL_SPENT } = slabWords
const { ROUTE_BLACKHOLE, ROUTE_CONNECTED } = routeKinds
const ETHERNET_HEADER_BYTES = 14

const NO_ROUTE = dropCode('no-route')
const BLACKHOLE = dropCode('blackhole')
const MARTIAN_DESTINATION = dropCode('martian-destination')
const FRAGMENTATION_NEEDED = dropCode('fragmentation-needed')
const TUNNEL_UNREACHABLE = dropCode('tunnel-unreachable')
const PORT_DOWN = dropCode('port-down')
const SLAB_FULL = dropCode('slab-full')
const QUEUE_FULL = dropCode('queue-packet-limit')

const DONT_FRAGMENT = 0x4000
const QUEUE_SHARE = 4

/** Tells the sender of a packet why it is dropped, where an ICMP error is due. The packet stays the caller's. */
export interface DropNotice {
  /** @param value MTU in bytes for `fragmentation-needed`, else 0 */
  about(packet: number, code: DropCode, value: number, now: Nanoseconds): void
}

export class Forwarder {
  readonly #stages: Stages
  readonly #slab: PacketSlab
  readonly #reserve: number
  /** Set once by the engine: the notice needs the forwarder to send what it makes. */
  notice: DropNotice = { about: () => {} }

  constructor(stages: Stages) {
    this.#stages = stages
    this.#slab = stages.slab
    this.#reserve = Math.max(1, stages.slab.capacity >> 5)
  }

  /** Whether so little of the slab is free that no more packets may be parked or copied. */
  get isCrowded(): boolean {
    return this.#slab.available < this.#reserve
  }

  /** Destination of the packet's present IP header. */
  destinationOf(packet: number): number {
    const slab = this.#slab
    return read32(slab.bytes, slab.meta[(packet << META_SHIFT) + NETWORK] + 16)
  }

  /** Counts, shows and frees a packet; tells its sender where that is due. */
  drop(packet: number, code: DropCode, now: Nanoseconds, value = 0): void {
    const stages = this.#stages
    stages.counters.dropped[code]++
    this.notice.about(packet, code, value, now)
    if (stages.onDrop !== undefined) stages.onDrop(packet, code, now)
    stages.slab.release(packet)
  }

  /** Sends a packet out of a port to a next hop on its network: whole, in fragments, or not at all. */
  send(packet: number, port: number, nextHop: number, now: Nanoseconds): void {
    const slab = this.#slab
    const network = slab.meta[(packet << META_SHIFT) + NETWORK]
    const { mtu } = this.#stages.ports[port]
    if (read16(slab.bytes, network + 2) <= mtu) return this.#enqueue(packet, port, nextHop, now)
    if ((read16(slab.bytes, network + 6) & DONT_FRAGMENT) !== 0)
      return this.drop(packet, FRAGMENTATION_NEEDED, now, mtu)
    const head = fragment(slab, packet, mtu)
    if (head < 0) return this.drop(packet, -head, now)
    this.#sendPieces(packet, head, port, nextHop, now)
  }

  /** Puts a packet, its TTL spent, into a tunnel and sends it towards the far end. */
  enterTunnel(packet: number, tunnel: number, now: Nanoseconds): void {
    const slab = this.#slab
    const { tunnels, routes, ports } = this.#stages
    const nextHop = tunnels.nextHopOf(tunnel)
    const route = this.#routeOut(packet, nextHop, now)
    if (route < 0) return
    const port = routes.port[route]
    const connected = routes.kind[route] === ROUTE_CONNECTED
    if (!connected && tunnels.needsLink(tunnel)) return this.drop(packet, TUNNEL_UNREACHABLE, now)
    const hop = connected ? nextHop : routes.gateway[route]
    const network = slab.meta[(packet << META_SHIFT) + NETWORK]
    const { mtu } = ports[port]
    // A tunnel that was opened over another port may not know yet how little this one carries.
    if (read16(slab.bytes, network + 2) + IPV4_HEADER_BYTES > mtu) tunnels.limitMtu(tunnel, mtu, now)
    if (tunnels.troubleOf(tunnel, now) !== 0) this.notice.about(packet, TUNNEL_UNREACHABLE, 0, now)
    const code = tunnels.enter(tunnel, slab, packet, now)
    if (code === 0) {
      markEncapsulated(slab, packet, network)
      return this.send(packet, port, hop, now)
    }
    if (code !== NEEDS_FRAGMENTS)
      return this.drop(packet, code, now, code === FRAGMENTATION_NEEDED ? tunnels.innerMtu(tunnel, now) : 0)
    const head = tunnels.enterInPieces(tunnel, slab, packet, now)
    if (head < 0) return this.drop(packet, -head, now)
    for (let piece = head; piece !== NONE; piece = slab.meta[(piece << META_SHIFT) + NEXT])
      markEncapsulated(slab, piece, NONE)
    this.#sendPieces(packet, head, port, hop, now)
  }

  /** Routes a packet that needs no more classification: made here, or inside its outer header. */
  sendTo(packet: number, address: number, now: Nanoseconds): void {
    const { routes } = this.#stages
    const route = this.#routeOut(packet, address, now)
    if (route < 0) return
    const nextHop = routes.kind[route] === ROUTE_CONNECTED ? address : routes.gateway[route]
    this.send(packet, routes.port[route], nextHop, now)
  }

  /** The route out of a port, or NONE after dropping the packet. */
  #routeOut(packet: number, address: number, now: Nanoseconds): number {
    const { routes } = this.#stages
    const route = routes.lookup(address)
    if (route >= 0 && routes.kind[route] <= ROUTE_CONNECTED) return route
    let code = MARTIAN_DESTINATION
    if (route < 0) code = NO_ROUTE
    else if (routes.kind[route] === ROUTE_BLACKHOLE) code = BLACKHOLE
    this.drop(packet, code, now)
    return NONE
  }

  /** Sends an IP packet that the router itself made. NETWORK, START and LENGTH are set, its key is not needed. */
  originate(packet: number, now: Nanoseconds): void {
    this.#stages.counters.originated++
    this.#slab.meta[(packet << META_SHIFT) + FLAGS] |= FLAG_TTL_SPENT
    this.sendTo(packet, this.destinationOf(packet), now)
  }

  /** A packet whose neighbour is known goes to its queue. */
  enqueueTo(packet: number, port: number, neighbour: number, now: Nanoseconds): void {
    const slab = this.#slab
    const { scheduler } = this.#stages.ports[port]
    if (scheduler.packets > slab.available * QUEUE_SHARE) return this.drop(packet, SLAB_FULL, now)
    const meta = slab.meta
    const at = packet << META_SHIFT
    const network = meta[at + NETWORK]
    meta[at + START] = network - ETHERNET_HEADER_BYTES
    meta[at + LENGTH] = read16(slab.bytes, network + 2) + ETHERNET_HEADER_BYTES
    meta[at + OUT_PORT] = port
    meta[at + NEIGHBOUR] = neighbour
    const code = scheduler.enqueue(packet, scheduler.classes.leafOf(meta[at + CLASS]), now)
    if (code !== 0) this.drop(packet, code, now)
    else this.#stages.counters.queued++
  }

  /** A finished frame of the router itself goes ahead of the classes: ARP is what lets them move. Bounded. */
  sendUrgent(packet: number, port: Port, now: Nanoseconds): void {
    if (!port.up) this.drop(packet, PORT_DOWN, now)
    else if (port.urgent.push(packet)) this.#stages.counters.queued++
    else this.drop(packet, QUEUE_FULL, now)
  }

  #enqueue(packet: number, port: number, nextHop: number, now: Nanoseconds): void {
    const { neighbours, ports } = this.#stages
    if (!ports[port].up) return this.drop(packet, PORT_DOWN, now)
    const neighbour = neighbours.lookup(port, nextHop)
    if (neighbour !== NONE) return this.enqueueTo(packet, port, neighbour, now)
    this.#hold(packet, port, nextHop, now)
  }

  /** Lets a packet wait for its neighbour's address. */
  #hold(packet: number, port: number, nextHop: number, now: Nanoseconds): void {
    if (this.isCrowded) return this.drop(packet, SLAB_FULL, now)
    const { neighbours, counters } = this.#stages
    this.#slab.meta[(packet << META_SHIFT) + OUT_PORT] = port
    counters.parked++
    const code = neighbours.hold(packet, port, nextHop, now)
    if (code === 0) return
    counters.parked--
    this.drop(packet, code, now)
  }

  /** Sends the fragments that stand for a packet, which is spent. */
  #sendPieces(packet: number, head: number, port: number, nextHop: number, now: Nanoseconds): void {
    const slab = this.#slab
    const { counters } = this.#stages
    slab.release(packet)
    counters.copies--
    let piece = head
    while (piece !== NONE) {
      const next = slab.meta[(piece << META_SHIFT) + NEXT]
      slab.meta[(piece << META_SHIFT) + NEXT] = NONE
      counters.copies++
      this.#enqueue(piece, port, nextHop, now)
      piece = next
    }
  }
}

/** Notes that a tunnel put a header on, unless the datagram still begins at `network`: some kinds add none. */
function markEncapsulated(slab: PacketSlab, packet: number, network: number): void {
  const at = packet << META_SHIFT
  if (slab.meta[at + NETWORK] !== network) slab.meta[at + FLAGS] |= FLAG_ENCAPSULATED
}
