/**
 * Which neighbours there are: next hops by port and address, each with a ready-made Ethernet header. The one idea:
 * a neighbour is a number, and what packets keep is a handle, its number with a generation. The generation stands in
 * the half word that the header leaves free, so that whoever copies the header sees at once whether the number still
 * means the next hop that the packet was queued for.
 *
 * Guarantees: `find` allocates nothing; memory grows with use up to `limit` neighbours; the hash is keyed.
 */
import { NONE } from '../packet.ts'

/** Half words of a ready-made header: destination, source, EtherType IPv4, and the generation. */
export const HEADER_SHIFT = 3
export const HEADER_GENERATION = 7
/** A handle is generation << HANDLE_SHIFT | number. */
export const HANDLE_SHIFT = 14
export const HANDLE_MASK = (1 << HANDLE_SHIFT) - 1
/** Most neighbours of a table. */
export const NEIGHBOUR_LIMIT = 1 << HANDLE_SHIFT

/** Words of a neighbour. Index: `(neighbour << NEIGHBOUR_SHIFT) + FIELD`. */
export const NEIGHBOUR_SHIFT = 3
export const STATE = 0 // FREE, or what neighbours.ts says
export const PORT = 1
export const ADDRESS = 2 // signed
/** Whether it was sent to since the flag was last taken away. */
export const USED = 3
/** Questions asked since the last answer, or looks at a stale entry. */
export const ATTEMPTS = 4
/** Waiting packets: the first of a list through NEXT, and how many. Of a free number: the next free one. */
export const PENDING = 5
export const PENDING_COUNT = 6

export const FREE = 0

const GENERATIONS = 0xffff
const FIRST_ROOM = 64
/** Numbers looked at for one to give up when the table is full. */
const EVICTION_LOOKS = 64

export class NeighbourTable {
  readonly #limit: number
  readonly #seed: number
  words: Int32Array
  headers: Uint16Array
  #index: Int32Array
  #free = NONE
  #used = 0
  #size = 0
  #hand = 0

  /** @param seed secret of the hash, so that nobody can choose addresses that collide */
  constructor(limit: number, seed: number) {
    const room = Math.min(FIRST_ROOM, limit)
    this.#limit = limit
    this.#seed = seed
    this.words = new Int32Array(room << NEIGHBOUR_SHIFT)
    this.headers = new Uint16Array(room << HEADER_SHIFT)
    this.#index = indexFor(room)
  }

  /** Neighbours held. */
  get size(): number {
    return this.#size
  }

  /** Numbers that were ever in use are 0..used - 1. */
  get used(): number {
    return this.#used
  }

  /** The number of a neighbour, or NONE. */
  find(port: number, address: number): number {
    const index = this.#index
    const words = this.words
    const mask = index.length - 1
    const wanted = address | 0
    for (let slot = this.#slotOf(port, address); ; slot = (slot + 1) & mask) {
      const neighbour = index[slot]
      if (neighbour === NONE) return NONE
      const at = neighbour << NEIGHBOUR_SHIFT
      if (words[at + ADDRESS] === wanted && words[at + PORT] === port) return neighbour
    }
  }

