/**
 * IP-in-IP (RFC 2003), entry and exit, on packets of the slab. The one idea: the outer header is five words, of
 * which only the first three differ between packets of a tunnel, so that entry is a few reads, five writes into the
 * headroom and one folding of a precomputed sum.
 *
 * Guarantees. Entry: the inner datagram is not touched (the forwarding path has taken one from its TTL); outer TOS
 * is the inner one, ECN included (RFC 6040 4.1, normal mode); outer DF is set when the inner is; datagrams with TTL
 * 0, from this router's own addresses or from the tunnel's exit never enter (3.1, 3.2). Exit: what comes out is
 * bounded by the outer datagram, carries the congestion that the tunnel saw (RFC 6040 4.2), and is otherwise the
 * datagram that went in.
 */
import type { Nanoseconds } from '../clock.ts'
import { type DropCode, dropCode } from '../drop-reason.ts'
import {
  FLAG_FRAGMENT,
  FLAGS,
  IN_PORT,
  LENGTH,
  META_SHIFT,
  NETWORK,
  ORIGINATED,
  type PacketSlab,
  START,
  TRANSPORT,
} from '../packet.ts'
import { read16, write16 } from '../wire/byte-order.ts'
import { adjust16 } from '../wire/checksum.ts'
import { ETHERNET_HEADER_BYTES } from '../wire/ethernet.ts'
import { ecnAtExit } from '../wire/ip-in-ip.ts'
import { IPV4_HEADER_BYTES } from '../wire/ipv4.ts'
import { PROTOCOL_IP_IN_IP } from '../wire/protocol.ts'
import {
  currentMtu,
  DESTINATION_WORD,
  IDENTIFICATION,
  MTU,
  OUTER_SUM,
  SOURCE_WORD,
  TTL_PROTOCOL,
  TUNNEL_SHIFT,
  type TunnelState,
} from './tunnel-state.ts'

/** Bytes that the outer header adds. */
export const IP_IN_IP_OVERHEAD_BYTES = 20

/** Answer of an entry: the datagram may be fragmented and must be, before it fits. Not a drop code. */
export const NEEDS_FRAGMENTS = -1

const TTL = dropCode('tunnel-ttl')
const RECURSION = dropCode('tunnel-recursion')
const MALFORMED = dropCode('tunnel-malformed')
const ECN = dropCode('tunnel-ecn')
const OUTER_FRAGMENT = dropCode('tunnel-fragmented')
const FRAGMENTATION_NEEDED = dropCode('fragmentation-needed')

/** Version 4 and five words of header. */
const VERSION_AND_LENGTH = 0x45
/** DF as the third byte of the header's second word. */
const DONT_FRAGMENT = 0x40

const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

/** The four bytes of an address as the machine reads them in a header (little-endian, like the words below). */
export function addressWord(address: number): number {
  return (address << 24) | ((address & 0xff00) << 8) | ((address >>> 8) & 0xff00) | (address >>> 24)
}

/** Folded sum of the half words that all outer headers of a tunnel share, in machine order like those words. */
export function outerSum(sourceWord: number, destinationWord: number, ttlProtocol: number): number {
  const sum =
    ttlProtocol +
    (sourceWord & 0xffff) +
    (sourceWord >>> 16) +
    (destinationWord & 0xffff) +
    (destinationWord >>> 16)
  return (sum & 0xffff) + (sum >>> 16)
}

/**
 * Prepends the outer header of `tunnel` to a parsed datagram whose TTL was already taken one from if it is being
 * forwarded. Returns 0 with START, LENGTH, NETWORK and TRANSPORT at the outer header (FLAGS and KEY_* stay those of
 * the inner), NEEDS_FRAGMENTS, or a drop code with the packet unchanged: `tunnel-ttl`, `tunnel-recursion`,
 * `fragmentation-needed`.
 */
