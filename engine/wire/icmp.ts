/**
 * ICMP messages (RFC 792, 950, 1191, 1812). The one idea: every message is type, code and one 32-bit word whose
 * meaning hangs on the type, followed by data; helpers name the meanings.
 */
import { type DropCode, dropCode } from '../drop-reason.ts'
import { read16, read32, requireRoom, write16, write32 } from './byte-order.ts'
import { checksum } from './checksum.ts'

export const ICMP_HEADER_BYTES = 8

export const ICMP_ECHO_REPLY = 0
export const ICMP_UNREACHABLE = 3
export const ICMP_SOURCE_QUENCH = 4
export const ICMP_REDIRECT = 5
export const ICMP_ECHO_REQUEST = 8
export const ICMP_ROUTER_ADVERTISEMENT = 9
export const ICMP_ROUTER_SOLICITATION = 10
export const ICMP_TIME_EXCEEDED = 11
export const ICMP_PARAMETER_PROBLEM = 12
export const ICMP_TIMESTAMP_REQUEST = 13
export const ICMP_TIMESTAMP_REPLY = 14

/** Codes of ICMP_UNREACHABLE. */
export const UNREACHABLE_NETWORK = 0
export const UNREACHABLE_HOST = 1
export const UNREACHABLE_PROTOCOL = 2
export const UNREACHABLE_PORT = 3
/** Fragmentation needed and DF set; the low 16 bits of `rest` are the next hop's MTU (RFC 1191). */
export const UNREACHABLE_FRAGMENTATION_NEEDED = 4
export const UNREACHABLE_SOURCE_ROUTE_FAILED = 5
export const UNREACHABLE_NETWORK_PROHIBITED = 9
export const UNREACHABLE_HOST_PROHIBITED = 10
export const UNREACHABLE_PROHIBITED = 13

/** Codes of ICMP_REDIRECT. */
export const REDIRECT_NETWORK = 0
export const REDIRECT_HOST = 1

/** Codes of ICMP_TIME_EXCEEDED. */
export const TIME_EXCEEDED_TTL = 0
export const TIME_EXCEEDED_REASSEMBLY = 1

const MALFORMED = dropCode('icmp-malformed')

export interface Icmp {
  type: number
  code: number
  checksum: number
  /** Bytes 4..7: identifier and sequence, next hop MTU, gateway or pointer. */
  rest: number
  /** Where the data begins; it ends where the message does. */
  payloadOffset: number
}

export function createIcmp(): Icmp {
  return { type: 0, code: 0, checksum: 0, rest: 0, payloadOffset: 0 }
}

/** Reads the message that fills [offset, end) and verifies its checksum. Returns 0 or `icmp-malformed`. */
export function parseIcmp(bytes: Uint8Array, offset: number, end: number, into: Icmp): DropCode {
  if (end - offset < ICMP_HEADER_BYTES || checksum(bytes, offset, end) !== 0) return MALFORMED
  into.type = bytes[offset]
  into.code = bytes[offset + 1]
  into.checksum = read16(bytes, offset + 2)
  into.rest = read32(bytes, offset + 4)
  into.payloadOffset = offset + ICMP_HEADER_BYTES
  return 0
}

/** Writes a whole message with its checksum; `payload` must not overlap its own destination's header. */
export function emitIcmp(
  bytes: Uint8Array,
  offset: number,
  type: number,
  code: number,
  rest: number,
  payload: Uint8Array,
): number {
  const end = offset + ICMP_HEADER_BYTES + payload.length
  requireRoom(bytes, offset, end - offset)
  bytes.set(payload, offset + ICMP_HEADER_BYTES)
  bytes[offset] = type
  bytes[offset + 1] = code
  write16(bytes, offset + 2, 0)
  write32(bytes, offset + 4, rest)
  write16(bytes, offset + 2, checksum(bytes, offset, end))
  return end
}

/** Whether this type reports an error about a quoted packet; such a message is never answered by an ICMP error. */
export function isIcmpError(type: number): boolean {
  return (
    type === ICMP_UNREACHABLE ||
    type === ICMP_SOURCE_QUENCH ||
    type === ICMP_REDIRECT ||
    type === ICMP_TIME_EXCEEDED ||
    type === ICMP_PARAMETER_PROBLEM
  )
}

/** `rest` of an echo request or reply. */
export function echoRest(identifier: number, sequence: number): number {
  return (((identifier & 0xffff) << 16) | (sequence & 0xffff)) >>> 0
}
