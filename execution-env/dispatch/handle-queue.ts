/** A queue of numbers in a ring that grows to its limit: upcalls that wait for their turn. Allocates only to grow. */

export class HandleQueue {
  readonly #limit: number
  #ring = new Float64Array(64)
  #head = 0
  #size = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#size
  }

  /** False when the queue is full. */
  push(handle: number): boolean {
    if (this.#size >= this.#limit) return false
    if (this.#size === this.#ring.length) this.#grow()
    this.#ring[(this.#head + this.#size) & (this.#ring.length - 1)] = handle
    this.#size++
    return true
  }

  /** The oldest; -1 when there is none. */
  shift(): number {
    if (this.#size === 0) return -1
    const handle = this.#ring[this.#head]!
    this.#head = (this.#head + 1) & (this.#ring.length - 1)
    this.#size--
    return handle
  }

  #grow(): void {
    const ring = new Float64Array(this.#ring.length * 2)
    for (let i = 0; i < this.#size; i++) ring[i] = this.#ring[(this.#head + i) & (this.#ring.length - 1)]!
    this.#ring = ring
    this.#head = 0
  }
}
