/**
 * Frames on the wire: held until their time and released in order of it. The one idea: a binary heap of slots keyed
 * by (due time, order of arrival), so that frames of the same instant keep their order and one that was delayed
 * longer is overtaken. Bounded by its store; nothing is allocated once it has grown.
 */
import { type Nanoseconds, NEVER } from '../clock.ts'
import { NONE } from '../packet.ts'
import { FrameStore } from './frame-store.ts'

export class DelayLine {
  readonly store: FrameStore
  #heap = new Int32Array(0)
  #due = new Float64Array(0)
  #order = new Float64Array(0)
  #arrivals = 0

  /** Bounds as for FrameStore. @throws EngineError `invalid` */
  constructor(maxFrameBytes: number, limit: number) {
    this.store = new FrameStore(maxFrameBytes, limit)
  }

  /** Frames held. */
  get size(): number {
    return this.store.size
  }

  /** When the first frame is due; NEVER when none is held. */
  get dueAt(): Nanoseconds {
    return this.store.size === 0 ? NEVER : this.#due[this.#heap[0]!]!
  }

  /** The slot of the frame that is due first, or NONE. */
  get first(): number {
    return this.store.size === 0 ? NONE : this.#heap[0]!
  }

  /** Holds a copy of the frame until `due` and returns its slot; NONE when the line is full or the frame too long. */
  push(bytes: Uint8Array, start: number, length: number, due: Nanoseconds): number {
    const slot = this.store.put(bytes, start, length)
    if (slot === NONE) return NONE
    if (this.#heap.length < this.store.capacity) this.#grow(this.store.capacity)
    this.#due[slot] = due
    this.#order[slot] = this.#arrivals++
    this.#rise(this.store.size - 1, slot)
    return slot
  }

  /** Drops the frame that is due first. Only when `first` is not NONE. */
  shift(): void {
    const heap = this.#heap
    const first = heap[0]!
    const last = this.store.size - 1
    this.store.release(first)
    if (last > 0) this.#sink(heap[last]!, last)
  }

  clear(): void {
    this.store.clear()
    this.#heap = new Int32Array(0)
    this.#due = new Float64Array(0)
    this.#order = new Float64Array(0)
  }

  #before(slot: number, other: number): boolean {
    const difference = this.#due[slot]! - this.#due[other]!
    return difference < 0 || (difference === 0 && this.#order[slot]! < this.#order[other]!)
  }

  #rise(at: number, slot: number): void {
    const heap = this.#heap
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#before(slot, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = slot
  }

  #sink(slot: number, length: number): void {
    const heap = this.#heap
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= length) break
      if (child + 1 < length && this.#before(heap[child + 1]!, heap[child]!)) child++
      if (!this.#before(heap[child]!, slot)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = slot
  }

  #grow(capacity: number): void {
    const heap = new Int32Array(capacity)
    const due = new Float64Array(capacity)
    const order = new Float64Array(capacity)
    heap.set(this.#heap)
    due.set(this.#due)
    order.set(this.#order)
    this.#heap = heap
    this.#due = due
    this.#order = order
  }
}
