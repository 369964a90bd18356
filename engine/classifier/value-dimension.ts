/**
 * A small number in the filter index: the protocol, or the port by which a packet came in. The one idea: a row per
 * number that some filter names, and one for all others; a table leads from the number to the row.
 */
import type { BitRows } from './bit-rows.ts'
import { type Dimension, type FilterOrder, STEP_UNITS, type Steps } from './dimension.ts'

export class ValueDimension implements Dimension {
  rows = 1
  copies = 0
  readonly #order: FilterOrder
  readonly #read: (id: number) => number
  /** Positions of the filters that leave the field open, and of those that name a value. */
  #open: number[] = []
  #named = new Map<number, number[]>()
  #anyRow = 0
  #rowOf = new Int32Array(0)

  /** @param read what a filter names: an integer >= 0, or -1 when it leaves the field open */
  constructor(order: FilterOrder, read: (id: number) => number) {
    this.#order = order
    this.#read = read
  }

  get byteLength(): number {
    return this.#rowOf.byteLength
  }

  *collect(): Steps {
    const { ids, chunks } = this.#order
    let largest = -1
    for (let position = 0; position < ids.length; position++) {
      const value = this.#read(ids[position])
      const positions = value < 0 ? this.#open : (this.#named.get(value) ?? [])
      if (value >= 0 && positions.length === 0) this.#named.set(value, positions)
      if (positions.push(position) <= chunks) this.copies++
      if (value > largest) largest = value
      if (position % STEP_UNITS === STEP_UNITS - 1) yield STEP_UNITS
    }
    this.rows += this.#named.size
    this.#rowOf = new Int32Array(largest + 1)
  }

  *build(rows: BitRows): Steps {
    this.#anyRow = rows.open(-1)
    yield* setAll(rows, this.#anyRow, this.#open)
    this.#rowOf.fill(this.#anyRow)
    for (const [value, positions] of this.#named) {
      const row = rows.open(this.#anyRow)
      yield* setAll(rows, row, positions)
      this.#rowOf[value] = row
    }
    this.#open = []
    this.#named = new Map()
  }

  /** The row of any number. */
  rowOf(value: number): number {
    return value >= 0 && value < this.#rowOf.length ? this.#rowOf[value] : this.#anyRow
  }
}

function* setAll(rows: BitRows, row: number, positions: readonly number[]): Steps {
  let units = 4
  for (const position of positions) {
    rows.set(row, position)
    if (++units % STEP_UNITS === 0) yield STEP_UNITS
  }
  yield units % STEP_UNITS
}
