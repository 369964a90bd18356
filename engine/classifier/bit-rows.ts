/**
 * Rows of bits, one bit per filter in order of precedence: a row says which filters agree with one class of values
 * of one field. The one idea: rows are cut into chunks of up to 1024 filters, a row begins as a copy of another
 * row's pointers, and a chunk is copied only when it changes; so thousands of rows that differ in a few bits cost a
 * few chunks, where plain bit vectors would cost the square of the number of filters.
 *
 * Each chunk has a summary, one bit per non-zero word: the aggregation of F. Baboescu, G. Varghese, "Scalable packet
 * classification", SIGCOMM 2001, over the bit vectors of T. V. Lakshman, D. Stiliadis, SIGCOMM 1998.
 */
import assert from 'node:assert/strict'

export class BitRows {
  /** Chunks of a row. */
  readonly chunks: number
  /** log2 of the words of a chunk: 0..5. */
  readonly wordShift: number
  /** Chunk numbers; row r is `pointers[r .. r + chunks - 1]`. */
  readonly pointers: Int32Array
  /** By chunk number. */
  readonly summaries: Int32Array
  readonly words: Int32Array
  #rows = 0
  /** Chunk 0 is all zero and shared by all rows. */
  #used = 1
  #ownedFrom = 1

  /** Room for `rows` rows over `size` filters, with at most `copies` chunks that differ from those they copy. */
  constructor(size: number, rows: number, copies: number) {
    const words = (size + 31) >>> 5
    this.wordShift = words >= 32 ? 5 : 32 - Math.clz32(Math.max(words, 1) - 1)
    this.chunks = Math.max(1, (words + 31) >>> 5)
    this.pointers = new Int32Array(rows * this.chunks)
    this.summaries = new Int32Array(copies + 1)
    this.words = new Int32Array((copies + 1) << this.wordShift)
  }

  get byteLength(): number {
    return this.pointers.byteLength + this.summaries.byteLength + this.words.byteLength
  }

  /** Begins a row equal to `parent`, or of zeros when `parent` is -1. It can be changed until the next one begins. */
  open(parent: number): number {
    const row = this.#rows
    assert(row + this.chunks <= this.pointers.length, 'more rows than announced')
    this.#rows += this.chunks
    if (parent >= 0) this.pointers.copyWithin(row, parent, parent + this.chunks)
    this.#ownedFrom = this.#used
    return row
  }

  /** Sets the bit of a filter in the row begun last. */
  set(row: number, position: number): void {
    const at = this.#wordOf(row, position)
    this.words[at] |= 1 << (position & 31)
    this.summaries[at >>> this.wordShift] |= 1 << (at & ((1 << this.wordShift) - 1))
  }

  /** Clears the bit of a filter in the row begun last. */
  clear(row: number, position: number): void {
    const at = this.#wordOf(row, position)
    this.words[at] &= ~(1 << (position & 31))
    if (this.words[at] === 0)
      this.summaries[at >>> this.wordShift] &= ~(1 << (at & ((1 << this.wordShift) - 1)))
  }

  /** Where a bit's word is, in a chunk that belongs to this row alone. */
  #wordOf(row: number, position: number): number {
    const shift = this.wordShift
    const pointer = row + (position >>> (shift + 5))
    let chunk = this.pointers[pointer]
    if (chunk < this.#ownedFrom) {
      const copy = this.#used++
      assert(copy < this.summaries.length, 'more chunks than announced')
      this.words.copyWithin(copy << shift, chunk << shift, (chunk + 1) << shift)
      this.summaries[copy] = this.summaries[chunk]
      this.pointers[pointer] = copy
      chunk = copy
    }
    return (chunk << shift) + ((position >>> 5) & ((1 << shift) - 1))
  }
}
