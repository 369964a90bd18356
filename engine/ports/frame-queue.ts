/**
 * First in, first out, over a frame store: what waits at the end of a link. The one idea: a linked list through the
 * store's slots, so that queueing moves no bytes and the limit is the store's.
 */
import { NONE } from '../packet.ts'
import { FrameStore } from './frame-store.ts'

export class FrameQueue {
  readonly store: FrameStore
  #head = NONE
  #tail = NONE

  /** Bounds as for FrameStore. @throws EngineError `invalid` */
  constructor(maxFrameBytes: number, limit: number) {
    this.store = new FrameStore(maxFrameBytes, limit)
  }

  get size(): number {
    return this.store.size
  }

  /** The oldest frame's slot, or NONE. It stays queued. */
  get head(): number {
    return this.#head
  }

  /** Appends a copy of the frame. False when the queue is full or the frame too long. */
  push(bytes: Uint8Array, start: number, length: number): boolean {
    const slot = this.store.put(bytes, start, length)
    if (slot === NONE) return false
    if (this.#tail === NONE) this.#head = slot
    else this.store.next[this.#tail] = slot
    this.#tail = slot
    return true
  }

  /** Drops the oldest frame. Only when `head` is not NONE. */
  shift(): void {
    const slot = this.#head
    this.#head = this.store.next[slot]!
    if (this.#head === NONE) this.#tail = NONE
    this.store.release(slot)
  }

  clear(): void {
    this.#head = NONE
    this.#tail = NONE
    this.store.clear()
  }
}
