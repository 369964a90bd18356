/**
 * Storage of the fragment table: datagrams by (source, destination, identification, protocol). The one idea: entries
 * live in a ring in order of their birth, so that the oldest is the next to expire and the first to give way, and
 * are found through a seeded hash. An entry that was replaced leaves the hash at once and the ring in its turn.
 */
import type { Nanoseconds } from '../clock.ts'
import { NONE } from '../packet.ts'
import { hashFlowKey } from '../wire/flow-key.ts'

/** Words of an entry. Index: `(entry << ENTRY_SHIFT) + FIELD`. */
export const ENTRY_SHIFT = 4
export const SOURCE = 0
export const DESTINATION = 1
/** Identification << 8 | protocol. */
export const IDENTITY = 2
/** One of the states below. */
export const STATE = 3
/** Key of the flow. */
export const FLOW_SOURCE = 4
export const FLOW_DESTINATION = 5
export const FLOW_PORTS = 6
export const FLOW_PROTOCOL = 7
/** FLAG_RELATED of the first fragment. */
export const RELATED = 8
/** Data bytes of the first fragment. */
export const FIRST_BYTES = 9
/** Data bytes that went by. */
export const SEEN_BYTES = 10
/** Data bytes of the datagram, 0 until its last fragment was seen. */
export const TOTAL_BYTES = 11
/** Packets that wait: first and last of a list through NEXT, and how many. */
export const HEAD = 12
export const TAIL = 13
export const HELD = 14
const CHAIN = 15

/** Replaced by a newer entry of the same identity. */
export const GONE = 0
/** Later fragments wait for the first. */
export const WAITING = 1
export const KNOWN = 2
/** All bytes went by: the identification may be used again. */
export const COMPLETE = 3

export class FragmentEntries {
  readonly words: Int32Array
  readonly #born: Float64Array
  readonly #buckets: Int32Array
  readonly #capacity: number
  readonly #seed: number
  #oldest = 0
  #size = 0

  /** @param capacity 1..65536 */
  constructor(capacity: number, seed: number) {
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > 65_536)
      throw new RangeError(`${capacity} datagrams are not in 1..65536`)
    this.words = new Int32Array(capacity << ENTRY_SHIFT)
    this.#born = new Float64Array(capacity)
    this.#buckets = new Int32Array(2 << (32 - Math.clz32(capacity - 1))).fill(NONE)
    this.#capacity = capacity
    this.#seed = seed
  }

  get size(): number {
    return this.#size
  }

  get full(): boolean {
    return this.#size === this.#capacity
  }

  /** The oldest entry, or NONE. */
  get oldest(): number {
    return this.#size === 0 ? NONE : this.#oldest
  }

  /** When an entry was made. */
  bornAt(entry: number): Nanoseconds {
    return this.#born[entry]
  }

  /** The entry of a datagram, or NONE. Words may be signed or unsigned. */
  find(source: number, destination: number, identity: number): number {
    const words = this.words
    let entry = this.#buckets[this.#bucket(source, destination, identity)]
    while (entry !== NONE) {
      const at = entry << ENTRY_SHIFT
      const sameEnds = words[at + SOURCE] === (source | 0) && words[at + DESTINATION] === (destination | 0)
      if (sameEnds && words[at + IDENTITY] === identity) return entry
      entry = words[at + CHAIN]
    }
    return NONE
  }

  /** Makes the newest entry, WAITING and otherwise 0. Call only while not full and when `find` says NONE. */
  create(source: number, destination: number, identity: number, now: Nanoseconds): number {
    const entry = (this.#oldest + this.#size) % this.#capacity
    const words = this.words
    const at = entry << ENTRY_SHIFT
    this.#size++
    this.#born[entry] = now
    words.fill(0, at, at + (1 << ENTRY_SHIFT))
    words[at + SOURCE] = source
    words[at + DESTINATION] = destination
    words[at + IDENTITY] = identity
    words[at + STATE] = WAITING
    const bucket = this.#bucket(source, destination, identity)
    words[at + CHAIN] = this.#buckets[bucket]
    this.#buckets[bucket] = entry
    return entry
  }

  /** Takes an entry out of the hash; its place in the ring stays. */
  retire(entry: number): void {
    const words = this.words
    const at = entry << ENTRY_SHIFT
    const bucket = this.#bucket(words[at + SOURCE], words[at + DESTINATION], words[at + IDENTITY])
    let previous = NONE
    for (let each = this.#buckets[bucket]; each !== entry; each = words[(each << ENTRY_SHIFT) + CHAIN])
      previous = each
    if (previous === NONE) this.#buckets[bucket] = words[at + CHAIN]
    else words[(previous << ENTRY_SHIFT) + CHAIN] = words[at + CHAIN]
    words[at + STATE] = GONE
  }

  /** Removes the oldest entry; its words stay readable until the next `create`. */
  removeOldest(): void {
    if (this.words[(this.#oldest << ENTRY_SHIFT) + STATE] !== GONE) this.retire(this.#oldest)
    this.#oldest = (this.#oldest + 1) % this.#capacity
    this.#size--
  }

  #bucket(source: number, destination: number, identity: number): number {
    return hashFlowKey(source, destination, identity, 0, this.#seed) & (this.#buckets.length - 1)
  }
}
