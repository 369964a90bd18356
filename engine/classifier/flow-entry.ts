/**
 * A flow as queries show it, and the table's clock. Times in the table are ticks of 2^22 ns (4.2 ms): 31 bits of them
 * span as long as nanoseconds stay exact in a double (104 days); differences are taken modulo 2^32, so that a longer
 * run wraps without harm.
 */
import { type Nanoseconds, NEVER } from '../clock.ts'

/** Addresses are unsigned. */
export interface FlowRecord {
  source: number
  destination: number
  sourcePort: number
  destinationPort: number
  protocol: number
  action: number
  owner: number
  /** Index into TCP_STATES; 0 for other protocols. */
  state: number
  packets: number
  bytes: number
  /** To the tick below. */
  createdNs: Nanoseconds
  lastSeenNs: Nanoseconds
  /** As asked for, to the tick above; 0 when defaults apply. */
  idleNs: Nanoseconds
}

/** An empty record to be filled again and again. */
export function createFlowRecord(): FlowRecord {
  return {
    source: 0,
    destination: 0,
    sourcePort: 0,
    destinationPort: 0,
    protocol: 0,
    action: 0,
    owner: 0,
    state: 0,
    packets: 0,
    bytes: 0,
    createdNs: 0,
    lastSeenNs: 0,
    idleNs: 0,
  }
}

const TICK_NS = 2 ** 22
/** Idle ticks of a flow that never expires by itself. */
export const NEVER_TICKS = 0x7fffffff

/** The tick in which a time lies. */
export function tickOf(now: Nanoseconds): number {
  return (now / TICK_NS) | 0
}

/** When a tick began. */
export function timeOf(tick: number): Nanoseconds {
  return (tick >>> 0) * TICK_NS
}

/** Whole ticks that are at least as long as a duration; 0 for none. */
export function ticksOf(duration: Nanoseconds): number {
  if (duration >= (NEVER_TICKS - 1) * TICK_NS) return NEVER_TICKS
  return duration > 0 ? Math.ceil(duration / TICK_NS) : 0
}

/** Length of a number of idle ticks. */
export function durationOf(ticks: number): Nanoseconds {
  return ticks === NEVER_TICKS ? NEVER : ticks * TICK_NS
}
