/**
 * One field of the filter index: which row of bits a value of the field selects. The one idea: all fields are built
 * alike, first counted and then filled, in steps that the caller may spread over time.
 */
import type { BitRows } from './bit-rows.ts'
import type { FilterStore } from './filter-store.ts'

/** Yields how many units of work were done since the last yield; a unit takes about a tenth of a microsecond. */
export type Steps = Generator<number, void, void>

/** Work after which a step ends. */
export const STEP_UNITS = 100

/** What an index is built from. */
export interface FilterOrder {
  readonly store: FilterStore
  /** Filter numbers in order of precedence. */
  readonly ids: Int32Array
  /** Chunks of a row over that many filters. */
  readonly chunks: number
}

export interface Dimension {
  /** Rows that `build` will make, and most chunks in them that differ from those they copy: known after `collect`. */
  readonly rows: number
  readonly copies: number
  /** Groups the filters by what they say about this field. */
  collect(): Steps
  /** Makes the rows. Afterwards values can be looked up. */
  build(rows: BitRows): Steps
  readonly byteLength: number
}
