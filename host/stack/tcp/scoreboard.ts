/**
 * What the peer has selectively acknowledged (RFC 2018) and what follows from it (RFC 6675: IsLost, SetPipe). The
 * one idea: the acknowledged ranges, disjoint and sorted; every byte of the hole below a range shares one fate.
 * Blocks come from outside: those that do not lie between the cumulative acknowledgment and the newest byte sent
 * are ignored, and the number of ranges is bounded.
 */
import { before, distance, later, notAfter } from './sequence.ts'

/** Segments or discontiguous ranges above a hole that make it lost. */
export const DUPLICATE_THRESHOLD = 3
const RANGE_LIMIT = 256

export class Scoreboard {
  readonly #starts: number[] = []
  readonly #ends: number[] = []
  /** Bytes selectively acknowledged and not yet cumulatively. */
  bytes = 0
  /** The hole found by `findLost` or `findHole`. */
  holeStart = 0
  holeEnd = 0

  /** Number of ranges. */
  get length(): number {
    return this.#starts.length
  }

  /** One past the highest byte selectively acknowledged; only with `length` > 0. */
  get highest(): number {
    return this.#ends[this.#ends.length - 1]
  }

  /** Takes `count` blocks of a segment. Returns how many bytes were news. */
  update(blocks: Uint32Array, count: number, unacknowledged: number, next: number): number {
    const known = this.bytes
    for (let i = 0; i < count; i++) {
      const start = blocks[2 * i]
      const end = blocks[2 * i + 1]
      if (before(start, end) && before(unacknowledged, end) && notAfter(end, next))
        this.#add(later(start, unacknowledged), end)
    }
    return this.bytes - known
  }

  /** The cumulative acknowledgment moved on. */
  acknowledge(unacknowledged: number): void {
    let gone = 0
    while (gone < this.#ends.length && notAfter(this.#ends[gone], unacknowledged)) {
      this.bytes -= distance(this.#starts[gone], this.#ends[gone])
      gone++
    }
    if (gone > 0) {
      this.#starts.splice(0, gone)
      this.#ends.splice(0, gone)
    }
  }

  /** Whether the receiver has dropped what it acknowledged selectively: the first missing byte is in a range. */
  reneged(unacknowledged: number): boolean {
    return this.#starts.length > 0 && notAfter(this.#starts[0], unacknowledged)
  }

  clear(): void {
    this.#starts.length = 0
    this.#ends.length = 0
    this.bytes = 0
  }

  /** The first bytes at or after `from`, below `to`, that are in no range: holeStart, holeEnd. False without any. */
  findHole(from: number, to: number): boolean {
    let start = from
    let end = to
    for (let i = 0; i < this.#starts.length; i++) {
      if (notAfter(this.#ends[i], start)) continue
      if (before(start, this.#starts[i])) {
        end = this.#starts[i]
        break
      }
      start = this.#ends[i]
    }
    this.holeStart = start
    this.holeEnd = before(end, to) ? end : to
    return before(start, to)
  }

  /** The first bytes at or after `from` that count as lost: holeStart, holeEnd. False without any. */
  findLost(from: number, segmentBytes: number): boolean {
    let above = this.bytes
    for (let i = 0; i < this.#starts.length; i++) {
      if (!this.#lost(this.#starts.length - i, above, segmentBytes)) return false
      const lower = i === 0 ? from : later(from, this.#ends[i - 1])
      if (before(lower, this.#starts[i])) {
        this.holeStart = lower
        this.holeEnd = this.#starts[i]
        return true
      }
      above -= distance(this.#starts[i], this.#ends[i])
    }
    return false
  }

  /** Whether the first missing byte counts as lost. */
  firstLost(segmentBytes: number): boolean {
    return this.#starts.length > 0 && this.#lost(this.#starts.length, this.bytes, segmentBytes)
  }

  /**
   * Estimate of the bytes in the network (RFC 6675 SetPipe): what is neither acknowledged nor lost, and what was
   * retransmitted up to `retransmitted`.
   */
  pipe(unacknowledged: number, next: number, retransmitted: number, segmentBytes: number): number {
    let pipe = 0
    let above = this.bytes
    let lower = unacknowledged
    for (let i = 0; i <= this.#starts.length; i++) {
      const upper = i < this.#starts.length ? this.#starts[i] : next
      const hole = distance(lower, upper)
      if (hole > 0) {
        if (!this.#lost(this.#starts.length - i, above, segmentBytes)) pipe += hole
        pipe += Math.min(hole, Math.max(0, distance(lower, retransmitted)))
      }
      if (i === this.#starts.length) break
      above -= distance(this.#starts[i], this.#ends[i])
      lower = this.#ends[i]
    }
    return pipe
  }

  /** Selectively acknowledged bytes in [from, to). */
  bytesBetween(from: number, to: number): number {
    let total = 0
    for (let i = 0; i < this.#starts.length; i++) {
      const start = later(this.#starts[i], from)
      const end = before(this.#ends[i], to) ? this.#ends[i] : to
      total += Math.max(0, distance(start, end))
    }
    return total
  }

  /** Left and right edges, lowest first (to move a connection). */
  toArray(): number[] {
    return this.#starts.flatMap((start, i) => [start, this.#ends[i]])
  }

  #lost(ranges: number, bytes: number, segmentBytes: number): boolean {
    return ranges >= DUPLICATE_THRESHOLD || bytes > (DUPLICATE_THRESHOLD - 1) * segmentBytes
  }

  #add(start: number, end: number): void {
    const starts = this.#starts
    const ends = this.#ends
    let first = starts.length
    while (first > 0 && notAfter(start, ends[first - 1])) first--
    let last = first
    let from = start
    let to = end
    while (last < starts.length && notAfter(starts[last], end)) {
      if (before(starts[last], from)) from = starts[last]
      if (before(to, ends[last])) to = ends[last]
      this.bytes -= distance(starts[last], ends[last])
      last++
    }
    if (last === first && starts.length >= RANGE_LIMIT) return
    starts.splice(first, last - first, from)
    ends.splice(first, last - first, to)
    this.bytes += distance(from, to)
  }
}
