/**
 * From a frame to a packet: what the router takes from a network at all. The one idea: one answer per frame (an IPv4
 * packet, parsed; ARP; or the reason to drop it), read off the frame alone.
 *
 * Refused: frames for other machines, tagged frames (no port is member of a VLAN), other protocols than IPv4 and ARP,
 * what the parser refuses, and packets to one host in a frame to many, which no router may forward (RFC 1812 5.3.4).
 */
import { type DropCode, dropCode } from './drop-reason.ts'
import type { PacketSlab } from './packet.ts'
import * as slabWords from './packet.ts'
import type { Port } from './port.ts'
import { ETHER_TYPE_ARP, ETHER_TYPE_IPV4, ETHER_TYPE_MPLS } from './wire/index.ts'
import { etherTypeOf, parseNetwork } from './wire/parse.ts'

// An imported binding is loaded and checked at each use; a constant of this module is folded into the code.
const { FLAGS, IN_PORT, LENGTH, NETWORK, START, META_SHIFT, FLAG_BROADCAST, FLAG_MULTICAST } = slabWords
const ETHERNET_HEADER_BYTES = 14
const IPV4 = ETHER_TYPE_IPV4
const NOT_UNICAST = FLAG_MULTICAST | FLAG_BROADCAST

/** Answer for an ARP frame, NETWORK at its message. */
export const ACCEPT_ARP = -1

const TRUNCATED = dropCode('frame-truncated')
const NOT_FOR_THIS_MAC = dropCode('not-for-this-mac')
const VLAN_UNKNOWN = dropCode('vlan-unknown')
const UNSUPPORTED = dropCode('ethertype-unsupported')
const LABEL_UNKNOWN = dropCode('label-unknown')

/** Judges a received frame and parses it. Returns 0 for an IPv4 packet, ACCEPT_ARP, or why the frame is dropped. */
export function acceptFrame(slab: PacketSlab, packet: number, port: Port): number {
  const meta = slab.meta
  const at = packet << META_SHIFT
  meta[at + IN_PORT] = port.index
  if (meta[at + LENGTH] < ETHERNET_HEADER_BYTES) return TRUNCATED
  const start = meta[at + START]
  const forUs = sameMac(slab.halfs, start >> 1, port.macHalfs)
  if (!forUs && (slab.bytes[start] & 1) === 0) return NOT_FOR_THIS_MAC
  const etherType = etherTypeOf(slab, packet)
  if (etherType < 0) return TRUNCATED
  if (meta[at + NETWORK] !== start + ETHERNET_HEADER_BYTES) return VLAN_UNKNOWN
  if (etherType !== IPV4) return acceptOther(etherType)
  const code = parseNetwork(slab, packet)
  if (code !== 0 || forUs) return code
  return (meta[at + FLAGS] & NOT_UNICAST) === 0 ? NOT_FOR_THIS_MAC : 0
}

function acceptOther(etherType: number): DropCode {
  if (etherType === ETHER_TYPE_ARP) return ACCEPT_ARP
  return etherType === ETHER_TYPE_MPLS ? LABEL_UNKNOWN : UNSUPPORTED
}

function sameMac(halfs: Uint16Array, at: number, mac: Uint16Array): boolean {
  return halfs[at] === mac[0] && halfs[at + 1] === mac[1] && halfs[at + 2] === mac[2]
}
