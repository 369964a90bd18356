/**
 * The nodes of a prefix trie: a root of 2^8 or 2^16 words and nodes of 256 words. The one idea: nodes live in
 * segments of 64, so that the trie grows without ever copying one; beside its words a node keeps the record it
 * displaced from its parent and how many records and children it holds.
 *
 * A word >= 0 is a record (0: none); a word < 0 is `~child`.
 */

export const NODE_SHIFT = 8
export const SEGMENT_SHIFT = 6
const SEGMENT_NODES = 1 << SEGMENT_SHIFT
export const SEGMENT_MASK = SEGMENT_NODES - 1
/** Where a segment keeps, behind its nodes, the record that each of them displaced. */
export const DISPLACED = SEGMENT_NODES << NODE_SHIFT
const USERS = DISPLACED + SEGMENT_NODES
const SEGMENT_WORDS = USERS + SEGMENT_NODES

/** The number of the root node. */
export const ROOT = -1

export class TrieNodes {
  readonly rootBits: 8 | 16
  readonly root: Int32Array
  readonly segments: Int32Array[] = []
  #used = 0
  #free = ROOT
  #size = 0

  constructor(rootBits: 8 | 16) {
    this.rootBits = rootBits
    this.root = new Int32Array(1 << rootBits)
  }

  /** Nodes in use besides the root. */
  get size(): number {
    return this.#size
  }

  get byteLength(): number {
    return this.root.byteLength + this.segments.length * SEGMENT_WORDS * 4
  }

  read(node: number, index: number): number {
    if (node === ROOT) return this.root[index]
    return this.segments[node >>> SEGMENT_SHIFT][((node & SEGMENT_MASK) << NODE_SHIFT) | index]
  }

  /** The record at a word, whether or not a child displaced it; 0 for none. */
  recordAt(node: number, index: number): number {
    const word = this.read(node, index)
    return word >= 0 ? word : this.segments[~word >>> SEGMENT_SHIFT][DISPLACED + (~word & SEGMENT_MASK)]
  }

  setRecord(node: number, index: number, record: number): void {
    const word = this.read(node, index)
    if (word >= 0) this.#write(node, index, record)
    else this.segments[~word >>> SEGMENT_SHIFT][DISPLACED + (~word & SEGMENT_MASK)] = record
  }

  /** Counts records that come to (1) or leave (-1) a node; returns how many records and children it holds. */
  count(node: number, change: number): number {
    if (node === ROOT) return 1
    return (this.segments[node >>> SEGMENT_SHIFT][USERS + (node & SEGMENT_MASK)] += change)
  }

  /** The child at a word, made where there is none. */
  childAt(node: number, index: number): number {
    const word = this.read(node, index)
    if (word < 0) return ~word
    const child = this.#take()
    this.segments[child >>> SEGMENT_SHIFT][DISPLACED + (child & SEGMENT_MASK)] = word
    this.#write(node, index, ~child)
    this.count(node, 1)
    return child
  }

  /** Takes the child at a word away if it holds nothing; the record it displaced returns to the word. */
  prune(node: number, index: number): void {
    const child = ~this.read(node, index)
    if (this.count(child, 0) > 0) return
    const segment = this.segments[child >>> SEGMENT_SHIFT]
    const at = DISPLACED + (child & SEGMENT_MASK)
    this.#write(node, index, segment[at])
    this.count(node, -1)
    // Its last record has left, so that all its words are 0: it can be handed out again as it is.
    segment[at] = this.#free
    this.#free = child
    this.#size--
  }

  #write(node: number, index: number, word: number): void {
    if (node === ROOT) this.root[index] = word
    else this.segments[node >>> SEGMENT_SHIFT][((node & SEGMENT_MASK) << NODE_SHIFT) | index] = word
  }

  #take(): number {
    this.#size++
    const node = this.#free
    if (node !== ROOT) {
      this.#free = this.segments[node >>> SEGMENT_SHIFT][DISPLACED + (node & SEGMENT_MASK)]
      return node
    }
    if ((this.#used & SEGMENT_MASK) === 0) this.segments.push(new Int32Array(SEGMENT_WORDS))
    return this.#used++
  }
}
