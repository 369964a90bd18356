/**
 * Time in the engine. The one idea: `now` is an argument. Nothing in the engine reads a clock; whoever owns the
 * loop (the simulator, the engine thread) passes monotonic nanoseconds as a double, exact to 2^53 ns = 104 days.
 */

/** Monotonic time or a duration in nanoseconds; a double holding an integer below 2^53. */
export type Nanoseconds = number

export const MICROSECOND: Nanoseconds = 1_000
export const MILLISECOND: Nanoseconds = 1_000_000
export const SECOND: Nanoseconds = 1_000_000_000

/** "Nothing is due": what `pollAt()` answers when only outside events can cause work. */
export const NEVER: Nanoseconds = Number.POSITIVE_INFINITY
