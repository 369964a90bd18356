/**
 * A first-in first-out list of slots from which any can be taken. The one idea: a doubly linked list through two
 * arrays, so that every operation costs the same and nothing is allocated. Slots are 0 <= slot < capacity, each at
 * most once on the list.
 */
import { NONE } from './packet.ts'

/** Stands in `before` for a slot that is not on the list. */
const ABSENT = -2

export class SlotList {
  readonly #before: Int32Array
  readonly #after: Int32Array
  #first = NONE
  #last = NONE
  #size = 0

  constructor(capacity: number) {
    this.#before = new Int32Array(capacity).fill(ABSENT)
    this.#after = new Int32Array(capacity)
  }

  get size(): number {
    return this.#size
  }

  /** The slot that has been on the list for longest, or NONE. */
  get first(): number {
    return this.#first
  }

  /** Appends a slot that is not on the list. */
  push(slot: number): void {
    this.#before[slot] = this.#last
    this.#after[slot] = NONE
    if (this.#last === NONE) this.#first = slot
    else this.#after[this.#last] = slot
    this.#last = slot
    this.#size++
  }

  /** Takes a slot off the list; nothing happens when it is not on it. */
  remove(slot: number): void {
    const before = this.#before[slot]
    if (before === ABSENT) return
    const after = this.#after[slot]
    if (before === NONE) this.#first = after
    else this.#after[before] = after
    if (after === NONE) this.#last = before
    else this.#before[after] = before
    this.#before[slot] = ABSENT
    this.#size--
  }
}
