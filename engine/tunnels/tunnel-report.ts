/**
 * What an ICMP error from inside a tunnel means (RFC 2003 4 and 5). The one idea: such a message speaks to the
 * tunnel's entry about an outer header; it is read into a report, weighed against what the entry could have sent,
 * believed as soft state, and, when the quote reaches far enough into the original datagram, answered to the
 * original sender in terms that the sender understands.
 *
 * Every byte is hostile: nothing is read outside the message, nothing throws, and a message that the tunnel cannot
 * have caused changes nothing. Forging one takes the tunnel's two addresses; the damage is bounded by the MTU floor
 * and by the lifetimes of tunnel-state.ts, and no report ever stops the tunnel.
 */
import type { Nanoseconds } from '../clock.ts'
import { FLAG_FRAGMENT, FLAGS, LENGTH, META_SHIFT, NETWORK, type PacketSlab, START } from '../packet.ts'
import { read16, read32 } from '../wire/byte-order.ts'
import { checksum } from '../wire/checksum.ts'
import {
  createIcmp,
  ICMP_HEADER_BYTES,
  ICMP_PARAMETER_PROBLEM,
  ICMP_TIME_EXCEEDED,
  ICMP_UNREACHABLE,
  isIcmpError,
  parseIcmp,
  TIME_EXCEEDED_TTL,
  UNREACHABLE_FRAGMENTATION_NEEDED,
  UNREACHABLE_HOST,
  UNREACHABLE_NETWORK,
} from '../wire/icmp.ts'
import { IPV4_HEADER_BYTES } from '../wire/ipv4.ts'
import { PROTOCOL_ICMP, PROTOCOL_IP_IN_IP } from '../wire/protocol.ts'
import { IP_IN_IP_OVERHEAD_BYTES } from './ip-in-ip.ts'
import {
  ERRORS,
  LINK_MTU,
  lowerMtu,
  reportTrouble,
  TTL_PROTOCOL,
  TUNNEL_SHIFT,
  type TunnelState,
  VALUE_SHIFT,
} from './tunnel-state.ts'

/** An ICMP error about an outer header, and the answer that the original sender should get. */
export interface TunnelReport {
  type: number
  code: number
  rest: number
  /** Entry and exit as the quoted outer header names them, signed. */
  source: number
  destination: number
  /** TTL, length and DF of the quoted outer header. */
  ttl: number
  totalBytes: number
  dontFragment: boolean
  /** The quoted part of the original datagram in the slab's bytes; equal when the quote hides it. */
  quoteOffset: number
  quoteEnd: number
  /** The tunnel that it concerns, once believed. */
  tunnel: number
  /** ICMP error to send to the original sender about the quoted datagram; type 0 when none is due. */
  answerType: number
  answerCode: number
  answerRest: number
}

export function createTunnelReport(): TunnelReport {
  return {
    type: 0,
    code: 0,
    rest: 0,
    source: 0,
    destination: 0,
    ttl: 0,
    totalBytes: 0,
    dontFragment: false,
    quoteOffset: 0,
    quoteEnd: 0,
    tunnel: -1,
    answerType: 0,
    answerCode: 0,
    answerRest: 0,
  }
}

/** MTUs worth trying when a router does not say which (RFC 1191 7.1), largest first. */
const PLATEAUS = [32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68]

const NO_ANSWER = -1
/**
 * Code of the unreachable that answers an unreachable from inside, by its code (RFC 2003 4.1): 2 and 5 speak of
 * the tunnel, 3 cannot be; those that came with RFC 1122 and 1812 are told as network or host, after their names.
 */
const UNREACHABLE_ANSWERS = Int8Array.of(
  UNREACHABLE_NETWORK,
  UNREACHABLE_HOST,
  UNREACHABLE_NETWORK, // protocol: the exit terminates no tunnel
  NO_ANSWER, // port
  UNREACHABLE_FRAGMENTATION_NEEDED,
  NO_ANSWER, // source route failed
  UNREACHABLE_NETWORK, // network unknown
  UNREACHABLE_HOST, // host unknown
  UNREACHABLE_HOST, // source host isolated
  UNREACHABLE_NETWORK, // network prohibited
  UNREACHABLE_HOST, // host prohibited
  UNREACHABLE_NETWORK, // network, for this TOS
  UNREACHABLE_HOST, // host, for this TOS
  UNREACHABLE_HOST, // prohibited
)

/** Offset of the TOS in the IP header: the one byte that the entry copies as it is, at the same place. */
const TOS_POINTER = 1
const DONT_FRAGMENT = 0x4000
const OFFSET_MASK = 0x1fff
const MORE_FRAGMENTS = 0x2000

const icmp = createIcmp()

/**
 * Reads a parsed ICMP packet addressed to this router. True when it is a whole, valid ICMP error that quotes an
 * outer header; `into` then holds it, with no tunnel and no answer yet.
 */
export function readReport(slab: PacketSlab, packet: number, into: TunnelReport): boolean {
  const meta = slab.meta
  const bytes = slab.bytes
  const at = packet << META_SHIFT
  const network = meta[at + NETWORK]
  const end = meta[at + START] + meta[at + LENGTH]
  if (bytes[network + 9] !== PROTOCOL_ICMP || (meta[at + FLAGS] & FLAG_FRAGMENT) !== 0) return false
  if (parseIcmp(bytes, network + ((bytes[network] & 15) << 2), end, icmp) !== 0) return false
  if (!isIcmpError(icmp.type)) return false

  const outer = icmp.payloadOffset
  const quoteEnd = endOfQuote(outer, end)
  if (quoteEnd - outer < IPV4_HEADER_BYTES + 8) return false
  // The entry writes headers without options.
  if (bytes[outer] !== 0x45 || bytes[outer + 9] !== PROTOCOL_IP_IN_IP) return false
  into.type = icmp.type
  into.code = icmp.code
  into.rest = icmp.rest
  into.source = read32(bytes, outer + 12) | 0
  into.destination = read32(bytes, outer + 16) | 0
  into.ttl = bytes[outer + 8]
  into.totalBytes = read16(bytes, outer + 2)
  into.dontFragment = (read16(bytes, outer + 6) & DONT_FRAGMENT) !== 0
  into.tunnel = -1
  into.answerType = 0
  into.answerCode = 0
  into.answerRest = 0
  into.quoteOffset = outer + IPV4_HEADER_BYTES
  into.quoteEnd = endOfInner(bytes, outer, quoteEnd)
  return true
}

