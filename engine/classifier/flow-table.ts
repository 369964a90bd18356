/**
 * The flow table: exact five-tuples to actions, so that what was decided for a flow's first packet holds for the
 * rest (R-SLR-11, R-SLR-12). The one idea: a flow is a number that never moves, whose entry is one cache line of
 * integers; a hash index finds the number. IPv4; IPv6 will be a table of its own.
 *
 * Guarantees: `lookup` and `touch` allocate nothing; no insertion copies or rehashes more than a bounded amount;
 * a full table refuses new flows and counts them, after looking for expired ones to take over; whatever ends a
 * flow, `ended` is called first, once. A million flows take 80 MB. The hash is keyed: without the seed nobody can
 * choose keys that collide.
 */
import assert from 'node:assert/strict'
import type { Nanoseconds } from '../clock.ts'
import { FLAG_RELATED, FLAG_TCP_SYN } from '../packet.ts'
import { type FlowRecord, tickOf, ticksOf } from './flow-entry.ts'
import { FlowIndex } from './flow-index.ts'
import { FlowLifetime, type FlowTimeouts, TCP_HALF_CLOSED } from './flow-lifetime.ts'
import { FlowOwners } from './flow-owners.ts'
import { FLOW_LIMIT, FlowStore } from './flow-store.ts'

const NONE = -1
/** Entries looked at for an expired one when the table is full. */
const RECLAIM_BUDGET = 64
/** Slots of the index moved per sweep, so that growth also ends when nothing is inserted. */
const SWEEP_MOVES = 256
/** Flows from which on the table outgrows the caches next to the processor. */
const WARM_FROM = 1 << 14

/** Why a flow ended. */
export const FLOW_ENDS = ['idle', 'closed', 'removed', 'reused'] as const
export type FlowEnd = (typeof FLOW_ENDS)[number]
export const END_IDLE = 0
export const END_CLOSED = 1 // idle after a FIN or a reset
export const END_REMOVED = 2
export const END_REUSED = 3 // a new connection began with the same key

/** Called before a flow goes; the entry can still be read. It must not insert or remove flows. */
export type FlowSink = (flow: number, end: number) => void

export interface FlowTableOptions {
  /** Most flows, 1..2^22 - 1. Default 2^20. */
  readonly capacity?: number
  /** Secret 32 bits for the hash. */
  readonly seed: number
  readonly timeouts?: Partial<FlowTimeouts>
  readonly ended?: FlowSink
}

export class FlowTable {
  readonly capacity: number
  /** Flows refused because the table was full. */
  refused = 0
  /** Flows refused because their owner held as many as it may. */
  refusedByOwner = 0
  /** Flows ended so far, by END_*. */
  readonly ended = new Float64Array(FLOW_ENDS.length)
  readonly #store: FlowStore
  readonly #index: FlowIndex
  readonly #owners: FlowOwners
  readonly #lifetime: FlowLifetime
  readonly #sink: FlowSink
  #cursor = 0
  #isEnding = false

