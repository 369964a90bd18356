/**
 * Deadlines of a fixed set of ids. The one idea: a binary heap with positions, so that the next due id, a new
 * deadline and a removal cost O(log n). Ids are 0 <= id < capacity; memory grows with the largest id in use, and
 * nothing else is allocated. Equal deadlines come out by id, so that runs repeat exactly.
 */
import { type Nanoseconds, NEVER } from './clock.ts'

/** Ids for which there is room at first. */
const FIRST_ROOM = 64

export class Deadlines {
  readonly #capacity: number
  #heap: Int32Array
  #position: Int32Array
  #at: Float64Array
  #size = 0

  constructor(capacity: number) {
    const room = Math.min(capacity, FIRST_ROOM)
    this.#capacity = capacity
    this.#heap = new Int32Array(room)
    this.#position = new Int32Array(room).fill(-1)
    this.#at = new Float64Array(room)
  }

  get size(): number {
    return this.#size
  }

  /** The earliest deadline; NEVER when there is none. */
  get earliest(): Nanoseconds {
    return this.#size === 0 ? NEVER : this.#at[this.#heap[0]]
  }

  /** Sets or moves an id's deadline. */
  set(id: number, at: Nanoseconds): void {
    if (id >= this.#at.length) this.#grow(id)
    this.#at[id] = at
    let index = this.#position[id]
    if (index < 0) {
      index = this.#size++
      this.#place(id, index)
    }
    this.#rise(id, index)
    this.#sink(id, this.#position[id])
  }

  /** Forgets an id's deadline; nothing happens when it has none. */
  remove(id: number): void {
    if (id >= this.#position.length) return
    const index = this.#position[id]
    if (index < 0) return
    this.#position[id] = -1
    const last = this.#heap[--this.#size]
    if (last === id) return
    this.#place(last, index)
    this.#rise(last, index)
    this.#sink(last, this.#position[last])
  }

  /** Takes the earliest id that is due at `now`; -1 when none is. */
  takeDue(now: Nanoseconds): number {
    if (this.#size === 0 || this.#at[this.#heap[0]] > now) return -1
    const id = this.#heap[0]
    this.remove(id)
    return id
  }

  #grow(id: number): void {
    const room = Math.min(this.#capacity, Math.max(id + 1, this.#at.length * 2))
    const heap = new Int32Array(room)
    const position = new Int32Array(room).fill(-1)
    const at = new Float64Array(room)
    heap.set(this.#heap)
    position.set(this.#position)
    at.set(this.#at)
    this.#heap = heap
    this.#position = position
    this.#at = at
  }

  #place(id: number, index: number): void {
    this.#heap[index] = id
    this.#position[id] = index
  }

  #before(a: number, b: number): boolean {
    const difference = this.#at[a] - this.#at[b]
    return difference < 0 || (difference === 0 && a < b)
  }

  #rise(id: number, index: number): void {
    while (index > 0) {
      const parent = (index - 1) >> 1
      const other = this.#heap[parent]
      if (!this.#before(id, other)) break
      this.#place(other, index)
      index = parent
    }
    this.#place(id, index)
  }

  #sink(id: number, index: number): void {
    for (;;) {
      let child = index * 2 + 1
      if (child >= this.#size) break
      if (child + 1 < this.#size && this.#before(this.#heap[child + 1], this.#heap[child])) child++
      const other = this.#heap[child]
      if (!this.#before(other, id)) break
      this.#place(other, index)
      index = child
    }
    this.#place(id, index)
  }
}
