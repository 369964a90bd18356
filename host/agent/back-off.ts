/** Waiting before another attempt. The one idea: doubled each time, never the same for two hosts (jitter). */

const FIRST_NS = 500_000_000
const MOST_NS = 30_000_000_000
const RANDOM_RANGE = 2 ** 32

export class BackOff {
  readonly #random: () => number
  #next = FIRST_NS

  /** @param random uniform unsigned 32-bit numbers */
  constructor(random: () => number) {
    this.#random = random
  }

  /** How long to wait now, in ns: three to five quarters of what this attempt's turn is. */
  next(): number {
    const wait = this.#next
    this.#next = Math.min(wait * 2, MOST_NS)
    return this.spread(wait)
  }

  /** The longest wait, for those who were told to stay away. */
  longest(): number {
    return this.spread(MOST_NS)
  }

  /** A time changed by up to a quarter. */
  spread(waitNs: number): number {
    return Math.round(waitNs * (0.75 + (this.#random() / RANDOM_RANGE) * 0.5))
  }

  /** Begins anew: the last attempt succeeded. */
  reset(): void {
    this.#next = FIRST_NS
  }
}