  /** Gives a neighbour that is not in the table a number; its state is the caller's to set. NONE when all are out. */
  insert(port: number, address: number): number {
    let neighbour = this.#free
    if (neighbour !== NONE) this.#free = this.words[(neighbour << NEIGHBOUR_SHIFT) + PENDING]
    else {
      if (this.#used >= this.#limit) return NONE
      neighbour = this.#used++
      if (this.words.length <= neighbour << NEIGHBOUR_SHIFT) this.#grow()
    }
    const at = neighbour << NEIGHBOUR_SHIFT
    this.words.fill(0, at, at + (1 << NEIGHBOUR_SHIFT))
    this.words[at + PORT] = port
    this.words[at + ADDRESS] = address
    this.words[at + PENDING] = NONE
    this.#link(neighbour)
    this.#size++
    return neighbour
  }

  /** Forgets a neighbour: its handles are void from now on. */
  remove(neighbour: number): void {
    const at = neighbour << NEIGHBOUR_SHIFT
    const generation = (neighbour << HEADER_SHIFT) + HEADER_GENERATION
    this.#unlink(neighbour)
    this.headers[generation] = (this.headers[generation] + 1) & GENERATIONS
    this.words[at + STATE] = FREE
    this.words[at + PENDING] = this.#free
    this.#free = neighbour
    this.#size--
  }

  /**
   * A neighbour to give up when the table is full: of the next few in turn the first whose state is at least `least`
   * and that nobody has sent to; NONE when there is none. Whoever fills the table with names that nobody uses makes
   * room with them.
   */
  victim(least: number): number {
    for (let looks = Math.min(EVICTION_LOOKS, this.#used); looks > 0; looks--) {
      this.#hand = (this.#hand + 1) % this.#used
      const at = this.#hand << NEIGHBOUR_SHIFT
      if (this.words[at + STATE] >= least && this.words[at + USED] === 0) return this.#hand
    }
    return NONE
  }

  /** What a packet keeps to name a neighbour. */
  handleOf(neighbour: number): number {
    const generation = this.headers[(neighbour << HEADER_SHIFT) + HEADER_GENERATION]
    return (generation << HANDLE_SHIFT) | neighbour
  }

  /** Six bytes, valid until the table grows. */
  macOf(neighbour: number): Uint8Array {
    return new Uint8Array(this.headers.buffer, (neighbour << HEADER_SHIFT) * 2, 6)
  }

  /** Writes the header of IPv4 frames from one MAC to another. */
  setHeader(neighbour: number, destination: Uint8Array, source: Uint8Array): void {
    const bytes = new Uint8Array(this.headers.buffer, (neighbour << HEADER_SHIFT) * 2, HEADER_GENERATION * 2)
    bytes.set(destination.subarray(0, 6), 0)
    bytes.set(source.subarray(0, 6), 6)
    bytes[12] = 0x08
    bytes[13] = 0x00
  }

  #slotOf(port: number, address: number): number {
    const hash = Math.imul(address ^ Math.imul(port + this.#seed, 0x9e3779b9), 0x85ebca6b)
    return (hash ^ (hash >>> 15)) & (this.#index.length - 1)
  }

  #homeOf(neighbour: number): number {
    const at = neighbour << NEIGHBOUR_SHIFT
    return this.#slotOf(this.words[at + PORT], this.words[at + ADDRESS])
  }

  #link(neighbour: number): void {
    const mask = this.#index.length - 1
    let slot = this.#homeOf(neighbour)
    while (this.#index[slot] !== NONE) slot = (slot + 1) & mask
    this.#index[slot] = neighbour
  }

  /** Backward-shift deletion keeps probe runs unbroken without tombstones. */
  #unlink(neighbour: number): void {
    const index = this.#index
    const mask = index.length - 1
    let hole = this.#homeOf(neighbour)
    while (index[hole] !== neighbour) hole = (hole + 1) & mask
    for (let slot = (hole + 1) & mask; index[slot] !== NONE; slot = (slot + 1) & mask) {
      if (((slot - this.#homeOf(index[slot])) & mask) < ((slot - hole) & mask)) continue
      index[hole] = index[slot]
      hole = slot
    }
    index[hole] = NONE
  }

  /** Doubles. Called when no number is free, so that every one below the new room is in use. */
  #grow(): void {
    const before = this.words.length >> NEIGHBOUR_SHIFT
    const room = Math.min(this.#limit, before * 2)
    const words = new Int32Array(room << NEIGHBOUR_SHIFT)
    const headers = new Uint16Array(room << HEADER_SHIFT)
    words.set(this.words)
    headers.set(this.headers)
    this.words = words
    this.headers = headers
    this.#index = indexFor(room)
    for (let neighbour = 0; neighbour < before; neighbour++) this.#link(neighbour)
  }
}

/** Slots for `room` neighbours, at most a quarter of them in use. */
function indexFor(room: number): Int32Array {
  return new Int32Array(2 ** Math.ceil(Math.log2(room * 4))).fill(NONE)
}
