/**
 * Finding flows by key: a hash index over the flow store. The one idea: growing never stops the path. When the index
 * is half full, one of twice the size is laid beside it and every later insertion moves a few slots over, so that
 * the older one is empty long before the newer one fills. Meanwhile a lookup that finds nothing in the newer asks
 * the older.
 *
 * Open addressing with linear probing (load <= 1/2). A slot is one word: ten bits of the hash over the flow number
 * + 1, so that a million flows need 8 MB and only one entry in a thousand is read in vain. Removal shifts the
 * cluster back (Knuth, TAOCP vol. 3, 6.4, algorithm R); only the older slots hold tombstones.
 */
import assert from 'node:assert/strict'
import { KEY_SOURCE, META_SHIFT } from '../packet.ts'
import { FlowHash } from './flow-hash.ts'
import type { FlowStore } from './flow-store.ts'

const NONE = -1
const TAG_SHIFT = 22
const FLOW_MASK = (1 << TAG_SHIFT) - 1
/** A slot whose flow is in the newer index or has gone: a tag without a flow. */
const MOVED = 1 << TAG_SHIFT
/** The four KEY_* words of a packet follow one another. */
const KEY = KEY_SOURCE
const PACKET_SHIFT = META_SHIFT
const LEAST_SLOTS = 512
const NOTHING = new Int32Array(1)
/** Older slots moved per insertion. They hold half as many flows as the newer takes before it is half full: 4 would do. */
const MOVES = 8
/** Most packets that `warm` looks at. */
const WARM_LIMIT = 256

export class FlowIndex {
  readonly #store: FlowStore
  readonly #hash: FlowHash
  readonly #hashes = new Int32Array(WARM_LIMIT)
  #slots = new Int32Array(LEAST_SLOTS)
  #mask = LEAST_SLOTS - 1
  /** What is left of the index before it grew. */
  #older = NOTHING
  #olderMask = 0
  #isMigrating = false
  #cursor = 0
  #size = 0

  constructor(store: FlowStore, seed: number) {
    this.#store = store
    this.#hash = new FlowHash(seed)
  }

  get byteLength(): number {
    return this.#slots.byteLength + this.#older.byteLength + this.#hashes.byteLength
  }

  /** The flow of a key given as KEY_* words (signed or unsigned), or -1. */
  lookup(source: number, destination: number, ports: number, protocol: number): number {
    const hash = this.#hash.of(source, destination, ports, protocol)
    const store = this.#store
    const slots = this.#slots
    const mask = this.#mask
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const slot = slots[at]
      if (slot === 0) break
      if ((slot ^ hash) >>> TAG_SHIFT !== 0) continue
      const flow = (slot & FLOW_MASK) - 1
      if (store.matches(flow, source | 0, destination | 0, ports | 0, protocol)) return flow
    }
    return this.#isMigrating
      ? this.#lookupOlder(hash, source | 0, destination | 0, ports | 0, protocol)
      : NONE
  }

  /**
   * Reads what the lookups of the first `count` packets will read, so that their cache misses overlap. The result
   * means nothing; it keeps the reads alive.
   */
  warm(meta: Int32Array, packets: Int32Array, count: number): number {
    const secret = this.#hash
    const store = this.#store
    const slots = this.#slots
    const mask = this.#mask
    const hashes = this.#hashes
    let kept = 0
    for (let i = 0; i < count; i++) {
      const at = (packets[i] << PACKET_SHIFT) + KEY
      const hash = secret.of(meta[at], meta[at + 1], meta[at + 2], meta[at + 3])
      hashes[i] = hash
      kept ^= slots[hash & mask]
    }
    for (let i = 0; i < count; i++) {
      const hash = hashes[i]
      let at = hash & mask
      while (slots[at] !== 0 && (slots[at] ^ hash) >>> TAG_SHIFT !== 0) at = (at + 1) & mask
      const flow = (slots[at] & FLOW_MASK) - 1
      if (flow >= 0) kept ^= store.warm(flow)
    }
    return kept
  }

  /** Adds a flow of the store under its key. */
  add(flow: number, source: number, destination: number, ports: number, protocol: number): void {
    const hash = this.#hash.of(source, destination, ports, protocol)
    this.#store.setHash(flow, hash)
    if (++this.#size * 2 > this.#slots.length) this.#grow()
    this.migrate(MOVES)
    this.#place(hash, flow + 1)
  }

  /** Removes a flow that was added. */
  remove(flow: number): void {
    this.#size--
    const hash = this.#store.hashOf(flow)
    const at = find(this.#slots, this.#mask, hash, flow + 1)
    if (at >= 0) {
      this.#close(at)
      return
    }
    const older = find(this.#older, this.#olderMask, hash, flow + 1)
    assert(older >= 0, `flow ${flow} is not in the index`)
    this.#older[older] = MOVED
  }

  /** Moves what is in the next `count` older slots over. */
  migrate(count: number): void {
    if (!this.#isMigrating) return
    const older = this.#older
    const end = Math.min(this.#cursor + count, older.length)
    for (let at = this.#cursor; at < end; at++) {
      const entry = older[at] & FLOW_MASK
      if (entry === 0) continue
      this.#place(this.#store.hashOf(entry - 1), entry)
      older[at] = MOVED
    }
    this.#cursor = end
    if (end < older.length) return
    this.#older = NOTHING
    this.#olderMask = 0
    this.#isMigrating = false
  }

  #lookupOlder(hash: number, source: number, destination: number, ports: number, protocol: number): number {
    const older = this.#older
    const mask = this.#olderMask
    for (let at = hash & mask; older[at] !== 0; at = (at + 1) & mask) {
      const flow = (older[at] & FLOW_MASK) - 1
      if (flow < 0 || this.#store.hashOf(flow) !== hash) continue
      if (this.#store.matches(flow, source, destination, ports, protocol)) return flow
    }
    return NONE
  }

  #grow(): void {
    this.migrate(this.#older.length)
    this.#older = this.#slots
    this.#olderMask = this.#mask
    this.#isMigrating = true
    this.#cursor = 0
    this.#slots = new Int32Array(this.#older.length * 2)
    this.#mask = this.#slots.length - 1
  }

  #place(hash: number, entry: number): void {
    const slots = this.#slots
    const mask = this.#mask
    let at = hash & mask
    while (slots[at] !== 0) at = (at + 1) & mask
    slots[at] = ((hash >>> TAG_SHIFT) << TAG_SHIFT) | entry
  }

  /** Empties a slot and lets the rest of its cluster move up. */
  #close(hole: number): void {
    const slots = this.#slots
    const mask = this.#mask
    for (let at = (hole + 1) & mask; slots[at] !== 0; at = (at + 1) & mask) {
      const home = this.#store.hashOf((slots[at] & FLOW_MASK) - 1) & mask
      if (((at - home) & mask) < ((at - hole) & mask)) continue
      slots[hole] = slots[at]
      hole = at
    }
    slots[hole] = 0
  }
}

/** Where the slot of an entry is, or -1. */
function find(slots: Int32Array, mask: number, hash: number, entry: number): number {
  for (let at = hash & mask; slots[at] !== 0; at = (at + 1) & mask)
    if ((slots[at] & FLOW_MASK) === entry) return at
  return NONE
}