  constructor(options: FlowTableOptions) {
    const { capacity = 1 << 20, seed, timeouts, ended = () => {} } = options
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > FLOW_LIMIT)
      throw new RangeError(`flow capacity ${capacity} is not in 1..${FLOW_LIMIT}`)
    this.capacity = capacity
    this.#store = new FlowStore(capacity)
    this.#index = new FlowIndex(this.#store, seed)
    this.#owners = new FlowOwners(this.#store)
    this.#lifetime = new FlowLifetime(timeouts)
    this.#sink = ended
  }

  /** Flows held. */
  get size(): number {
    return this.#store.size
  }

  /** Entries that a whole round of sweeping looks at: as many as were ever held at once. */
  get entries(): number {
    return this.#store.used
  }

  /** Bytes of all arrays held. */
  get byteLength(): number {
    return this.#store.byteLength + this.#index.byteLength + this.#owners.byteLength
  }

  /** The flow of a key given as KEY_* words (signed or unsigned), or -1. */
  lookup(source: number, destination: number, ports: number, protocol: number): number {
    return this.#index.lookup(source, destination, ports, protocol)
  }

  /**
   * Reads what the lookups of a batch of parsed packets will read, so that their cache misses overlap: saves a third
   * of a lookup among a million flows. Does nothing while the table is small. The result means nothing (it keeps the
   * reads alive).
   * @param meta state words of the slab
   * @param packets descriptors, of which the first `count` <= 256 are looked at
   */
  warm(meta: Int32Array, packets: Int32Array, count: number): number {
    return this.#store.size < WARM_FROM ? 0 : this.#index.warm(meta, packets, count)
  }

  /**
   * Adds a flow whose key is not in the table. Returns its number, or -1 when the table or its owner is full
   * (counted in `refused`, `refusedByOwner`).
   * @param idleNs time after which it goes when no packet comes; 0 for the default, NEVER to keep it
   */
  insert(
    source: number,
    destination: number,
    ports: number,
    protocol: number,
    action: number,
    owner: number,
    idleNs: Nanoseconds,
    now: Nanoseconds,
  ): number {
    assert(this.lookup(source, destination, ports, protocol) === NONE, 'the flow is in the table already')
    if (this.#owners.isFull(owner)) {
      this.refusedByOwner++
      return NONE
    }
    if (this.#store.size >= this.capacity) this.sweep(now, RECLAIM_BUDGET)
    const flow = this.#store.take()
    if (flow === NONE) {
      this.refused++
      return NONE
    }
    this.#store.fill(flow, source, destination, ports, protocol, action, ticksOf(idleNs), now)
    this.#owners.link(flow, owner)
    this.#index.add(flow, source, destination, ports, protocol)
    return flow
  }

  /**
   * Counts a packet of a flow and notes that it is alive.
   * @param bytes length of the packet
   * @param flags its FLAGS word. An ICMP error about the flow (FLAG_RELATED) is counted but keeps nothing alive.
   */
  touch(flow: number, bytes: number, flags: number, now: Nanoseconds): void {
    this.#store.touch(flow, bytes, flags, now)
  }

  /** Whether a packet with these flags begins a new connection under the key of one that has ended (R-SLR-11). */
  isReused(flow: number, flags: number): boolean {
    if ((flags & FLAG_TCP_SYN) === 0 || (flags & FLAG_RELATED) !== 0) return false
    return this.#store.stateOf(flow) >= TCP_HALF_CLOSED
  }

  /** Ends a flow that is in the table, for a reason END_*. */
  remove(flow: number, end: number = END_REMOVED): void {
    assert(!this.#isEnding, 'a flow sink must not remove flows')
    this.#isEnding = true
    this.#sink(flow, end)
    this.#isEnding = false
    this.ended[end]++
    this.#index.remove(flow)
    this.#owners.unlink(flow)
    this.#store.release(flow)
  }

  /**
   * Looks at the next `budget` entries and ends those that were idle for too long; returns how many. Called often
   * with a small budget, it goes round the table again and again. A flow lives at least as long as it may.
   */
  sweep(now: Nanoseconds, budget: number): number {
    const store = this.#store
    const tick = tickOf(now)
    const used = store.used
    let expired = 0
    this.#index.migrate(SWEEP_MOVES)
    for (let left = Math.min(budget, used); left > 0; left--) {
      if (this.#cursor >= used) this.#cursor = 0
      const flow = this.#cursor++
      if (!store.isUsed(flow)) continue
      const state = store.stateOf(flow)
      const elapsed = (tick - store.lastSeenOf(flow)) | 0
      if (!this.#lifetime.isOver(elapsed, store.protocolOf(flow), state, store.idleOf(flow))) continue
      this.remove(flow, state >= TCP_HALF_CLOSED ? END_CLOSED : END_IDLE)
      expired++
    }
    return expired
  }

  /** A name for a flow that stays distinct from those of later flows: an integer below 2^53. */
  handleOf(flow: number): number {
    return this.#store.handleOf(flow)
  }

  /** The flow of a handle, or -1 when it has ended. Any number may be asked for. */
  resolve(handle: number): number {
    return this.#store.resolve(handle)
  }

  actionOf(flow: number): number {
    return this.#store.actionOf(flow)
  }

  ownerOf(flow: number): number {
    return this.#store.ownerOf(flow)
  }

  /** Gives a flow another action and idle time (as in `insert`), keeping its counters, state and owner. */
  replace(flow: number, action: number, idleNs: Nanoseconds): void {
    this.#store.setAction(flow, action, ticksOf(idleNs))
  }

  /** Fills `into` with what is known about a flow. */
  read(flow: number, into: FlowRecord): FlowRecord {
    return this.#store.read(flow, into)
  }

  /** Flows of an owner. */
  countOf(owner: number): number {
    return this.#owners.count(owner)
  }

  /** Sets how many flows an owner may hold. What it holds beyond that stays. */
  setLimit(owner: number, limit: number): void {
    this.#owners.setLimit(owner, limit)
  }

  /** An owner's youngest flow, or -1; `nextOf` leads to the others. Fetch the next one before removing a flow. */
  firstOf(owner: number): number {
    return this.#owners.first(owner)
  }

  nextOf(flow: number): number {
    return this.#store.nextOf(flow)
  }

  /** Gives up to `budget` flows of `from` to `to`, whatever its limit; returns how many are left. */
  adopt(from: number, to: number, budget: number): number {
    if (from === to) return 0
    for (; budget > 0 && this.firstOf(from) !== NONE; budget--) {
      const flow = this.firstOf(from)
      this.#owners.unlink(flow)
      this.#owners.link(flow, to)
    }
    return this.countOf(from)
  }
}
