/** What an instance is made of; plain data that crosses to the sandbox process. */

import type { Moment } from './effects.ts'
import type { InstanceLimits } from './limits.ts'

export interface IsolateSpec {
  /** A vetted CommonJS module. */
  readonly source: string
  readonly file: string
  /** See `LoadOptions.runtime`. */
  readonly runtime: string
  readonly seed: readonly number[]
  readonly limits: InstanceLimits
  /** Whether its batches run under a timeout of their own; otherwise only the watchdog ends one. */
  readonly timed: boolean
  /** The time of the load. */
  readonly at: Moment
}
