/**
 * A network device and what the stack keeps of it. The one idea: addresses, neighbours and the making of link
 * headers stand together; everything above speaks of attachments by index.
 */
import {
  ARP_BYTES,
  ARP_REPLY,
  ARP_REQUEST,
  type Arp,
  BROADCAST_MAC,
  ETHER_TYPE_ARP,
  ETHER_TYPE_IPV4,
  ETHERNET_HEADER_BYTES,
  emitArp,
  emitEthernet,
  type Ipv4Prefix,
  MAC_BYTES,
  macEquals,
  multicastMac,
  parseArp,
} from '../../engine/wire/index.ts'
import { inPrefix, isMulticast, isUnicast } from './addresses.ts'
import { ArpCache, type ArpLink } from './arp-cache.ts'
import type { HostCounters } from './counters.ts'
import type { StackClock } from './time.ts'
import type { TimerQueue } from './timers.ts'

/** A network device as its owner provides it. */
export interface NetworkDevice {
  readonly name: string
  /** Six bytes. */
  readonly mac: Uint8Array
  /** Largest IP packet in bytes, 68 or more. */
  readonly mtu: number
  /** Sends an Ethernet frame, which is the device's from then on. */
  send(frame: Uint8Array): void
}

const NO_MAC = new Uint8Array(MAC_BYTES)

export class Attachment implements ArpLink {
  readonly index: number
  readonly device: NetworkDevice
  readonly prefixes: readonly Ipv4Prefix[]
  readonly clock: StackClock
  readonly timers: TimerQueue
  readonly counters: HostCounters
  readonly #transmit: (frame: Uint8Array) => void
  #neighbours: ArpCache | null = null

  constructor(
    index: number,
    device: NetworkDevice,
    prefixes: readonly Ipv4Prefix[],
    shared: { readonly clock: StackClock; readonly timers: TimerQueue; readonly counters: HostCounters },
    transmit: (device: NetworkDevice, frame: Uint8Array) => void,
  ) {
    this.index = index
    this.device = device
    this.prefixes = prefixes
    this.clock = shared.clock
    this.timers = shared.timers
    this.counters = shared.counters
    this.#transmit = (frame) => transmit(device, frame)
  }

  get neighbours(): ArpCache {
    this.#neighbours ??= new ArpCache(this)
    return this.#neighbours
  }

  /** The address with which this device speaks to `nextHop`: of the same subnet if there is one; 0 without any. */
  addressTowards(nextHop: number): number {
    for (const prefix of this.prefixes) if (inPrefix(nextHop, prefix)) return prefix.address
    return this.prefixes.length === 0 ? 0 : this.prefixes[0].address
  }

  /** Sends a frame whose IP packet is complete to `nextHop` on this link. Takes it over. */
  sendIp(frame: Uint8Array, nextHop: number, broadcast: boolean): void {
    if (broadcast) this.complete(frame, BROADCAST_MAC)
    else if (isMulticast(nextHop)) this.complete(frame, multicastMac(nextHop))
    else this.neighbours.send(frame, nextHop)
  }

  /** Puts the addresses on the frame and sends it. */
  complete(frame: Uint8Array, mac: Uint8Array): void {
    emitEthernet(frame, 0, mac, this.device.mac, ETHER_TYPE_IPV4)
    this.#transmit(frame)
  }

  /** Asks who has `address`. */
  request(address: number, mac: Uint8Array | null): void {
    const senderAddress = this.addressTowards(address)
    const { mac: senderMac } = this.device
    const arp = {
      operation: ARP_REQUEST,
      senderMac,
      senderAddress,
      targetMac: NO_MAC,
      targetAddress: address,
    }
    this.#sendArp(arp, mac ?? BROADCAST_MAC)
  }

  /** Tells the link of an address of this device (RFC 5227 announcement). */
  announce(address: number): void {
    const { mac: senderMac } = this.device
    const arp = { senderMac, senderAddress: address, targetMac: NO_MAC, targetAddress: address }
    this.#sendArp({ operation: ARP_REQUEST, ...arp }, BROADCAST_MAC)
  }

  /** Takes an ARP message in [offset, end) of a frame. Attacker-controlled. */
  inputArp(frame: Uint8Array, offset: number, end: number, into: Arp): void {
    if (parseArp(frame, offset, end, into) !== 0) {
      this.counters.drop('arp-malformed')
      return
    }
    const { senderAddress, targetAddress, senderMac } = into
    const forUs = this.prefixes.some((prefix) => prefix.address === targetAddress)
    const probe = senderAddress === 0 && into.operation === ARP_REQUEST
    if (!probe) {
      const onLink = this.prefixes.some((prefix) => inPrefix(senderAddress, prefix))
      const own = this.prefixes.some((prefix) => prefix.address === senderAddress)
      const honest = macEquals(frame, MAC_BYTES, senderMac) && (senderMac[0] & 1) === 0
      if (!onLink || own || !honest || !isUnicast(senderAddress)) {
        this.counters.drop('arp-spoofed')
        return
      }
      this.neighbours.learn(into, forUs)
    }
    if (forUs && into.operation === ARP_REQUEST)
      this.#sendArp(
        {
          operation: ARP_REPLY,
          senderMac: this.device.mac,
          senderAddress: targetAddress,
          targetMac: senderMac,
          targetAddress: senderAddress,
        },
        senderMac,
      )
  }

  #sendArp(arp: Readonly<Arp>, destination: Uint8Array): void {
    const frame = new Uint8Array(ETHERNET_HEADER_BYTES + ARP_BYTES)
    emitEthernet(frame, 0, destination, this.device.mac, ETHER_TYPE_ARP)
    emitArp(frame, ETHERNET_HEADER_BYTES, arp)
    this.#transmit(frame)
  }
}
