/**
 * The timers of one stack: a binary heap of armed timers. The one idea: order by (time, order of arming), so that
 * equal times run in a fixed order and the same inputs give the same outputs. Arming, moving and cancelling cost
 * O(log n) and allocate nothing but the heap's growth.
 */
import type { Nanoseconds } from './time.ts'
import { NEVER } from './time.ts'

/** A timer: made once by its owner, armed as often as needed. Fields are the queue's own. */
export class Timer {
  readonly run: () => void
  /** When it is due; NEVER when it is not armed. */
  at: Nanoseconds = NEVER
  order = 0
  index = -1

  constructor(run: () => void) {
    this.run = run
  }

  get armed(): boolean {
    return this.index >= 0
  }
}

/** All armed timers of one stack. */
export class TimerQueue {
  readonly #heap: Timer[] = []
  #order = 0

  /** Number of armed timers. */
  get size(): number {
    return this.#heap.length
  }

  /** Earliest time at which a timer is due; NEVER when none is armed. */
  next(): Nanoseconds {
    return this.#heap.length === 0 ? NEVER : this.#heap[0]!.at
  }

  /** Arms `timer` for `at`, moving it when it is armed already. NEVER cancels. */
  arm(timer: Timer, at: Nanoseconds): void {
    if (at === NEVER) {
      this.cancel(timer)
      return
    }
    timer.at = at
    timer.order = ++this.#order
    if (timer.index < 0) {
      timer.index = this.#heap.length
      this.#heap.push(timer)
    }
    this.#down(this.#up(timer.index))
  }

  /** Takes the timer out of the queue. Idempotent. */
  cancel(timer: Timer): void {
    const index = timer.index
    timer.at = NEVER
    if (index < 0) return
    timer.index = -1
    const last = this.#heap.pop()!
    if (last === timer) return
    this.#heap[index] = last
    last.index = index
    this.#down(this.#up(index))
  }

  /** Runs what is due at `now`, in order; timers armed by these for `now` or before run as well. */
  run(now: Nanoseconds): void {
    while (this.#heap.length > 0 && this.#heap[0]!.at <= now) {
      const timer = this.#heap[0]!
      this.cancel(timer)
      timer.run()
    }
  }

  #before(one: Timer, other: Timer): boolean {
    return one.at < other.at || (one.at === other.at && one.order < other.order)
  }

  #up(index: number): number {
    const heap = this.#heap
    const timer = heap[index]!
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = heap[parent]!
      if (!this.#before(timer, above)) break
      heap[index] = above
      above.index = index
      index = parent
    }
    heap[index] = timer
    timer.index = index
    return index
  }

  #down(index: number): void {
    const heap = this.#heap
    const timer = heap[index]!
    const length = heap.length
    for (;;) {
      let child = 2 * index + 1
      if (child >= length) break
      if (child + 1 < length && this.#before(heap[child + 1]!, heap[child]!)) child++
      const below = heap[child]!
      if (!this.#before(below, timer)) break
      heap[index] = below
      below.index = index
      index = child
    }
    heap[index] = timer
    timer.index = index
  }
}
