/**
 * IP-in-IP as wire format (RFC 2003 3.1) and its congestion marks (RFC 6040). The one idea: the outer header
 * follows from the inner one; which tunnel, which TTL and whether the packet may enter is for others to decide.
 */
import { read16, requireRoom, write16, write32 } from './byte-order.ts'
import { checksum } from './checksum.ts'
import { IPV4_HEADER_BYTES } from './ipv4.ts'
import { PROTOCOL_IP_IN_IP } from './protocol.ts'

/** Low two bits of the TOS byte (RFC 3168). */
export const ECN_MASK = 3
export const ECN_NOT_CAPABLE = 0
export const ECN_CAPABLE_1 = 1
export const ECN_CAPABLE_0 = 2
export const ECN_CONGESTION = 3

/** Answer of `ecnAtExit`: drop the packet. */
export const ECN_DROP = -1

/** Outer TOS at the tunnel's entry: DSCP and ECN as inside (RFC 6040 4.1, normal mode; RFC 2983 uniform model). */
export function ecnAtEntry(innerTos: number): number {
  return innerTos & 255
}

/**
 * Inner TOS as it leaves the tunnel (RFC 6040 4.2), or ECN_DROP: congestion marked on the way, of a packet whose
 * ends do not understand marks, can only be told by loss.
 */
export function ecnAtExit(innerTos: number, outerTos: number): number {
  const inner = innerTos & ECN_MASK
  const outer = outerTos & ECN_MASK
  if (outer === ECN_CONGESTION) return inner === ECN_NOT_CAPABLE ? ECN_DROP : innerTos | ECN_CONGESTION
  if (outer === ECN_CAPABLE_1 && inner === ECN_CAPABLE_0) return (innerTos & ~ECN_MASK) | ECN_CAPABLE_1
  return innerTos
}

/**
 * Writes the 20-byte outer header at `offset` for the verified IPv4 packet at `innerOffset`: TOS copied, DF set when
 * it is inside, no options, protocol 4. The inner packet is untouched and may lie anywhere. Returns the offset after
 * it. The caller has checked that inner length + 20 <= 65535 and that the inner TTL is not 0.
 * @param ttl enough to reach the exit, 1..255; not copied from inside
 */
export function emitOuterHeader(
  bytes: Uint8Array,
  offset: number,
  innerOffset: number,
  outerSource: number,
  outerDestination: number,
  ttl: number,
  id: number,
): number {
  requireRoom(bytes, offset, IPV4_HEADER_BYTES)
  const end = offset + IPV4_HEADER_BYTES
  const tos = ecnAtEntry(bytes[innerOffset + 1])
  const totalBytes = IPV4_HEADER_BYTES + read16(bytes, innerOffset + 2)
  const dontFragment = read16(bytes, innerOffset + 6) & 0x4000
  bytes[offset] = 0x45
  bytes[offset + 1] = tos
  write16(bytes, offset + 2, totalBytes)
  write16(bytes, offset + 4, id)
  write16(bytes, offset + 6, dontFragment)
  bytes[offset + 8] = ttl
  bytes[offset + 9] = PROTOCOL_IP_IN_IP
  write16(bytes, offset + 10, 0)
  write32(bytes, offset + 12, outerSource)
  write32(bytes, offset + 16, outerDestination)
  write16(bytes, offset + 10, checksum(bytes, offset, end))
  return end
}
