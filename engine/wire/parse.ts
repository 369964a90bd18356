/**
 * The data path's parser: from a frame in the slab to the packet's state words. The one idea: what every later
 * stage asks (offsets, flags, flow key) is read once, as integers. Nearly all packets are plain TCP, UDP or
 * IP-in-IP behind an aligned 20-byte header: those are read as words here; whatever is unusual is left to
 * `parseCarefully`, which alone refuses packets and gives the same answers for the usual ones.
 */
import { type DropCode, dropCode } from '../drop-reason.ts'
import type { PacketSlab } from '../packet.ts'
import * as slabWords from '../packet.ts'
import { read16 } from './byte-order.ts'
import * as ethernet from './ethernet.ts'
import * as careful from './parse-network.ts'
import { parseCarefully, tcpFlags } from './parse-network.ts'
import * as protocols from './protocol.ts'

// An imported binding is loaded and checked at each use; a constant of this module is folded into the code.
const { START, LENGTH, NETWORK, TRANSPORT, FLAGS, META_SHIFT, FLAG_MULTICAST } = slabWords
const { KEY_SOURCE, KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL } = slabWords
const { ETHER_TYPE_IPV4, ETHER_TYPE_VLAN, ETHER_TYPE_SERVICE_VLAN } = ethernet
const { ETHERNET_HEADER_BYTES, VLAN_TAG_BYTES } = ethernet
const { PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_IP_IN_IP } = protocols
const { PARSED_FLAGS } = careful

const FRAME_TRUNCATED = dropCode('frame-truncated')
const ETHERTYPE_UNSUPPORTED = dropCode('ethertype-unsupported')
const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

/**
 * Parses the Ethernet frame at START, up to two tags allowed, and the IPv4 packet in it: sets NETWORK, TRANSPORT,
 * FLAGS and the KEY_* words, and trims LENGTH to the IPv4 packet's end. Returns 0 or the reason to drop;
 * `ethertype-unsupported` for other types, with NETWORK set.
 */
export function parsePacket(slab: PacketSlab, packet: number): DropCode {
  const etherType = etherTypeOf(slab, packet)
  if (etherType !== ETHER_TYPE_IPV4) return etherType < 0 ? FRAME_TRUNCATED : ETHERTYPE_UNSUPPORTED
  return parseNetwork(slab, packet)
}

/**
 * The type behind up to two VLAN tags of the frame at START, or -1 when the frame ends before it. Sets NETWORK to
 * what follows the type.
 */
export function etherTypeOf(slab: PacketSlab, packet: number): number {
  const meta = slab.meta
  const at = packet << META_SHIFT
  const network = meta[at + START] + ETHERNET_HEADER_BYTES
  if (meta[at + LENGTH] < ETHERNET_HEADER_BYTES) return -1
  const type = read16(slab.bytes, network - 2)
  if (type === ETHER_TYPE_VLAN || type === ETHER_TYPE_SERVICE_VLAN) return skipTags(slab, at, network)
  meta[at + NETWORK] = network
  return type
}

/** Goes past the tag whose contents begin at `network`, and past a second one. */
function skipTags(slab: PacketSlab, at: number, network: number): number {
  const end = slab.meta[at + START] + slab.meta[at + LENGTH]
  let type = ETHER_TYPE_VLAN
  for (let tags = 0; tags < 2 && (type === ETHER_TYPE_VLAN || type === ETHER_TYPE_SERVICE_VLAN); tags++) {
    network += VLAN_TAG_BYTES
    if (network > end) return -1
    type = read16(slab.bytes, network - 2)
  }
  slab.meta[at + NETWORK] = network
  return type
}

/**
 * Parses the IPv4 packet at NETWORK, which ends within the frame: the second half of `parsePacket`, and all of it
 * after decapsulation. Sets and trims the same; flags that parsing does not own are kept.
 */
export function parseNetwork(slab: PacketSlab, packet: number): DropCode {
  const meta = slab.meta
  const words = slab.words
  const at = packet << META_SHIFT
  const start = meta[at + START]
  const network = meta[at + NETWORK]
  const room = start + meta[at + LENGTH] - network
  if (room < 40 || (network & 3) !== 0 || !LITTLE_ENDIAN) return parseCarefully(slab, packet)
  const index = network >>> 2
  const first = words[index]
  const second = words[index + 1]
  const third = words[index + 2]
  const source = words[index + 3]
  const destination = words[index + 4]
  const totalBytes = ((first >>> 8) & 0xff00) | (first >>> 24)
  const protocol = (third >>> 8) & 255
  const sourceOctet = source & 255
  const destinationOctet = destination & 255
  // A right sum is a multiple of 0xffff in either byte order (RFC 1071), so that one folding yields 0xffff.
  let sum = (first & 0xffff) + (first >>> 16) + (second & 0xffff) + (second >>> 16) + (third & 0xffff)
  sum += (third >>> 16) + (source & 0xffff) + (source >>> 16) + (destination & 0xffff) + (destination >>> 16)
  if (
    (first & 255) !== 0x45 ||
    (sum & 0xffff) + (sum >>> 16) !== 0xffff ||
    (protocol !== PROTOCOL_TCP && protocol !== PROTOCOL_UDP && protocol !== PROTOCOL_IP_IN_IP) ||
    totalBytes < 40 ||
    totalBytes > room ||
    (second & 0xff3f0000) !== 0 ||
    sourceOctet === 0 ||
    sourceOctet === 127 ||
    sourceOctet >= 224 ||
    destinationOctet === 0 ||
    destinationOctet === 127 ||
    destinationOctet >= 240
  )
    return parseCarefully(slab, packet)
  let flags = meta[at + FLAGS] & ~PARSED_FLAGS
  if (destinationOctet >= 224) flags |= FLAG_MULTICAST
  if (protocol === PROTOCOL_TCP) flags |= tcpFlags((words[index + 8] >>> 8) & 255)
  meta[at + LENGTH] = network - start + totalBytes
  meta[at + TRANSPORT] = network + 20
  meta[at + FLAGS] = flags
  meta[at + KEY_SOURCE] = swap(source)
  meta[at + KEY_DESTINATION] = swap(destination)
  meta[at + KEY_PORTS] = protocol === PROTOCOL_IP_IN_IP ? 0 : swap(words[index + 5])
  meta[at + KEY_PROTOCOL] = protocol
  return 0
}

/** A 32-bit word with its bytes reversed, signed. */
function swap(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)
}
