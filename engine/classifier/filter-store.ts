/**
 * The filters themselves: sixteen words each, their age and their counters. The one idea: a filter is a number; what
 * it matches and which of two filters goes first are decided here and nowhere else, so that the index and the
 * overlay cannot disagree.
 *
 * Order: higher priority, then more specific, then older. How specific a filter is, is the number of bits it fixes:
 * address bits in its masks, 8 for a protocol, 16 for a port of the router, and for a range of transport ports 16
 * less those it leaves open (rounded up).
 */
import { EngineError } from '../errors.ts'
import type { CompiledFilter } from './filter.ts'

/** Most filters of a store. */
export const FILTER_LIMIT = 65_536

const SHIFT = 4
const SOURCE_VALUE = 0
const SOURCE_MASK = 1
const DESTINATION_VALUE = 2
const DESTINATION_MASK = 3
const SOURCE_PORTS = 4 // first << 16 | last
const DESTINATION_PORTS = 5
const PROTOCOL = 6
const IN_PORT = 7
const PRIORITY = 8
const SPECIFICITY = 9
const PAYLOAD = 10
const OWNER = 11
const LIVE = 12 // 1 while the filter is in the table
const NEXT = 13 // free list
const LEAST = 16
const NONE = -1

/** Ports of a filter that leaves them open, as one word. */
export const ALL_PORTS = 0xffff

export class FilterStore {
  readonly limit: number
  #words = new Int32Array(LEAST << SHIFT)
  /** When each was added, counted in additions. */
  #ages = new Float64Array(LEAST)
  #packets = new Float64Array(LEAST)
  #bytes = new Float64Array(LEAST)
  #used = 0
  #free = NONE
  #taken = 0
  #additions = 0

  constructor(limit: number) {
    if (!Number.isInteger(limit) || limit < 1 || limit > FILTER_LIMIT)
      throw new RangeError(`filter limit ${limit} is not in 1..${FILTER_LIMIT}`)
    this.limit = limit
  }

  get byteLength(): number {
    return this.#words.byteLength + 3 * this.#ages.byteLength
  }

  /** How many filters were ever added: the age of the next one. */
  get additions(): number {
    return this.#additions
  }

  /** Filter numbers are below this. */
  get bound(): number {
    return this.#used
  }

