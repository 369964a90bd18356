/**
 * ICMP errors that the router sends (RFC 792, 1122 3.2.2, 1191, 1812 4.3.2). The one idea: an error is always about
 * a datagram whose bytes are at hand, whether it was just refused or is quoted by someone else's error, so that one
 * place decides who may be told, what is quoted and how often.
 *
 * Guarantees: never about an ICMP error or an ICMP type that is no query, a later fragment, anything sent to a
 * multicast or broadcast address, or a sender that is no single host; never longer than 576 bytes; never faster
 * than the limiter allows. Every refusal is counted.
 */
import type { Nanoseconds } from '../clock.ts'
import {
  FLAG_BROADCAST,
  FLAG_MULTICAST,
  FLAG_TTL_SPENT,
  FLAGS,
  KEY_DESTINATION,
  KEY_PORTS,
  KEY_PROTOCOL,
  KEY_SOURCE,
  LENGTH,
  META_SHIFT,
  NETWORK,
  NONE,
  type PacketSlab,
  START,
  TRANSPORT,
} from '../packet.ts'
import { read16, read32, write16, write32 } from '../wire/byte-order.ts'
import { checksum } from '../wire/checksum.ts'
import { ETHERNET_HEADER_BYTES } from '../wire/ethernet.ts'
import { ICMP_ECHO_REPLY, ICMP_ECHO_REQUEST, ICMP_HEADER_BYTES } from '../wire/icmp.ts'
import { createIpv4, emitIpv4, IPV4_HEADER_BYTES } from '../wire/ipv4.ts'
import { PROTOCOL_ICMP } from '../wire/protocol.ts'

/** Longest error, IP header included (RFC 1812 4.3.2.3). */
export const ICMP_ERROR_BYTES = 576

/** Says whether one more error may be sent now. */
export interface ErrorLimiter {
  take(now: Nanoseconds): boolean
}

/** What became of the errors that were asked for. */
export interface IcmpErrorCounters {
  sent: number
  /** Nobody may be told about such a datagram. */
  unanswerable: number
  rateLimited: number
  /** No free packet. */
  slabFull: number
}

/** Internetwork control (RFC 1812 4.3.2.5); the other TOS bits follow the datagram, the ECN bits stay clear. */
const PRECEDENCE = 0xc0
const TOS_MASK = 0x1c
const TTL = 64

export class IcmpErrors {
  readonly counters: IcmpErrorCounters = { sent: 0, unanswerable: 0, rateLimited: 0, slabFull: 0 }
  readonly #slab: PacketSlab
  readonly #limiter: ErrorLimiter
  readonly #header = createIpv4()

  constructor(slab: PacketSlab, limiter: ErrorLimiter) {
    this.#slab = slab
    this.#limiter = limiter
    this.#header.protocol = PROTOCOL_ICMP
    this.#header.ttl = TTL
  }

  /**
   * Makes an error about a parsed packet, which stays the caller's. `source` is the address of the interface that
   * it came in by; `rest` the word behind the checksum (the MTU of 3/4). Returns a fresh packet, IN_PORT ORIGINATED,
   * ready to be routed to its KEY_DESTINATION, or NONE.
   */
  about(packet: number, type: number, code: number, rest: number, source: number, now: Nanoseconds): number {
    const meta = this.#slab.meta
    const at = packet << META_SHIFT
    if ((meta[at + FLAGS] & (FLAG_MULTICAST | FLAG_BROADCAST)) !== 0) {
      this.counters.unanswerable++
      return NONE
    }
    const end = meta[at + START] + meta[at + LENGTH]
    return this.aboutQuote(meta[at + NETWORK], end, type, code, rest, source, now)
  }

  /**
   * The same about a datagram of which [offset, end) of the slab's bytes holds at least the header and, if there is
   * more, eight bytes; it may be hostile and cut short. Its header's version and lengths were checked.
   */
  aboutQuote(
    offset: number,
    end: number,
    type: number,
    code: number,
    rest: number,
    source: number,
    now: Nanoseconds,
  ): number {
    const slab = this.#slab
    if (!mayBeAnswered(slab.bytes, offset, end)) return this.#refuse('unanswerable')
    if (!this.#limiter.take(now)) return this.#refuse('rateLimited')
    const error = slab.allocate()
    if (error === NONE) return this.#refuse('slabFull')
    this.#write(error, offset, end, type, code, rest, source)
    this.counters.sent++
    return error
  }

  #refuse(reason: keyof IcmpErrorCounters): number {
    this.counters[reason]++
    return NONE
  }

  #write(
    error: number,
    offset: number,
    end: number,
    type: number,
    code: number,
    rest: number,
    source: number,
  ): void {
    const { bytes, meta, room } = this.#slab
    const at = error << META_SHIFT
    const network = meta[at + START] + ETHERNET_HEADER_BYTES
    const icmp = network + IPV4_HEADER_BYTES
    const most =
      Math.min(ICMP_ERROR_BYTES, room - ETHERNET_HEADER_BYTES) - IPV4_HEADER_BYTES - ICMP_HEADER_BYTES
    const quoted = Math.min(end - offset, read16(bytes, offset + 2), most)
    const icmpEnd = icmp + ICMP_HEADER_BYTES + quoted
    const header = this.#header
    header.tos = PRECEDENCE | (bytes[offset + 1] & TOS_MASK)
    header.totalBytes = icmpEnd - network
    header.id = (header.id + 1) & 0xffff
    header.source = source >>> 0
    header.destination = read32(bytes, offset + 12)
    emitIpv4(bytes, network, header)
    bytes[icmp] = type
    bytes[icmp + 1] = code
    write16(bytes, icmp + 2, 0)
    write32(bytes, icmp + 4, rest)
    bytes.copyWithin(icmp + ICMP_HEADER_BYTES, offset, offset + quoted)
    write16(bytes, icmp + 2, checksum(bytes, icmp, icmpEnd))
    meta[at + LENGTH] = ETHERNET_HEADER_BYTES + header.totalBytes
    meta[at + NETWORK] = network
    meta[at + TRANSPORT] = icmp
    meta[at + FLAGS] = FLAG_TTL_SPENT
    meta[at + KEY_SOURCE] = header.source
    meta[at + KEY_DESTINATION] = header.destination
    meta[at + KEY_PORTS] = 0
    meta[at + KEY_PROTOCOL] = PROTOCOL_ICMP
  }
}

/** Whether the sender of the datagram at `offset` may be told of an error (RFC 1122 3.2.2, RFC 1812 4.3.2.7). */
export function mayBeAnswered(bytes: Uint8Array, offset: number, end: number): boolean {
  if (!isUnicast(read32(bytes, offset + 12)) || !isUnicast(read32(bytes, offset + 16))) return false
  if ((read16(bytes, offset + 6) & 0x1fff) !== 0) return false
  if (bytes[offset + 9] !== PROTOCOL_ICMP) return true
  const icmp = offset + ((bytes[offset] & 15) << 2)
  return icmp < end && isIcmpQuery(bytes[icmp])
}

/** Not 0/8, 127/8, multicast, reserved or limited broadcast: an address that may belong to a single host. */
function isUnicast(address: number): boolean {
  const network = address >>> 24
  return network !== 0 && network !== 127 && network < 224
}

/** Echo, router discovery, timestamp, information and mask messages; anything unknown might be an error. */
function isIcmpQuery(type: number): boolean {
  return type === ICMP_ECHO_REPLY || (type >= ICMP_ECHO_REQUEST && type !== 11 && type !== 12 && type <= 18)
}
