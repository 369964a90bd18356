/**
 * A token bucket: a long-term rate and a burst.
 *
 * The one idea: no tokens are counted; the bucket is the time at which it was or will be empty, in whole
 * nanoseconds and a fraction whose denominator is the rate. So nothing accumulates rounding: n packets take exactly
 * n packets' time, for ever, whatever the rate. (The same as the virtual scheduling form of ITU-T I.371's GCRA.)
 *
 * A bucket gives while it holds anything and may go into debt by one service, because a scheduler must know whether
 * a class may be served before it knows the packet. Over any interval t it lets through at most
 * burst + rate * t + one service. Amounts are bytes on a link, nanoseconds of a processor, bytes of a disk.
 */
import type { Nanoseconds } from '../clock.ts'
import { EngineError } from '../errors.ts'

/** Rates and products of amount and unit stay below these, so that all sums are exact. */
const LARGEST_RATE = 2 ** 51
const LARGEST_PRODUCT = 2 ** 52
/** Of one `consume`: a terabyte, or 18 minutes of a processor. */
const LARGEST_AMOUNT = 2 ** 40

/** Nanoseconds per byte at one bit per second. */
const BYTE_TIME_NS = 8e9

/** Where the state lies, so that doubles are updated in place. */
const EMPTY_AT = 0
const FRACTION = 1

export class TokenBucket {
  /** `unit / rate` nanoseconds refill one token. */
  readonly #unit: number
  /** Largest amount whose product with #unit is exact. */
  readonly #chunk: number
  #rate: number
  /** Time to fill the whole bucket: whole nanoseconds and numerator over #rate. */
  #depth = 0
  #depthFraction = 0
  /** Time at which the bucket is empty: whole nanoseconds and numerator over #rate; before `now` it holds tokens. */
  readonly #state = new Float64Array([Number.NEGATIVE_INFINITY, 0])

  /**
   * A full bucket that gets a token every `unit / rate` nanoseconds and holds `burst` of them.
   * All three are whole numbers >= 1, the unit at most 1e10. @throws EngineError `invalid`
   */
  constructor(unit: number, rate: number, burst: number) {
    this.#unit = unit
    this.#chunk = Math.floor(LARGEST_PRODUCT / unit)
    this.#rate = rate
    this.#setDepth(rate, burst)
  }

  /** A bucket of bytes: `rateBps` bits per second (rounded to whole bits), `burstBytes` deep. */
  static ofRate(rateBps: number, burstBytes: number): TokenBucket {
    return new TokenBucket(BYTE_TIME_NS, Math.round(rateBps), Math.round(burstBytes))
  }

  /** Earliest whole nanosecond at which the bucket gives; in the past when it gives now. */
  get eligibleAt(): Nanoseconds {
    return this.#state[EMPTY_AT] + 1
  }

  /** Takes `amount` tokens, a whole number up to 2^40, at `now`; what the bucket lacks becomes debt. */
  consume(amount: number, now: Nanoseconds): void {
    const state = this.#state
    const rate = this.#rate
    let at = state[EMPTY_AT]
    let fraction = state[FRACTION]
    // Full at most: empty a whole depth ago.
    const fullAt = this.#depthFraction > 0 ? now - this.#depth - 1 : now - this.#depth
    const fullFraction = this.#depthFraction > 0 ? rate - this.#depthFraction : 0
    if (at < fullAt || (at === fullAt && fraction < fullFraction)) {
      at = fullAt
      fraction = fullFraction
    }
    state[EMPTY_AT] = at
    state[FRACTION] = fraction
    if (!(amount >= 0 && amount <= LARGEST_AMOUNT)) throw new Error('consume: no such amount')
    for (; amount > this.#chunk; amount -= this.#chunk) this.#advance(this.#chunk)
    this.#advance(amount)
  }

  /** Tokens at `now`, negative in debt. For reports. */
  tokens(now: Nanoseconds): number {
    const full = this.#depth + this.#depthFraction / this.#rate
    const held = now - this.#state[EMPTY_AT] - this.#state[FRACTION] / this.#rate
    return (Math.min(held, full) * this.#rate) / this.#unit
  }

  /** Changes rate and burst at `now`; tokens and debt are kept, cut to the new burst. @throws EngineError `invalid` */
  reshape(rate: number, burst: number, now: Nanoseconds): void {
    const tokens = this.tokens(now)
    this.#setDepth(rate, burst)
    this.#rate = rate
    this.#state[EMPTY_AT] = now - Math.floor((Math.min(tokens, burst) * this.#unit) / rate)
    this.#state[FRACTION] = 0
  }

  /** Moves the time of emptiness by what `amount` tokens take. */
  #advance(amount: number): void {
    const state = this.#state
    const rate = this.#rate
    const product = amount * this.#unit
    // Exact: below 2^52 a quotient is never rounded up to the next whole number.
    let whole = Math.floor(product / rate)
    let fraction = state[FRACTION] + (product - whole * rate)
    if (fraction >= rate) {
      whole++
      fraction -= rate
    }
    state[EMPTY_AT] += whole
    state[FRACTION] = fraction
  }

  #setDepth(rate: number, burst: number): void {
    if (!Number.isInteger(rate) || rate < 1 || rate > LARGEST_RATE)
      throw new EngineError('invalid', `a rate must be in 1..${LARGEST_RATE}`, 'rate')
    if (!Number.isSafeInteger(burst) || burst < 1)
      throw new EngineError('invalid', 'a burst must be at least 1', 'burst')
    const product = BigInt(this.#unit) * BigInt(burst)
    const depth = product / BigInt(rate)
    if (depth > BigInt(Number.MAX_SAFE_INTEGER))
      throw new EngineError('invalid', 'the burst takes too long to fill at this rate', 'burst')
    this.#depth = Number(depth)
    this.#depthFraction = Number(product % BigInt(rate))
  }
}
