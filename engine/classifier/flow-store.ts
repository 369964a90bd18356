/**
 * The entries of the flow table: sixteen words each, a cache line. The one idea: a flow is a number that never moves
 * while it lives, entries lie in segments of 4096 (256 kB), and the store grows by a segment at a time without
 * copying (only the first segment begins small and doubles, so that an idle router holds little).
 *
 * A handle is a flow number with its entry's generation: one that outlives its flow is recognised. This file alone
 * knows the layout; its words are not exported, since the optimiser folds only what a module keeps to itself.
 */
import type { Nanoseconds } from '../clock.ts'
import { FLAG_RELATED, FLAG_TCP_FIN, FLAG_TCP_RST, FLAG_TCP_SYN } from '../packet.ts'
import { PROTOCOL_TCP } from '../wire/protocol.ts'
import { durationOf, type FlowRecord, tickOf, timeOf } from './flow-entry.ts'
import { nextTcpState, TCP_ESTABLISHED } from './flow-lifetime.ts'

/** Most flows of a store. */
export const FLOW_LIMIT = 2 ** 22 - 1

const NONE = -1
const SEGMENT_SHIFT = 12
const SEGMENT_FLOWS = 1 << SEGMENT_SHIFT
const SEGMENT_MASK = SEGMENT_FLOWS - 1
const FIRST_FLOWS = 256
/** Generations count modulo this; odd ones are in use. */
const GENERATIONS = 2 ** 30
const HANDLE_UNIT = 2 ** 22

const ENTRY_SHIFT = 4
const ENTRY_WORDS = 1 << ENTRY_SHIFT
/** First what every packet reads or writes: allocators put arrays 16 bytes off a cache line. */
const SOURCE = 0
const DESTINATION = 1
const PORTS = 2
const PROTOCOL = 3 // bits 0-7; TCP state in bits 8-15
const ACTION = 4
const IDLE = 5 // ticks that were asked for, or 0
const PACKETS = 6 // two words, low before high
const BYTES = 8 // two words
const LAST_SEEN = 10 // tick
const OWNER = 11
const CREATED = 12 // tick
const GENERATION = 13
const NEXT = 14 // in the owner's list, or in that of free entries
const PREVIOUS = 15

const RELATED = FLAG_RELATED
const UNUSUAL = FLAG_TCP_SYN | FLAG_TCP_FIN | FLAG_TCP_RST
const TCP = PROTOCOL_TCP
const ESTABLISHED = TCP_ESTABLISHED

export class FlowStore {
  readonly capacity: number
  readonly #segments: Int32Array[] = []
  /** Hashes of the keys, for the index; in the entries they would be a cache miss away. */
  readonly #hashes: Int32Array[] = []
  #used = 0
  #size = 0
  #room = 0
  #free = NONE

  constructor(capacity: number) {
    this.capacity = capacity
  }

  /** Entries in use. */
  get size(): number {
    return this.#size
  }

  /** Entries that were ever in use are 0..used - 1. */
  get used(): number {
    return this.#used
  }

  get byteLength(): number {
    return this.#room * (ENTRY_WORDS + 1) * 4
  }

