/** What goes into every call of a sandbox and comes out of it, besides its argument and its value. */
import type { JsonValue } from '../contract/json.ts'
import type { SandboxFailure } from './sandbox-error.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** A line that a plugin logged: untrusted text, bounded, may hold line feeds and control characters. */
export interface LogLine {
  readonly level: LogLevel
  readonly text: string
}

/** The time that a plugin sees during a call. */
export interface Moment {
  /** Monotonic nanoseconds. */
  readonly now: number
  /** Calendar time, milliseconds since 1970. */
  readonly clock: number
}

/** What a call did besides its result. */
export interface Effects {
  /** Commands that the plugin asked for, oldest first. Untrusted. */
  readonly requests: readonly JsonValue[]
  readonly logs: readonly LogLine[]
  /** Log lines over the limit. */
  readonly logsDropped: number
  /** Time that the call took where the plugin runs. Measured: never let it change a simulation's state. */
  readonly spentNs: number
}

/** The outcome of a request. After a failure the requests of the call are discarded; what was logged is kept. */
export type Reply<T> = Effects &
  ({ readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: SandboxFailure })

export type Done<T> = (reply: Reply<T>) => void
