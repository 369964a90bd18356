/**
 * Frames over a pair of pipes. The one idea: two modes, decided by how the pipes were opened: a blocking channel
 * waits for room and for frames; a polled one takes what is there and keeps what does not fit, within a bound.
 */
import { CLOSED, closeEnds, type FifoEnds, NOTHING, pollEnd, readEnd, writeEnd } from './descriptor.ts'
import { FrameError, FrameReader } from './frame.ts'
import { FRAME_BYTES_MAX } from './limits.ts'

/** What `receive` found. */
export type Received = 'frame' | 'nothing' | 'closed'

/** Bytes that may wait for room in the pipe. */
const UNSENT_BYTES_MAX = 2 * FRAME_BYTES_MAX

export class Channel {
  /** The frame that `receive` found. */
  readonly frame: FrameReader
  readonly #ends: FifoEnds
  #unsent: Uint8Array[] = []
  #unsentBytes = 0
  #open = true

  /** @param payloadBytesMax of frames that are accepted */
  constructor(ends: FifoEnds, payloadBytesMax: number) {
    this.#ends = ends
    this.frame = new FrameReader(payloadBytesMax)
  }

  /** For whoever waits on several descriptors: readable when `receive` has something to find. */
  get readFd(): number {
    return this.#ends.readFd
  }

  /** Bytes that wait for room. */
  get unsentBytes(): number {
    return this.#unsentBytes
  }

  /**
   * Sends the first `length` bytes, which are copied if they have to wait.
   * @returns false when the other side is gone
   * @throws FrameError when too much waits already
   */
  send(bytes: Uint8Array, length = bytes.length): boolean {
    if (!this.#open || !this.flush()) return false
    let sent = 0
    if (this.#unsentBytes === 0) {
      sent = this.#write(bytes, 0, length)
      if (sent === CLOSED) return false
    }
    if (sent === length) return true
    if (this.#unsentBytes + length - sent > UNSENT_BYTES_MAX)
      throw new FrameError('too much waits to be sent')
    this.#unsent.push(bytes.slice(sent, length))
    this.#unsentBytes += length - sent
    return true
  }

  /** Sends what waits, as far as there is room. @returns false when the other side is gone */
  flush(): boolean {
    while (this.#unsent.length > 0) {
      const [first] = this.#unsent as [Uint8Array]
      const sent = this.#write(first, 0, first.length)
      if (sent === CLOSED) return false
      this.#unsentBytes -= sent
      if (sent < first.length) {
        this.#unsent[0] = first.subarray(sent)
        return true
      }
      this.#unsent.shift()
    }
    return this.#open
  }

  /** Moves `frame` to the next frame. @throws FrameError when what came cannot be frames */
  receive(): Received {
    const { frame } = this
    for (;;) {
      if (!this.#open) return 'closed'
      if (frame.next()) return 'frame'
      const at = frame.room()
      const { readFd, polled } = this.#ends
      const count = polled === true ? pollEnd(readFd, frame.bytes, at) : readEnd(readFd, frame.bytes, at)
      if (count === CLOSED) return 'closed'
      if (count === NOTHING) return 'nothing'
      frame.fill(count)
    }
  }

  close(): void {
    if (this.#open) closeEnds(this.#ends)
    this.#open = false
  }

  /** Writes until all is written or there is no room. */
  #write(bytes: Uint8Array, from: number, length: number): number {
    let sent = from
    while (sent < length) {
      const count = writeEnd(this.#ends.writeFd, bytes, sent, length - sent)
      if (count === CLOSED) return CLOSED
      if (count === NOTHING) break
      sent += count
    }
    return sent
  }
}
