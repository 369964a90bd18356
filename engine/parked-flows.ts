/**
 * Which question a packet's flow has. The one idea: a flow that waits is known by its first packet, whose state words
 * hold the key while it is parked; so a slot is a number in a hash chain and nothing is copied. The hash is keyed.
 */
import {
  KEY_DESTINATION,
  KEY_PORTS,
  KEY_PROTOCOL,
  KEY_SOURCE,
  META_SHIFT,
  NONE,
  type PacketSlab,
} from './packet.ts'
import { hashFlowKey } from './wire/flow-key.ts'

export class ParkedFlows {
  readonly #slab: PacketSlab
  readonly #seed: number
  readonly #buckets: Int32Array
  readonly #chain: Int32Array
  /** First packet of a slot. */
  readonly #packet: Int32Array

  /** For slots 0 <= slot < capacity. */
  constructor(slab: PacketSlab, capacity: number, seed: number) {
    this.#slab = slab
    this.#seed = seed
    this.#buckets = new Int32Array(1 << Math.ceil(Math.log2(capacity * 2))).fill(NONE)
    this.#chain = new Int32Array(capacity)
    this.#packet = new Int32Array(capacity)
  }

  /** The slot of the packet's flow, or NONE. */
  find(packet: number): number {
    const meta = this.#slab.meta
    const at = packet << META_SHIFT
    for (let slot = this.#buckets[this.#bucketOf(packet)]; slot !== NONE; slot = this.#chain[slot]) {
      const other = this.#packet[slot] << META_SHIFT
      if (
        meta[other + KEY_SOURCE] === meta[at + KEY_SOURCE] &&
        meta[other + KEY_DESTINATION] === meta[at + KEY_DESTINATION] &&
        meta[other + KEY_PORTS] === meta[at + KEY_PORTS] &&
        meta[other + KEY_PROTOCOL] === meta[at + KEY_PROTOCOL]
      )
        return slot
    }
    return NONE
  }

  /** Gives the packet's flow a slot; the packet must stay as it is until the slot is removed. */
  add(slot: number, packet: number): void {
    const bucket = this.#bucketOf(packet)
    this.#packet[slot] = packet
    this.#chain[slot] = this.#buckets[bucket]
    this.#buckets[bucket] = slot
  }

  /** Takes a slot's flow away. */
  remove(slot: number): void {
    const bucket = this.#bucketOf(this.#packet[slot])
    const next = this.#chain[slot]
    let at = this.#buckets[bucket]
    if (at === slot) {
      this.#buckets[bucket] = next
      return
    }
    while (this.#chain[at] !== slot) at = this.#chain[at]
    this.#chain[at] = next
  }

  #bucketOf(packet: number): number {
    const meta = this.#slab.meta
    const at = packet << META_SHIFT
    const hash = hashFlowKey(
      meta[at + KEY_SOURCE],
      meta[at + KEY_DESTINATION],
      meta[at + KEY_PORTS],
      meta[at + KEY_PROTOCOL],
      this.#seed,
    )
    return hash & (this.#buckets.length - 1)
  }
}
