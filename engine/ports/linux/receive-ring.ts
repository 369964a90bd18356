/**
 * Frames that came by a raw socket, in memory that the kernel and the router share (PACKET_RX_RING, TPACKET_V2). The
 * one idea: the kernel puts each frame into the next slot and says so in the slot's first word, the router takes it
 * and gives the slot back by the same word; no system call for each frame, nor for finding that there is none.
 *
 * Guarantees: slots are taken in the order in which frames came; a frame that finds no slot free is dropped and counted
 * by the kernel.
 */
import { checked, libc } from './libc.ts'
import { Memory } from './memory.ts'

const SOL_PACKET = 263
const PACKET_RX_RING = 5
const PACKET_VERSION = 10
const TPACKET_V2 = 1
/** Slots do not cross blocks, which are contiguous for the kernel. */
const BLOCK_BYTES = 1 << 16
/** A burst of some milliseconds at a rate of a million frames a second. */
const RING_BYTES = 16 << 20

/** struct tpacket2_hdr as 32-bit words, and as half words. */
const STATUS_WORD = 0
const LENGTH_WORD = 1
const SAVED_WORD = 2
const MAC_HALF = 6
const TAG_WORD = 6
/** The header, the address behind it and what the kernel aligns: where a frame begins at the latest. */
const HEADER_ROOM = 80
const ALIGNMENT = 64

const STATUS_KERNEL = 0
const STATUS_USER = 1

export class ReceiveRing {
  /** The whole ring. The present frame begins at `start`. */
  bytes: Uint8Array
  /** Of the present frame, after `next`: */
  start = 0
  /** its length on the medium, without the tag that the kernel takes off; */
  length = 0
  /** how much of it is here; */
  saved = 0
  /** TP_STATUS_* bits; */
  status = 0
  /** the tag in the low half, its type in the high one. */
  tag = 0
  readonly #memory: Memory
  #words: Int32Array
  #halfs: Uint16Array
  readonly #slots: Int32Array
  #slot = 0

  /**
   * Gives a socket, which hears nothing yet, its ring.
   * @param frameBytes longest frame that must fit; longer ones are cut
   * @throws LinuxError when the kernel has no rings or no memory
   */
  constructor(descriptor: number, frameBytes: number) {
    const slotBytes = (HEADER_ROOM + frameBytes + ALIGNMENT - 1) & ~(ALIGNMENT - 1)
    const blockBytes = Math.max(BLOCK_BYTES, 1 << Math.ceil(Math.log2(slotBytes)))
    const perBlock = Math.floor(blockBytes / slotBytes)
    const blocks = Math.floor(RING_BYTES / blockBytes)
    const request = Int32Array.of(blockBytes, blocks, slotBytes, perBlock * blocks)
    set(descriptor, PACKET_VERSION, Int32Array.of(TPACKET_V2))
    set(descriptor, PACKET_RX_RING, request)
    this.#memory = new Memory(blocks * blockBytes, descriptor)
    const { bytes, words } = this.#memory
    this.bytes = bytes
    this.#words = words
    this.#halfs = new Uint16Array(bytes.buffer)
    this.#slots = Int32Array.from(
      { length: perBlock * blocks },
      (_, slot) => Math.floor(slot / perBlock) * blockBytes + (slot % perBlock) * slotBytes,
    )
  }

  /** Frames that may wait. */
  get room(): number {
    return this.#slots.length
  }

  /** Makes the next frame the present one, until `release`. False when there is none. */
  next(): boolean {
    const at = this.#slots[this.#slot]!
    const words = this.#words
    const word = at >> 2
    // The kernel writes this word last, and the processor must not have read the others before.
    const status = Atomics.load(words, word + STATUS_WORD)
    if ((status & STATUS_USER) === 0) return false
    this.status = status
    this.length = words[word + LENGTH_WORD]!
    this.saved = words[word + SAVED_WORD]!
    this.tag = words[word + TAG_WORD]!
    this.start = at + this.#halfs[(at >> 1) + MAC_HALF]!
    return true
  }

  /** Gives the slot of the present frame back. */
  release(): void {
    const slot = this.#slot
    Atomics.store(this.#words, (this.#slots[slot]! >> 2) + STATUS_WORD, STATUS_KERNEL)
    this.#slot = slot + 1 === this.#slots.length ? 0 : slot + 1
  }

  /** Unmaps. Idempotent; nothing may be used afterwards. */
  close(): void {
    this.#memory.close()
    this.bytes = this.#memory.bytes
    this.#words = this.#memory.words
    this.#halfs = new Uint16Array(0)
  }
}

function set(descriptor: number, option: number, value: Int32Array): void {
  const bytes = new Uint8Array(value.buffer)
  const result = libc().setsockopt(descriptor, SOL_PACKET, option, bytes, bytes.length)
  checked(result, 'making a ring for received frames', { feature: 'packet rings (CONFIG_PACKET)' })
}
