/**
 * Packets that the router's own machine sends: datagrams of its services, and whole packets of its operating system.
 * The one idea: what comes from inside is judged like what comes from a port, and may bear no address but the
 * router's own, so that a fault or a guest behind the punt cannot speak for others.
 *
 * Guarantees: every packet offered counts as originated and is then queued, parked or dropped under a name; one that
 * is longer than the port's MTU leaves in fragments, unless it forbids that. No flow or filter looks at it.
 */
import type { Nanoseconds } from './clock.ts'
import { type DropCode, dropCode } from './drop-reason.ts'
import type { Forwarder } from './forwarder.ts'
import { LENGTH, META_SHIFT, NETWORK, NONE, START } from './packet.ts'
import { sourceAddress } from './port.ts'
import { ROUTE_CONNECTED, ROUTE_LOCAL } from './routing/route-table.ts'
import type { Stages } from './stages.ts'
import {
  createIpv4,
  ETHERNET_HEADER_BYTES,
  emitIpv4,
  emitUdp,
  IPV4_HEADER_BYTES,
  PROTOCOL_UDP,
  parseNetwork,
  read32,
  UDP_HEADER_BYTES,
} from './wire/index.ts'

const SLAB_FULL = dropCode('slab-full')
const OVERSIZED = dropCode('frame-oversized')
const NO_ROUTE = dropCode('no-route')
const MARTIAN_SOURCE = dropCode('martian-source')
const TTL_EXPIRED = dropCode('ttl-expired')

const HEADERS_BYTES = IPV4_HEADER_BYTES + UDP_HEADER_BYTES

/** A UDP datagram to send. Addresses are unsigned, ports 1..65535. */
export interface OutgoingDatagram {
  /** One of the router's own; default: that of the port by which the datagram leaves. */
  readonly from?: number
  readonly to: number
  readonly fromPort: number
  readonly toPort: number
  /** Copied. */
  readonly payload: Uint8Array
}

export class Originator {
  readonly #stages: Stages
  readonly #forwarder: Forwarder
  readonly #header = createIpv4()

  constructor(stages: Stages, forwarder: Forwarder) {
    this.#stages = stages
    this.#forwarder = forwarder
    this.#header.protocol = PROTOCOL_UDP
  }

  /** Sends a datagram. Returns whether it set out: there was room for it, a route, and an address to send it from. */
  sendDatagram(datagram: OutgoingDatagram, now: Nanoseconds): boolean {
    const { slab } = this.#stages
    const { payload, to, fromPort, toPort } = datagram
    const totalBytes = HEADERS_BYTES + payload.length
    if (totalBytes > slab.room - ETHERNET_HEADER_BYTES) return this.#refuse(OVERSIZED)
    const source = datagram.from ?? this.#sourceTowards(to)
    if (source === 0) return this.#refuse(NO_ROUTE)
    const packet = slab.allocate()
    if (packet === NONE) return this.#refuse(SLAB_FULL)
    const network = this.#place(packet, totalBytes)
    const header = this.#header
    header.totalBytes = totalBytes
    header.id = (header.id + 1) & 0xffff
    header.source = source
    header.destination = to
    const transport = emitIpv4(slab.bytes, network, header)
    emitUdp(slab.bytes, transport, source, to, fromPort, toPort, payload)
    return this.#sendOff(packet, now)
  }

  /**
   * Sends a copy of the IPv4 packet in [start, start + length) of `bytes`, header included, as it is: it may lie about
   * anything. Returns whether it set out; false when it is malformed, bears another's address or found no room.
   */
  sendPacket(bytes: Uint8Array, start: number, length: number, now: Nanoseconds): boolean {
    const { slab } = this.#stages
    const given = bytes.subarray(start, start + length)
    if (given.length > slab.room - ETHERNET_HEADER_BYTES) return this.#refuse(OVERSIZED)
    const packet = slab.allocate()
    if (packet === NONE) return this.#refuse(SLAB_FULL)
    slab.bytes.set(given, this.#place(packet, given.length))
    return this.#sendOff(packet, now)
  }

  #refuse(code: DropCode): boolean {
    const { counters } = this.#stages
    counters.originated++
    counters.dropped[code]++
    return false
  }

  #place(packet: number, totalBytes: number): number {
    const { meta } = this.#stages.slab
    const at = packet << META_SHIFT
    const network = meta[at + START] + ETHERNET_HEADER_BYTES
    meta[at + NETWORK] = network
    meta[at + LENGTH] = ETHERNET_HEADER_BYTES + totalBytes
    return network
  }

  #sendOff(packet: number, now: Nanoseconds): boolean {
    const { slab, counters } = this.#stages
    const code = parseNetwork(slab, packet) || this.#doubt(slab.meta[(packet << META_SHIFT) + NETWORK])
    if (code === 0) {
      this.#forwarder.originate(packet, now)
      return true
    }
    counters.originated++
    this.#forwarder.drop(packet, code, now)
    return false
  }

  #doubt(network: number): DropCode {
    const { slab, own, routes } = this.#stages
    const source = read32(slab.bytes, network + 12)
    const route = routes.lookup(source)
    const isOwn = own.has(source) || (route >= 0 && routes.kind[route] === ROUTE_LOCAL)
    if (!isOwn) return MARTIAN_SOURCE
    return slab.bytes[network + 8] === 0 ? TTL_EXPIRED : 0
  }

  /** The address of the port that leads to `to`, or 0 where none does. */
  #sourceTowards(to: number): number {
    const { routes, ports } = this.#stages
    const route = routes.lookup(to)
    if (route < 0 || routes.kind[route] > ROUTE_CONNECTED) return 0
    const nextHop = routes.kind[route] === ROUTE_CONNECTED ? to : routes.gateway[route]
    return sourceAddress(ports[routes.port[route]], nextHop)
  }
}
