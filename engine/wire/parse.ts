/**
 * The data path's parser: from a frame in the slab to the packet's state words. The one idea: what every later
 * stage asks (offsets, flags, flow key) is read once, as integers, and everything outside is checked here.
 *
 * Guarantees: bytes outside [START, START + LENGTH) are never read, nothing throws, nothing is allocated. A packet
 * that parses has a verified IPv4 header, no source routing, plausible addresses, and its whole first transport
 * header if it has one. After a drop reason the state words behind START and LENGTH are unspecified. An untagged
 * header is read as aligned words; the same verdicts come from bytes where it is not aligned or has options.
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
import { ETHER_TYPE_IPV4, ETHER_TYPE_SERVICE_VLAN, ETHER_TYPE_VLAN } from './ethernet.ts'
import { ICMP_ECHO_REPLY, ICMP_ECHO_REQUEST, isIcmpError } from './icmp.ts'
import { optionsAcceptable, verifyIpv4 } from './ipv4.ts'
import { PROTOCOL_ICMP, PROTOCOL_IGMP, PROTOCOL_TCP, PROTOCOL_UDP } from './protocol.ts'

const FRAME_TRUNCATED = dropCode('frame-truncated')
const ETHERTYPE_UNSUPPORTED = dropCode('ethertype-unsupported')
const IP_TRUNCATED = dropCode('ip-truncated')
const IP_TOTAL_LENGTH = dropCode('ip-total-length')
const IP_CHECKSUM = dropCode('ip-checksum')
const IP_OPTIONS = dropCode('ip-options')
const MARTIAN_SOURCE = dropCode('martian-source')
const MARTIAN_DESTINATION = dropCode('martian-destination')
const FRAGMENT_MALFORMED = dropCode('fragment-malformed')
const TRANSPORT_TRUNCATED = dropCode('transport-truncated')

const PARSED_FLAGS =
  FLAG_FRAGMENT |
  FLAG_LATER_FRAGMENT |
  FLAG_RELATED |
  FLAG_MULTICAST |
  FLAG_BROADCAST |
  FLAG_TCP_SYN |
  FLAG_TCP_FIN |
  FLAG_TCP_RST |
  FLAG_TCP_ACK

const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

/**
 * Parses the Ethernet frame at START, tags allowed, and the IPv4 packet in it: sets NETWORK, TRANSPORT, FLAGS and
 * the KEY_* words, and trims LENGTH to the IPv4 packet's end. Returns 0 or the reason to drop;
 * `ethertype-unsupported` for other types, with NETWORK set.
 */
export function parsePacket(slab: PacketSlab, packet: number): DropCode {
  const meta = slab.meta
  const bytes = slab.bytes
  const at = packet << META_SHIFT
  const start = meta[at + START]
  const length = meta[at + LENGTH]
  if (length < 14) return FRAME_TRUNCATED
  if (bytes[start + 12] === ETHER_TYPE_IPV4 >> 8 && bytes[start + 13] === (ETHER_TYPE_IPV4 & 255))
    meta[at + NETWORK] = start + 14
  else {
    const etherType = etherTypeOf(slab, packet)
    if (etherType !== ETHER_TYPE_IPV4) return etherType < 0 ? FRAME_TRUNCATED : ETHERTYPE_UNSUPPORTED
  }
  return parseNetwork(slab, packet)
}

/**
 * The type behind up to two VLAN tags of the frame at START, or -1 when the frame ends before it. Sets NETWORK to
 * what follows the type.
 */
export function etherTypeOf(slab: PacketSlab, packet: number): number {
  const meta = slab.meta
  const bytes = slab.bytes
  const at = packet << META_SHIFT
  const start = meta[at + START]
  const end = start + meta[at + LENGTH]
  let network = start + 14
  if (network > end) return -1
  let type = read16(bytes, network - 2)
  for (let tags = 0; tags < 2 && (type === ETHER_TYPE_VLAN || type === ETHER_TYPE_SERVICE_VLAN); tags++) {
    network += 4
    if (network > end) return -1
    type = read16(bytes, network - 2)
  }
  meta[at + NETWORK] = network
  return type
}

/**
 * Parses the IPv4 packet at NETWORK, which ends within the frame: the second half of `parsePacket`, and all of it
 * after decapsulation. Flags that the parser does not own (the recirculation count) are kept.
 */
