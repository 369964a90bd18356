/**
 * Ethernet II frames with no, one or two VLAN tags (IEEE 802.3, 802.1Q, 802.1ad). The one idea: addresses stay in
 * the frame and are named by offset; only what forwarding decides on becomes a number.
 */
import { type DropCode, dropCode } from '../drop-reason.ts'
import { read16, requireRoom, write16 } from './byte-order.ts'

export const ETHERNET_HEADER_BYTES = 14
export const VLAN_TAG_BYTES = 4
export const MAC_BYTES = 6
/** Shortest frame without its FCS; shorter ones are padded by the sender. */
export const ETHERNET_MIN_BYTES = 60

export const ETHER_TYPE_IPV4 = 0x0800
export const ETHER_TYPE_ARP = 0x0806
export const ETHER_TYPE_VLAN = 0x8100
export const ETHER_TYPE_MPLS = 0x8847
/** Outer tag of 802.1ad. */
export const ETHER_TYPE_SERVICE_VLAN = 0x88a8

/** All ones. Shared: never write to it. */
export const BROADCAST_MAC = Uint8Array.of(255, 255, 255, 255, 255, 255)

const TRUNCATED = dropCode('frame-truncated')

export interface Ethernet {
  /** Type behind all tags; below 1536 it is an 802.3 length. A third tag is left here as its type. */
  etherType: number
  /** VLAN id 0..4095 of the outermost tag, -1 without one. */
  vlan: number
  /** VLAN id of the second tag, -1 without one. */
  innerVlan: number
  /** Priority code point 0..7 of the outermost tag; 0 without one. */
  priority: number
  /** 14, 18 or 22. */
  headerBytes: number
  destinationOffset: number
  sourceOffset: number
}

export function createEthernet(): Ethernet {
  return {
    etherType: 0,
    vlan: -1,
    innerVlan: -1,
    priority: 0,
    headerBytes: ETHERNET_HEADER_BYTES,
    destinationOffset: 0,
    sourceOffset: MAC_BYTES,
  }
}

/** Reads the header at `offset`. Returns 0, or `frame-truncated` and leaves `into` half written. */
export function parseEthernet(bytes: Uint8Array, offset: number, end: number, into: Ethernet): DropCode {
  if (end - offset < ETHERNET_HEADER_BYTES) return TRUNCATED
  let at = offset + 12
  let type = read16(bytes, at)
  let tags = 0
  into.vlan = -1
  into.innerVlan = -1
  into.priority = 0
  while (tags < 2 && (type === ETHER_TYPE_VLAN || type === ETHER_TYPE_SERVICE_VLAN)) {
    if (end - at < VLAN_TAG_BYTES + 2) return TRUNCATED
    const tag = read16(bytes, at + 2)
    if (tags === 0) {
      into.vlan = tag & 0xfff
      into.priority = tag >>> 13
    } else into.innerVlan = tag & 0xfff
    at += VLAN_TAG_BYTES
    type = read16(bytes, at)
    tags++
  }
  into.etherType = type
  into.headerBytes = at + 2 - offset
  into.destinationOffset = offset
  into.sourceOffset = offset + MAC_BYTES
  return 0
}

/** Writes a header, with one 802.1Q tag of priority 0 where `vlan` is 0..4095. Returns the offset after it. */
export function emitEthernet(
  bytes: Uint8Array,
  offset: number,
  destination: Uint8Array,
  source: Uint8Array,
  etherType: number,
  vlan = -1,
): number {
  requireRoom(bytes, offset, vlan < 0 ? ETHERNET_HEADER_BYTES : ETHERNET_HEADER_BYTES + VLAN_TAG_BYTES)
  for (let i = 0; i < MAC_BYTES; i++) {
    bytes[offset + i] = destination[i]
    bytes[offset + MAC_BYTES + i] = source[i]
  }
  let at = offset + 12
  if (vlan >= 0) {
    write16(bytes, at, ETHER_TYPE_VLAN)
    write16(bytes, at + 2, vlan & 0xfff)
    at += VLAN_TAG_BYTES
  }
  write16(bytes, at, etherType)
  return at + 2
}

/** The group MAC 01:00:5e + low 23 bits of an IPv4 multicast address (RFC 1112 6.4). Allocates. */
export function multicastMac(group: number): Uint8Array {
  return Uint8Array.of(0x01, 0x00, 0x5e, (group >>> 16) & 0x7f, (group >>> 8) & 255, group & 255)
}

/** Whether the six bytes at `offset` equal `mac`. The caller has checked that they are there. */
export function macEquals(bytes: Uint8Array, offset: number, mac: Uint8Array): boolean {
  return (
    bytes[offset] === mac[0] &&
    bytes[offset + 1] === mac[1] &&
    bytes[offset + 2] === mac[2] &&
    bytes[offset + 3] === mac[3] &&
    bytes[offset + 4] === mac[4] &&
    bytes[offset + 5] === mac[5]
  )
}
