/**
 * MPLS label stack entries (RFC 3032): label 20 bits, traffic class 3, bottom of stack 1, TTL 8. The one idea: an
 * entry is one 32-bit word; a parsed stack is a bounded list of words.
 */
import { type DropCode, dropCode } from '../drop-reason.ts'
import { read32, requireRoom, write32 } from './byte-order.ts'

export const MPLS_ENTRY_BYTES = 4
/** Deepest stack that is parsed; a deeper one is `label-malformed`. */
export const MPLS_MAX_DEPTH = 8
/** Destination port of MPLS in UDP (RFC 7510). */
export const MPLS_UDP_PORT = 6635

export const LABEL_IPV4_EXPLICIT_NULL = 0
export const LABEL_ROUTER_ALERT = 1
export const LABEL_IPV6_EXPLICIT_NULL = 2
/** Only in signalling: "pop before you send to me". */
export const LABEL_IMPLICIT_NULL = 3
/** Smaller labels are reserved. */
export const LABEL_FIRST_FREE = 16
export const LABEL_MAX = 0xf_ffff

const MALFORMED = dropCode('label-malformed')

export interface LabelStack {
  /** Entries from the top, unsigned words; only the first `depth` count. */
  entries: Uint32Array
  /** 1..MPLS_MAX_DEPTH. */
  depth: number
  /** First byte behind the bottom entry. */
  payloadOffset: number
}

export function createLabelStack(): LabelStack {
  return { entries: new Uint32Array(MPLS_MAX_DEPTH), depth: 0, payloadOffset: 0 }
}

/** The label of an entry, 0..LABEL_MAX. */
export function entryLabel(entry: number): number {
  return entry >>> 12
}

/** The traffic class of an entry, 0..7. */
export function entryTrafficClass(entry: number): number {
  return (entry >>> 9) & 7
}

/** Whether the entry is the bottom of its stack. */
export function entryBottom(entry: number): boolean {
  return (entry & 0x100) !== 0
}

/** The TTL of an entry, 0..255. */
export function entryTtl(entry: number): number {
  return entry & 255
}

/** An entry as an unsigned word. */
export function labelEntry(label: number, trafficClass: number, bottom: boolean, ttl: number): number {
  return (((label & LABEL_MAX) << 12) | ((trafficClass & 7) << 9) | (bottom ? 0x100 : 0) | (ttl & 255)) >>> 0
}

/** Reads entries down to the bottom of the stack. Returns 0, or `label-malformed` when it is not reached. */
export function parseLabelStack(bytes: Uint8Array, offset: number, end: number, into: LabelStack): DropCode {
  let at = offset
  for (let depth = 0; depth < MPLS_MAX_DEPTH; depth++) {
    if (end - at < MPLS_ENTRY_BYTES) return MALFORMED
    const entry = read32(bytes, at)
    into.entries[depth] = entry
    at += MPLS_ENTRY_BYTES
    if ((entry & 0x100) !== 0) {
      into.depth = depth + 1
      into.payloadOffset = at
      return 0
    }
  }
  return MALFORMED
}

/** Writes one entry. Returns the offset after it. */
export function emitLabel(
  bytes: Uint8Array,
  offset: number,
  label: number,
  trafficClass: number,
  bottom: boolean,
  ttl: number,
): number {
  requireRoom(bytes, offset, MPLS_ENTRY_BYTES)
  write32(bytes, offset, labelEntry(label, trafficClass, bottom, ttl))
  return offset + MPLS_ENTRY_BYTES
}