export function parseNetwork(slab: PacketSlab, packet: number): DropCode {
  const meta = slab.meta
  const at = packet << META_SHIFT
  const network = meta[at + NETWORK]
  const end = meta[at + START] + meta[at + LENGTH]
  if (end - network < 20) return IP_TRUNCATED
  if (LITTLE_ENDIAN && (network & 3) === 0) {
    const words = slab.words
    const index = network >>> 2
    const first = words[index]
    if ((first & 255) === 0x45) {
      const totalBytes = ((first >>> 8) & 0xff00) | (first >>> 24)
      if (totalBytes < 20 || totalBytes > end - network) return IP_TOTAL_LENGTH
      const second = words[index + 1]
      const third = words[index + 2]
      const source = words[index + 3]
      const destination = words[index + 4]
      // A right sum is a multiple of 0xffff in either byte order (RFC 1071), so one folding yields 0xffff.
      let sum = (first & 0xffff) + (first >>> 16) + (second & 0xffff) + (second >>> 16)
      sum += (third & 0xffff) + (third >>> 16) + (source & 0xffff) + (source >>> 16)
      sum += (destination & 0xffff) + (destination >>> 16)
      sum = (sum & 0xffff) + (sum >>> 16)
      if (sum !== 0xffff) return IP_CHECKSUM
      const fragment = ((second >>> 8) & 0xff00) | (second >>> 24)
      meta[at + KEY_SOURCE] = swap(source)
      meta[at + KEY_DESTINATION] = swap(destination)
      meta[at + KEY_PROTOCOL] = (third >>> 8) & 255
      return parseBody(slab, at, network, 20, totalBytes, fragment & 0x3fff)
    }
  }
  return parseHeaderBytes(slab, at, network, end)
}

/** The same from single bytes: for headers that are not aligned or have options. */
function parseHeaderBytes(slab: PacketSlab, at: number, network: number, end: number): DropCode {
  const bytes = slab.bytes
  const meta = slab.meta
  const reason = verifyIpv4(bytes, network, end)
  if (reason !== 0) return reason
  const headerBytes = (bytes[network] & 15) << 2
  if (headerBytes > 20 && !optionsAcceptable(bytes, network + 20, network + headerBytes)) return IP_OPTIONS
  meta[at + KEY_SOURCE] = read32(bytes, network + 12)
  meta[at + KEY_DESTINATION] = read32(bytes, network + 16)
  meta[at + KEY_PROTOCOL] = bytes[network + 9]
  const fragment = read16(bytes, network + 6) & 0x3fff
  return parseBody(slab, at, network, headerBytes, read16(bytes, network + 2), fragment)
}

/** Judges addresses and fragmentation and reads the transport header of a verified packet. */
function parseBody(
  slab: PacketSlab,
  at: number,
  network: number,
  headerBytes: number,
  totalBytes: number,
  fragment: number,
): DropCode {
  const meta = slab.meta
  const destination = meta[at + KEY_DESTINATION]
  const protocol = meta[at + KEY_PROTOCOL]
  const sourceOctet = meta[at + KEY_SOURCE] >>> 24
  const destinationOctet = destination >>> 24
  if (sourceOctet === 0 || sourceOctet === 127 || sourceOctet >= 224)
    if (!unconfiguredIgmp(meta[at + KEY_SOURCE], destinationOctet, protocol)) return MARTIAN_SOURCE
  let flags = meta[at + FLAGS] & ~PARSED_FLAGS
  if (destinationOctet >= 224) {
    if (destinationOctet < 240) flags |= FLAG_MULTICAST
    else if (destination === -1) flags |= FLAG_BROADCAST
    else return MARTIAN_DESTINATION
  } else if (destinationOctet === 0 || destinationOctet === 127) return MARTIAN_DESTINATION
  const transport = network + headerBytes
  meta[at + LENGTH] = network - meta[at + START] + totalBytes
  meta[at + TRANSPORT] = transport
  meta[at + KEY_PORTS] = 0
  meta[at + FLAGS] = flags
  if (fragment !== 0) {
    if (!fragmentPlausible(fragment, totalBytes, headerBytes, protocol)) return FRAGMENT_MALFORMED
    flags |= (fragment & 0x1fff) === 0 ? FLAG_FRAGMENT : FLAG_FRAGMENT | FLAG_LATER_FRAGMENT
    meta[at + FLAGS] = flags
    if ((fragment & 0x1fff) !== 0) return 0
  }
  const payloadBytes = totalBytes - headerBytes
  if (protocol === PROTOCOL_TCP) {
    if (payloadBytes < 20) return TRANSPORT_TRUNCATED
    const bits = slab.bytes[transport + 13]
    // FIN 1, SYN 2, RST 4, ACK 16 to FLAG_TCP_* without branches.
    meta[at + FLAGS] = flags | ((bits & 18) << 4) | ((bits & 1) << 6) | ((bits & 4) << 5)
    meta[at + KEY_PORTS] = portsAt(slab, transport)
    return 0
  }
  if (protocol === PROTOCOL_UDP) {
    if (payloadBytes < 8) return TRANSPORT_TRUNCATED
    meta[at + KEY_PORTS] = portsAt(slab, transport)
    return 0
  }
  if (protocol !== PROTOCOL_ICMP) return 0
  return payloadBytes < 8 ? TRANSPORT_TRUNCATED : parseIcmpKey(slab, at, transport, network + totalBytes)
}

