/**
 * Sending IP packets (RFC 791, RFC 1122 3.3). The one idea: the transport made the frame with room in front; this
 * fills in the IP header, finds the way, and cuts the packet into fragments where it is too big and may be cut.
 * Packets to this host itself go to its inbox.
 */
import {
  createIpv4,
  ETHERNET_HEADER_BYTES,
  emitIpv4,
  IPV4_HEADER_BYTES,
  IPV4_MAX_BYTES,
} from '../../engine/wire/index.ts'
import { isMulticast, LIMITED_BROADCAST, type LocalAddresses } from './addresses.ts'
import type { Attachment } from './attachment.ts'
import type { HostCounters } from './counters.ts'
import { FRAME_NETWORK } from './frame.ts'
import type { Network, SendOptions, SendResult } from './network.ts'
import type { RouteTable } from './routes.ts'

const DEFAULT_TTL = 64
const NO_OPTIONS: SendOptions = {}

/** What output needs of the stack. */
export interface OutputContext {
  readonly attachments: readonly Attachment[]
  readonly addresses: LocalAddresses
  readonly routes: RouteTable
  readonly counters: HostCounters
  readonly random: () => number
  /** Takes a frame for this host itself. */
  loop(frame: Uint8Array): void
}

export class Ipv4Output implements Network {
  readonly #context: OutputContext
  readonly #header = createIpv4()
  #id = -1

  constructor(context: OutputContext) {
    this.#context = context
  }

  isLocal(address: number): boolean {
    return this.#context.addresses.has(address)
  }

  sourceFor(destination: number): number {
    if (this.isLocal(destination)) return destination
    const route = this.#context.routes.find(destination)
    if (route !== undefined)
      return this.#context.attachments[route.device].addressTowards(route.via === 0 ? destination : route.via)
    if (!isMulticast(destination) && destination !== LIMITED_BROADCAST) return 0
    return this.#context.attachments[0]?.addressTowards(destination) ?? 0
  }

  linkMtu(destination: number): number {
    if (this.isLocal(destination)) return IPV4_MAX_BYTES
    const route = this.#context.routes.find(destination)
    return route === undefined ? 576 : this.#context.attachments[route.device].device.mtu
  }

  send(
    frame: Uint8Array,
    source: number,
    destination: number,
    protocol: number,
    options: SendOptions = NO_OPTIONS,
  ): SendResult {
    const { addresses, counters } = this.#context
    const from = source === 0 ? this.sourceFor(destination) : source
    if (from === 0) {
      counters.drop('no-route')
      return 'no-source'
    }
    const header = this.#header
    header.tos = options.tos ?? 0
    header.totalBytes = frame.length - FRAME_NETWORK
    header.id = this.#nextId()
    header.dontFragment = options.dontFragment === true
    header.moreFragments = false
    header.fragmentOffset = 0
    header.ttl = options.ttl ?? (isMulticast(destination) ? 1 : DEFAULT_TTL)
    header.protocol = protocol
    header.source = from
    header.destination = destination
    header.options = options.ipOptions
    if (header.totalBytes > IPV4_MAX_BYTES) {
      counters.drop('too-big')
      return 'too-big'
    }
    if (addresses.has(destination)) {
      emitIpv4(frame, FRAME_NETWORK, header)
      this.#context.loop(frame)
      return 'sent'
    }
    return this.#sendOut(frame, options)
  }

  /** Sends the packet whose header fields are set by the link that leads to its destination. */
  #sendOut(frame: Uint8Array, options: SendOptions): SendResult {
    const { addresses, attachments, routes, counters } = this.#context
    const header = this.#header
    const { destination } = header
    const route = routes.find(destination)
    const broadcast = addresses.isBroadcast(destination)
    const direct = broadcast || isMulticast(destination)
    const attachment = attachments[options.device ?? route?.device ?? (direct ? 0 : -1)]
    if (attachment === undefined) {
      counters.drop('no-route')
      return 'unreachable'
    }
    const nextHop = route !== undefined && route.via !== 0 && !direct ? route.via : destination
    if (header.totalBytes <= attachment.device.mtu) {
      emitIpv4(frame, FRAME_NETWORK, header)
      attachment.sendIp(frame, nextHop, broadcast)
      return 'sent'
    }
    if (header.dontFragment) {
      counters.drop('too-big')
      return 'too-big'
    }
    this.#sendFragments(frame, attachment, nextHop, broadcast)
    return 'sent'
  }

  /** Cuts the packet whose header fields are set (RFC 791 3.2). Options, Router Alert at most, go into each. */
  #sendFragments(frame: Uint8Array, attachment: Attachment, via: number, broadcast: boolean): void {
    const header = this.#header
    const headerBytes = IPV4_HEADER_BYTES + (header.options?.length ?? 0)
    const data = FRAME_NETWORK + headerBytes
    const room = (attachment.device.mtu - headerBytes) & ~7
    for (let offset = 0; data + offset < frame.length; offset += room) {
      const end = Math.min(frame.length, data + offset + room)
      const piece = new Uint8Array(ETHERNET_HEADER_BYTES + headerBytes + end - data - offset)
      header.totalBytes = piece.length - ETHERNET_HEADER_BYTES
      header.fragmentOffset = offset
      header.moreFragments = end < frame.length
      emitIpv4(piece, FRAME_NETWORK, header)
      piece.set(frame.subarray(data + offset, end), data)
      this.#context.counters.fragmentsOut++
      attachment.sendIp(piece, via, broadcast)
    }
  }

  #nextId(): number {
    if (this.#id < 0) this.#id = this.#context.random() & 0xffff
    this.#id = (this.#id + 1) & 0xffff
    return this.#id
  }
}