/** Where the quoted datagram ends: the message may go on with extensions behind it (RFC 4884 4). */
function endOfQuote(from: number, end: number): number {
  const words = (icmp.rest >>> 16) & 0xff
  const extensible =
    icmp.type === ICMP_TIME_EXCEEDED || icmp.type === ICMP_UNREACHABLE || icmp.type === ICMP_PARAMETER_PROBLEM
  return extensible && words >= 32 && from + words * 4 < end ? from + words * 4 : end
}

/** End of the quoted original datagram; its own offset when too little of it is quoted to be trusted or answered. */
function endOfInner(bytes: Uint8Array, outer: number, quoteEnd: number): number {
  const inner = outer + IPV4_HEADER_BYTES
  const fragment = read16(bytes, outer + 6)
  if (quoteEnd - inner < IPV4_HEADER_BYTES || (fragment & OFFSET_MASK) !== 0) return inner
  const headerBytes = (bytes[inner] & 15) << 2
  const totalBytes = read16(bytes, inner + 2)
  if (bytes[inner] >>> 4 !== 4 || headerBytes < IPV4_HEADER_BYTES || totalBytes < headerBytes) return inner
  const whole = (fragment & MORE_FRAGMENTS) === 0
  if (whole && totalBytes + IP_IN_IP_OVERHEAD_BYTES !== read16(bytes, outer + 2)) return inner
  const enough = inner + Math.min(headerBytes + ICMP_HEADER_BYTES, totalBytes)
  if (quoteEnd < enough || checksum(bytes, inner, inner + headerBytes) !== 0) return inner
  return Math.min(quoteEnd, inner + totalBytes)
}

/**
 * Weighs a report against the tunnel that it names and, when that tunnel may have caused it, takes it into the soft
 * state. Returns whether it was believed.
 */
export function believe(
  state: TunnelState,
  tunnel: number,
  report: Readonly<TunnelReport>,
  now: Nanoseconds,
): boolean {
  const ttl = state.words[(tunnel << TUNNEL_SHIFT) + TTL_PROTOCOL] & 0xff
  const mostBytes = state.words[(tunnel << TUNNEL_SHIFT) + LINK_MTU]
  if (report.ttl > ttl || report.totalBytes > mostBytes || report.totalBytes < 2 * IPV4_HEADER_BYTES)
    return false
  if (report.type === ICMP_UNREACHABLE && report.code === UNREACHABLE_FRAGMENTATION_NEEDED) {
    const mtu = report.rest & 0xffff
    // Nobody complains of a datagram that fits, nor of one that may be fragmented.
    if (!report.dontFragment || mtu >= report.totalBytes) return false
    lowerMtu(state, tunnel, mtu === 0 ? plateauBelow(report.totalBytes) : mtu, state.leastMtuBytes, now)
  } else if (report.type !== ICMP_TIME_EXCEEDED || report.code === TIME_EXCEEDED_TTL) {
    const code = answerCode(report)
    if (code >= 0) reportTrouble(state, tunnel, ICMP_UNREACHABLE, code, now)
  }
  state.values[(tunnel << VALUE_SHIFT) + ERRORS]++
  return true
}

/** The next plateau below a length that did not pass. */
export function plateauBelow(bytes: number): number {
  for (const plateau of PLATEAUS) if (plateau < bytes) return plateau
  return PLATEAUS[PLATEAUS.length - 1]
}

/** Code of the unreachable that tells the original sender of this report, or -1: none, or not an unreachable. */
function answerCode(report: Readonly<TunnelReport>): number {
  if (report.type === ICMP_TIME_EXCEEDED) return UNREACHABLE_HOST
  if (report.type !== ICMP_UNREACHABLE || report.code >= UNREACHABLE_ANSWERS.length) return NO_ANSWER
  return UNREACHABLE_ANSWERS[report.code]
}

/** Fills in the answer to the original sender; `mtuBytes` is the tunnel's MTU now. None when the quote hides it. */
export function answer(slab: PacketSlab, report: TunnelReport, mtuBytes: number): void {
  if (report.quoteEnd === report.quoteOffset) return
  const code = answerCode(report)
  if (code >= 0) {
    const tooBig = code === UNREACHABLE_FRAGMENTATION_NEEDED
    // Whoever lets its datagrams be fragmented is not asked to send smaller ones: the entry fragments them.
    if (tooBig && (read16(slab.bytes, report.quoteOffset + 6) & DONT_FRAGMENT) === 0) return
    report.answerType = ICMP_UNREACHABLE
    report.answerCode = code
    report.answerRest = tooBig ? mtuBytes - IP_IN_IP_OVERHEAD_BYTES : 0
  } else if (
    report.type === ICMP_PARAMETER_PROBLEM &&
    report.code === 0 &&
    report.rest >>> 24 === TOS_POINTER
  ) {
    report.answerType = ICMP_PARAMETER_PROBLEM
    report.answerRest = (TOS_POINTER << 24) >>> 0
  }
}
