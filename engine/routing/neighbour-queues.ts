/**
 * Packets that wait for their next hop's MAC, a short queue for each neighbour. The one idea: lists through the
 * slab's NEXT words, whose heads stand in the neighbours' own words, so that waiting takes no memory.
 */
import { META_SHIFT, NEXT, NONE, type PacketSlab } from '../packet.ts'
import { NEIGHBOUR_SHIFT, type NeighbourTable, PENDING, PENDING_COUNT } from './neighbour-table.ts'

export class NeighbourQueues {
  readonly #slab: PacketSlab
  readonly #table: NeighbourTable
  #size = 0

  constructor(slab: PacketSlab, table: NeighbourTable) {
    this.#slab = slab
    this.#table = table
  }

  /** Packets that wait, for any neighbour. */
  get size(): number {
    return this.#size
  }

  /** Packets that wait for one. */
  of(neighbour: number): number {
    return this.#table.words[(neighbour << NEIGHBOUR_SHIFT) + PENDING_COUNT]
  }

  append(neighbour: number, packet: number): void {
    const meta = this.#slab.meta
    const words = this.#table.words
    const at = neighbour << NEIGHBOUR_SHIFT
    meta[(packet << META_SHIFT) + NEXT] = NONE
    if (words[at + PENDING] === NONE) words[at + PENDING] = packet
    else {
      let last = words[at + PENDING]
      while (meta[(last << META_SHIFT) + NEXT] !== NONE) last = meta[(last << META_SHIFT) + NEXT]
      meta[(last << META_SHIFT) + NEXT] = packet
    }
    words[at + PENDING_COUNT]++
    this.#size++
  }

  /** Empties a queue and returns its first packet, or NONE; the others by `after`, asked before each is given away. */
  take(neighbour: number): number {
    const words = this.#table.words
    const at = neighbour << NEIGHBOUR_SHIFT
    const first = words[at + PENDING]
    this.#size -= words[at + PENDING_COUNT]
    words[at + PENDING] = NONE
    words[at + PENDING_COUNT] = 0
    return first
  }

  /** The packet behind another one, or NONE. */
  after(packet: number): number {
    return this.#slab.meta[(packet << META_SHIFT) + NEXT]
  }
}
