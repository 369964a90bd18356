/**
 * UDP datagrams (RFC 768). The one idea: zero in the checksum field means "none", so a computed zero is sent as
 * 0xffff.
 */
import { type DropCode, dropCode } from '../drop-reason.ts'
import { read16, requireRoom, write16 } from './byte-order.ts'
import { checksum, pseudoHeaderSum } from './checksum.ts'
import { PROTOCOL_UDP } from './protocol.ts'

export const UDP_HEADER_BYTES = 8

const TRUNCATED = dropCode('transport-truncated')

export interface Udp {
  sourcePort: number
  destinationPort: number
  /** Header plus payload, 8..65535; bytes behind it are not part of the datagram. */
  lengthBytes: number
  checksum: number
}

export function createUdp(): Udp {
  return { sourcePort: 0, destinationPort: 0, lengthBytes: UDP_HEADER_BYTES, checksum: 0 }
}

/** Reads the header at `offset`. Returns 0, or `transport-truncated` when its length does not fit before `end`. */
export function parseUdp(bytes: Uint8Array, offset: number, end: number, into: Udp): DropCode {
  if (end - offset < UDP_HEADER_BYTES) return TRUNCATED
  const lengthBytes = read16(bytes, offset + 4)
  if (lengthBytes < UDP_HEADER_BYTES || lengthBytes > end - offset) return TRUNCATED
  into.sourcePort = read16(bytes, offset)
  into.destinationPort = read16(bytes, offset + 2)
  into.lengthBytes = lengthBytes
  into.checksum = read16(bytes, offset + 6)
  return 0
}

/** Writes a whole datagram with its checksum. Returns the offset after it. */
export function emitUdp(
  bytes: Uint8Array,
  offset: number,
  ipSource: number,
  ipDestination: number,
  sourcePort: number,
  destinationPort: number,
  payload: Uint8Array,
): number {
  const lengthBytes = UDP_HEADER_BYTES + payload.length
  const end = offset + lengthBytes
  requireRoom(bytes, offset, lengthBytes)
  bytes.set(payload, offset + UDP_HEADER_BYTES)
  write16(bytes, offset, sourcePort)
  write16(bytes, offset + 2, destinationPort)
  write16(bytes, offset + 4, lengthBytes)
  write16(bytes, offset + 6, 0)
  const initial = pseudoHeaderSum(ipSource, ipDestination, PROTOCOL_UDP, lengthBytes)
  const check = checksum(bytes, offset, end, initial)
  write16(bytes, offset + 6, check === 0 ? 0xffff : check)
  return end
}

/** Whether the datagram at `offset`, already accepted by `parseUdp`, has a right checksum or none. */
export function udpChecksumOk(
  bytes: Uint8Array,
  offset: number,
  end: number,
  ipSource: number,
  ipDestination: number,
): boolean {
  if (end - offset < UDP_HEADER_BYTES) return false
  if (read16(bytes, offset + 6) === 0) return true
  const lengthBytes = read16(bytes, offset + 4)
  if (lengthBytes < UDP_HEADER_BYTES || lengthBytes > end - offset) return false
  const initial = pseudoHeaderSum(ipSource, ipDestination, PROTOCOL_UDP, lengthBytes)
  return checksum(bytes, offset, offset + lengthBytes, initial) === 0
}