/** A host without an address reports its groups from 0.0.0.0, and routers must accept that (RFC 3376 4.2.13). */
function unconfiguredIgmp(source: number, destinationOctet: number, protocol: number): boolean {
  return source === 0 && protocol === PROTOCOL_IGMP && destinationOctet >= 224 && destinationOctet < 240
}

/**
 * Whether a fragment can be part of a datagram: some data, a multiple of eight unless it is the last, an end within
 * 65,535 bytes, and no TCP header cut behind its first eight bytes (RFC 3128).
 */
function fragmentPlausible(
  fragment: number,
  totalBytes: number,
  headerBytes: number,
  protocol: number,
): boolean {
  const payloadBytes = totalBytes - headerBytes
  if (payloadBytes === 0) return false
  if ((fragment & 0x2000) !== 0 && (payloadBytes & 7) !== 0) return false
  const offset = (fragment & 0x1fff) << 3
  if (offset + totalBytes > 65_535) return false
  return !(offset === 8 && protocol === PROTOCOL_TCP)
}

/**
 * The key of an ICMP message: an echo has its identifier as source port; an error speaks of the packet it quotes
 * and gets the key of the opposite direction, so that it follows the flow it came back from. A quote that is too
 * short, a later fragment, itself an ICMP error, or not from the message's destination proves nothing.
 */
function parseIcmpKey(slab: PacketSlab, at: number, message: number, end: number): DropCode {
  const meta = slab.meta
  const bytes = slab.bytes
  const type = bytes[message]
  if (type === ICMP_ECHO_REQUEST || type === ICMP_ECHO_REPLY) {
    meta[at + KEY_PORTS] = read16(bytes, message + 4) << 16
    return 0
  }
  if (!isIcmpError(type)) return 0
  const quote = message + 8
  if (end - quote < 28 || bytes[quote] >>> 4 !== 4) return 0
  const headerBytes = (bytes[quote] & 15) << 2
  const transport = quote + headerBytes
  if (headerBytes < 20 || end - transport < 8) return 0
  if ((read16(bytes, quote + 6) & 0x1fff) !== 0) return 0
  if ((read32(bytes, quote + 12) | 0) !== meta[at + KEY_DESTINATION]) return 0
  const protocol = bytes[quote + 9]
  let ports = 0
  if (protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP)
    ports = (read16(bytes, transport + 2) << 16) | read16(bytes, transport)
  else if (protocol === PROTOCOL_ICMP) {
    const quotedType = bytes[transport]
    if (quotedType !== ICMP_ECHO_REQUEST && quotedType !== ICMP_ECHO_REPLY) return 0
    ports = read16(bytes, transport + 4) << 16
  }
  meta[at + KEY_SOURCE] = read32(bytes, quote + 16)
  meta[at + KEY_PORTS] = ports
  meta[at + KEY_PROTOCOL] = protocol
  meta[at + FLAGS] |= FLAG_RELATED
  return 0
}

/** Source port << 16 | destination port at `transport`. */
function portsAt(slab: PacketSlab, transport: number): number {
  if (LITTLE_ENDIAN && (transport & 3) === 0) return swap(slab.words[transport >>> 2])
  const bytes = slab.bytes
  return (
    (bytes[transport] << 24) |
    (bytes[transport + 1] << 16) |
    (bytes[transport + 2] << 8) |
    bytes[transport + 3]
  )
}

/** A 32-bit word with its bytes reversed, signed. */
function swap(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)
}
