/**
 * The IPv4 header and its options (RFC 791, 2113). The one idea: a header is accepted only when version, lengths
 * and checksum are all right, so that nothing behind it asks again. Emitting computes the header length from the
 * options and the checksum from the header.
 */
import { type DropCode, dropCode } from '../drop-reason.ts'
import { read16, read32, requireRoom, write16, write32 } from './byte-order.ts'
import { checksum } from './checksum.ts'

export * from './protocol.ts'

export const IPV4_HEADER_BYTES = 20
export const IPV4_MAX_HEADER_BYTES = 60
export const IPV4_MAX_BYTES = 65_535
/** Smallest MTU of an IPv4 link (RFC 791). */
export const IPV4_MIN_MTU = 68

export const OPTION_END = 0
export const OPTION_NO_OPERATION = 1
export const OPTION_RECORD_ROUTE = 7
export const OPTION_TIMESTAMP = 68
export const OPTION_LOOSE_SOURCE_ROUTE = 131
export const OPTION_STRICT_SOURCE_ROUTE = 137
export const OPTION_ROUTER_ALERT = 148

/** The Router Alert option, "examine packet" (RFC 2113). Shared: never write to it. */
export const ROUTER_ALERT = Uint8Array.of(OPTION_ROUTER_ALERT, 4, 0, 0)

const TRUNCATED = dropCode('ip-truncated')
const VERSION = dropCode('ip-version')
const HEADER_LENGTH = dropCode('ip-header-length')
const TOTAL_LENGTH = dropCode('ip-total-length')
const CHECKSUM = dropCode('ip-checksum')

/** What an emitter chooses. Options are 0..40 bytes, padded with zeros to a multiple of four when emitted. */
export interface Ipv4Fields {
  tos: number
  /** Header plus payload in bytes, 20..65535. */
  totalBytes: number
  id: number
  dontFragment: boolean
  moreFragments: boolean
  /** In bytes, a multiple of eight. */
  fragmentOffset: number
  ttl: number
  protocol: number
  source: number
  destination: number
  options?: Uint8Array | undefined
}

/** A parsed header. Options, if any, lie in [offset + 20, offset + headerBytes) of the packet. */
export interface Ipv4 extends Ipv4Fields {
  /** 20..60. Not read by `emitIpv4`. */
  headerBytes: number
  /** Not read by `emitIpv4`. */
  checksum: number
}

/** An empty header: TTL 64, no payload. */
export function createIpv4(): Ipv4 {
  return {
    tos: 0,
    totalBytes: IPV4_HEADER_BYTES,
    id: 0,
    dontFragment: false,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 64,
    protocol: 0,
    source: 0,
    destination: 0,
    options: undefined,
    headerBytes: IPV4_HEADER_BYTES,
    checksum: 0,
  }
}

/**
 * Verifies the header at `offset`; `end` is the end of the frame, which may be padded. Returns 0, `ip-truncated`,
 * `ip-version`, `ip-header-length`, `ip-total-length` or `ip-checksum`, whichever is found first in this order.
 */
export function verifyIpv4(bytes: Uint8Array, offset: number, end: number): DropCode {
  const room = end - offset
  if (room < IPV4_HEADER_BYTES) return TRUNCATED
  const first = bytes[offset]
  if (first >>> 4 !== 4) return VERSION
  const headerBytes = (first & 15) << 2
  if (headerBytes < IPV4_HEADER_BYTES || headerBytes > room) return HEADER_LENGTH
  const totalBytes = read16(bytes, offset + 2)
  if (totalBytes < headerBytes || totalBytes > room) return TOTAL_LENGTH
  return checksum(bytes, offset, offset + headerBytes) === 0 ? 0 : CHECKSUM
}

/** Reads the header at `offset` after `verifyIpv4`, whose codes it returns. Does not touch `into.options`. */
export function parseIpv4(bytes: Uint8Array, offset: number, end: number, into: Ipv4): DropCode {
  const reason = verifyIpv4(bytes, offset, end)
  if (reason !== 0) return reason
  const fragment = read16(bytes, offset + 6)
  into.tos = bytes[offset + 1]
  into.totalBytes = read16(bytes, offset + 2)
  into.id = read16(bytes, offset + 4)
  into.dontFragment = (fragment & 0x4000) !== 0
  into.moreFragments = (fragment & 0x2000) !== 0
  into.fragmentOffset = (fragment & 0x1fff) << 3
  into.ttl = bytes[offset + 8]
  into.protocol = bytes[offset + 9]
  into.source = read32(bytes, offset + 12)
  into.destination = read32(bytes, offset + 16)
  into.headerBytes = (bytes[offset] & 15) << 2
  into.checksum = read16(bytes, offset + 10)
  return 0
}

