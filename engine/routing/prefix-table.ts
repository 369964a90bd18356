/**
 * Longest-prefix match over IPv4 addresses. The one idea: a trie that consumes 16-8-8 bits (8-8-8-8 while it is
 * small), in which a prefix never spreads beyond the node in which it ends: a change touches one node only,
 * whatever lies below it.
 *
 * The records of a node that cover each other form a chain from the longest to ever shorter ones, and a word names
 * the head of its chain; so removing a prefix brings back the one it hid. Record 0 is 0.0.0.0/0.
 *
 * Guarantees: `lookup` reads at most one word a level and allocates nothing; memory is bounded by `prefixLimit`
 * and `nodeLimit`. (Multibit tries: V. Srinivasan, G. Varghese, "Fast address lookups using controlled prefix
 * expansion", ACM TOCS 17(1), 1999; here prefixes are expanded within a node but not pushed to the leaves.)
 */
import { EngineError } from '../errors.ts'
import { prefixMask } from '../wire/address.ts'
import { ROOT, TrieNodes } from './trie-nodes.ts'

export interface PrefixTableOptions {
  /** Most prefixes, 1..2^22. Default 2^20. */
  readonly prefixLimit?: number
  /** Most nodes, 1..2^20. Default 2^17. */
  readonly nodeLimit?: number
  /** Bits per level below the root: 8 is faster (nodes of 1 kB), 4 smaller (64 bytes). Default 8. */
  readonly nodeBits?: 4 | 8
}

/** From this many prefixes on, the root consumes 16 bits. */
const WIDE_FROM = 256

/** Prefixes to integers 0..2^31 - 1. */
export class PrefixTable {
  readonly #prefixLimit: number
  readonly #nodeLimit: number
  #nodes: TrieNodes
  #values = new Int32Array(16)
  #addresses = new Int32Array(16)
  /** 0 for free records. */
  #lengths = new Uint8Array(16)
  /** The next shorter record of the chain; of a free record, the next free one. */
  #parents = new Int32Array(16)
  #records = 1
  #freeRecord = 0
  #size = 0

  constructor(options: PrefixTableOptions = {}) {
    const { prefixLimit = 1 << 20, nodeLimit = 1 << 17, nodeBits = 8 } = options
    if (!(prefixLimit >= 1 && prefixLimit <= 1 << 22))
      throw new RangeError(`prefix limit ${prefixLimit} is not in 1..${1 << 22}`)
    if (!(nodeLimit >= 1 && nodeLimit <= 1 << 20))
      throw new RangeError(`node limit ${nodeLimit} is not in 1..${1 << 20}`)
    this.#prefixLimit = prefixLimit
    this.#nodeLimit = nodeLimit
    this.#nodes = new TrieNodes(8, nodeBits)
    this.#values[0] = -1
  }

  /** Prefixes held. */
  get size(): number {
    return this.#size
  }

  /** Bytes of the arrays held. */
  get byteLength(): number {
    const records = this.#values.byteLength + this.#addresses.byteLength + this.#parents.byteLength
    return records + this.#lengths.byteLength + this.#nodes.byteLength
  }

  /** The value of the longest prefix that covers `address` (signed or unsigned), or -1. */
  lookup(address: number): number {
    return this.#values[this.#nodes.find(address)]
  }

  /** The value of exactly this prefix, or -1. Bits of `address` beyond `length` are ignored. */
  get(address: number, length: number): number {
    const record = this.#find(address & prefixMask(length), length)
    return record < 0 ? -1 : this.#values[record]
  }

