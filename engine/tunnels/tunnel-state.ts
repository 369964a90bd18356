/**
 * What is known of every tunnel, in two typed arrays. The one idea: a tunnel is a number, and all that a packet
 * needs to enter it lies in one cache line of words; counters and expiry times lie in another of doubles. Kinds
 * read and write these fields; only the table gives numbers out.
 *
 * The path state is soft (RFC 2003 5, RFC 1191 6.3): ICMP errors lower the MTU or report trouble, and time alone
 * undoes it.
 */
import { MILLISECOND, type Nanoseconds, SECOND } from '../clock.ts'
import type { AddressSet } from './address-set.ts'

/** Kinds on the data path; the word KIND holds one. Label kinds will follow. */
export const KIND_FREE = 0
export const KIND_IP_IN_IP = 1
export const KIND_MAC_REWRITE = 2

/** Words of a tunnel. Index: `(tunnel << TUNNEL_SHIFT) + FIELD`. */
export const TUNNEL_SHIFT = 4
export const KIND = 0
/** Users: one while it is open, and one for everyone who retains it. */
export const USERS = 1
/** 1 while it is open, 0 once it is closed. */
export const OPEN = 2
/** Entry and exit, host order. */
export const SOURCE = 3
export const DESTINATION = 4
/** Entry and exit as the machine reads their four bytes in a header. */
export const SOURCE_WORD = 5
export const DESTINATION_WORD = 6
/** The first two bytes of the outer header's third word, TTL and protocol, as the machine reads them. */
export const TTL_PROTOCOL = 7
/** Folded sum of all half words of the outer header that never change. */
export const OUTER_SUM = 8
/** Next identification of the outer header, 16 bits. */
export const IDENTIFICATION = 9
/** Largest datagram that the path is believed to carry, outer header included, in bytes. */
export const MTU = 10
/** The MTU that the path returns to once nothing speaks against it. */
export const LINK_MTU = 11
/** ICMP error that senders should see, `type << 8 | code`, or 0 while the tunnel works. */
export const TROUBLE = 12
/** Next tunnel of the same hash bucket, or of the free list; -1 at its end. */
export const CHAIN = 13

/** Doubles of a tunnel. Index: `(tunnel << VALUE_SHIFT) + FIELD`. */
export const VALUE_SHIFT = 3
export const PACKETS = 0
/** Bytes of the datagrams as they left, outer header included. */
export const BYTES = 1
export const DROPS = 2
export const RECEIVED_PACKETS = 3
export const RECEIVED_BYTES = 4
/** ICMP errors from inside the tunnel that were believed. */
export const ERRORS = 5
export const MTU_UNTIL = 6
export const TROUBLE_UNTIL = 7

/** How long a lowered MTU is believed (RFC 1191 6.3). */
export const MTU_LIFETIME: Nanoseconds = 600 * SECOND
/** How long a reported trouble is believed. Forged or stale reports must not outlive a retry. */
export const TROUBLE_LIFETIME: Nanoseconds = 30_000 * MILLISECOND

/** Words and counters of all tunnels, and what all of them share. */
export class TunnelState {
  words = new Int32Array(0)
  values = new Float64Array(0)
  /** Addresses of this router: their packets are never tunneled for others (RFC 2003 3.2). */
  readonly own: AddressSet
  /** No report lowers a tunnel's MTU below this, in bytes. */
  readonly leastMtuBytes: number
  /** What every outer header has in its second word, besides the DF of its inner one (RFC 2003 5.1). */
  readonly outerFlags: number

  constructor(own: AddressSet, leastMtuBytes: number, outerFlags: number) {
    this.own = own
    this.leastMtuBytes = leastMtuBytes
    this.outerFlags = outerFlags
  }

  /** Tunnels for which there is room. */
  get capacity(): number {
    return this.words.length >> TUNNEL_SHIFT
  }

  /** Makes room for `capacity` tunnels; the arrays are replaced, so nobody may keep them across a commit. */
  grow(capacity: number): void {
    const words = new Int32Array(capacity << TUNNEL_SHIFT)
    const values = new Float64Array(capacity << VALUE_SHIFT)
    words.set(this.words)
    values.set(this.values)
    this.words = words
    this.values = values
  }
}

/** The path's MTU in bytes after forgetting a lowered one whose time is over. */
export function currentMtu(state: TunnelState, tunnel: number, now: Nanoseconds): number {
  const words = state.words
  const at = tunnel << TUNNEL_SHIFT
  if (words[at + MTU] < words[at + LINK_MTU] && now >= state.values[(tunnel << VALUE_SHIFT) + MTU_UNTIL])
    words[at + MTU] = words[at + LINK_MTU]
  return words[at + MTU]
}

/** Believes for a while that the path carries `mtuBytes` at most, but no less than `leastBytes`. */
export function lowerMtu(
  state: TunnelState,
  tunnel: number,
  mtuBytes: number,
  leastBytes: number,
  now: Nanoseconds,
): void {
  const lowered = Math.max(leastBytes, mtuBytes)
  if (lowered >= currentMtu(state, tunnel, now)) return
  state.words[(tunnel << TUNNEL_SHIFT) + MTU] = lowered
  state.values[(tunnel << VALUE_SHIFT) + MTU_UNTIL] = now + MTU_LIFETIME
}

/** The ICMP error (`type << 8 | code`) that the tunnel's senders should see now, or 0. */
export function currentTrouble(state: TunnelState, tunnel: number, now: Nanoseconds): number {
  const at = (tunnel << TUNNEL_SHIFT) + TROUBLE
  if (state.words[at] !== 0 && now >= state.values[(tunnel << VALUE_SHIFT) + TROUBLE_UNTIL])
    state.words[at] = 0
  return state.words[at]
}

/** Believes for a while that the tunnel answers its senders with this ICMP error. */
export function reportTrouble(
  state: TunnelState,
  tunnel: number,
  type: number,
  code: number,
  now: Nanoseconds,
): void {
  state.words[(tunnel << TUNNEL_SHIFT) + TROUBLE] = (type << 8) | code
  state.values[(tunnel << VALUE_SHIFT) + TROUBLE_UNTIL] = now + TROUBLE_LIFETIME
}
