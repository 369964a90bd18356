/**
 * The loop of an engine on real ports: works while there is work, sleeps while there is none. The one idea: the clock
 * is read once a round; when nothing has moved for a moment, it waits for a descriptor or for the next time that
 * anybody named, whichever comes first; and the event loop gets its turn at least once a millisecond of work, so that
 * what is asked of this thread is never far from being heard.
 */
import { MILLISECOND, type Nanoseconds } from '../../engine/index.ts'

/** One who works in the loop. */
export interface Worker {
  /** Does what can be done at `now`; returns how much. */
  poll(now: Nanoseconds): number
  /** When it next has something to do without a descriptor becoming readable. */
  pollAt(now: Nanoseconds): Nanoseconds
}

/** Waits for descriptors. */
export interface Waiting {
  wait(descriptors: readonly number[], timeoutNs: number): Promise<void>
  /** Ends a wait that is under way. */
  wake(): void
}

export interface EngineLoopOptions {
  /** In the order of their turns. */
  readonly workers: readonly Worker[]
  readonly waiting: Waiting
  /** What becomes readable when there is work. Asked before each wait. */
  readonly descriptors: () => readonly number[]
  /** Monotonic time. */
  readonly clock: () => Nanoseconds
  /** Told of what ended the loop. */
  readonly onFault: (error: unknown) => void
}

/** Work without a turn for the event loop. */
const SLICE_NS = MILLISECOND
/** Nearer than this it is not worth falling asleep. */
const NEAR_NS = 60_000
/** Rounds without work before falling asleep: whoever sends pays for waking us, each time. */
const AWAKE_NS = 50_000
/** Longest sleep: what nobody announces (a sandbox that fell silent) is noticed after that. */
const LONGEST_NS = 500 * MILLISECOND

export class EngineLoop {
  readonly #options: EngineLoopOptions
  #sleeping = false
  #stopped = false
  #woken = false
  #worked = 0
  #movedAt: Nanoseconds = Number.NEGATIVE_INFINITY

  constructor(options: EngineLoopOptions) {
    this.#options = options
  }

  start(): void {
    this.#again()
  }

  /** Grows whenever somebody has done something. */
  get worked(): number {
    return this.#worked
  }

  /** Something was asked of a worker. */
  wake(): void {
    this.#woken = true
    if (this.#sleeping) this.#options.waiting.wake()
  }

  /** No round follows the present one. */
  stop(): void {
    this.#stopped = true
    this.wake()
  }

  readonly #turn = (): void => {
    if (this.#stopped) return
    try {
      this.#work()
    } catch (error) {
      this.#stopped = true
      this.#options.onFault(error)
    }
  }

  #work(): void {
    const { workers, clock } = this.#options
    this.#woken = false
    const began = clock()
    for (let now = began; ; now = clock()) {
      let moved = 0
      for (let i = 0; i < workers.length; i++) moved += workers[i]!.poll(now)
      if (moved > 0) {
        this.#worked += moved
        this.#movedAt = now
      } else if (now - this.#movedAt >= AWAKE_NS) return this.#rest(now)
      if (now - began > SLICE_NS) return this.#again()
    }
  }

  #rest(now: Nanoseconds): void {
    const { workers, waiting, descriptors } = this.#options
    let at = now + LONGEST_NS
    for (const each of workers) at = Math.min(at, each.pollAt(now))
    if (this.#woken || at - now < NEAR_NS) return this.#again()
    this.#sleeping = true
    waiting.wait(descriptors(), at - now).then(
      () => {
        this.#sleeping = false
        this.#turn()
      },
      (error: unknown) => this.#options.onFault(error),
    )
  }

  #again(): void {
    setImmediate(this.#turn)
  }
}
