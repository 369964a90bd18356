/**
 * One direction of a faulty link: the impairment that decides and the delay line that holds what it let pass. The
 * one idea: every copy that passes is held until its time, even a time that is now, so that order and accounting
 * have one place. passed + duplicated = overflowed + delivered + discarded + held.
 */
import { type Nanoseconds, NEVER } from '../clock.ts'
import { NONE } from '../packet.ts'
import { DelayLine } from './delay-line.ts'
import { dropComment, type FrameDirection, type FrameSink } from './frame-sink.ts'
import type { Impairment } from './impairment.ts'

/** All monotonic, in copies of frames. */
export interface PathCounters {
  /** Found no room to be held in. */
  overflowed: number
  /** Reached the far end of the path. */
  delivered: number
  /** Were due, but the far end was down or refused them. */
  discarded: number
}

export class ImpairedPath {
  readonly impairment: Impairment
  readonly counters: PathCounters = { overflowed: 0, delivered: 0, discarded: 0 }
  readonly line: DelayLine
  readonly #direction: FrameDirection
  readonly #onDrop: FrameSink | undefined

  /** @throws EngineError `invalid` on bounds, as for FrameStore */
  constructor(
    impairment: Impairment,
    direction: FrameDirection,
    maxFrameBytes: number,
    holdFrames: number,
    onDrop: FrameSink | undefined,
  ) {
    this.impairment = impairment
    this.line = new DelayLine(maxFrameBytes, holdFrames)
    this.#direction = direction
    this.#onDrop = onDrop
  }

  /** Copies of frames on the way. */
  get held(): number {
    return this.line.size
  }

  /**
   * Takes a frame at `now`. False when the sender can tell that it went nowhere (too long, queue full, no room);
   * true when it is on its way or was lost on it.
   */
  accept(bytes: Uint8Array, start: number, length: number, now: Nanoseconds): boolean {
    const { cause, arrivesAt, duplicateAt, corruptedBit } = this.impairment.offer(now, length)
    if (cause !== 'none') {
      this.#onDrop?.(this.#direction, bytes, start, length, now, dropComment(cause))
      return cause === 'lost'
    }
    const held = this.#hold(bytes, start, length, arrivesAt, corruptedBit)
    if (duplicateAt !== NEVER) this.#hold(bytes, start, length, duplicateAt, corruptedBit)
    if (!held) this.#onDrop?.(this.#direction, bytes, start, length, now, dropComment('hold-full'))
    return held
  }

  /** Lets the first held copy go. */
  shift(delivered: boolean): void {
    if (delivered) this.counters.delivered++
    else this.counters.discarded++
    this.line.shift()
  }

  #hold(bytes: Uint8Array, start: number, length: number, due: Nanoseconds, corruptedBit: number): boolean {
    const slot = this.line.push(bytes, start, length, due)
    if (slot === NONE) {
      this.counters.overflowed++
      return false
    }
    if (corruptedBit >= 0) this.line.store.flipBit(slot, corruptedBit)
    return true
  }
}
