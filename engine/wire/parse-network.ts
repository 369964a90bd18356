/**
 * The careful parser of IPv4 packets in the slab: every rule, from single bytes, whatever the alignment. The one
 * idea: one place judges; the quick path in parse.ts only recognises packets about which it has nothing to say.
 *
 * Guarantees: bytes outside the frame are never read, nothing throws, nothing is allocated. A packet that parses
 * has a verified IPv4 header, no source routing, plausible addresses, and its whole first transport header if it
 * has one. After a drop reason the state words behind START and LENGTH are unspecified.
 *
 * RFC 791, 1122, 1812 5.3.7 (martians), 1858 and 3128 (tiny and overlapping fragments), 7126 (options).
 */
import { type DropCode, dropCode } from '../drop-reason.ts'
import {
  FLAG_BROADCAST,
  FLAG_FRAGMENT,
  FLAG_LATER_FRAGMENT,
  FLAG_MULTICAST,
  FLAG_RELATED,
  FLAG_TCP_ACK,
  FLAG_TCP_FIN,
  FLAG_TCP_RST,
  FLAG_TCP_SYN,
  FLAGS,
  KEY_DESTINATION,
  KEY_PORTS,
  KEY_PROTOCOL,
  KEY_SOURCE,
  LENGTH,
  META_SHIFT,
  NETWORK,
  type PacketSlab,
  START,
  TRANSPORT,
} from '../packet.ts'
import { read16, read32 } from './byte-order.ts'
import { ICMP_ECHO_REPLY, ICMP_ECHO_REQUEST, isIcmpError } from './icmp.ts'
import { IPV4_HEADER_BYTES, IPV4_MAX_BYTES, optionsAcceptable, verifyIpv4 } from './ipv4.ts'
import { PROTOCOL_ICMP, PROTOCOL_IGMP, PROTOCOL_TCP, PROTOCOL_UDP } from './protocol.ts'

const IP_OPTIONS = dropCode('ip-options')
const MARTIAN_SOURCE = dropCode('martian-source')
const MARTIAN_DESTINATION = dropCode('martian-destination')
const FRAGMENT_MALFORMED = dropCode('fragment-malformed')
const TRANSPORT_TRUNCATED = dropCode('transport-truncated')

const MORE_FRAGMENTS = 0x2000
const FRAGMENT_OFFSET = 0x1fff

/** The flags that parsing sets; it keeps all others, such as the recirculation count. */
export const PARSED_FLAGS =
  FLAG_FRAGMENT |
  FLAG_LATER_FRAGMENT |
  FLAG_RELATED |
  FLAG_MULTICAST |
  FLAG_BROADCAST |
  FLAG_TCP_SYN |
  FLAG_TCP_FIN |
  FLAG_TCP_RST |
  FLAG_TCP_ACK

/** Parses the IPv4 packet at NETWORK as `parseNetwork` promises. Returns 0 or the reason to drop. */
export function parseCarefully(slab: PacketSlab, packet: number): DropCode {
  const meta = slab.meta
  const bytes = slab.bytes
  const at = packet << META_SHIFT
  const network = meta[at + NETWORK]
  const end = meta[at + START] + meta[at + LENGTH]
  const reason = verifyIpv4(bytes, network, end)
  if (reason !== 0) return reason
  const headerBytes = (bytes[network] & 15) << 2
  const totalBytes = read16(bytes, network + 2)
  if (!optionsAcceptable(bytes, network + IPV4_HEADER_BYTES, network + headerBytes)) return IP_OPTIONS
  const protocol = bytes[network + 9]
  const source = read32(bytes, network + 12)
  const destination = read32(bytes, network + 16)
  if (isMartianSource(source, destination, protocol)) return MARTIAN_SOURCE
  if (isMartianDestination(destination)) return MARTIAN_DESTINATION
  meta[at + LENGTH] = network - meta[at + START] + totalBytes
  meta[at + TRANSPORT] = network + headerBytes
  meta[at + KEY_SOURCE] = source
  meta[at + KEY_DESTINATION] = destination
  meta[at + KEY_PORTS] = 0
  meta[at + KEY_PROTOCOL] = protocol
  let flags = meta[at + FLAGS] & ~PARSED_FLAGS
  if (destination === 0xffffffff) flags |= FLAG_BROADCAST
  else if (destination >>> 28 === 14) flags |= FLAG_MULTICAST
  const payloadBytes = totalBytes - headerBytes
  const fragment = read16(bytes, network + 6) & (MORE_FRAGMENTS | FRAGMENT_OFFSET)
  if (fragment !== 0) {
    if (!isPlausibleFragment(fragment, payloadBytes, headerBytes, protocol)) return FRAGMENT_MALFORMED
    flags |= FLAG_FRAGMENT
    if ((fragment & FRAGMENT_OFFSET) !== 0) {
      meta[at + FLAGS] = flags | FLAG_LATER_FRAGMENT
      return 0
    }
  }
  meta[at + FLAGS] = flags
  return parseTransport(slab, at, protocol, payloadBytes)
}

