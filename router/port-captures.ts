/**
 * Captures of ports under way, beside the engine. The one idea: frames become blocks of a capture file at once and wait
 * in bounded memory until they are taken; what does not fit is counted, whole frames only, so that what was taken is
 * always a file that can be read. Drops by the engine stand in it as they do in a laboratory's.
 */
import { CaptureWriter, type Engine, EngineError, type FrameSink, SECOND } from '../engine/index.ts'

/** What has been captured since it was taken last. */
export interface CapturePart {
  /** Blocks of a pcapng file, in order. */
  readonly bytes: Uint8Array
  /** Frames that found no room, since the beginning. */
  readonly omitted: number
}

/** Captures at the same time. */
const MOST_CAPTURES = 8
/** Bytes that wait to be taken, a capture. */
const WAITING_BYTES = 4 << 20
/** A capture that is full, or in the way, and from which nobody takes for so long, is given up. */
const FORSAKEN_NS = 60e9

interface Capture {
  readonly port: string
  sink: FrameSink
  blocks: Uint8Array[]
  bytes: number
  omitted: number
  takenAt: number
}

export class PortCaptures {
  readonly #engine: Engine
  readonly #now: () => number
  readonly #captures = new Map<number, Capture>()
  #next = 1

  /** @param now monotonic time of the engine's loop */
  constructor(engine: Engine, now: () => number) {
    this.#engine = engine
    this.#now = now
  }

  /**
   * Begins to capture a port.
   * @param epochSeconds seconds since 1970 at the engine's zero
   * @param snapBytes bytes that are kept of a frame; 0: all
   * @throws EngineError `unknown`, `limit`
   */
  begin(port: string, snapBytes: number, epochSeconds: number): number {
    this.#dropForsaken()
    if (!this.#engine.portNames.includes(port)) throw new EngineError('unknown', `no port ${port}`, 'port')
    if (this.#captures.size >= MOST_CAPTURES)
      throw new EngineError('limit', `more than ${MOST_CAPTURES} captures`)
    const capture: Capture = {
      port,
      sink: () => {},
      blocks: [],
      bytes: 0,
      omitted: 0,
      takenAt: this.#now(),
    }
    const number = this.#next++
    const wholeSeconds = Math.floor(epochSeconds)
    // A file counts from whole seconds: the rest goes to every frame.
    const restNs = (epochSeconds - wholeSeconds) * SECOND
    const writer = new CaptureWriter((block) => this.#keep(capture, block), {
      epochSeconds: wholeSeconds,
      snapLength: snapBytes,
    })
    const show = writer.port(port)
    capture.sink = (direction, bytes, start, length, now, comment) => {
      if (capture.bytes <= WAITING_BYTES)
        return show(direction, bytes, start, length, Math.floor(now + restNs), comment)
      capture.omitted++
      if (now - capture.takenAt > FORSAKEN_NS) this.end(number)
    }
    this.#captures.set(number, capture)
    this.#show(port)
    return number
  }

  /** What has come since the last time. @throws EngineError `unknown` */
  take(number: number): CapturePart {
    const capture = this.#captures.get(number)
    if (capture === undefined) throw new EngineError('unknown', `no capture ${number}`)
    capture.takenAt = this.#now()
    const bytes = new Uint8Array(Buffer.concat(capture.blocks))
    capture.blocks = []
    capture.bytes = 0
    return { bytes, omitted: capture.omitted }
  }

  /** Idempotent. */
  end(number: number): void {
    const capture = this.#captures.get(number)
    if (capture === undefined) return
    this.#captures.delete(number)
    this.#show(capture.port)
  }

  #keep(capture: Capture, block: Uint8Array): void {
    capture.blocks.push(block)
    capture.bytes += block.length
  }

  #dropForsaken(): void {
    const before = this.#now() - FORSAKEN_NS
    for (const [number, { takenAt }] of [...this.#captures]) if (takenAt < before) this.end(number)
  }

  /** A port is shown to all who capture it, or, where nobody does, costs nothing. */
  #show(port: string): void {
    const sinks = [...this.#captures.values()].flatMap((each) => (each.port === port ? [each.sink] : []))
    const [only] = sinks
    if (sinks.length < 2) return this.#engine.trace(port, only)
    this.#engine.trace(port, (...frame) => {
      for (const each of sinks) each(...frame)
    })
  }
}
