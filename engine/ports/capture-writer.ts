/**
 * The sink that makes a capture file of what tracers and fault injectors show. The one idea: each block goes to the
 * caller's write function as soon as it is made, so that memory stays bounded however long the capture; dropped
 * packets stand in it with their reason as a comment.
 *
 * Guarantees: the same frames give the same bytes; never more than `limitBytes`, whole blocks only, and what is
 * left out is counted. Format: pcapng.
 */
import type { Nanoseconds } from '../clock.ts'
import type { FrameDirection, FrameSink } from './frame-sink.ts'
import { emitInterface, emitPacket, emitSection } from './pcapng.ts'

export interface CaptureWriterOptions {
  /** Seconds since 1970 at the clock's zero, an integer. Default 0. */
  readonly epochSeconds?: number
  /** Bytes kept of each frame, at least 1. Default: all. */
  readonly snapLength?: number
  /** Size at which the file stops growing, in bytes. Default 2^30. */
  readonly limitBytes?: number
}

/** All monotonic. */
export interface CaptureCounters {
  frames: number
  /** Bytes given to the write function. */
  bytes: number
  /** Frames left out because the file had reached its limit. */
  omitted: number
}

const LONGEST_COMMENT = 1000

/** One capture file of any number of ports. */
export class CaptureWriter {
  readonly counters: CaptureCounters = { frames: 0, bytes: 0, omitted: 0 }
  readonly #write: (block: Uint8Array) => void
  readonly #epochSeconds: number
  readonly #snapLength: number
  readonly #limitBytes: number
  #interfaces = 0
  #full = false

  /** Writes the file's header. `write` is given each block in order and may keep it. */
  constructor(write: (block: Uint8Array) => void, options: CaptureWriterOptions = {}) {
    this.#write = write
    this.#epochSeconds = options.epochSeconds ?? 0
    this.#snapLength = options.snapLength ?? 0
    this.#limitBytes = options.limitBytes ?? 2 ** 30
    this.#append(emitSection())
  }

  /** Describes a port in the file and returns the sink of its frames. */
  port(name: string): FrameSink {
    const interfaceIndex = this.#interfaces++
    const description = { name, snapLength: this.#snapLength, epochSeconds: this.#epochSeconds }
    this.#append(emitInterface(description))
    return (direction, bytes, start, length, now, comment) =>
      this.#packet(interfaceIndex, direction, bytes.subarray(start, start + length), now, comment)
  }

  #packet(
    interfaceIndex: number,
    direction: FrameDirection,
    frame: Uint8Array,
    timeNs: Nanoseconds,
    comment: string,
  ): void {
    const bytes = this.#snapLength === 0 ? frame : frame.subarray(0, this.#snapLength)
    const block = emitPacket({
      interfaceIndex,
      timeNs,
      bytes,
      originalLength: frame.length,
      direction: direction === 'receive' ? 'inbound' : 'outbound',
      ...(comment === '' ? {} : { comment: comment.slice(0, LONGEST_COMMENT) }),
    })
    if (this.#append(block)) this.counters.frames++
    else this.counters.omitted++
  }

  #append(block: Uint8Array): boolean {
    const { counters } = this
    // Once full always full: a smaller block behind a gap could refer to an interface that was left out.
    this.#full ||= counters.bytes + block.length > this.#limitBytes
    if (this.#full) return false
    counters.bytes += block.length
    this.#write(block)
    return true
  }
}
