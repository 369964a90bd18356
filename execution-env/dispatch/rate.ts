/** How often something may happen: a token bucket that holds one second's worth, at least `burst`. */
import { TokenBucket } from '../../engine/index.ts'

const SECOND = 1e9
/** Rates are counted in thousandths, so that those below one a second have a bucket, too. */
const PARTS = 1_000
const RATE_MAX = 1e9

export class Rate {
  /** Absent: always or never. */
  readonly #bucket: TokenBucket | undefined
  readonly #isUnlimited: boolean

  /** @param perSecond 0: never; infinity: always */
  constructor(perSecond: number, burst = 1) {
    this.#isUnlimited = perSecond > RATE_MAX
    const rate = Math.ceil(perSecond * PARTS)
    if (rate > 0 && !this.#isUnlimited)
      this.#bucket = new TokenBucket(SECOND, rate, Math.max(rate, burst * PARTS))
  }

  /** Takes one, if it is there. */
  take(now: number): boolean {
    const bucket = this.#bucket
    if (bucket === undefined) return this.#isUnlimited
    if (bucket.eligibleAt > now) return false
    bucket.consume(PARTS, now)
    return true
  }
}