  /** Takes a number for a filter and writes it. @throws EngineError `limit` */
  add(filter: CompiledFilter, priority: number, payload: number, owner: number): number {
    if (this.#taken >= this.limit) throw new EngineError('limit', `more than ${this.limit} filters`)
    let id = this.#free
    if (id === NONE) {
      if (this.#used === this.#ages.length) this.#grow()
      id = this.#used++
    } else this.#free = this.#words[(id << SHIFT) + NEXT]
    const words = this.#words
    const at = id << SHIFT
    words[at + SOURCE_VALUE] = filter.sourceValue
    words[at + SOURCE_MASK] = filter.sourceMask
    words[at + DESTINATION_VALUE] = filter.destinationValue
    words[at + DESTINATION_MASK] = filter.destinationMask
    words[at + SOURCE_PORTS] = (filter.sourcePortFrom << 16) | filter.sourcePortTo
    words[at + DESTINATION_PORTS] = (filter.destinationPortFrom << 16) | filter.destinationPortTo
    words[at + PROTOCOL] = filter.protocol
    words[at + IN_PORT] = filter.inPort
    words[at + PRIORITY] = priority
    words[at + SPECIFICITY] = specificity(filter)
    words[at + PAYLOAD] = payload
    words[at + OWNER] = owner
    words[at + LIVE] = 1
    this.#ages[id] = this.#additions++
    this.#packets[id] = 0
    this.#bytes[id] = 0
    this.#taken++
    return id
  }

  /** Marks a filter as gone; its number and words stay until `free`. */
  bury(id: number): void {
    this.#words[(id << SHIFT) + LIVE] = 0
  }

  /** Gives the number of a buried filter back. */
  free(id: number): void {
    this.#words[(id << SHIFT) + NEXT] = this.#free
    this.#free = id
    this.#taken--
  }

  isLive(id: number): boolean {
    return id >= 0 && id < this.#used && this.#words[(id << SHIFT) + LIVE] === 1
  }

  /** Whether `a` goes before `b`. */
  precedes(a: number, b: number): boolean {
    const words = this.#words
    const one = a << SHIFT
    const other = b << SHIFT
    if (words[one + PRIORITY] !== words[other + PRIORITY])
      return words[one + PRIORITY] > words[other + PRIORITY]
    if (words[one + SPECIFICITY] !== words[other + SPECIFICITY])
      return words[one + SPECIFICITY] > words[other + SPECIFICITY]
    return this.#ages[a] < this.#ages[b]
  }

  /** Whether a filter matches a packet; without ports (`isPortless`) only if it leaves both ports open. */
  matches(
    id: number,
    source: number,
    destination: number,
    ports: number,
    protocol: number,
    inPort: number,
    isPortless: boolean,
  ): boolean {
    const words = this.#words
    const at = id << SHIFT
    if ((destination & words[at + DESTINATION_MASK]) !== words[at + DESTINATION_VALUE]) return false
    if ((source & words[at + SOURCE_MASK]) !== words[at + SOURCE_VALUE]) return false
    if (words[at + PROTOCOL] !== protocol && words[at + PROTOCOL] >= 0) return false
    if (words[at + IN_PORT] !== inPort && words[at + IN_PORT] >= 0) return false
    const from = words[at + SOURCE_PORTS]
    const to = words[at + DESTINATION_PORTS]
    if (isPortless) return from === ALL_PORTS && to === ALL_PORTS
    const destinationPort = ports & 0xffff
    if (destinationPort < to >>> 16 || destinationPort > (to & 0xffff)) return false
    return ports >>> 16 >= from >>> 16 && ports >>> 16 <= (from & 0xffff)
  }

  /** Counts a packet that a filter decided. */
  hit(id: number, bytes: number): void {
    this.#packets[id]++
    this.#bytes[id] += bytes
  }

  ageOf(id: number): number {
    return this.#ages[id]
  }

  packetsOf(id: number): number {
    return this.#packets[id]
  }

  bytesOf(id: number): number {
    return this.#bytes[id]
  }

  priorityOf(id: number): number {
    return this.#words[(id << SHIFT) + PRIORITY]
  }

  payloadOf(id: number): number {
    return this.#words[(id << SHIFT) + PAYLOAD]
  }

  ownerOf(id: number): number {
    return this.#words[(id << SHIFT) + OWNER]
  }

  setOwner(id: number, owner: number): void {
    this.#words[(id << SHIFT) + OWNER] = owner
  }

  /** Value and mask of the source (side 0) or destination (side 1), signed. */
  valueOf(id: number, side: 0 | 1): number {
    return this.#words[(id << SHIFT) + SOURCE_VALUE + 2 * side]
  }

  maskOf(id: number, side: 0 | 1): number {
    return this.#words[(id << SHIFT) + SOURCE_MASK + 2 * side]
  }

  /** First << 16 | last source (side 0) or destination (side 1) port. */
  portsOf(id: number, side: 0 | 1): number {
    return this.#words[(id << SHIFT) + SOURCE_PORTS + side]
  }

  /** 0..255, or -1 for any. */
  protocolOf(id: number): number {
    return this.#words[(id << SHIFT) + PROTOCOL]
  }

  /** Port index, or -1 for any. */
  inPortOf(id: number): number {
    return this.#words[(id << SHIFT) + IN_PORT]
  }

  #grow(): void {
    const size = this.#ages.length * 2
    const words = new Int32Array(size << SHIFT)
    words.set(this.#words)
    this.#words = words
    this.#ages = doubled(this.#ages)
    this.#packets = doubled(this.#packets)
    this.#bytes = doubled(this.#bytes)
  }
}

function doubled(numbers: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(numbers.length * 2)
  larger.set(numbers)
  return larger
}

/** Bits that a filter fixes. */
export function specificity(filter: CompiledFilter): number {
  const ports =
    portBits(filter.sourcePortFrom, filter.sourcePortTo) +
    portBits(filter.destinationPortFrom, filter.destinationPortTo)
  const addresses = countBits(filter.sourceMask) + countBits(filter.destinationMask)
  return addresses + ports + (filter.protocol >= 0 ? 8 : 0) + (filter.inPort >= 0 ? 16 : 0)
}

function portBits(from: number, to: number): number {
  return Math.clz32(to - from) - 16
}

function countBits(word: number): number {
  let count = 0
  for (; word !== 0; word &= word - 1) count++
  return count
}