  /** Takes an entry, all of whose words are stale; NONE when as many are in use as may be. */
  take(): number {
    if (this.#size >= this.capacity) return NONE
    let flow = this.#free
    if (flow === NONE) {
      if (this.#used === this.#room) this.#grow()
      flow = this.#used++
    } else this.#free = this.#word(flow, NEXT)
    this.#setWord(flow, GENERATION, (this.#word(flow, GENERATION) + 1) % GENERATIONS)
    this.#size++
    return flow
  }

  /** Gives an entry back. Its handles are void from now on. */
  release(flow: number): void {
    this.#setWord(flow, GENERATION, (this.#word(flow, GENERATION) + 1) % GENERATIONS)
    this.#setWord(flow, NEXT, this.#free)
    this.#free = flow
    this.#size--
  }

  isUsed(flow: number): boolean {
    return (this.#word(flow, GENERATION) & 1) !== 0
  }

  /** The handle of a flow in use: an integer below 2^53. */
  handleOf(flow: number): number {
    return this.#word(flow, GENERATION) * HANDLE_UNIT + flow
  }

  /** The flow of a handle, or NONE when it has gone or was never one. */
  resolve(handle: number): number {
    if (!Number.isSafeInteger(handle) || handle < 0) return NONE
    const flow = handle % HANDLE_UNIT
    const generation = (handle - flow) / HANDLE_UNIT
    if (flow >= this.#used || generation % 2 === 0) return NONE
    return this.#word(flow, GENERATION) === generation ? flow : NONE
  }

  /** Writes all of an entry but its hash and its place in a list. */
  fill(
    flow: number,
    source: number,
    destination: number,
    ports: number,
    protocol: number,
    action: number,
    idle: number,
    now: Nanoseconds,
  ): void {
    const segment = this.#segments[flow >>> SEGMENT_SHIFT]
    const at = (flow & SEGMENT_MASK) << ENTRY_SHIFT
    const tick = tickOf(now)
    segment[at + SOURCE] = source
    segment[at + DESTINATION] = destination
    segment[at + PORTS] = ports
    segment[at + PROTOCOL] = protocol
    segment[at + ACTION] = action
    segment[at + IDLE] = idle
    segment[at + PACKETS] = 0
    segment[at + PACKETS + 1] = 0
    segment[at + BYTES] = 0
    segment[at + BYTES + 1] = 0
    segment[at + LAST_SEEN] = tick
    segment[at + CREATED] = tick
  }

  /** Whether an entry has this key, given as signed words. */
  matches(flow: number, source: number, destination: number, ports: number, protocol: number): boolean {
    const segment = this.#segments[flow >>> SEGMENT_SHIFT]
    const at = (flow & SEGMENT_MASK) << ENTRY_SHIFT
    return (
      segment[at + SOURCE] === source &&
      segment[at + DESTINATION] === destination &&
      segment[at + PORTS] === ports &&
      (segment[at + PROTOCOL] & 255) === protocol
    )
  }

  /** Counts a packet; unless it only speaks about the flow, notes the time and the TCP state. */
  touch(flow: number, bytes: number, flags: number, now: Nanoseconds): void {
    const segment = this.#segments[flow >>> SEGMENT_SHIFT]
    const at = (flow & SEGMENT_MASK) << ENTRY_SHIFT
    const packets = (segment[at + PACKETS] + 1) | 0
    segment[at + PACKETS] = packets
    if (packets === 0) segment[at + PACKETS + 1]++
    const before = segment[at + BYTES]
    const after = (before + bytes) | 0
    segment[at + BYTES] = after
    if (after >>> 0 < before >>> 0) segment[at + BYTES + 1]++
    if ((flags & RELATED) !== 0) return
    segment[at + LAST_SEEN] = tickOf(now)
    const protocol = segment[at + PROTOCOL]
    if ((protocol & 255) !== TCP) return
    const state = protocol >>> 8
    if (state === ESTABLISHED && (flags & UNUSUAL) === 0) return
    segment[at + PROTOCOL] = TCP | (nextTcpState(state, flags) << 8)
  }

  /** Reads a word of an entry so that it comes into the cache. */
  warm(flow: number): number {
    return this.#segments[flow >>> SEGMENT_SHIFT][(flow & SEGMENT_MASK) << ENTRY_SHIFT]
  }

  /** Fills `into` from an entry. */
  read(flow: number, into: FlowRecord): FlowRecord {
    const segment = this.#segments[flow >>> SEGMENT_SHIFT]
    const at = (flow & SEGMENT_MASK) << ENTRY_SHIFT
    const ports = segment[at + PORTS]
    into.source = segment[at + SOURCE] >>> 0
    into.destination = segment[at + DESTINATION] >>> 0
    into.sourcePort = ports >>> 16
    into.destinationPort = ports & 0xffff
    into.protocol = segment[at + PROTOCOL] & 255
    into.state = segment[at + PROTOCOL] >>> 8
    into.action = segment[at + ACTION]
    into.owner = segment[at + OWNER]
    into.packets = (segment[at + PACKETS + 1] >>> 0) * 2 ** 32 + (segment[at + PACKETS] >>> 0)
    into.bytes = (segment[at + BYTES + 1] >>> 0) * 2 ** 32 + (segment[at + BYTES] >>> 0)
    into.createdNs = timeOf(segment[at + CREATED])
    into.lastSeenNs = timeOf(segment[at + LAST_SEEN])
    into.idleNs = durationOf(segment[at + IDLE])
    return into
  }

  hashOf(flow: number): number {
    return this.#hashes[flow >>> SEGMENT_SHIFT][flow & SEGMENT_MASK]
  }

  setHash(flow: number, hash: number): void {
    this.#hashes[flow >>> SEGMENT_SHIFT][flow & SEGMENT_MASK] = hash
  }

  protocolOf(flow: number): number {
    return this.#word(flow, PROTOCOL) & 255
  }

  /** TCP state; 0 for other protocols. */
  stateOf(flow: number): number {
    return this.#word(flow, PROTOCOL) >>> 8
  }

  /** Idle ticks that were asked for, or 0. */
  idleOf(flow: number): number {
    return this.#word(flow, IDLE)
  }

  /** The tick in which the flow was last seen. */
  lastSeenOf(flow: number): number {
    return this.#word(flow, LAST_SEEN)
  }

  actionOf(flow: number): number {
    return this.#word(flow, ACTION)
  }

  setAction(flow: number, action: number, idle: number): void {
    this.#setWord(flow, ACTION, action)
    this.#setWord(flow, IDLE, idle)
  }

  ownerOf(flow: number): number {
    return this.#word(flow, OWNER)
  }

  nextOf(flow: number): number {
    return this.#word(flow, NEXT)
  }

  previousOf(flow: number): number {
    return this.#word(flow, PREVIOUS)
  }

  setOwner(flow: number, owner: number): void {
    this.#setWord(flow, OWNER, owner)
  }

  setNext(flow: number, next: number): void {
    this.#setWord(flow, NEXT, next)
  }

  setPrevious(flow: number, previous: number): void {
    this.#setWord(flow, PREVIOUS, previous)
  }

  #word(flow: number, field: number): number {
    return this.#segments[flow >>> SEGMENT_SHIFT][((flow & SEGMENT_MASK) << ENTRY_SHIFT) + field]
  }

  #setWord(flow: number, field: number, value: number): void {
    this.#segments[flow >>> SEGMENT_SHIFT][((flow & SEGMENT_MASK) << ENTRY_SHIFT) + field] = value
  }

  #grow(): void {
    if (this.#room > 0 && this.#room < SEGMENT_FLOWS) {
      this.#room *= 2
      this.#segments[0] = doubled(this.#segments[0])
      this.#hashes[0] = doubled(this.#hashes[0])
      return
    }
    const flows = this.#room === 0 ? FIRST_FLOWS : SEGMENT_FLOWS
    this.#segments.push(new Int32Array(flows * ENTRY_WORDS))
    this.#hashes.push(new Int32Array(flows))
    this.#room += flows
  }
}

function doubled(words: Int32Array): Int32Array {
  const larger = new Int32Array(words.length * 2)
  larger.set(words)
  return larger
}
