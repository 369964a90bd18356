/**
 * Many small heaps in two typed arrays: the priority queues of the scheduler.
 *
 * The one idea: a heap is a block of an arena, given by its `base` and its length, both of which the owner keeps.
 * Entries are (key, node) pairs in a 4-ary min-heap; equal keys go by the lower node, so the order of service is a
 * function of the tags alone. Blocks are powers of two and are reused by size; only `reserve` allocates, and only
 * the control path calls it. Keys go in and out through `keys`, never as arguments: a double that crosses a call
 * may be an allocation.
 */

/** Entries in the smallest block. */
export const SMALLEST_BLOCK = 4

/** Children of entry i are 4i+1..4i+4. A base that is 3 modulo 4 puts each group of four on aligned ground. */
const FIRST_BASE = 3

export class HeapArena {
  /** Key of each entry: a tag or a time. */
  keys = new Float64Array(64)
  /** Node of each entry. */
  nodes = new Int32Array(64)
  #end = FIRST_BASE
  /** Bases of free blocks, by the logarithm of their size. */
  readonly #free: number[][] = []

  /** Takes a block for `entries` (a power of two, at least SMALLEST_BLOCK) and returns its base. May allocate. */
  reserve(entries: number): number {
    const used = this.#free[31 - Math.clz32(entries)]?.pop()
    if (used !== undefined) return used
    const base = this.#end
    this.#end += entries
    if (this.#end > this.keys.length) this.#grow(this.#end)
    return base
  }

  /** Gives a block back. */
  release(base: number, entries: number): void {
    const size = 31 - Math.clz32(entries)
    const list = this.#free[size]
    if (list === undefined) this.#free[size] = [base]
    else list.push(base)
  }

  /** Moves the `length` entries of a heap to a block of twice the size and returns its base. May allocate. */
  enlarge(base: number, entries: number, length: number): number {
    const to = this.reserve(entries * 2)
    this.keys.copyWithin(to, base, base + length)
    this.nodes.copyWithin(to, base, base + length)
    this.release(base, entries)
    return to
  }

  /** Moves the entry at index `at` towards the top until it is in order. A push: write it at the old length first. */
  siftUp(base: number, at: number): void {
    const keys = this.keys
    const nodes = this.nodes
    const key = keys[base + at]
    const node = nodes[base + at]
    while (at > 0) {
      const above = (at - 1) >> 2
      const aboveKey = keys[base + above]
      const aboveNode = nodes[base + above]
      if (aboveKey < key || (aboveKey === key && aboveNode < node)) break
      keys[base + at] = aboveKey
      nodes[base + at] = aboveNode
      at = above
    }
    keys[base + at] = key
    nodes[base + at] = node
  }

  /** Moves the entry at index `at` of a heap of `length` towards the bottom until it is in order. */
  siftDown(base: number, at: number, length: number): void {
    const keys = this.keys
    const nodes = this.nodes
    const key = keys[base + at]
    const node = nodes[base + at]
    for (;;) {
      const first = (at << 2) + 1
      if (first >= length) break
      const end = Math.min(first + 4, length)
      let least = first
      let leastKey = keys[base + first]
      for (let child = first + 1; child < end; child++) {
        const childKey = keys[base + child]
        if (childKey > leastKey) continue
        if (childKey === leastKey && nodes[base + child] > nodes[base + least]) continue
        least = child
        leastKey = childKey
      }
      const leastNode = nodes[base + least]
      if (key < leastKey || (key === leastKey && node < leastNode)) break
      keys[base + at] = leastKey
      nodes[base + at] = leastNode
      at = least
    }
    keys[base + at] = key
    nodes[base + at] = node
  }

  /** Takes the entry at index `at` out of a heap of `length`; the caller then keeps `length - 1`. */
  remove(base: number, at: number, length: number): void {
    const last = length - 1
    if (at === last) return
    this.keys[base + at] = this.keys[base + last]
    this.nodes[base + at] = this.nodes[base + last]
    if (at > 0 && this.#precedes(base + at, base + ((at - 1) >> 2))) this.siftUp(base, at)
    else this.siftDown(base, at, last)
  }

  /** Index of a node in a heap of `length`, or -1. Linear: for rare changes, not for packets. */
  find(base: number, length: number, node: number): number {
    const nodes = this.nodes
    for (let at = 0; at < length; at++) if (nodes[base + at] === node) return at
    return -1
  }

  #precedes(entry: number, other: number): boolean {
    const difference = this.keys[entry] - this.keys[other]
    return difference < 0 || (difference === 0 && this.nodes[entry] < this.nodes[other])
  }

  #grow(atLeast: number): void {
    const capacity = 2 ** Math.ceil(Math.log2(atLeast))
    const keys = new Float64Array(capacity)
    const nodes = new Int32Array(capacity)
    keys.set(this.keys)
    nodes.set(this.nodes)
    this.keys = keys
    this.nodes = nodes
  }
}
