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
/** DF in the header's second word, read little-endian. */
export const DONT_FRAGMENT = 0x400000

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
  if ((meta[at + NETWORK] & 3) !== 0) align(slab, packet)
  const network = meta[at + NETWORK]
  const outer = network - IPV4_HEADER_BYTES
  const frames = slab.words
  const header = network >>> 2
  const words = state.words
  const record = tunnel << TUNNEL_SHIFT
  const source = frames[header + 3] | 0
  if ((frames[header + 2] & 0xff) === 0) return TTL
  if (source === words[record + DESTINATION_WORD]) return RECURSION
  // Section 3.2 speaks of datagrams that arrive; what the router itself says may go through a tunnel.
  if (meta[at + IN_PORT] !== ORIGINATED && state.own.has(addressWord(source))) return RECURSION
  // Headers nested so deeply that the headroom is used up are a loop of tunnels.
  if (outer - ETHERNET_HEADER_BYTES < packet * slab.stride) return RECURSION

  const inner = frames[header] | 0
  const totalBytes = (((inner >>> 8) & 0xff00) | (inner >>> 24)) + IPV4_HEADER_BYTES
  const dontFragment = frames[header + 1] & DONT_FRAGMENT
  if (totalBytes > words[record + MTU] && totalBytes > currentMtu(state, tunnel, now))
    return dontFragment === 0 ? NEEDS_FRAGMENTS : FRAGMENTATION_NEEDED

  const identification = words[record + IDENTIFICATION]
  words[record + IDENTIFICATION] = (identification + 1) & 0xffff
  const first = VERSION_AND_LENGTH | (inner & 0xff00) | ((totalBytes & 0xff00) << 8) | (totalBytes << 24)
  const second = identification | dontFragment | state.outerFlags
  let sum = words[record + OUTER_SUM] + (first & 0xffff) + (first >>> 16) + identification + (second >>> 16)
  sum = (sum & 0xffff) + (sum >>> 16)
  sum = (sum & 0xffff) + (sum >>> 16)
  frames[header - 5] = first
  frames[header - 4] = second
  frames[header - 3] = words[record + TTL_PROTOCOL] | ((~sum & 0xffff) << 16)
  frames[header - 2] = words[record + SOURCE_WORD]
  frames[header - 1] = words[record + DESTINATION_WORD]
  meta[at + START] = outer - ETHERNET_HEADER_BYTES
  meta[at + LENGTH] = totalBytes + ETHERNET_HEADER_BYTES
  meta[at + NETWORK] = outer
  meta[at + TRANSPORT] = network
  return 0
}

/** Moves a datagram down to the next multiple of four: frames of a strange header length are rare. */
function align(slab: PacketSlab, packet: number): void {
  const meta = slab.meta
  const at = packet << META_SHIFT
  const network = meta[at + NETWORK]
  const by = network & 3
  slab.bytes.copyWithin(network - by, network, meta[at + START] + meta[at + LENGTH])
  meta[at + START] -= by
  meta[at + NETWORK] -= by
  meta[at + TRANSPORT] -= by
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