export function encapsulate(
  state: TunnelState,
  tunnel: number,
  slab: PacketSlab,
  packet: number,
  now: Nanoseconds,
): number {
  const meta = slab.meta
  const at = packet << META_SHIFT
  const network = meta[at + NETWORK]
  const bytes = slab.bytes
  const words = state.words
  const record = tunnel << TUNNEL_SHIFT
  const sourceWord =
    LITTLE_ENDIAN && (network & 3) === 0 ? slab.words[(network >>> 2) + 3] | 0 : readWord(bytes, network + 12)
  const outer = network - IPV4_HEADER_BYTES

  if (bytes[network + 8] === 0) return TTL
  if (sourceWord === words[record + DESTINATION_WORD]) return RECURSION
  // Section 3.2 speaks of datagrams that arrive; what the router itself says may go through a tunnel.
  if (meta[at + IN_PORT] !== ORIGINATED && state.own.has(addressWord(sourceWord))) return RECURSION
  // Headers nested so deeply that the headroom is used up are a loop of tunnels.
  if (outer - ETHERNET_HEADER_BYTES < packet * slab.stride) return RECURSION

  const dontFragment = bytes[network + 6] & DONT_FRAGMENT
  const totalBytes = ((bytes[network + 2] << 8) | bytes[network + 3]) + IPV4_HEADER_BYTES
  if (totalBytes > words[record + MTU] && totalBytes > currentMtu(state, tunnel, now))
    return dontFragment === 0 ? NEEDS_FRAGMENTS : FRAGMENTATION_NEEDED

  const first =
    VERSION_AND_LENGTH | (bytes[network + 1] << 8) | ((totalBytes >>> 8) << 16) | (totalBytes << 24)
  const identification = words[record + IDENTIFICATION]
  const outerDontFragment = state.alwaysDontFragment ? DONT_FRAGMENT : dontFragment
  words[record + IDENTIFICATION] = (identification + 1) & 0xffff
  let sum = words[record + OUTER_SUM] + (first & 0xffff) + (first >>> 16)
  sum += identification + outerDontFragment
  sum = (sum & 0xffff) + (sum >>> 16)
  sum = (sum & 0xffff) + (sum >>> 16)
  const second = identification | (outerDontFragment << 16)
  const third = words[record + TTL_PROTOCOL] | ((~sum & 0xffff) << 16)

  if (LITTLE_ENDIAN && (outer & 3) === 0) {
    const frames = slab.words
    const word = outer >>> 2
    frames[word] = first
    frames[word + 1] = second
    frames[word + 2] = third
    frames[word + 3] = words[record + SOURCE_WORD]
    frames[word + 4] = words[record + DESTINATION_WORD]
  } else {
    writeWord(bytes, outer, first)
    writeWord(bytes, outer + 4, second)
    writeWord(bytes, outer + 8, third)
    writeWord(bytes, outer + 12, words[record + SOURCE_WORD])
    writeWord(bytes, outer + 16, words[record + DESTINATION_WORD])
  }
  meta[at + START] = outer - ETHERNET_HEADER_BYTES
  meta[at + LENGTH] = totalBytes + ETHERNET_HEADER_BYTES
  meta[at + NETWORK] = outer
  meta[at + TRANSPORT] = network
  return 0
}

/**
 * Takes the outer header off a parsed packet of protocol 4 addressed to this router. All bytes are hostile.
 * Returns 0 with START, LENGTH, NETWORK and TRANSPORT at the inner datagram, whose header the caller then parses
 * (`parseNetwork`), or a drop code with the packet unchanged: `tunnel-malformed` (what is inside is no IPv4
 * datagram, or a longer one), `tunnel-fragmented`, `tunnel-ecn` (RFC 6040 4.2), `tunnel-ttl` (inner TTL 0).
 */
export function decapsulate(slab: PacketSlab, packet: number): DropCode {
  const meta = slab.meta
  const bytes = slab.bytes
  const at = packet << META_SHIFT
  const outer = meta[at + NETWORK]
  if (bytes[outer + 9] !== PROTOCOL_IP_IN_IP) return MALFORMED
  if ((meta[at + FLAGS] & FLAG_FRAGMENT) !== 0) return OUTER_FRAGMENT
  const inner = outer + ((bytes[outer] & 15) << 2)
  const room = outer + read16(bytes, outer + 2) - inner
  if (room < IPV4_HEADER_BYTES || bytes[inner] >>> 4 !== 4) return MALFORMED
  const headerBytes = (bytes[inner] & 15) << 2
  const totalBytes = read16(bytes, inner + 2)
  if (headerBytes < IPV4_HEADER_BYTES || totalBytes < headerBytes || totalBytes > room) return MALFORMED
  if (bytes[inner + 8] === 0) return TTL

  const tos = bytes[inner + 1]
  const congested = ecnAtExit(tos, bytes[outer + 1])
  if (congested < 0) return ECN
  if (congested !== tos) {
    const before = read16(bytes, inner)
    bytes[inner + 1] = congested
    write16(bytes, inner + 10, adjust16(read16(bytes, inner + 10), before, read16(bytes, inner)))
  }
  meta[at + START] = inner - ETHERNET_HEADER_BYTES
  meta[at + LENGTH] = totalBytes + ETHERNET_HEADER_BYTES
  meta[at + NETWORK] = inner
  meta[at + TRANSPORT] = inner + headerBytes
  return 0
}

function readWord(bytes: Uint8Array, offset: number): number {
  return bytes[offset] | (bytes[offset + 1] << 8) | (bytes[offset + 2] << 16) | (bytes[offset + 3] << 24)
}

function writeWord(bytes: Uint8Array, offset: number, word: number): void {
  bytes[offset] = word
  bytes[offset + 1] = word >>> 8
  bytes[offset + 2] = word >>> 16
  bytes[offset + 3] = word >>> 24
}
