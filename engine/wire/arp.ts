/**
 * ARP for IPv4 over Ethernet (RFC 826). The one idea: only the one combination of hardware and protocol that this
 * project speaks is accepted; everything else is `arp-malformed`. Whether a sender may claim an address is for
 * the neighbour table to judge.
 */
import { type DropCode, dropCode } from '../drop-reason.ts'
import { read16, read32, requireRoom, write16, write32 } from './byte-order.ts'
import { ETHER_TYPE_IPV4, MAC_BYTES } from './ethernet.ts'

export const ARP_BYTES = 28
export const ARP_REQUEST = 1
export const ARP_REPLY = 2

const MALFORMED = dropCode('arp-malformed')
const HARDWARE_ETHERNET = 1

export interface Arp {
  /** 1 request, 2 reply. */
  operation: number
  /** Six bytes. */
  senderMac: Uint8Array
  senderAddress: number
  /** Six bytes; zero in a request. */
  targetMac: Uint8Array
  targetAddress: number
}

export function createArp(): Arp {
  return {
    operation: ARP_REQUEST,
    senderMac: new Uint8Array(MAC_BYTES),
    senderAddress: 0,
    targetMac: new Uint8Array(MAC_BYTES),
    targetAddress: 0,
  }
}

/** Reads the message behind the Ethernet header; copies the MACs into `into`. Returns 0 or `arp-malformed`. */
export function parseArp(bytes: Uint8Array, offset: number, end: number, into: Arp): DropCode {
  if (end - offset < ARP_BYTES) return MALFORMED
  if (read16(bytes, offset) !== HARDWARE_ETHERNET || read16(bytes, offset + 2) !== ETHER_TYPE_IPV4)
    return MALFORMED
  if (bytes[offset + 4] !== MAC_BYTES || bytes[offset + 5] !== 4) return MALFORMED
  const operation = read16(bytes, offset + 6)
  if (operation !== ARP_REQUEST && operation !== ARP_REPLY) return MALFORMED
  into.operation = operation
  for (let i = 0; i < MAC_BYTES; i++) {
    into.senderMac[i] = bytes[offset + 8 + i]
    into.targetMac[i] = bytes[offset + 18 + i]
  }
  into.senderAddress = read32(bytes, offset + 14)
  into.targetAddress = read32(bytes, offset + 24)
  return 0
}

/** Writes the 28 bytes of a message. Returns the offset after them. */
export function emitArp(bytes: Uint8Array, offset: number, arp: Readonly<Arp>): number {
  requireRoom(bytes, offset, ARP_BYTES)
  write16(bytes, offset, HARDWARE_ETHERNET)
  write16(bytes, offset + 2, ETHER_TYPE_IPV4)
  bytes[offset + 4] = MAC_BYTES
  bytes[offset + 5] = 4
  write16(bytes, offset + 6, arp.operation)
  for (let i = 0; i < MAC_BYTES; i++) {
    bytes[offset + 8 + i] = arp.senderMac[i]
    bytes[offset + 18 + i] = arp.targetMac[i]
  }
  write32(bytes, offset + 14, arp.senderAddress)
  write32(bytes, offset + 24, arp.targetAddress)
  return offset + ARP_BYTES
}
