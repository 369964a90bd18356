/**
 * Arithmetic of 32-bit sequence numbers (RFC 9293 3.4). The one idea: a sequence number is an unsigned double, and
 * order is the sign of the 32-bit difference, right while the two lie less than 2^31 apart.
 */

/** `sequence + count` modulo 2^32; `count` may be negative. */
export function advance(sequence: number, count: number): number {
  return (sequence + count) >>> 0
}

/** How far `from` lies before `to`: -2^31..2^31 - 1. */
export function distance(from: number, to: number): number {
  return (to - from) | 0
}

/** Whether `one` comes before `other`. */
export function before(one: number, other: number): boolean {
  return ((one - other) | 0) < 0
}

/** Whether `one` comes before `other` or is the same. */
export function notAfter(one: number, other: number): boolean {
  return ((one - other) | 0) <= 0
}

/** The later of two. */
export function later(one: number, other: number): number {
  return ((one - other) | 0) < 0 ? other : one
}
