/**
 * The Internet checksum (RFC 1071) and its incremental update (RFC 1624, equation 3). The one idea: sums stay
 * unfolded numbers until the end, so that pieces (pseudo header, header, payload) add up in any order.
 */
import { read16, read32 } from './byte-order.ts'
import { PROTOCOL_ICMP, PROTOCOL_IGMP, PROTOCOL_TCP, PROTOCOL_UDP } from './protocol.ts'

/**
 * Unfolded one's complement sum of the 16-bit words in [offset, end), an odd last byte padded with zero.
 * Stays below 2^32 for up to 65,535 bytes and an initial sum below 2^30, the bounds under which `fold` is exact.
 */
export function sum(bytes: Uint8Array, offset: number, end: number, initial = 0): number {
  let high = 0
  let low = 0
  const blocksEnd = end - 7
  for (; offset < blocksEnd; offset += 8) {
    high += bytes[offset] + bytes[offset + 2] + bytes[offset + 4] + bytes[offset + 6]
    low += bytes[offset + 1] + bytes[offset + 3] + bytes[offset + 5] + bytes[offset + 7]
  }
  for (; offset + 1 < end; offset += 2) {
    high += bytes[offset]
    low += bytes[offset + 1]
  }
  if (offset < end) high += bytes[offset]
  return high * 256 + low + initial
}

/** A sum below 2^32 as 16 bits, end-around carry added. */
export function fold(total: number): number {
  total = (total & 0xffff) + (total >>> 16)
  return (total & 0xffff) + (total >>> 16)
}

/** The checksum to write for [offset, end) with its checksum field zero; 0 for bytes that include a right one. */
export function checksum(bytes: Uint8Array, offset: number, end: number, initial = 0): number {
  return ~fold(sum(bytes, offset, end, initial)) & 0xffff
}

/** Unfolded sum of the IPv4 pseudo header of TCP and UDP; `length` is header plus payload in bytes. */
export function pseudoHeaderSum(
  source: number,
  destination: number,
  protocol: number,
  length: number,
): number {
  return (
    (source >>> 16) +
    (source & 0xffff) +
    (destination >>> 16) +
    (destination & 0xffff) +
    protocol +
    (length & 0xffff)
  )
}

/**
 * The checksum after one 16-bit word changed from `from` to `to`. Equal to recomputing it unless every summed
 * byte has become zero, which no IP, TCP, UDP or ICMP message with a valid header can be.
 */
export function adjust16(check: number, from: number, to: number): number {
  return ~fold((~check & 0xffff) + (~from & 0xffff) + (to & 0xffff)) & 0xffff
}

/** The checksum after one aligned 32-bit word (an address) changed from `from` to `to`, signed or unsigned. */
export function adjust32(check: number, from: number, to: number): number {
  return (
    ~fold(
      (~check & 0xffff) +
        (~from & 0xffff) +
        ((~from >>> 16) & 0xffff) +
        (to & 0xffff) +
        ((to >>> 16) & 0xffff),
    ) & 0xffff
  )
}

/** `adjust16` for UDP (RFC 768): zero means "no checksum" and stays; a computed zero becomes 0xffff. */
export function adjustUdp16(check: number, from: number, to: number): number {
  if (check === 0) return 0
  const adjusted = adjust16(check, from, to)
  return adjusted === 0 ? 0xffff : adjusted
}

/** `adjust32` for UDP (RFC 768): zero means "no checksum" and stays; a computed zero becomes 0xffff. */
export function adjustUdp32(check: number, from: number, to: number): number {
  if (check === 0) return 0
  const adjusted = adjust32(check, from, to)
  return adjusted === 0 ? 0xffff : adjusted
}

/**
 * Whether the checksum of the TCP, UDP, ICMP or IGMP message in the IPv4 packet at `network` is right. True where
 * there is none to check: fragments, UDP without a checksum, other protocols. False when lengths contradict.
 */
export function transportChecksumOk(bytes: Uint8Array, network: number, end: number): boolean {
  if (end - network < 20) return false
  const headerBytes = (bytes[network] & 15) << 2
  const packetEnd = network + read16(bytes, network + 2)
  const transport = network + headerBytes
  if (headerBytes < 20 || transport > packetEnd || packetEnd > end) return false
  if ((read16(bytes, network + 6) & 0x3fff) !== 0) return true
  const protocol = bytes[network + 9]
  const length = packetEnd - transport
  if (protocol === PROTOCOL_ICMP || protocol === PROTOCOL_IGMP)
    return length >= 8 && checksum(bytes, transport, packetEnd) === 0
  if (protocol === PROTOCOL_TCP) {
    if (length < 20) return false
  } else if (protocol === PROTOCOL_UDP) {
    if (length < 8 || read16(bytes, transport + 4) !== length) return false
    if (read16(bytes, transport + 6) === 0) return true
  } else return true
  const source = read32(bytes, network + 12)
  const destination = read32(bytes, network + 16)
  return checksum(bytes, transport, packetEnd, pseudoHeaderSum(source, destination, protocol, length)) === 0
}
