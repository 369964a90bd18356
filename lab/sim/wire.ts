/**
 * A link of the simulation: two directions, each with its own impairment, between two attachments. The one idea: a
 * frame's fate is decided when it is sent, and its arrival is one event on the timeline.
 *
 * Cut: frames on the way are lost, and both ends see the link go down until it is healed.
 */
import {
  Impairment,
  type ImpairmentOptions,
  type Nanoseconds,
  NEVER,
  type Random,
} from '../../engine/index.ts'
import type { EndCapture } from './end-capture.ts'
import type { SimEvent } from './event-queue.ts'
import type { Timeline } from './timeline.ts'

/** What a link end is plugged into. */
export interface Attachment {
  /** Takes a frame; it is the attachment's from then on. */
  arrive(frame: Uint8Array, now: Nanoseconds): void
  /** The link went down or came up. */
  linkChanged(up: boolean, now: Nanoseconds): void
}

/** Counts what a simulation did, for progress and for its speed. */
export interface HopCounter {
  hops: number
}

/** One direction of a link. */
export class WireEnd {
  /** Where frames arrive; set when the other node is plugged in. */
  far: Attachment | undefined = undefined
  readonly impairment: Impairment
  /** Sees every frame sent by this end's node, with a comment when it is lost on the way. */
  capture: EndCapture | undefined = undefined
  readonly #timeline: Timeline
  readonly #counter: HopCounter
  /** Frames sent in an earlier epoch never arrive: the link was cut meanwhile. */
  #epoch = 0
  #up = true

  constructor(timeline: Timeline, options: ImpairmentOptions, random: Random, counter: HopCounter) {
    this.#timeline = timeline
    this.#counter = counter
    this.impairment = new Impairment(options, random)
  }

  get up(): boolean {
    return this.#up
  }

  /** When the direction can take another frame, by its rate; NEVER while it is down. */
  get readyAt(): Nanoseconds {
    return this.#up ? this.impairment.readyAt : NEVER
  }

  get epoch(): number {
    return this.#epoch
  }

  setUp(up: boolean): void {
    if (up === this.#up) return
    this.#up = up
    this.#epoch++
  }

  /** Sends a frame, which is the wire's from then on. */
  send(frame: Uint8Array, now: Nanoseconds): void {
    if (!this.#up) {
      this.capture?.send(frame, now, 'lost on the link: down')
      return
    }
    const decision = this.impairment.offer(now, frame.length)
    if (decision.cause !== 'none') {
      this.capture?.send(frame, now, `lost on the link: ${decision.cause}`)
      return
    }
    this.capture?.send(frame, now, '')
    this.#counter.hops++
    const { arrivesAt, duplicateAt, corruptedBit } = decision
    if (corruptedBit >= 0) frame[corruptedBit >> 3] ^= 0x80 >> (corruptedBit & 7)
    this.#timeline.schedule(arrivesAt, new Delivery(this, frame, this.#epoch))
    if (duplicateAt !== NEVER)
      this.#timeline.schedule(duplicateAt, new Delivery(this, frame.slice(), this.#epoch))
  }
}

/** The arrival of one frame. */
class Delivery implements SimEvent {
  readonly #end: WireEnd
  readonly #frame: Uint8Array
  readonly #epoch: number

  constructor(end: WireEnd, frame: Uint8Array, epoch: number) {
    this.#end = end
    this.#frame = frame
    this.#epoch = epoch
  }

  happen(now: Nanoseconds): void {
    const end = this.#end
    if (this.#epoch !== end.epoch) return
    end.far?.arrive(this.#frame, now)
  }
}

/** A link: the ends in the order of its endpoints; `ends[0]` sends from the first endpoint to the second. */
export class Wire {
  readonly name: string
  readonly ends: readonly [WireEnd, WireEnd]

  constructor(name: string, ends: readonly [WireEnd, WireEnd]) {
    this.name = name
    this.ends = ends
  }

  /** Cuts or heals both directions and tells both nodes. */
  setUp(up: boolean, now: Nanoseconds): void {
    for (const end of this.ends) end.setUp(up)
    for (const end of this.ends) end.far?.linkChanged(up, now)
  }
}
