/**
 * Out-of-order data of one connection. The one idea: disjoint segments sorted by sequence number; what came first
 * stands, and later data with other content for the same numbers is cut away (a receiver that let the last one win
 * could be made to read what no filter saw). The number of segments and of bytes is bounded.
 */
import { advance, before, distance, notAfter } from './sequence.ts'

interface Piece {
  /** Sequence number of its first byte. */
  sequence: number
  bytes: Uint8Array
}

/** How many block edges are remembered to order SACK blocks by age. */
const REMEMBERED = 4

export class ReceiveBuffer {
  readonly #pieces: Piece[] = []
  readonly #limit: number
  #bytes = 0
  /** Sequence numbers inside the blocks reported last, newest first. */
  #recent: number[] = []

  /** @param limit most segments kept, 1 or more */
  constructor(limit: number) {
    this.#limit = limit
  }

  get length(): number {
    return this.#pieces.length
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#bytes
  }

  /** Sequence number of the first byte held; only with `length` > 0. */
  get first(): number {
    return this.#pieces[0].sequence
  }

  /**
   * Keeps what is new of `bytes`, which begin at `sequence` and lie within the receive window. Bytes are kept by
   * reference unless they are a small part of their memory. Returns false when the limit was hit and part of them
   * was dropped.
   */
  insert(sequence: number, bytes: Uint8Array): boolean {
    const end = advance(sequence, bytes.length)
    const pieces = this.#pieces
    let index = this.#firstEndingAfter(sequence)
    let from = sequence
    this.#remember(sequence)
    while (before(from, end)) {
      const next = index < pieces.length ? pieces[index] : undefined
      if (next !== undefined && notAfter(next.sequence, from)) {
        from = advance(next.sequence, next.bytes.length)
        index++
        continue
      }
      const to = next !== undefined && before(next.sequence, end) ? next.sequence : end
      if (pieces.length >= this.#limit) return false
      const part = bytes.subarray(distance(sequence, from), distance(sequence, to))
      const owned = part.length * 2 < part.buffer.byteLength ? part.slice() : part
      pieces.splice(index++, 0, { sequence: from, bytes: owned })
      this.#bytes += owned.length
      from = to
    }
    return true
  }

  /**
   * Takes the next bytes that continue the stream at `sequence`, cutting what lies before; undefined when there is
   * a gap. Call it until then.
   */
  take(sequence: number): Uint8Array | undefined {
    const pieces = this.#pieces
    while (pieces.length > 0) {
      const first = pieces[0]
      if (before(sequence, first.sequence)) return undefined
      pieces.shift()
      this.#bytes -= first.bytes.length
      const seen = distance(first.sequence, sequence)
      if (seen < first.bytes.length) return seen === 0 ? first.bytes : first.bytes.subarray(seen)
    }
    this.#recent = []
    return undefined
  }

  /**
   * Writes up to `room` SACK blocks (left and right edges) into `into`: first the one that holds the segment
   * received last, then the others reported most recently (RFC 2018 section 4). Returns their number.
   */
  sackBlocks(into: Uint32Array, room: number): number {
    if (this.#pieces.length === 0) return 0
    const found: number[] = []
    let count = 0
    for (const sequence of this.#recent) {
      if (count === room) break
      const at = this.#blockAround(sequence)
      if (at < 0 || found.includes(at)) continue
      found.push(at)
      into[2 * count] = this.#pieces[at].sequence
      into[2 * count + 1] = this.#blockEnd(at)
      count++
    }
    return count
  }

  /** All pieces, oldest sequence number first. */
  pieces(): readonly { readonly sequence: number; readonly bytes: Uint8Array }[] {
    return this.#pieces
  }

  clear(): void {
    this.#pieces.length = 0
    this.#bytes = 0
    this.#recent = []
  }

  #remember(sequence: number): void {
    this.#recent = [sequence, ...this.#recent.filter((each) => each !== sequence)].slice(0, REMEMBERED)
  }

  /** Index of the first piece that ends after `sequence`: most segments are newer than all held ones. */
  #firstEndingAfter(sequence: number): number {
    const pieces = this.#pieces
    let low = 0
    let high = pieces.length
    while (low < high) {
      const middle = (low + high) >> 1
      const piece = pieces[middle]
      if (notAfter(advance(piece.sequence, piece.bytes.length), sequence)) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Index of the first piece of the contiguous block that holds `sequence`, or -1. */
  #blockAround(sequence: number): number {
    const pieces = this.#pieces
    let index = this.#firstEndingAfter(sequence)
    if (index >= pieces.length || before(sequence, pieces[index].sequence)) return -1
    while (index > 0 && this.#end(index - 1) === pieces[index].sequence) index--
    return index
  }

  #blockEnd(index: number): number {
    while (index + 1 < this.#pieces.length && this.#end(index) === this.#pieces[index + 1].sequence) index++
    return this.#end(index)
  }

  #end(index: number): number {
    const piece = this.#pieces[index]
    return advance(piece.sequence, piece.bytes.length)
  }
}