/** Sources that no packet from outside may have; IGMP from a host without an address (RFC 3376 4.2.13) may. */
function isMartianSource(source: number, destination: number, protocol: number): boolean {
  if (source === 0 && protocol === PROTOCOL_IGMP) return destination >>> 28 !== 14
  const octet = source >>> 24
  return octet === 0 || octet === 127 || octet >= 224
}

function isMartianDestination(destination: number): boolean {
  const octet = destination >>> 24
  return octet === 0 || octet === 127 || (octet >= 240 && destination !== 0xffffffff)
}

/**
 * Whether a fragment can be part of a datagram: some data, a multiple of eight unless it is the last, an end within
 * 65,535 bytes, and no TCP header cut behind its first eight bytes (RFC 3128).
 */
function isPlausibleFragment(
  fragment: number,
  payloadBytes: number,
  headerBytes: number,
  protocol: number,
): boolean {
  if (payloadBytes === 0) return false
  if ((fragment & MORE_FRAGMENTS) !== 0 && (payloadBytes & 7) !== 0) return false
  const offset = (fragment & FRAGMENT_OFFSET) << 3
  if (headerBytes + offset + payloadBytes > IPV4_MAX_BYTES) return false
  return !(offset === 8 && protocol === PROTOCOL_TCP)
}

/** Ports and TCP flags of a packet that holds the beginning of its transport header. */
function parseTransport(slab: PacketSlab, at: number, protocol: number, payloadBytes: number): DropCode {
  const meta = slab.meta
  const bytes = slab.bytes
  const transport = meta[at + TRANSPORT]
  if (protocol === PROTOCOL_TCP) {
    if (payloadBytes < 20) return TRANSPORT_TRUNCATED
    meta[at + FLAGS] |= tcpFlags(bytes[transport + 13])
    meta[at + KEY_PORTS] = read32(bytes, transport)
  } else if (protocol === PROTOCOL_UDP) {
    if (payloadBytes < 8) return TRANSPORT_TRUNCATED
    meta[at + KEY_PORTS] = read32(bytes, transport)
  } else if (protocol === PROTOCOL_ICMP) {
    if (payloadBytes < 8) return TRANSPORT_TRUNCATED
    parseIcmpKey(slab, at, transport, transport + payloadBytes)
  }
  return 0
}

/** FLAG_TCP_* of the flags byte of a TCP header, without branches: FIN 1, SYN 2, RST 4, ACK 16. */
export function tcpFlags(bits: number): number {
  return ((bits & 18) << 4) | ((bits & 1) << 6) | ((bits & 4) << 5)
}

/**
 * The key of an ICMP message: an echo has its identifier as source port; an error speaks of the packet it quotes
 * and gets the key of the opposite direction, so that it follows the flow it came back from. A quote that is too
 * short, a later fragment, itself an ICMP error, or not from the message's destination proves nothing.
 */
function parseIcmpKey(slab: PacketSlab, at: number, message: number, end: number): void {
  const meta = slab.meta
  const bytes = slab.bytes
  const type = bytes[message]
  if (isEcho(type)) {
    meta[at + KEY_PORTS] = read16(bytes, message + 4) << 16
    return
  }
  const quote = message + 8
  if (!isIcmpError(type) || end - quote < 20 || bytes[quote] >>> 4 !== 4) return
  const headerBytes = (bytes[quote] & 15) << 2
  const transport = quote + headerBytes
  if (headerBytes < 20 || end - transport < 8) return
  if ((read16(bytes, quote + 6) & FRAGMENT_OFFSET) !== 0) return
  if ((read32(bytes, quote + 12) | 0) !== meta[at + KEY_DESTINATION]) return
  const protocol = bytes[quote + 9]
  let ports = 0
  if (protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP)
    ports = (read16(bytes, transport + 2) << 16) | read16(bytes, transport)
  else if (protocol === PROTOCOL_ICMP) {
    if (!isEcho(bytes[transport])) return
    ports = read16(bytes, transport + 4) << 16
  }
  meta[at + KEY_SOURCE] = read32(bytes, quote + 16)
  meta[at + KEY_PORTS] = ports
  meta[at + KEY_PROTOCOL] = protocol
  meta[at + FLAGS] |= FLAG_RELATED
}

function isEcho(type: number): boolean {
  return type === ICMP_ECHO_REQUEST || type === ICMP_ECHO_REPLY
}
