/**
 * Compiled actions. The one idea: an action becomes a row of integers, equal actions share one row, and rows are
 * counted by their users, so that a million flows into three tunnels cost three rows and a closed tunnel lives
 * until its last flow is gone (R-SLR-11). How an action becomes rows is compile-action.ts's business.
 */
import { EngineError } from '../errors.ts'

/** Operation codes; the first word of a row. */
export const OP_FREE = 0
export const OP_FORWARD = 1 // A: 1 when B holds a next hop; B: next hop
export const OP_DROP = 2 // A: drop code
export const OP_TUNNEL = 3 // A: tunnel number
export const OP_DECAPSULATE = 4
export const OP_REWRITE = 5 // A: bit set of REWRITE_*; B: source; C: destination; D: ports; NEXT
export const OP_REPLICATE = 6 // A: list
export const OP_CLASS = 7 // A: class label; NEXT
export const OP_DECIDE = 8 // A: owner; NEXT: what happens without a decision; wait[row]
export const OP_SPREAD = 9 // A: list; B: sum of weights; C: owner; wait[row]: idle time or 0

/** Words of a row. */
export const ACTION_SHIFT = 3
export const OP = 0
export const A = 1
export const B = 2
export const C = 3
export const D = 4
export const ACTION_NEXT = 5
const USERS = 6

export const REWRITE_SOURCE = 1
export const REWRITE_DESTINATION = 2
export const REWRITE_SOURCE_PORT = 4
export const REWRITE_DESTINATION_PORT = 8

/** Most rows. */
export const ACTION_LIMIT = 1 << 20

const NO_ROW = -1
const FIRST_ROWS = 64

/** Counts the users of something that rows name by a number: tunnels, class labels. */
export interface References {
  retain(number: number): void
  release(number: number): void
}

/** Branches of a replicate or spread: action rows and, for a spread, cumulative weights. */
export interface ActionList {
  readonly rows: Int32Array
  readonly cumulative: Int32Array
}

export class ActionTable {
  words: Int32Array = new Int32Array(FIRST_ROWS << ACTION_SHIFT)
  /** Nanoseconds of OP_DECIDE and OP_SPREAD rows. */
  wait: Float64Array = new Float64Array(FIRST_ROWS)
  readonly lists: ActionList[] = []
  readonly #tunnels: References
  readonly #labels: References
  readonly #limit: number
  readonly #interned = new Map<string, number>()
  readonly #keys: string[] = []
  readonly #freeRows: number[] = []
  readonly #freeLists: number[] = []
  #rows = 0

  constructor(tunnels: References, labels: References, limit = ACTION_LIMIT) {
    this.#tunnels = tunnels
    this.#labels = labels
    this.#limit = limit
  }

  /** Rows in use. */
  get size(): number {
    return this.#interned.size
  }

  /**
   * The row of these words, counted as used once more; give it back with `release`. The caller's use of `next`
   * passes to the row. @throws EngineError `limit`; the use of `next` is given up then
   */
  intern(op: number, a = 0, b = 0, c = 0, d = 0, next = NO_ROW, wait = 0): number {
    const key = `${op}:${a}:${b}:${c}:${d}:${next}:${wait}`
    const known = this.#interned.get(key)
    if (known === undefined) return this.#insert(key, [op, a, b, c, d, next, 1], wait, [next])
    this.retain(known)
    if (next !== NO_ROW) this.release(next)
    return known
  }

  /**
   * The row of an OP_REPLICATE or OP_SPREAD over branches, of whose rows the caller's uses pass to it.
   * @param cumulative running sums of a spread's weights; empty for a replicate
   * @throws EngineError `limit`; the uses of the rows are given up then
   */
  internList(
    op: number,
    rows: readonly number[],
    cumulative: Int32Array,
    owner: number,
    wait: number,
  ): number {
    const key = `${op}:${rows.join(',')}:${cumulative.join(',')}:${owner}:${wait}`
    const known = this.#interned.get(key)
    if (known !== undefined) {
      for (const row of rows) this.release(row)
      this.retain(known)
      return known
    }
    const list = this.#freeLists.at(-1) ?? this.lists.length
    const total = cumulative.length === 0 ? 0 : cumulative[cumulative.length - 1]
    const row = this.#insert(key, [op, list, total, owner, 0, NO_ROW, 1], wait, rows)
    this.#freeLists.pop()
    this.lists[list] = { rows: Int32Array.from(rows), cumulative }
    return row
  }

  /** Counts one more user of a row. */
  retain(row: number): void {
    this.words[(row << ACTION_SHIFT) + USERS]++
  }

  /** Counts one user less; at zero the row goes, and with it its uses of other rows, its tunnel and its label. */
  release(row: number): void {
    const at = row << ACTION_SHIFT
    const words = this.words
    if (--words[at + USERS] > 0) return
    const op = words[at + OP]
    const next = words[at + ACTION_NEXT]
    this.#interned.delete(this.#keys[row])
    words[at + OP] = OP_FREE
    this.#freeRows.push(row)
    if (op === OP_TUNNEL) this.#tunnels.release(words[at + A])
    if (op === OP_CLASS) this.#labels.release(words[at + A])
    if (op === OP_REPLICATE || op === OP_SPREAD) {
      const list = words[at + A]
      this.#freeLists.push(list)
      for (const branch of this.lists[list].rows) this.release(branch)
    }
    if (next !== NO_ROW) this.release(next)
  }

  /** Turns the questions and choices of one owner into another's. */
  setOwner(from: number, to: number): void {
    for (let row = 0; row < this.#rows; row++) {
      const at = row << ACTION_SHIFT
      const field = this.words[at + OP] === OP_DECIDE ? A : this.words[at + OP] === OP_SPREAD ? C : -1
      if (field < 0 || this.words[at + field] !== from) continue
      this.words[at + field] = to
      // Rows that are equal from now on stay apart: neither is found by its old key any more.
      this.#interned.delete(this.#keys[row])
      this.#keys[row] = `${row} of ${to}`
      this.#interned.set(this.#keys[row], row)
    }
  }

  /** Makes a row of words; on failure gives up the uses of other rows that it was to take over. */
  #insert(key: string, words: readonly number[], wait: number, uses: readonly number[]): number {
    if (this.#freeRows.length === 0 && this.#rows >= this.#limit) {
      for (const row of uses) if (row !== NO_ROW) this.release(row)
      throw new EngineError('limit', `more than ${this.#limit} different actions`)
    }
    const row = this.#freeRows.pop() ?? this.#rows++
    if (row >= this.wait.length) this.#grow()
    this.words.set(words, row << ACTION_SHIFT)
    this.wait[row] = wait
    this.#interned.set(key, row)
    this.#keys[row] = key
    if (words[OP] === OP_TUNNEL) this.#tunnels.retain(words[A])
    if (words[OP] === OP_CLASS) this.#labels.retain(words[A])
    return row
  }

  #grow(): void {
    const words = new Int32Array(this.words.length * 2)
    const wait = new Float64Array(this.wait.length * 2)
    words.set(this.words)
    wait.set(this.wait)
    this.words = words
    this.wait = wait
  }
}
