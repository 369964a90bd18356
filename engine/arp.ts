/**
 * ARP as the router speaks it (RFC 826, RFC 5227 for the rules of doubt): answers for its own addresses, asks for
 * next hops, and feeds the neighbour table with what may be believed. The one idea: judge every claim before it
 * reaches the table.
 *
 * Refused as `arp-spoofed`: a sender whose Ethernet source differs from its claim, a MAC that no host can have or that
 * is our own, an address of ours, a broadcast address, and an address that neither lies in one of the port's
 * networks, nor is routed to it as connected, nor was asked for.
 */
import type { Nanoseconds } from './clock.ts'
import { type DropCode, dropCode } from './drop-reason.ts'
import type { Forwarder } from './forwarder.ts'
import { IN_PORT, LENGTH, META_SHIFT, NETWORK, NONE, ORIGINATED, OUT_PORT, START } from './packet.ts'
import { isOnLink, type Port, sourceAddress } from './port.ts'
import { ROUTE_BROADCAST } from './routing/route-table.ts'
import type { ArpReceiver, Stages } from './stages.ts'
import {
  ARP_BYTES,
  ARP_REPLY,
  ARP_REQUEST,
  BROADCAST_MAC,
  createArp,
  ETHER_TYPE_ARP,
  ETHERNET_HEADER_BYTES,
  emitArp,
  emitEthernet,
  parseArp,
} from './wire/index.ts'

const SPOOFED = dropCode('arp-spoofed')
const FRAME_BYTES = ETHERNET_HEADER_BYTES + ARP_BYTES
const ZERO_MAC = new Uint8Array(6)

export class ArpResponder implements ArpReceiver {
  readonly #stages: Stages
  readonly #forwarder: Forwarder
  readonly #arp = createArp()
  readonly #reply = createArp()

  constructor(stages: Stages, forwarder: Forwarder) {
    this.#stages = stages
    this.#forwarder = forwarder
  }

  receive(packet: number, port: Port, now: Nanoseconds): void {
    const { slab, counters, neighbours } = this.#stages
    const at = packet << META_SHIFT
    const end = slab.meta[at + START] + slab.meta[at + LENGTH]
    const code = parseArp(slab.bytes, slab.meta[at + NETWORK], end, this.#arp) || this.#doubt(packet, port)
    if (code !== 0) return this.#forwarder.drop(packet, code, now)
    const { operation, senderAddress, senderMac, targetAddress } = this.#arp
    counters.delivered++
    slab.release(packet)
    const forUs = port.addresses.some((each) => each.address === targetAddress)
    // A probe (sender 0.0.0.0, RFC 5227) claims nothing yet.
    if (senderAddress !== 0) {
      const solicited = forUs && (operation === ARP_REQUEST || neighbours.isAsked(port.index, senderAddress))
      neighbours.learn(port.index, senderAddress, senderMac, solicited, now)
    }
    if (operation === ARP_REQUEST && forUs) this.#answer(port, now)
  }

  /** Asks who has an address: everyone, or one MAC that is believed to have it. */
  ask(port: Port, address: number, mac: Uint8Array | undefined, now: Nanoseconds): void {
    const message = this.#reply
    message.operation = ARP_REQUEST
    message.senderMac.set(port.driver.mac)
    message.senderAddress = sourceAddress(port, address)
    message.targetMac.set(ZERO_MAC)
    message.targetAddress = address
    this.#transmit(port, mac ?? BROADCAST_MAC, now)
  }

  #answer(port: Port, now: Nanoseconds): void {
    const message = this.#reply
    message.operation = ARP_REPLY
    message.senderMac.set(port.driver.mac)
    message.senderAddress = this.#arp.targetAddress
    message.targetMac.set(this.#arp.senderMac)
    message.targetAddress = this.#arp.senderAddress
    this.#transmit(port, this.#arp.senderMac, now)
  }

  #doubt(packet: number, port: Port): DropCode {
    const { slab } = this.#stages
    const { senderMac, senderAddress } = this.#arp
    const source = slab.meta[(packet << META_SHIFT) + START] + 6
    for (let i = 0; i < 6; i++) if (slab.bytes[source + i] !== senderMac[i]) return SPOOFED
    if ((senderMac[0] & 1) !== 0 || senderMac.every((byte) => byte === 0)) return SPOOFED
    if (senderMac.every((byte, i) => byte === port.driver.mac[i])) return SPOOFED
    return senderAddress === 0 || this.#mayHave(port, senderAddress) ? 0 : SPOOFED
  }

  /** Whether someone else on the port's network may have an address. */
  #mayHave(port: Port, address: number): boolean {
    const { own, routes, neighbours } = this.#stages
    const route = routes.lookup(address)
    if (own.has(address) || (route >= 0 && routes.kind[route] === ROUTE_BROADCAST)) return false
    if (isOnLink(port, address) || routes.connectedPort(address) === port.index) return true
    return neighbours.isAsked(port.index, address)
  }

  #transmit(port: Port, destination: Uint8Array, now: Nanoseconds): void {
    const { slab, counters } = this.#stages
    const packet = slab.allocate()
    if (packet === NONE) return
    counters.originated++
    const at = packet << META_SHIFT
    const start = slab.meta[at + START]
    emitEthernet(slab.bytes, start, destination, port.driver.mac, ETHER_TYPE_ARP)
    emitArp(slab.bytes, start + ETHERNET_HEADER_BYTES, this.#reply)
    slab.meta[at + LENGTH] = FRAME_BYTES
    slab.meta[at + IN_PORT] = ORIGINATED
    slab.meta[at + OUT_PORT] = port.index
    slab.meta[at + NETWORK] = start + ETHERNET_HEADER_BYTES
    this.#forwarder.sendUrgent(packet, port, now)
  }
}
