/**
 * A short first-in first-out queue of finished frames that the router itself sends and that no class should delay.
 * The one idea: bounded, and a list through the slab's NEXT words, so that it costs nothing while it is empty.
 */
import { META_SHIFT, NEXT, NONE, type PacketSlab } from '../packet.ts'

/** Most frames that wait. */
export const URGENT_LIMIT = 64

export class UrgentQueue {
  readonly #slab: PacketSlab
  #first = NONE
  #last = NONE
  #length = 0

  constructor(slab: PacketSlab) {
    this.#slab = slab
  }

  get length(): number {
    return this.#length
  }

  /** Appends a packet; false, with the packet still the caller's, when the queue is full. */
  push(packet: number): boolean {
    if (this.#length >= URGENT_LIMIT) return false
    this.#slab.meta[(packet << META_SHIFT) + NEXT] = NONE
    if (this.#last === NONE) this.#first = packet
    else this.#slab.meta[(this.#last << META_SHIFT) + NEXT] = packet
    this.#last = packet
    this.#length++
    return true
  }

  /** Takes the oldest packet, or NONE. */
  shift(): number {
    const packet = this.#first
    if (packet === NONE) return NONE
    this.#first = this.#slab.meta[(packet << META_SHIFT) + NEXT]
    if (this.#first === NONE) this.#last = NONE
    this.#length--
    return packet
  }
}
