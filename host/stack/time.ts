/**
 * Time in the host stack. The one idea: `now` is an argument of `input` and `poll`; the stack remembers the last
 * one in its clock and nothing below reads any other. Nanoseconds are doubles holding integers below 2^53.
 */

/** Monotonic time or a duration in nanoseconds. */
export type Nanoseconds = number

export const MILLISECOND: Nanoseconds = 1_000_000
export const SECOND: Nanoseconds = 1_000_000_000

/** "Nothing is due." */
export const NEVER: Nanoseconds = Number.POSITIVE_INFINITY

/** The stack's idea of the present: written by `input` and `poll` only. */
export interface StackClock {
  now: Nanoseconds
}
