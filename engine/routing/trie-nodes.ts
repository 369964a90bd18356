/**
 * The nodes of a prefix trie: a root of 2^8 or 2^16 words and nodes of 2^4 or 2^8 words. The one idea: nodes live in
 * segments of 64, so that the trie grows without ever copying one; beside its words a node keeps the record it
 * displaced from its parent and how many records and children it holds.
 *
 * A word >= 0 is a record (0: none); a word < 0 is `~child`.
 */

const SEGMENT_SHIFT = 6
const SEGMENT_NODES = 1 << SEGMENT_SHIFT
const SEGMENT_MASK = SEGMENT_NODES - 1
/** A segment holds the records that its nodes displaced, then how many users each has, then their words. */
const USERS = SEGMENT_NODES
const WORDS = USERS + SEGMENT_NODES
/** The number of the root node. */
export const ROOT = -1

export class TrieNodes {
  readonly rootBits: 8 | 16
  /** Bits that a node below the root consumes. */
  readonly nodeBits: 4 | 8
  readonly #root: Int32Array
  readonly #segments: Int32Array[] = []
  readonly #segmentWords: number
  #used = 0
  #free = ROOT
  #size = 0

  constructor(rootBits: 8 | 16, nodeBits: 4 | 8) {
    this.rootBits = rootBits
    this.nodeBits = nodeBits
    this.#root = new Int32Array(1 << rootBits)
    this.#segmentWords = WORDS + (SEGMENT_NODES << nodeBits)
  }

  /** Nodes in use besides the root. */
  get size(): number {
    return this.#size
  }

  get byteLength(): number {
    return this.#root.byteLength + this.#segments.length * this.#segmentWords * 4
  }

  /** The record of the longest prefix that covers an address (signed or unsigned), or 0. */
  find(address: number): number {
    const segments = this.#segments
    const bits = this.nodeBits
    const mask = (1 << bits) - 1
    let shift = 32 - this.rootBits
    let word = this.#root[address >>> shift]
    let record = 0
    while (word < 0) {
      const segment = segments[~word >>> SEGMENT_SHIFT]
      const node = ~word & SEGMENT_MASK
      const displaced = segment[node]
      if (displaced !== 0) record = displaced
      shift -= bits
      word = segment[WORDS + (node << bits) + ((address >>> shift) & mask)]
    }
    return word === 0 ? record : word
  }

  read(node: number, index: number): number {
    if (node === ROOT) return this.#root[index]
    return this.#segments[node >>> SEGMENT_SHIFT][WORDS + ((node & SEGMENT_MASK) << this.nodeBits) + index]
  }

  /** The record at a word, whether or not a child displaced it; 0 for none. */
  recordAt(node: number, index: number): number {
    const word = this.read(node, index)
    return word >= 0 ? word : this.#segments[~word >>> SEGMENT_SHIFT][~word & SEGMENT_MASK]
  }

  setRecord(node: number, index: number, record: number): void {
    const word = this.read(node, index)
    if (word >= 0) this.#write(node, index, record)
    else this.#segments[~word >>> SEGMENT_SHIFT][~word & SEGMENT_MASK] = record
  }

  /** Counts records that come to (1) or leave (-1) a node; returns how many records and children it holds. */
  count(node: number, change: number): number {
    if (node === ROOT) return 1
    return (this.#segments[node >>> SEGMENT_SHIFT][USERS + (node & SEGMENT_MASK)] += change)
  }

  /** The child at a word, made where there is none. */
  childAt(node: number, index: number): number {
    const word = this.read(node, index)
    if (word < 0) return ~word
    const child = this.#take()
    this.#segments[child >>> SEGMENT_SHIFT][child & SEGMENT_MASK] = word
    this.#write(node, index, ~child)
    this.count(node, 1)
    return child
  }

  /** Takes the child at a word away if it holds nothing; the record it displaced returns to the word. */
  prune(node: number, index: number): void {
    const child = ~this.read(node, index)
    if (this.count(child, 0) > 0) return
    const segment = this.#segments[child >>> SEGMENT_SHIFT]
    const inside = child & SEGMENT_MASK
    this.#write(node, index, segment[inside])
    this.count(node, -1)
    // Its last record has left, so that all its words are 0: it can be handed out again as it is.
    segment[inside] = this.#free
    this.#free = child
    this.#size--
  }

  #write(node: number, index: number, word: number): void {
    if (node === ROOT) this.#root[index] = word
    else {
      const at = WORDS + ((node & SEGMENT_MASK) << this.nodeBits) + index
      this.#segments[node >>> SEGMENT_SHIFT][at] = word
    }
  }

  #take(): number {
    this.#size++
    const node = this.#free
    if (node !== ROOT) {
      this.#free = this.#segments[node >>> SEGMENT_SHIFT][node & SEGMENT_MASK]
      return node
    }
    if ((this.#used & SEGMENT_MASK) === 0) this.#segments.push(new Int32Array(this.#segmentWords))
    return this.#used++
  }
}
