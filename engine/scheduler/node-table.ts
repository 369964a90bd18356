/**
 * The nodes of a start-time fair tree: a record of 64 bytes each, one cache line, in one buffer.
 *
 * The one idea: a node is an integer; its links are 32-bit words at `(node << LINK_SHIFT) + FIELD` of `links`, its
 * tags doubles at `(node << TAG_SHIFT) + FIELD` of `tags`, which is a view of the same memory. Tags of a node are in
 * the virtual time of its parent, relative to the parent's ORIGIN; a child outside its parent's heap remembers in
 * SEEN the ORIGIN that its FINISH is relative to.
 */
import { EngineError } from '../errors.ts'
import { HeapArena, SMALLEST_BLOCK } from './heap-arena.ts'

export const LINK_SHIFT = 4
export const PARENT = 0
/** Bit set of BACKLOGGED, SUSPENDED, QUEUED. */
export const FLAGS = 1
/** As a parent: base and length of its heap of backlogged children. */
export const HEAP = 2
export const LENGTH = 3
// Words 4 to 15 are the tags.

export const TAG_SHIFT = 3
/** Relative share among siblings. */
export const WEIGHT = 2
/** As a child outside the heap: finish tag of the last service (inside, the heap's key is the start tag). */
export const FINISH = 3
/** As a child outside the heap: the parent's ORIGIN when FINISH was written. */
export const SEEN = 4
/** As a parent: virtual time, the start tag of the child in service. */
export const VIRTUAL = 5
/** As a parent: largest finish tag served in this busy period. */
export const LATEST = 6
/** As a parent: how far tags have been moved back since creation; more than any finish tag of a past busy period. */
export const ORIGIN = 7

/** A leaf has something to be served. */
export const BACKLOGGED = 1
/** The node may not be served. */
export const SUSPENDED = 2
/** The node is in its parent's heap. */
export const QUEUED = 4

export class NodeTable {
  tags: Float64Array
  links: Int32Array
  /** As a parent: virtual time that has passed before tag 0. For reports. */
  elapsed: Float64Array
  /** Number of children. */
  children: Int32Array
  /** Entries that a node's heap has room for. */
  #room: Int32Array
  /** Backlogged children of every interior node, by start tag. */
  readonly heaps = new HeapArena()
  readonly #limit: number
  #size = 0
  /** Nodes below this one have been in use. */
  #fresh = 0
  readonly #free: number[] = []

  constructor(initial: number, limit: number) {
    if (!Number.isInteger(limit) || limit < 1 || limit > 1 << 20)
      throw new RangeError(`limit ${limit} is not in 1..${1 << 20}`)
    const capacity = Math.min(Math.max(initial, 1), limit)
    this.tags = new Float64Array(capacity << TAG_SHIFT)
    this.links = new Int32Array(this.tags.buffer)
    this.elapsed = new Float64Array(capacity)
    this.children = new Int32Array(capacity)
    this.#room = new Int32Array(capacity)
    this.#limit = limit
  }

  /** Nodes in use. */
  get size(): number {
    return this.#size
  }

  /** Makes the root, node 0. */
  addRoot(): void {
    this.#take(-1, 1)
  }

  /** Adds a node below `parent`, whose heap gets room for it. @throws EngineError `limit` */
  add(parent: number, weight: number): number {
    const node = this.#take(parent, weight)
    const links = this.links
    const at = parent << LINK_SHIFT
    const children = ++this.children[parent]
    const room = this.#room[parent]
    if (room === 0) {
      links[at + HEAP] = this.heaps.reserve(SMALLEST_BLOCK)
      this.#room[parent] = SMALLEST_BLOCK
    } else if (children > room) {
      links[at + HEAP] = this.heaps.enlarge(links[at + HEAP], room, links[at + LENGTH])
      this.#room[parent] = room * 2
    }
    return node
  }

  /** Takes a childless node that is in no heap out of the tree; its number will be used again. */
  remove(node: number): void {
    const links = this.links
    const at = node << LINK_SHIFT
    this.children[links[at + PARENT]]--
    if (this.#room[node] > 0) this.heaps.release(links[at + HEAP], this.#room[node])
    this.#size--
    this.#free.push(node)
  }

  #take(parent: number, weight: number): number {
    if (this.#size === this.#limit) throw new EngineError('limit', `more than ${this.#limit} scheduler nodes`)
    const node = this.#free.pop() ?? this.#next()
    this.#size++
    this.tags.fill(0, node << TAG_SHIFT, (node + 1) << TAG_SHIFT)
    this.elapsed[node] = 0
    this.children[node] = 0
    this.#room[node] = 0
    this.tags[(node << TAG_SHIFT) + WEIGHT] = weight
    this.links[(node << LINK_SHIFT) + PARENT] = parent
    return node
  }

  #next(): number {
    if (this.#fresh === this.children.length) this.#grow(this.#fresh * 2)
    return this.#fresh++
  }

  #grow(capacity: number): void {
    const { tags, elapsed, children } = this
    const room = this.#room
    this.tags = new Float64Array(capacity << TAG_SHIFT)
    this.links = new Int32Array(this.tags.buffer)
    this.elapsed = new Float64Array(capacity)
    this.children = new Int32Array(capacity)
    this.#room = new Int32Array(capacity)
    // As words: a pattern of links that is not a number may not survive being copied as one.
    this.links.set(new Int32Array(tags.buffer))
    this.elapsed.set(elapsed)
    this.children.set(children)
    this.#room.set(room)
  }
}
