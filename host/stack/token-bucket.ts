/** A rate limit for messages that others provoke: so many at once, so many a second. */
import { type Nanoseconds, SECOND } from './time.ts'

export class TokenBucket {
  readonly #perSecond: number
  readonly #burst: number
  #tokens: number
  #at: Nanoseconds = 0

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#tokens = burst
  }

  /** Whether one more is allowed at `now`. */
  take(now: Nanoseconds): boolean {
    const earned = ((now - this.#at) * this.#perSecond) / SECOND
    this.#tokens = Math.min(this.#burst, this.#tokens + Math.max(0, earned))
    this.#at = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}
