/**
 * Changing a packet in place: TTL, addresses, ports, with every checksum that covers them repaired incrementally
 * (RFC 1624). Works on parsed packets only: NETWORK and TRANSPORT are trusted.
 */
import type { PacketSlab } from '../packet.ts'
import * as slabWords from '../packet.ts'
import { adjust16, adjust32, read16, read32, write16, write32 } from '../wire/index.ts'
import * as protocols from '../wire/protocol.ts'
import * as rows from './action-table.ts'

// An imported binding is loaded and checked at each use; a constant of this module is folded into the code.
const { FLAGS, LENGTH, NETWORK, START, TRANSPORT, META_SHIFT, KEY_PROTOCOL } = slabWords
const { FLAG_BROADCAST, FLAG_LATER_FRAGMENT, FLAG_MULTICAST, FLAG_REWRITTEN, FLAG_TTL_SPENT } = slabWords
const { PROTOCOL_TCP, PROTOCOL_UDP } = protocols
const { REWRITE_DESTINATION, REWRITE_DESTINATION_PORT, REWRITE_SOURCE, REWRITE_SOURCE_PORT } = rows

/** Takes one from the TTL, once per network header. False, with the packet unchanged, when none is left. */
export function spendTtl(slab: PacketSlab, packet: number): boolean {
  const meta = slab.meta
  const at = packet << META_SHIFT
  const flags = meta[at + FLAGS]
  if ((flags & FLAG_TTL_SPENT) !== 0) return true
  const half = (meta[at + NETWORK] + 8) >> 1
  const halfs = slab.halfs
  const ttlAndProtocol = halfs[half]
  if ((ttlAndProtocol & 0xff) <= 1) return false
  halfs[half] = ttlAndProtocol - 1
  // One's complement sums do not care about byte order, so this is RFC 1624 in machine order.
  const check = halfs[half + 1] + 1
  halfs[half + 1] = check + (check >= 0xffff ? 1 : 0)
  meta[at + FLAGS] = flags | FLAG_TTL_SPENT
  return true
}

/**
 * Applies an OP_REWRITE row: `bits` of REWRITE_*, addresses, and ports as source << 16 | destination. The KEY_* words
 * keep what the packet was; FLAG_REWRITTEN says that it no longer is.
 */
export function rewritePacket(
  slab: PacketSlab,
  packet: number,
  bits: number,
  source: number,
  destination: number,
  ports: number,
): void {
  if ((bits & REWRITE_SOURCE) !== 0) rewriteAddress(slab, packet, 12, source)
  if ((bits & REWRITE_DESTINATION) !== 0) {
    rewriteAddress(slab, packet, 16, destination)
    markDestination(slab, packet, destination)
  }
  if ((bits & REWRITE_SOURCE_PORT) !== 0) rewritePort(slab, packet, 0, ports >>> 16)
  if ((bits & REWRITE_DESTINATION_PORT) !== 0) rewritePort(slab, packet, 2, ports & 0xffff)
  slab.meta[(packet << META_SHIFT) + FLAGS] |= FLAG_REWRITTEN
}

/** Whether the packet is multicast follows from where it goes now. */
function markDestination(slab: PacketSlab, packet: number, destination: number): void {
  const at = (packet << META_SHIFT) + FLAGS
  const multicast = destination >>> 28 === 14 ? FLAG_MULTICAST : 0
  slab.meta[at] = (slab.meta[at] & ~(FLAG_MULTICAST | FLAG_BROADCAST)) | multicast
}

function rewriteAddress(slab: PacketSlab, packet: number, field: number, address: number): void {
  const bytes = slab.bytes
  const network = slab.meta[(packet << META_SHIFT) + NETWORK]
  const before = read32(bytes, network + field)
  if (before === address >>> 0) return
  write32(bytes, network + field, address)
  write16(bytes, network + 10, adjust32(read16(bytes, network + 10), before, address))
  const check = transportChecksumOffset(slab, packet)
  if (check > 0) repair(bytes, check, adjust32(read16(bytes, check), before, address), slab, packet)
}

function rewritePort(slab: PacketSlab, packet: number, field: number, port: number): void {
  const bytes = slab.bytes
  const at = packet << META_SHIFT
  const protocol = slab.meta[at + KEY_PROTOCOL]
  if ((slab.meta[at + FLAGS] & FLAG_LATER_FRAGMENT) !== 0) return
  if (protocol !== PROTOCOL_TCP && protocol !== PROTOCOL_UDP) return
  const offset = slab.meta[at + TRANSPORT] + field
  const before = read16(bytes, offset)
  if (before === port) return
  write16(bytes, offset, port)
  const check = transportChecksumOffset(slab, packet)
  if (check > 0) repair(bytes, check, adjust16(read16(bytes, check), before, port), slab, packet)
}

/** Where the checksum over the pseudo header stands; 0 when the packet has none (other protocols, UDP without). */
function transportChecksumOffset(slab: PacketSlab, packet: number): number {
  const meta = slab.meta
  const at = packet << META_SHIFT
  if ((meta[at + FLAGS] & FLAG_LATER_FRAGMENT) !== 0) return 0
  const protocol = meta[at + KEY_PROTOCOL]
  const end = meta[at + START] + meta[at + LENGTH]
  const field = protocol === PROTOCOL_TCP ? 16 : protocol === PROTOCOL_UDP ? 6 : -1
  if (field < 0) return 0
  const offset = meta[at + TRANSPORT] + field
  if (offset + 2 > end) return 0
  if (protocol === PROTOCOL_UDP && read16(slab.bytes, offset) === 0) return 0
  return offset
}

function repair(bytes: Uint8Array, offset: number, check: number, slab: PacketSlab, packet: number): void {
  const udp = slab.meta[(packet << META_SHIFT) + KEY_PROTOCOL] === PROTOCOL_UDP
  // A UDP checksum that comes out as zero is sent as its other representation (RFC 768).
  write16(bytes, offset, udp && check === 0 ? 0xffff : check)
}
