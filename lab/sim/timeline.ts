/**
 * Virtual time: the queue of events and the hand of the clock. The one idea: time moves only from event to event,
 * and whoever wants something later schedules it here; nothing in a simulation looks at a real clock.
 */
import type { Nanoseconds } from '../../engine/index.ts'
import { EventQueue, type SimEvent } from './event-queue.ts'

/** A node of the simulation as its alarm sees it. */
export interface Wakeable {
  /** Does what is due and returns when it wants to be woken next; NEVER: not by time. */
  wake(now: Nanoseconds): Nanoseconds
}

export class Timeline {
  readonly #queue = new EventQueue()
  #now: Nanoseconds = 0
  #interrupted = false

  get now(): Nanoseconds {
    return this.#now
  }

  /** Time of the next event; NEVER when nothing will happen any more. */
  get nextAt(): Nanoseconds {
    return this.#queue.nextAt
  }

  /** Lets an event happen at a time, which is not in the past (then: now). */
  schedule(at: Nanoseconds, event: SimEvent): void {
    this.#queue.schedule(at < this.#now ? this.#now : at, event)
  }

  /** Ends the present `run` after the event that is happening. */
  interrupt(): void {
    this.#interrupted = true
  }

  /** Lets up to `limit` events happen whose time is at most `until`. Returns how many; time ends at the last one. */
  run(until: Nanoseconds, limit: number): number {
    let happened = 0
    this.#interrupted = false
    while (happened < limit && !this.#interrupted && this.#queue.nextAt <= until) {
      this.#now = this.#queue.nextAt
      this.#queue.shift()!.happen(this.#now)
      happened++
    }
    return happened
  }

  /** Moves the hand forward over a stretch in which nothing happens. */
  advance(to: Nanoseconds): void {
    if (to > this.#now && this.#queue.nextAt >= to) this.#now = to
  }
}

/**
 * An alarm of one node. Setting it earlier leaves the later event in the queue, where it finds itself superseded:
 * cheaper than taking it out.
 */
export class Alarm implements SimEvent {
  readonly #timeline: Timeline
  readonly #node: Wakeable
  #at = Number.POSITIVE_INFINITY
  #stopped = false

  constructor(timeline: Timeline, node: Wakeable) {
    this.#timeline = timeline
    this.#node = node
  }

  /** Wakes the node at a time, if it is not going to be woken before. */
  set(at: Nanoseconds): void {
    if (this.#stopped || at >= this.#at || at === Number.POSITIVE_INFINITY) return
    this.#at = Math.max(at, this.#timeline.now)
    this.#timeline.schedule(this.#at, this)
  }

  /** Wakes the node at once, whatever was set. */
  ring(now: Nanoseconds): void {
    if (this.#stopped) return
    const next = this.#node.wake(now)
    this.set(next)
  }

  /** Never wakes the node again. */
  stop(): void {
    this.#stopped = true
  }

  happen(now: Nanoseconds): void {
    if (this.#at > now) return
    this.#at = Number.POSITIVE_INFINITY
    this.ring(now)
  }
}
