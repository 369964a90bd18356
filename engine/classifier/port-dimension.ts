/**
 * The source or destination port in the filter index. The one idea: the ports at which some filter's range begins or
 * ends cut 0..65535 into intervals, each with a row that differs from its neighbour's in those filters. Pages of 256
 * ports lead from a port to its row; a page within one interval costs one word.
 */
import type { BitRows } from './bit-rows.ts'
import { type Dimension, type FilterOrder, STEP_UNITS, type Steps } from './dimension.ts'
import { ALL_PORTS } from './filter-store.ts'

const NONE = -1
const NOTHING = new Int32Array(0)
const PORTS = 65_536
const PAGE = 256
/** Ports without a boundary that one unit passes. */
const PORTS_PER_UNIT = 64

export class PortDimension implements Dimension {
  /** The row of packets without ports, and of ports that no range names. */
  anyRow = 0
  rows = 1
  copies = 0
  readonly #order: FilterOrder
  readonly #side: 0 | 1
  /** Lists of positions: filters that leave the ports open, ranges by first port, ranges by the port after the last. */
  #open = NONE
  #starts = NOTHING
  #ends = NOTHING
  #nextStart: Int32Array
  #nextEnd: Int32Array
  /** A row >= 0, or ~offset of a page in `#words`. */
  readonly #pages = new Int32Array(PAGE)
  #words = NOTHING
  #pagesUsed = 0

  constructor(order: FilterOrder, side: 0 | 1) {
    this.#order = order
    this.#side = side
    this.#nextStart = new Int32Array(order.ids.length)
    this.#nextEnd = new Int32Array(order.ids.length)
  }

  get byteLength(): number {
    return this.#pages.byteLength + this.#words.byteLength
  }

  *collect(): Steps {
    const { store, ids, chunks } = this.#order
    let open = 0
    for (let position = 0; position < ids.length; position++) {
      const ports = store.portsOf(ids[position], this.#side)
      if (ports === ALL_PORTS) {
        this.#nextStart[position] = this.#open
        this.#open = position
        open++
      } else this.#addRange(position, ports >>> 16, ports & 0xffff)
      if (position % STEP_UNITS === STEP_UNITS - 1) yield STEP_UNITS
    }
    this.copies = Math.min(open, chunks)
    const pages = new Set<number>()
    for (let port = 0; port < this.#starts.length - 1; port++) {
      if (port % PORTS_PER_UNIT === 0) yield 1
      const changes = this.#changesAt(port)
      if (changes === 0) continue
      this.rows++
      this.copies += Math.min(changes, chunks)
      pages.add(port >>> 8)
    }
    this.#words = new Int32Array(pages.size * PAGE)
  }

  *build(rows: BitRows): Steps {
    this.anyRow = rows.open(NONE)
    let units = 0
    for (let position = this.#open; position !== NONE; position = this.#nextStart[position]) {
      rows.set(this.anyRow, position)
      if (++units % STEP_UNITS === 0) yield STEP_UNITS
    }
    this.#pages.fill(this.anyRow)
    if (this.#starts.length > 0) yield* this.#cut(rows)
    this.#starts = NOTHING
    this.#ends = NOTHING
    this.#nextStart = NOTHING
    this.#nextEnd = NOTHING
  }

  /** The row of a port 0..65535. */
  rowOf(port: number): number {
    const page = this.#pages[port >>> 8]
    return page >= 0 ? page : this.#words[~page + (port & 255)]
  }

  #addRange(position: number, from: number, to: number): void {
    if (this.#starts.length === 0) {
      this.#starts = new Int32Array(PORTS + 1).fill(NONE)
      this.#ends = new Int32Array(PORTS + 1).fill(NONE)
    }
    this.#nextStart[position] = this.#starts[from]
    this.#starts[from] = position
    this.#nextEnd[position] = this.#ends[to + 1]
    this.#ends[to + 1] = position
  }

  #changesAt(port: number): number {
    let changes = 0
    for (let position = this.#starts[port]; position !== NONE; position = this.#nextStart[position]) changes++
    for (let position = this.#ends[port]; position !== NONE; position = this.#nextEnd[position]) changes++
    return changes
  }

  /** Goes through all ports, beginning a row where a range begins or has ended. */
  *#cut(rows: BitRows): Steps {
    let row = this.anyRow
    let since = 0
    let active = 0
    let units = 0
    for (let port = 0; port < PORTS; port++) {
      if (port % PORTS_PER_UNIT === 0) units++
      if (this.#starts[port] !== NONE || this.#ends[port] !== NONE) {
        this.#map(since, port, row)
        since = port
        const previous = row
        row = rows.open(previous)
        for (let position = this.#ends[port]; position !== NONE; position = this.#nextEnd[position]) {
          rows.clear(row, position)
          active--
          if (++units % STEP_UNITS === 0) yield STEP_UNITS
        }
        for (let position = this.#starts[port]; position !== NONE; position = this.#nextStart[position]) {
          rows.set(row, position)
          active++
          if (++units % STEP_UNITS === 0) yield STEP_UNITS
        }
        units += 4
        if (active === 0) row = this.anyRow
      }
      if (units < STEP_UNITS) continue
      yield units
      units = 0
    }
    this.#map(since, PORTS, row)
  }

  /** Leads the ports from..to-1 to a row. */
  #map(from: number, to: number, row: number): void {
    for (let port = from; port < to; ) {
      const page = port >>> 8
      const end = Math.min(to, (page + 1) * PAGE)
      if (end - port === PAGE) this.#pages[page] = row
      else {
        if (this.#pages[page] >= 0) this.#pages[page] = ~(this.#pagesUsed++ * PAGE)
        const at = ~this.#pages[page]
        this.#words.fill(row, at + (port & 255), at + (port & 255) + end - port)
      }
      port = end
    }
  }
}
