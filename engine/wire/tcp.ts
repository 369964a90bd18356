/**
 * The TCP segment header (RFC 9293). The one idea: fixed fields here, options in tcp-options.ts; emitting writes a
 * whole segment with its checksum.
 */
import { type DropCode, dropCode } from '../drop-reason.ts'
import { read16, read32, requireRoom, write16, write32 } from './byte-order.ts'
import { checksum, pseudoHeaderSum } from './checksum.ts'
import { PROTOCOL_TCP } from './protocol.ts'
import { emitTcpOptions, type TcpOptions, tcpOptionsBytes } from './tcp-options.ts'

export * from './tcp-options.ts'

export const TCP_HEADER_BYTES = 20
export const TCP_MAX_HEADER_BYTES = 60

export const TCP_FIN = 1
export const TCP_SYN = 2
export const TCP_RST = 4
export const TCP_PSH = 8
export const TCP_ACK = 16
export const TCP_URG = 32
export const TCP_ECE = 64
export const TCP_CWR = 128

const TRUNCATED = dropCode('transport-truncated')

/** What an emitter chooses. */
export interface TcpFields {
  sourcePort: number
  destinationPort: number
  /** Unsigned 32-bit. */
  sequence: number
  /** Unsigned 32-bit. */
  acknowledgment: number
  /** Bit set of TCP_*. */
  flags: number
  /** Unscaled, 0..65535. */
  window: number
  urgent: number
}

/** A parsed header. Options lie in [offset + 20, offset + headerBytes), the payload behind them. */
export interface Tcp extends TcpFields {
  /** 20..60. Not read by `emitTcp`. */
  headerBytes: number
  /** Not read by `emitTcp`. */
  checksum: number
}

export function createTcp(): Tcp {
  return {
    sourcePort: 0,
    destinationPort: 0,
    sequence: 0,
    acknowledgment: 0,
    flags: 0,
    window: 0,
    urgent: 0,
    headerBytes: TCP_HEADER_BYTES,
    checksum: 0,
  }
}

/** Reads the header at `offset`. Returns 0, or `transport-truncated` when it does not fit before `end`. */
export function parseTcp(bytes: Uint8Array, offset: number, end: number, into: Tcp): DropCode {
  if (end - offset < TCP_HEADER_BYTES) return TRUNCATED
  const headerBytes = (bytes[offset + 12] >>> 4) << 2
  if (headerBytes < TCP_HEADER_BYTES || headerBytes > end - offset) return TRUNCATED
  into.sourcePort = read16(bytes, offset)
  into.destinationPort = read16(bytes, offset + 2)
  into.sequence = read32(bytes, offset + 4)
  into.acknowledgment = read32(bytes, offset + 8)
  into.headerBytes = headerBytes
  into.flags = bytes[offset + 13]
  into.window = read16(bytes, offset + 14)
  into.checksum = read16(bytes, offset + 16)
  into.urgent = read16(bytes, offset + 18)
  return 0
}

/**
 * Writes a whole segment with its checksum. Returns the offset after it.
 * @param options `undefined` for none
 * @throws RangeError when the options need more than 40 bytes or there is no room
 */
export function emitTcp(
  bytes: Uint8Array,
  offset: number,
  ipSource: number,
  ipDestination: number,
  header: Readonly<TcpFields>,
  options: TcpOptions | undefined,
  payload: Uint8Array,
): number {
  const headerBytes = TCP_HEADER_BYTES + (options === undefined ? 0 : tcpOptionsBytes(options))
  const lengthBytes = headerBytes + payload.length
  const end = offset + lengthBytes
  requireRoom(bytes, offset, lengthBytes)
  bytes.set(payload, offset + headerBytes)
  write16(bytes, offset, header.sourcePort)
  write16(bytes, offset + 2, header.destinationPort)
  write32(bytes, offset + 4, header.sequence)
  write32(bytes, offset + 8, header.acknowledgment)
  bytes[offset + 12] = (headerBytes >>> 2) << 4
  bytes[offset + 13] = header.flags
  write16(bytes, offset + 14, header.window)
  write16(bytes, offset + 16, 0)
  write16(bytes, offset + 18, header.urgent)
  if (options !== undefined) emitTcpOptions(bytes, offset + TCP_HEADER_BYTES, options)
  const initial = pseudoHeaderSum(ipSource, ipDestination, PROTOCOL_TCP, lengthBytes)
  write16(bytes, offset + 16, checksum(bytes, offset, end, initial))
  return end
}

/** Whether the segment that fills [offset, end) has a right checksum. */
export function tcpChecksumOk(
  bytes: Uint8Array,
  offset: number,
  end: number,
  ipSource: number,
  ipDestination: number,
): boolean {
  if (end - offset < TCP_HEADER_BYTES) return false
  const initial = pseudoHeaderSum(ipSource, ipDestination, PROTOCOL_TCP, end - offset)
  return checksum(bytes, offset, end, initial) === 0
}
