/**
 * Frames for sendmmsg(2). The one idea: all headers point at their frames once and for ever, so that a batch of frames
 * costs one system call and writing a few words, and nothing is allocated.
 *
 * One mapping holds struct mmsghdr[count], struct iovec[count] and the frames.
 */
import { Memory } from './memory.ts'

/** struct mmsghdr as 32-bit words: name, iovec, control, flags, and how many bytes the frame has. */
const HEADER_WORDS = 16
const VECTOR_POINTER = 16
const VECTOR_COUNT = 24
/** struct iovec: address and length, 64 bits each. */
const IOVEC_BYTES = 16
const IOVEC_SHIFT = 2

export class MessageBatch {
  readonly count: number
  /** Room for each frame: at least what was asked for. */
  readonly frameBytes: number
  /** All frames; frame i begins at `frameStart(i)`. */
  bytes: Uint8Array
  readonly #memory: Memory
  #words: Int32Array
  readonly #vectors: number
  readonly #frames: number

  /**
   * @param count messages at once, 1..1024
   * @param frameBytes room for each frame
   * @throws LinuxError when the system has no memory left
   */
  constructor(count: number, frameBytes: number) {
    this.count = count
    this.frameBytes = (frameBytes + 63) & ~63
    const memory = new Memory(count * (HEADER_WORDS * 4 + IOVEC_BYTES + this.frameBytes) + 64)
    memory.reserve(count * HEADER_WORDS * 4)
    const vectors = memory.reserve(count * IOVEC_BYTES)
    this.#frames = memory.reserve(count * this.frameBytes)
    for (let each = 0; each < count; each++) {
      const header = each * HEADER_WORDS * 4
      const vector = vectors + each * IOVEC_BYTES
      memory.writePointer(header + VECTOR_POINTER, memory.address + vector)
      memory.view.setUint32(header + VECTOR_COUNT, 1, true)
      memory.writePointer(vector, memory.address + this.#frames + each * this.frameBytes)
      memory.view.setUint32(vector + 8, this.frameBytes, true)
    }
    this.#memory = memory
    this.#words = memory.words
    this.#vectors = vectors >> 2
    this.bytes = memory.bytes
  }

  /** Address of message `from`, for the system call. */
  address(from: number): number {
    return this.#memory.address + from * HEADER_WORDS * 4
  }

  /** Where frame i begins in `bytes`. */
  frameStart(i: number): number {
    return this.#frames + i * this.frameBytes
  }

  /** Sets how many bytes of frame i are sent. */
  setLength(i: number, length: number): void {
    this.#words[this.#vectors + (i << IOVEC_SHIFT) + 2] = length
  }

  /** How many bytes of frame i are to be sent. */
  lengthToSend(i: number): number {
    return this.#words[this.#vectors + (i << IOVEC_SHIFT) + 2]!
  }

  /** Unmaps. Idempotent; nothing may be used afterwards. */
  close(): void {
    this.#memory.close()
    this.#words = this.#memory.words
    this.bytes = this.#memory.bytes
  }
}
