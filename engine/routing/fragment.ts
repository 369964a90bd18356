/**
 * IPv4 fragmentation (RFC 791 2.3, 3.2; RFC 1812 4.2.2.7) on packets of the slab. The one idea: all or nothing. The
 * pieces are counted before the first one is made, so that a full slab costs the datagram, never half of it.
 *
 * Pieces inherit the state of their datagram, its flow key included, so that all of them take one path.
 */
import { dropCode } from '../drop-reason.ts'
import {
  FLAG_FRAGMENT,
  FLAG_LATER_FRAGMENT,
  FLAGS,
  LENGTH,
  META_SHIFT,
  META_WORDS,
  NETWORK,
  NEXT,
  NONE,
  type PacketSlab,
  START,
  TRANSPORT,
} from '../packet.ts'
import { read16, write16 } from '../wire/byte-order.ts'
import { checksum } from '../wire/checksum.ts'
import { ETHERNET_HEADER_BYTES } from '../wire/ethernet.ts'
import { IPV4_HEADER_BYTES, IPV4_MIN_MTU, OPTION_END, OPTION_NO_OPERATION } from '../wire/ipv4.ts'

const FRAGMENTATION_NEEDED = dropCode('fragmentation-needed')
const SLAB_FULL = dropCode('slab-full')

const DONT_FRAGMENT = 0x4000
const MORE_FRAGMENTS = 0x2000
const OFFSET_MASK = 0x1fff
/** Top bit of an option's type: it goes into every fragment. */
const COPIED = 0x80

/**
 * Cuts a parsed datagram into pieces of at most `mtuBytes`. Returns the first piece, the others following through
 * NEXT in order; or a negated drop code: `fragmentation-needed` (DF is set, or `mtuBytes` is below 68) or
 * `slab-full`. The datagram is unchanged and stays the caller's. A datagram that fits becomes one equal piece.
 */
export function fragment(slab: PacketSlab, packet: number, mtuBytes: number): number {
  const bytes = slab.bytes
  const network = slab.meta[(packet << META_SHIFT) + NETWORK]
  if ((read16(bytes, network + 6) & DONT_FRAGMENT) !== 0 || mtuBytes < IPV4_MIN_MTU)
    return -FRAGMENTATION_NEEDED
  const headerBytes = (bytes[network] & 15) << 2
  const dataBytes = read16(bytes, network + 2) - headerBytes
  const room = Math.min(mtuBytes, slab.room - ETHERNET_HEADER_BYTES)
  const laterHeaderBytes = IPV4_HEADER_BYTES + copiedOptions(bytes, network, headerBytes, NONE)
  const firstBytes = pieceBytes(room - headerBytes, dataBytes)
  const laterBytes = room - laterHeaderBytes
  if (slab.available < 1 + countPieces(laterBytes, dataBytes - firstBytes)) return -SLAB_FULL

  const head = makePiece(slab, packet, headerBytes, 0, firstBytes)
  let last = head
  for (let from = firstBytes; from < dataBytes; ) {
    const length = pieceBytes(laterBytes, dataBytes - from)
    const next = makePiece(slab, packet, laterHeaderBytes, from, length)
    slab.meta[(last << META_SHIFT) + NEXT] = next
    last = next
    from += length
  }
  return head
}

/** Data of the next piece: all that is left, or a multiple of eight bytes. */
function pieceBytes(roomBytes: number, restBytes: number): number {
  return restBytes <= roomBytes ? restBytes : roomBytes & ~7
}

function countPieces(roomBytes: number, restBytes: number): number {
  if (restBytes === 0) return 0
  return restBytes <= roomBytes ? 1 : 1 + Math.ceil((restBytes - roomBytes) / (roomBytes & ~7))
}

/** Copies [from, from + length) of the data behind a header for it. The caller has made sure of a free packet. */
function makePiece(
  slab: PacketSlab,
  packet: number,
  headerBytes: number,
  from: number,
  length: number,
): number {
  const { bytes, meta } = slab
  const piece = slab.allocate()
  const original = packet << META_SHIFT
  const at = piece << META_SHIFT
  const start = meta[at + START]
  const network = start + ETHERNET_HEADER_BYTES
  meta.copyWithin(at, original, original + META_WORDS)
  meta[at + START] = start
  meta[at + LENGTH] = ETHERNET_HEADER_BYTES + headerBytes + length
  meta[at + NETWORK] = network
  meta[at + TRANSPORT] = network + headerBytes
  meta[at + NEXT] = NONE
  slab.time[piece] = slab.time[packet]

  const header = meta[original + NETWORK]
  const originalHeaderBytes = (bytes[header] & 15) << 2
  const data = header + originalHeaderBytes + from
  const dataEnd = header + read16(bytes, header + 2)
  bytes.copyWithin(network, header, header + IPV4_HEADER_BYTES)
  if (from === 0)
    bytes.copyWithin(network + IPV4_HEADER_BYTES, header + IPV4_HEADER_BYTES, header + headerBytes)
  else copiedOptions(bytes, header, originalHeaderBytes, network + IPV4_HEADER_BYTES)
  bytes.copyWithin(network + headerBytes, data, data + length)

  const position = read16(bytes, header + 6)
  const offset = (position & OFFSET_MASK) + (from >>> 3)
  const more = (position & MORE_FRAGMENTS) !== 0 || data + length < dataEnd ? MORE_FRAGMENTS : 0
  const part = offset !== 0 || more !== 0 ? FLAG_FRAGMENT : 0
  meta[at + FLAGS] |= offset === 0 ? part : FLAG_FRAGMENT | FLAG_LATER_FRAGMENT
  bytes[network] = 0x40 | (headerBytes >>> 2)
  write16(bytes, network + 2, headerBytes + length)
  write16(bytes, network + 6, more | offset)
  write16(bytes, network + 10, 0)
  write16(bytes, network + 10, checksum(bytes, network, network + headerBytes))
  return piece
}

/**
 * Length of the options that go into every fragment, padded to a multiple of four; also writes them to `to` unless
 * that is NONE. What stands behind a malformed option is not copied.
 */
function copiedOptions(bytes: Uint8Array, header: number, headerBytes: number, to: number): number {
  const end = header + headerBytes
  let length = 0
  for (let at = header + IPV4_HEADER_BYTES; at < end && bytes[at] !== OPTION_END; ) {
    if (bytes[at] === OPTION_NO_OPERATION) {
      at++
      continue
    }
    const optionBytes = at + 1 < end ? bytes[at + 1] : 0
    if (optionBytes < 2 || optionBytes > end - at) break
    if ((bytes[at] & COPIED) !== 0) {
      if (to !== NONE) bytes.copyWithin(to + length, at, at + optionBytes)
      length += optionBytes
    }
    at += optionBytes
  }
  const padded = (length + 3) & ~3
  if (to !== NONE) bytes.fill(OPTION_END, to + length, to + padded)
  return padded
}
