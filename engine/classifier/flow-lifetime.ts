/**
 * How long a flow lives without packets. The one idea: the idle time follows from the protocol and from how far a
 * TCP connection has come, as far as one direction shows it: replies go past this router (R-SLR-06), so that it
 * never sees what the server sends.
 *
 * The state is a guess for housekeeping, made from packets that anyone may have forged; so no packet ends a flow at
 * once, a reset is forgotten when the connection goes on, and a second SYN does not shorten an open connection
 * (compare RFC 5961).
 */
import { type Nanoseconds, SECOND } from '../clock.ts'
import { FLAG_TCP_ACK, FLAG_TCP_FIN, FLAG_TCP_RST, FLAG_TCP_SYN } from '../packet.ts'
import { PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/protocol.ts'
import { NEVER_TICKS, ticksOf } from './flow-entry.ts'

/** TCP states of a flow entry. */
export const TCP_PINNED = 0 // no packet seen yet
export const TCP_SYN_SEEN = 1
export const TCP_ESTABLISHED = 2
export const TCP_HALF_CLOSED = 3 // the client's FIN was seen
export const TCP_CLOSING = 4 // and something acknowledged after it: as a rule the server's FIN
export const TCP_RESET = 5

/** Names of the states by number. */
export const TCP_STATES = ['pinned', 'syn-seen', 'established', 'half-closed', 'closing', 'reset'] as const

export interface FlowTimeouts {
  /** Default 30 s. */
  readonly udpNs: Nanoseconds
  /** Default 10 s. */
  readonly icmpNs: Nanoseconds
  /** Default 30 s. */
  readonly otherNs: Nanoseconds
  /** Pinned, or SYN seen. Default 30 s. */
  readonly tcpOpeningNs: Nanoseconds
  /** Default 300 s. */
  readonly tcpEstablishedNs: Nanoseconds
  /** Only the client has closed: raise it where clients close before long answers. Default 10 s. */
  readonly tcpHalfClosedNs: Nanoseconds
  /** Default 10 s. */
  readonly tcpClosingNs: Nanoseconds
  /** Default 2 s. */
  readonly tcpResetNs: Nanoseconds
}

export const DEFAULT_TIMEOUTS: FlowTimeouts = {
  udpNs: 30 * SECOND,
  icmpNs: 10 * SECOND,
  otherNs: 30 * SECOND,
  tcpOpeningNs: 30 * SECOND,
  tcpEstablishedNs: 300 * SECOND,
  tcpHalfClosedNs: 10 * SECOND,
  tcpClosingNs: 10 * SECOND,
  tcpResetNs: 2 * SECOND,
}

/** The state after a packet with these FLAG_TCP_* bits. */
export function nextTcpState(state: number, flags: number): number {
  if ((flags & FLAG_TCP_RST) !== 0) return TCP_RESET
  if ((flags & FLAG_TCP_SYN) !== 0) return state === TCP_ESTABLISHED ? state : TCP_SYN_SEEN
  if ((flags & FLAG_TCP_FIN) !== 0) return Math.max(state, TCP_HALF_CLOSED)
  if ((flags & FLAG_TCP_ACK) === 0) return state
  if (state === TCP_HALF_CLOSED) return TCP_CLOSING
  return state === TCP_CLOSING ? state : TCP_ESTABLISHED
}

const UDP = TCP_STATES.length
const ICMP = UDP + 1
const OTHER = UDP + 2

/** Idle times in ticks. */
export class FlowLifetime {
  /** By TCP state, then UDP, ICMP, other. */
  readonly #ticks: Int32Array

  constructor(timeouts: Partial<FlowTimeouts> = {}) {
    const given = { ...DEFAULT_TIMEOUTS, ...timeouts }
    for (const [name, value] of Object.entries(given))
      if (!(value > 0)) throw new RangeError(`${name} ${value} is not above 0`)
    this.#ticks = Int32Array.of(
      ticksOf(given.tcpOpeningNs),
      ticksOf(given.tcpOpeningNs),
      ticksOf(given.tcpEstablishedNs),
      ticksOf(given.tcpHalfClosedNs),
      ticksOf(given.tcpClosingNs),
      ticksOf(given.tcpResetNs),
      ticksOf(given.udpNs),
      ticksOf(given.icmpNs),
      ticksOf(given.otherNs),
    )
  }

  /**
   * Ticks that a flow may be idle. What was asked for (`idle` > 0) replaces the default, but where TCP opens,
   * closes or was reset it can only shorten it.
   */
  idleTicks(protocol: number, state: number, idle: number): number {
    const ticks = this.#ticks[kindOf(protocol, state)]
    if (idle === 0) return ticks
    const transient = protocol === PROTOCOL_TCP && state !== TCP_PINNED && state !== TCP_ESTABLISHED
    return transient && ticks < idle ? ticks : idle
  }

  /** Whether a flow that has been idle for `elapsed` ticks may go. */
  isOver(elapsed: number, protocol: number, state: number, idle: number): boolean {
    const ticks = this.idleTicks(protocol, state, idle)
    // Both ends of `elapsed` are rounded down: only a tick more than asked for is surely as long.
    return ticks !== NEVER_TICKS && elapsed > ticks
  }
}

function kindOf(protocol: number, state: number): number {
  if (protocol === PROTOCOL_TCP) return state
  if (protocol === PROTOCOL_UDP) return UDP
  return protocol === PROTOCOL_ICMP ? ICMP : OTHER
}