/** Header length in bytes that `emitIpv4` writes for these options. */
export function ipv4HeaderBytes(options?: Uint8Array): number {
  return IPV4_HEADER_BYTES + (options === undefined ? 0 : (options.length + 3) & ~3)
}

/**
 * Writes the header with its checksum. Returns the offset after it, where the payload goes.
 * @throws RangeError for more than 40 bytes of options or no room
 */
export function emitIpv4(bytes: Uint8Array, offset: number, header: Readonly<Ipv4Fields>): number {
  const options = header.options
  const headerBytes = ipv4HeaderBytes(options)
  if (headerBytes > IPV4_MAX_HEADER_BYTES) throw new RangeError('more than 40 bytes of IPv4 options')
  requireRoom(bytes, offset, headerBytes)
  const end = offset + headerBytes
  bytes[offset] = 0x40 | (headerBytes >>> 2)
  bytes[offset + 1] = header.tos
  write16(bytes, offset + 2, header.totalBytes)
  write16(bytes, offset + 4, header.id)
  const flags = (header.dontFragment ? 0x4000 : 0) | (header.moreFragments ? 0x2000 : 0)
  write16(bytes, offset + 6, flags | (header.fragmentOffset >>> 3))
  bytes[offset + 8] = header.ttl
  bytes[offset + 9] = header.protocol
  write16(bytes, offset + 10, 0)
  write32(bytes, offset + 12, header.source)
  write32(bytes, offset + 16, header.destination)
  if (options !== undefined) {
    bytes.fill(0, offset + IPV4_HEADER_BYTES, end)
    bytes.set(options, offset + IPV4_HEADER_BYTES)
  }
  write16(bytes, offset + 10, checksum(bytes, offset, end))
  return end
}

/** Answers of `nextOption`. */
export const NO_MORE_OPTIONS = -1
export const MALFORMED_OPTION = -2

/**
 * Offset of the first option at or after `at` that is not padding; NO_MORE_OPTIONS, or MALFORMED_OPTION when its
 * length lies. The next search begins at the offset plus the option's second byte, its whole length.
 */
export function nextOption(bytes: Uint8Array, at: number, to: number): number {
  while (at < to && bytes[at] === OPTION_NO_OPERATION) at++
  if (at >= to || bytes[at] === OPTION_END) return NO_MORE_OPTIONS
  if (at + 1 >= to) return MALFORMED_OPTION
  const length = bytes[at + 1]
  return length < 2 || length > to - at ? MALFORMED_OPTION : at
}

/**
 * Calls `visit` for every option in [from, to) with its type, offset and whole length, padding left out. Returns
 * false when the list is malformed, after the options before the fault.
 */
export function walkOptions(
  bytes: Uint8Array,
  from: number,
  to: number,
  visit: (type: number, offset: number, length: number) => void,
): boolean {
  let at = nextOption(bytes, from, to)
  for (; at >= 0; at = nextOption(bytes, at + bytes[at + 1], to)) visit(bytes[at], at, bytes[at + 1])
  return at === NO_MORE_OPTIONS
}

/** Offset of the first option of `type` in [from, to), -1 where there is none or the list is malformed before it. */
export function findOption(bytes: Uint8Array, from: number, to: number, type: number): number {
  let at = nextOption(bytes, from, to)
  for (; at >= 0; at = nextOption(bytes, at + bytes[at + 1], to)) if (bytes[at] === type) return at
  return -1
}

/** Whether the header of `headerBytes` at `offset` carries Router Alert (RFC 2113): the router looks inside. */
export function hasRouterAlert(bytes: Uint8Array, offset: number, headerBytes: number): boolean {
  const at = findOption(bytes, offset + IPV4_HEADER_BYTES, offset + headerBytes, OPTION_ROUTER_ALERT)
  return at >= 0 && bytes[at + 1] === 4
}

/** Whether the options in [from, to) are well formed and none asks for source routing (RFC 7126 4.3, 4.4). */
export function optionsAcceptable(bytes: Uint8Array, from: number, to: number): boolean {
  let at = nextOption(bytes, from, to)
  for (; at >= 0; at = nextOption(bytes, at + bytes[at + 1], to)) {
    const type = bytes[at]
    if (type === OPTION_LOOSE_SOURCE_ROUTE || type === OPTION_STRICT_SOURCE_ROUTE) return false
  }
  return at === NO_MORE_OPTIONS
}