  /**
   * Adds a prefix or changes its value. Bits of `address` beyond `length` are ignored.
   * @throws EngineError `invalid` for a length or value out of bounds, `limit` when full; nothing has changed then
   */
  insert(address: number, length: number, value: number): void {
    if (!Number.isInteger(length) || length < 0 || length > 32)
      throw new EngineError('invalid', `${length} is not a prefix length 0..32`, 'length')
    if (!Number.isInteger(value) || value < 0 || value > 0x7fffffff)
      throw new EngineError('invalid', `${value} is not an integer 0..2^31 - 1`, 'value')
    const prefix = address & prefixMask(length)
    let record = this.#find(prefix, length)
    if (record < 0 || this.#values[record] < 0) {
      if (this.#size >= this.#prefixLimit)
        throw new EngineError('limit', `more than ${this.#prefixLimit} prefixes`)
      if (record < 0) record = this.#add(prefix, length)
      this.#size++
    }
    this.#values[record] = value
    if (this.#size >= WIDE_FROM && this.#nodes.rootBits === 8) this.#widen()
  }

  /** Removes a prefix, so that the next shorter one that covers it shows again. False when it is not there. */
  remove(address: number, length: number): boolean {
    const prefix = address & prefixMask(length)
    const record = this.#find(prefix, length)
    if (record < 0 || this.#values[record] < 0) return false
    this.#size--
    this.#values[record] = -1
    if (record === 0) return true
    this.#unlink(record, ROOT, 0, this.#nodes.rootBits)
    this.#lengths[record] = 0
    this.#parents[record] = this.#freeRecord
    this.#freeRecord = record
    return true
  }

  /** The record of a prefix without host bits, or -1. Record 0 is always there. */
  #find(address: number, length: number): number {
    if (length === 0) return 0
    const nodes = this.#nodes
    let node = ROOT
    let depth = 0
    let bits: number = nodes.rootBits
    for (; length > depth + bits; depth += bits, bits = nodes.nodeBits) {
      const word = nodes.read(node, indexOf(address, depth, bits))
      if (word >= 0) return -1
      node = ~word
    }
    let record = nodes.recordAt(node, indexOf(address, depth, bits))
    while (this.#lengths[record] > length) record = this.#parents[record]
    return this.#lengths[record] === length ? record : -1
  }

  #add(address: number, length: number): number {
    this.#requireNodes(address, length)
    const record = this.#takeRecord()
    this.#addresses[record] = address
    this.#lengths[record] = length
    this.#link(record)
    return record
  }

  /** @throws EngineError `limit` when this prefix would need more nodes than are left */
  #requireNodes(address: number, length: number): void {
    const nodes = this.#nodes
    let node = ROOT
    let depth = 0
    let bits: number = nodes.rootBits
    let missing = 0
    for (; length > depth + bits; depth += bits, bits = nodes.nodeBits) {
      const word = missing > 0 ? 0 : nodes.read(node, indexOf(address, depth, bits))
      if (word >= 0) missing++
      else node = ~word
    }
    if (nodes.size + missing > this.#nodeLimit)
      throw new EngineError('limit', `prefixes need more than ${this.#nodeLimit} nodes`)
  }

  /** Hangs a record into its node, below longer and above shorter ones. */
  #link(record: number): void {
    const nodes = this.#nodes
    const lengths = this.#lengths
    const parents = this.#parents
    const address = this.#addresses[record]
    const length = lengths[record]
    let node = ROOT
    let depth = 0
    let bits: number = nodes.rootBits
    for (; length > depth + bits; depth += bits, bits = nodes.nodeBits)
      node = nodes.childAt(node, indexOf(address, depth, bits))
    nodes.count(node, 1)
    const first = indexOf(address, depth, bits)
    const last = first + (1 << (depth + bits - length)) - 1
    let parent = nodes.recordAt(node, first)
    while (lengths[parent] > length) parent = parents[parent]
    parents[record] = parent
    for (let index = first; index <= last; index++) {
      let longer = nodes.recordAt(node, index)
      if (lengths[longer] < length) nodes.setRecord(node, index, record)
      else {
        while (lengths[parents[longer]] > length) longer = parents[longer]
        parents[longer] = record
      }
    }
  }

  /** Takes a record out of `node`, which has `bits` bits behind the first `depth`, or out of what is below it. */
  #unlink(record: number, node: number, depth: number, bits: number): void {
    const nodes = this.#nodes
    const length = this.#lengths[record]
    const first = indexOf(this.#addresses[record], depth, bits)
    if (length > depth + bits) {
      this.#unlink(record, ~nodes.read(node, first), depth + bits, nodes.nodeBits)
      nodes.prune(node, first)
      return
    }
    const parents = this.#parents
    const last = first + (1 << (depth + bits - length)) - 1
    for (let index = first; index <= last; index++) {
      let longer = nodes.recordAt(node, index)
      if (longer === record) nodes.setRecord(node, index, parents[record])
      else {
        while (longer !== 0 && parents[longer] !== record) longer = parents[longer]
        if (longer !== 0) parents[longer] = parents[record]
      }
    }
    nodes.count(node, -1)
  }

  /** Rebuilds with a root of 16 bits; short work, since there are WIDE_FROM prefixes. */
  #widen(): void {
    this.#nodes = new TrieNodes(16, this.#nodes.nodeBits)
    for (let record = 1; record < this.#records; record++) if (this.#lengths[record] > 0) this.#link(record)
  }

  #takeRecord(): number {
    const record = this.#freeRecord
    if (record !== 0) {
      this.#freeRecord = this.#parents[record]
      return record
    }
    if (this.#records === this.#values.length) this.#growRecords()
    return this.#records++
  }

  #growRecords(): void {
    const size = this.#values.length * 2
    this.#values = enlarged(this.#values, size)
    this.#addresses = enlarged(this.#addresses, size)
    this.#parents = enlarged(this.#parents, size)
    const lengths = new Uint8Array(size)
    lengths.set(this.#lengths)
    this.#lengths = lengths
  }
}

function enlarged(words: Int32Array, size: number): Int32Array<ArrayBuffer> {
  const copy = new Int32Array(size)
  copy.set(words)
  return copy
}

/** Which word of a node an address selects, the node having `bits` bits behind the first `depth`. */
function indexOf(address: number, depth: number, bits: number): number {
  return (address << depth) >>> (32 - bits)
}
