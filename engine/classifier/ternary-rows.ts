/**
 * Address masks with gaps (mission decision 5: a source matches when (source & mask) === value) in the filter index.
 * The one idea: an address is four bytes, and for each value of each byte a row says which filters agree with it; the
 * four rows together decide any mask, however many different ones there are. Filters without such a mask agree with
 * everything here. (Field-split bit vectors: W. Jiang, V. K. Prasanna, SPAA 2009.)
 *
 * Rows exist only for those chunks of 1024 filters that hold such a mask: 132 bytes a filter there, none elsewhere.
 */
import type { BitRows } from './bit-rows.ts'
import { type FilterOrder, STEP_UNITS, type Steps } from './dimension.ts'

/** Rows of a block: 256 for each byte, the most significant first. */
const BLOCK_ROWS = 4 * 256
const ALL = -1
const NONE = -1

export class TernaryRows {
  readonly #order: FilterOrder
  readonly #side: 0 | 1
  /** By chunk: its block, or NONE. */
  #blocks = new Int32Array(0)
  #summaries = new Int32Array(0)
  #words = new Int32Array(0)
  #wordShift = 0

  constructor(order: FilterOrder, side: 0 | 1) {
    this.#order = order
    this.#side = side
  }

  get byteLength(): number {
    return this.#blocks.byteLength + this.#summaries.byteLength + this.#words.byteLength
  }

  /** Which words of a chunk may hold a filter that agrees with an address; ALL when the chunk has no block. */
  summaryOf(chunk: number, address: number): number {
    const block = this.#blocks[chunk]
    if (block < 0) return ALL
    const at = block * BLOCK_ROWS
    return (
      this.#summaries[at + (address >>> 24)] &
      this.#summaries[at + 256 + ((address >>> 16) & 255)] &
      this.#summaries[at + 512 + ((address >>> 8) & 255)] &
      this.#summaries[at + 768 + (address & 255)]
    )
  }

  /** Which filters of a word of a chunk agree with an address. */
  wordOf(chunk: number, word: number, address: number): number {
    const block = this.#blocks[chunk]
    if (block < 0) return ALL
    const shift = this.#wordShift
    const at = block * BLOCK_ROWS
    return (
      this.#words[((at + (address >>> 24)) << shift) + word] &
      this.#words[((at + 256 + ((address >>> 16) & 255)) << shift) + word] &
      this.#words[((at + 512 + ((address >>> 8) & 255)) << shift) + word] &
      this.#words[((at + 768 + (address & 255)) << shift) + word]
    )
  }

  *build(rows: BitRows): Steps {
    this.#wordShift = rows.wordShift
    this.#blocks = new Int32Array(rows.chunks).fill(NONE)
    const { length } = this.#order.ids
    const chunkShift = rows.wordShift + 5
    let blocks = 0
    for (let position = 0; position < length; position++) {
      if (this.#hasGaps(position) && this.#blocks[position >>> chunkShift] === NONE)
        this.#blocks[position >>> chunkShift] = blocks++
      if (position % STEP_UNITS === STEP_UNITS - 1) yield STEP_UNITS
    }
    if (blocks === 0) return
    this.#summaries = new Int32Array(blocks * BLOCK_ROWS)
    this.#words = new Int32Array((blocks * BLOCK_ROWS) << rows.wordShift)
    for (let position = 0; position < length; position++) {
      const block = this.#blocks[position >>> chunkShift]
      if (block >= 0) yield this.#place(block, position)
    }
  }

  #hasGaps(position: number): boolean {
    const { store, ids } = this.#order
    const zeros = ~store.maskOf(ids[position], this.#side)
    return (zeros & (zeros + 1)) !== 0
  }

  /** Sets a filter's bit in the rows of a block that agree with it; returns the units that took. */
  #place(block: number, position: number): number {
    const { store, ids } = this.#order
    const isTernary = this.#hasGaps(position)
    const mask = isTernary ? store.maskOf(ids[position], this.#side) : 0
    const value = isTernary ? store.valueOf(ids[position], this.#side) : 0
    const word = (position >>> 5) & ((1 << this.#wordShift) - 1)
    const bit = 1 << (position & 31)
    for (let byte = 0; byte < 4; byte++) {
      const byteMask = (mask >>> (24 - 8 * byte)) & 255
      const byteValue = (value >>> (24 - 8 * byte)) & 255
      const first = block * BLOCK_ROWS + byte * 256
      for (let agreeing = 0; agreeing < 256; agreeing++) {
        if ((agreeing & byteMask) !== byteValue) continue
        this.#words[((first + agreeing) << this.#wordShift) + word] |= bit
        this.#summaries[first + agreeing] |= 1 << word
      }
    }
    return 16
  }
}
