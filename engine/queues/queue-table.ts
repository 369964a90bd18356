/**
 * The queues of a port as records in typed arrays: chains of packet descriptors, limits and counters.
 *
 * The one idea: a queue is an integer, the number of its leaf in the scheduler; its chain runs through the packets'
 * own NEXT words. What every packet touches is a record of 128 bytes, two neighbouring cache lines: 32-bit words at
 * `(queue << STATE_SHIFT) + FIELD` of `state` and counters at `(queue << COUNT_SHIFT) + FIELD` of `counts`, which is
 * a view of the same memory. Records of a removed leaf are used again; only `open` allocates.
 */
import type { Nanoseconds } from '../clock.ts'
import { LENGTH, META_SHIFT, NEXT, NONE, type PacketSlab } from '../packet.ts'

export const STATE_SHIFT = 5
/** First and last packet, or NONE. */
export const HEAD = 0
export const TAIL = 1
export const PACKETS = 2
export const BYTES = 3
export const LIMIT_PACKETS = 4
export const LIMIT_BYTES = 5
/** Bit set of OPEN, ACCEPTING, CODEL. */
export const FLAGS = 6
// Words 8 to 15 are the counters, words 16 to 31 the histogram.

/** The record is in use. */
export const OPEN = 1
/** Packets may be added (a removed class only drains). */
export const ACCEPTING = 2
/** Drops by delay as well as by limit. */
export const CODEL = 4

export const COUNT_SHIFT = 4
/** Packets and bytes offered, whether or not they were dropped. */
export const PACKETS_IN = 4
export const BYTES_IN = 5
export const PACKETS_OUT = 6
export const BYTES_OUT = 7

/** Drops by cause: at `(queue << DROP_SHIFT) + CAUSE` of `drops`. */
export const DROP_SHIFT = 2
export const BY_PACKETS = 0
export const BY_BYTES = 1
export const BY_CODEL = 2
export const PURGED = 3

/** Buckets of the delay histogram: below 2^16 ns, then one for each power of two, the last from 2^30 ns on. */
export const DELAY_BUCKETS = 16
export const FIRST_BUCKET_NS = 2 ** 16
const DELAYS = 16
const LAST_BUCKET_NS = FIRST_BUCKET_NS * 2 ** (DELAY_BUCKETS - 2)

/** Room for queues to begin with. */
const LEAST_QUEUES = 64

export class QueueTable {
  counts = new Float64Array(0)
  state = new Int32Array(0)
  drops = new Float64Array(0)
  /** How often a word of a histogram, by its index, has passed 2^32: hardly ever. */
  readonly #carries = new Map<number, number>()
  readonly #slab: PacketSlab

  constructor(slab: PacketSlab) {
    this.#slab = slab
  }

  /** Makes the record of a queue: empty, counters at zero. */
  open(queue: number, limitPackets: number, limitBytes: number, flags: number): void {
    while (this.state.length <= queue << STATE_SHIFT) this.#grow()
    const at = queue << STATE_SHIFT
    this.state.fill(0, at, at + (1 << STATE_SHIFT))
    this.state[at + HEAD] = NONE
    this.state[at + TAIL] = NONE
    this.state[at + LIMIT_PACKETS] = limitPackets
    this.state[at + LIMIT_BYTES] = limitBytes
    this.state[at + FLAGS] = flags
    this.drops.fill(0, queue << DROP_SHIFT, (queue + 1) << DROP_SHIFT)
    for (let bucket = 0; bucket < DELAY_BUCKETS; bucket++) this.#carries.delete(at + DELAYS + bucket)
  }

  /** Gives the record `from`, chain and counters, the number `to`. */
  move(from: number, to: number): void {
    this.open(to, 1, 1, 0)
    const at = from << STATE_SHIFT
    this.state.copyWithin(to << STATE_SHIFT, at, at + (1 << STATE_SHIFT))
    this.drops.copyWithin(to << DROP_SHIFT, from << DROP_SHIFT, (from + 1) << DROP_SHIFT)
    for (let word = DELAYS; word < DELAYS + DELAY_BUCKETS; word++) {
      const carries = this.#carries.get(at + word)
      if (carries !== undefined) this.#carries.set((to << STATE_SHIFT) + word, carries)
    }
    this.state[at + FLAGS] = 0
  }

  /** Adds a packet at the end. */
  append(queue: number, packet: number): void {
    const meta = this.#slab.meta
    const state = this.state
    const at = queue << STATE_SHIFT
    const last = state[at + TAIL]
    meta[(packet << META_SHIFT) + NEXT] = NONE
    if (last === NONE) state[at + HEAD] = packet
    else meta[(last << META_SHIFT) + NEXT] = packet
    state[at + TAIL] = packet
    state[at + PACKETS]++
    state[at + BYTES] += meta[(packet << META_SHIFT) + LENGTH]
  }

  /** Takes the first packet off; NONE when the queue is empty. */
  take(queue: number): number {
    const meta = this.#slab.meta
    const state = this.state
    const at = queue << STATE_SHIFT
    const packet = state[at + HEAD]
    if (packet === NONE) return NONE
    const next = meta[(packet << META_SHIFT) + NEXT]
    state[at + HEAD] = next
    if (next === NONE) state[at + TAIL] = NONE
    state[at + PACKETS]--
    state[at + BYTES] -= meta[(packet << META_SHIFT) + LENGTH]
    meta[(packet << META_SHIFT) + NEXT] = NONE
    return packet
  }

  /** Counts how long a packet that leaves at `now` has waited, in the queue's histogram. */
  countDelay(queue: number, packet: number, now: Nanoseconds): void {
    const delayNs = now - this.#slab.time[packet]
    let bucket = 0
    if (delayNs >= LAST_BUCKET_NS) bucket = DELAY_BUCKETS - 1
    else if (delayNs >= FIRST_BUCKET_NS) bucket = 32 - Math.clz32(delayNs / FIRST_BUCKET_NS)
    const word = (queue << STATE_SHIFT) + DELAYS + bucket
    const count = (this.state[word] + 1) | 0
    this.state[word] = count
    if (count === 0) this.#carries.set(word, (this.#carries.get(word) ?? 0) + 1)
  }

  /** The queue's histogram. */
  delaysOf(queue: number): number[] {
    const at = (queue << STATE_SHIFT) + DELAYS
    const low = this.state.subarray(at, at + DELAY_BUCKETS)
    return Array.from(low, (count, bucket) => (this.#carries.get(at + bucket) ?? 0) * 2 ** 32 + (count >>> 0))
  }

  #grow(): void {
    const queues = Math.max(LEAST_QUEUES, (this.state.length >> STATE_SHIFT) * 2)
    const { counts, drops } = this
    this.counts = new Float64Array(queues << COUNT_SHIFT)
    this.state = new Int32Array(this.counts.buffer)
    this.drops = new Float64Array(queues << DROP_SHIFT)
    // Words and doubles alike: a bit pattern that is not a number may not survive being copied as one.
    this.state.set(new Int32Array(counts.buffer))
    this.drops.set(drops)
  }
}
