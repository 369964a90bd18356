/**
 * A bounded store of frames in flight: copies that a link or a delay holds between two slabs. The one idea: slots
 * of one fixed size with integer descriptors, in one buffer that starts empty and doubles up to its limit, so that
 * thousands of quiet links cost nothing and a busy one never allocates. Freed slots are reused last in, first out,
 * which keeps a link with few frames in flight in the processor's cache.
 */
import { EngineError } from '../errors.ts'
import { NONE } from '../packet.ts'
import { copyBytes } from './copy-bytes.ts'

const FIRST_SLOTS = 4

export class FrameStore {
  /** Longest frame that a slot holds, in bytes. */
  readonly maxFrameBytes: number
  /** Most frames held at once. */
  readonly limit: number
  /** Frame length by slot, in bytes. */
  lengths = new Int32Array(0)
  /** The slot behind this one on the list its holder keeps, or NONE. */
  next = new Int32Array(0)
  readonly #stride: number
  #bytes = new Uint8Array(0)
  #free = NONE
  #size = 0

  /** @throws EngineError `invalid` unless 14 <= maxFrameBytes <= 65534 and 1 <= limit <= 2^20 */
  constructor(maxFrameBytes: number, limit: number) {
    if (!Number.isInteger(maxFrameBytes) || maxFrameBytes < 14 || maxFrameBytes > 65534)
      throw new EngineError('invalid', `${maxFrameBytes} is not in 14..65534`, 'maxFrameBytes')
    if (!Number.isInteger(limit) || limit < 1 || limit > 1 << 20)
      throw new EngineError('invalid', `${limit} is not in 1..${1 << 20}`, 'limit')
    this.maxFrameBytes = maxFrameBytes
    this.limit = limit
    this.#stride = (maxFrameBytes + 63) & ~63
  }

  /** Frames held now. */
  get size(): number {
    return this.#size
  }

  /** Slots that exist so far: grows up to `limit`. */
  get capacity(): number {
    return this.lengths.length
  }

  /** Copies `length` bytes from `start` into a slot and returns it; NONE when the store is full or it is too long. */
  put(bytes: Uint8Array, start: number, length: number): number {
    if (length > this.maxFrameBytes) return NONE
    if (this.#free === NONE && !this.#grow()) return NONE
    const slot = this.#free
    this.#free = this.next[slot]!
    this.#size++
    this.lengths[slot] = length
    this.next[slot] = NONE
    copyBytes(bytes, start, length, this.#bytes, slot * this.#stride)
    return slot
  }

  /** Copies the slot's frame to `target` at `offset`, where it must fit. */
  copyTo(slot: number, target: Uint8Array, offset: number): void {
    copyBytes(this.#bytes, slot * this.#stride, this.lengths[slot]!, target, offset)
  }

  /** Inverts one bit of the slot's frame: 0 is the first byte's most significant. */
  flipBit(slot: number, bit: number): void {
    this.#bytes[slot * this.#stride + (bit >> 3)]! ^= 0x80 >> (bit & 7)
  }

  /** Frees a slot. The caller must hold it. */
  release(slot: number): void {
    this.next[slot] = this.#free
    this.#free = slot
    this.#size--
  }

  /** Frees all slots and gives the memory back. */
  clear(): void {
    this.lengths = new Int32Array(0)
    this.next = new Int32Array(0)
    this.#bytes = new Uint8Array(0)
    this.#free = NONE
    this.#size = 0
  }

  #grow(): boolean {
    const before = this.capacity
    if (before === this.limit) return false
    const after = Math.min(this.limit, Math.max(FIRST_SLOTS, before * 2))
    const lengths = new Int32Array(after)
    const next = new Int32Array(after)
    const bytes = new Uint8Array(after * this.#stride)
    lengths.set(this.lengths)
    next.set(this.next)
    bytes.set(this.#bytes)
    for (let slot = before; slot < after; slot++) next[slot] = slot + 1 < after ? slot + 1 : NONE
    this.lengths = lengths
    this.next = next
    this.#bytes = bytes
    this.#free = before
    return true
  }
}
