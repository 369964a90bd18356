/**
 * A queue: first in, first out. The one idea: a ring of slots that grows and is used again, so that requests pass
 * through without allocation and without moving those behind them.
 */

const INITIAL_SLOTS = 16

export class Line<T> {
  /** A power of two of slots. */
  #slots: (T | undefined)[] = new Array<T | undefined>(INITIAL_SLOTS).fill(undefined)
  #from = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  /** The oldest, if there is one. */
  get first(): T | undefined {
    return this.#slots[this.#from]
  }

  push(item: T): void {
    if (this.#length === this.#slots.length) this.#grow()
    this.#slots[(this.#from + this.#length++) & (this.#slots.length - 1)] = item
  }

  /** Takes the oldest, if there is one. */
  take(): T | undefined {
    const item = this.#slots[this.#from]
    if (this.#length === 0) return undefined
    this.#slots[this.#from] = undefined
    this.#from = (this.#from + 1) & (this.#slots.length - 1)
    this.#length--
    return item
  }

  /** All of them, oldest first; they stay. */
  list(): T[] {
    const mask = this.#slots.length - 1
    return Array.from({ length: this.#length }, (_, at) => this.#slots[(this.#from + at) & mask] as T)
  }

  #grow(): void {
    const items: (T | undefined)[] = this.list()
    const { length } = items
    while (items.length < 2 * length) items.push(undefined)
    this.#slots = items
    this.#from = 0
  }
}
