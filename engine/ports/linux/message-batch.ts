/**
 * Frames for recvmmsg(2) and sendmmsg(2). The one idea: all headers point at their frames once and for ever, so
 * that a batch of frames costs one system call and writing a few words, and nothing is allocated.
 *
 * One mapping holds struct mmsghdr[count], struct iovec[count], a control buffer for each and the frames.
 */
import { Memory } from './memory.ts'

/** struct mmsghdr as 32-bit words: name, iovec, control, flags, and how many bytes the frame has. */
const HEADER_WORDS = 16
const HEADER_SHIFT = 4
const VECTOR_POINTER = 16
const VECTOR_COUNT = 24
const CONTROL_POINTER = 32
const CONTROL_LENGTH_WORD = 10
const FLAGS_WORD = 12
const LENGTH_WORD = 14
/** struct iovec: address and length, 64 bits each. */
const IOVEC_BYTES = 16
const IOVEC_SHIFT = 2
/** struct cmsghdr and struct tpacket_auxdata behind it. */
const CONTROL_BYTES = 48
const CONTROL_USED = 40
const CONTROL_WORDS = CONTROL_BYTES / 4
const AUXDATA_WORD = 4

export interface MessageBatchOptions {
  /** Messages at once, 1..1024. */
  readonly count: number
  /** Room for each frame. */
  readonly frameBytes: number
  /** Whether auxiliary data is received with each frame. */
  readonly auxiliary: boolean
}

export class MessageBatch {
  readonly count: number
  /** Room for each frame: at least what was asked for. */
  readonly frameBytes: number
  /** All frames; frame i begins at `frameStart(i)`. */
  bytes: Uint8Array
  readonly #memory: Memory
  readonly #auxiliary: boolean
  #words: Int32Array
  readonly #vectors: number
  readonly #controls: number
  readonly #frames: number

  /** @throws LinuxError when the system has no memory left */
  constructor(options: MessageBatchOptions) {
    const { count, frameBytes, auxiliary } = options
    this.count = count
    this.frameBytes = (frameBytes + 63) & ~63
    this.#auxiliary = auxiliary
    const memory = new Memory(count * (HEADER_WORDS * 4 + IOVEC_BYTES + CONTROL_BYTES + this.frameBytes) + 64)
    memory.reserve(count * HEADER_WORDS * 4)
    const vectors = memory.reserve(count * IOVEC_BYTES)
    const controls = memory.reserve(count * CONTROL_BYTES)
    this.#frames = memory.reserve(count * this.frameBytes)
    for (let each = 0; each < count; each++) {
      const header = each * HEADER_WORDS * 4
      const vector = vectors + each * IOVEC_BYTES
      memory.writePointer(header + VECTOR_POINTER, memory.address + vector)
      memory.view.setUint32(header + VECTOR_COUNT, 1, true)
      if (auxiliary)
        memory.writePointer(header + CONTROL_POINTER, memory.address + controls + each * CONTROL_BYTES)
      memory.writePointer(vector, memory.address + this.#frames + each * this.frameBytes)
      memory.view.setUint32(vector + 8, this.frameBytes, true)
    }
    this.#memory = memory
    this.#words = memory.words
    this.#vectors = vectors >> 2
    this.#controls = controls >> 2
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

  /** Makes the first `count` messages ready to receive: the kernel overwrites these words. */
  prepare(count: number): void {
    const words = this.#words
    const control = this.#auxiliary ? CONTROL_USED : 0
    for (let each = 0; each < count; each++) {
      const at = each << HEADER_SHIFT
      words[at + CONTROL_LENGTH_WORD] = control
      words[at + FLAGS_WORD] = 0
    }
  }

  /** Length of received frame i on the medium; more than `frameBytes` when it was cut. */
  length(i: number): number {
    return this.#words[(i << HEADER_SHIFT) + LENGTH_WORD]!
  }

  /** Whether auxiliary data came with frame i. */
  hasAuxiliary(i: number): boolean {
    return this.#words[(i << HEADER_SHIFT) + CONTROL_LENGTH_WORD]! >= CONTROL_USED - 4
  }

  /** Word `word` of the auxiliary data of frame i. */
  auxiliary(i: number, word: number): number {
    return this.#words[this.#controls + i * CONTROL_WORDS + AUXDATA_WORD + word]!
  }

  /** Unmaps. Idempotent; nothing may be used afterwards. */
  close(): void {
    this.#memory.close()
    this.#words = this.#memory.words
    this.bytes = this.#memory.bytes
  }
}
