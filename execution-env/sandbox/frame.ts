/**
 * Frames between the router and a sandbox process. The one idea: a frame is a header of four words and a payload,
 * padded to eight bytes, so that records inside can be read as words where they lie; control messages are text,
 * batches are words.
 *
 * The router treats what it reads as hostile: the process may have been taken over by what runs in it. A frame
 * that is not exactly as expected ends the process.
 *
 * Header, little-endian: payload length in bytes, type, sequence number of the request, magic.
 */

export const HEADER_BYTES = 16
/** "prto". */
export const MAGIC = 0x6f747270

/** To the sandbox process. */
export const LOAD = 1
export const UNLOAD = 2
export const CALL = 3
export const BATCH = 4
export const ANSWER = 5

/** From the sandbox process. */
export const READY = 32
export const DONE = 33
export const BATCH_DONE = 34
export const ASK = 35
export const LAST_WORDS = 36

const LAST_TYPE = LAST_WORDS

/** The bytes of the other side are not frames. */
export class FrameError extends Error {
  override readonly name = 'FrameError'
}

/** Bytes that a frame takes up with its header and padding. */
export function frameBytes(payloadBytes: number): number {
  return (HEADER_BYTES + payloadBytes + 7) & ~7
}

/** Writes a header at the beginning of `view`. */
export function writeHeader(view: DataView, type: number, sequence: number, payloadBytes: number): void {
  view.setUint32(0, payloadBytes, true)
  view.setUint32(4, type, true)
  view.setUint32(8, sequence, true)
  view.setUint32(12, MAGIC, true)
}

/** A whole frame around a text, after `head` of raw bytes. */
export function textFrame(type: number, sequence: number, text: string, head?: Uint8Array): Uint8Array {
  const headBytes = head?.length ?? 0
  const textBytes = Buffer.byteLength(text)
  const bytes = new Uint8Array(frameBytes(headBytes + textBytes))
  writeHeader(new DataView(bytes.buffer), type, sequence, headBytes + textBytes)
  if (head !== undefined) bytes.set(head, HEADER_BYTES)
  Buffer.from(bytes.buffer).write(text, HEADER_BYTES + headBytes)
  return bytes
}

/** Text of `length` bytes of UTF-8 at `start`; what is not UTF-8 becomes replacement characters. */
export function readText(bytes: Uint8Array, start: number, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, length).toString('utf8')
}

/** A frame in the memory that holds it; `start` is a multiple of eight. */
export interface FrameView {
  readonly bytes: Uint8Array
  /** The same memory as words. */
  readonly words: Int32Array
  readonly view: DataView
  readonly type: number
  readonly sequence: number
  /** Of the payload in `bytes`. */
  readonly start: number
  readonly length: number
}

/** A frame that stays when its reader goes on. */
export function copyFrame(frame: FrameView): FrameView {
  const bytes = new Uint8Array(frameBytes(frame.length))
  bytes.set(frame.bytes.subarray(frame.start, frame.start + frame.length))
  const { type, sequence, length } = frame
  const { buffer } = bytes
  return {
    bytes,
    words: new Int32Array(buffer),
    view: new DataView(buffer),
    type,
    sequence,
    start: 0,
    length,
  }
}

const INITIAL_BYTES = 1 << 17

/**
 * Cuts a stream of bytes into frames. The current frame's payload lies at `start`, a multiple of eight, in `bytes`
 * until the next call of `room` or `next`.
 */
export class FrameReader implements FrameView {
  bytes: Uint8Array<ArrayBuffer>
  words: Int32Array
  view: DataView
  type = 0
  sequence = 0
  start = 0
  length = 0
  readonly #payloadBytesMax: number
  #from = 0
  #to = 0
  #needed = HEADER_BYTES

  constructor(payloadBytesMax: number) {
    this.#payloadBytesMax = payloadBytesMax
    this.bytes = new Uint8Array(INITIAL_BYTES)
    this.words = new Int32Array(this.bytes.buffer)
    this.view = new DataView(this.bytes.buffer)
  }

  /** Where the next bytes go: `bytes` from the returned offset to its end. There is always room. */
  room(): number {
    const kept = this.#to - this.#from
    if (this.#from > 0) {
      this.bytes.copyWithin(0, this.#from, this.#to)
      this.#from = 0
      this.#to = kept
    }
    const wanted = Math.max(this.#needed, INITIAL_BYTES)
    if (wanted > this.bytes.length || (kept === 0 && wanted < this.bytes.length)) this.#resize(wanted)
    return this.#to
  }

  /** Says that `count` bytes were put where `room` said. */
  fill(count: number): void {
    this.#to += count
  }

  /** Moves to the next whole frame, if it is there. @throws FrameError when the bytes cannot be frames */
  next(): boolean {
    const available = this.#to - this.#from
    if (available < this.#needed) return false
    const { view } = this
    const length = view.getUint32(this.#from, true)
    const type = view.getUint32(this.#from + 4, true)
    if (view.getUint32(this.#from + 12, true) !== MAGIC || type === 0 || type > LAST_TYPE)
      throw new FrameError('not a frame')
    if (length > this.#payloadBytesMax) throw new FrameError(`a frame of ${length} bytes`)
    this.#needed = frameBytes(length)
    if (available < this.#needed) return false
    this.type = type
    this.length = length
    this.sequence = view.getUint32(this.#from + 8, true)
    this.start = this.#from + HEADER_BYTES
    this.#from += this.#needed
    this.#needed = HEADER_BYTES
    if (this.#from === this.#to) this.#from = this.#to = 0
    return true
  }

  #resize(size: number): void {
    const bytes = new Uint8Array((size + 7) & ~7)
    bytes.set(this.bytes.subarray(0, this.#to))
    this.bytes = bytes
    this.words = new Int32Array(bytes.buffer)
    this.view = new DataView(bytes.buffer)
  }
}
