/**
 * How often strangers may ask. The one idea: a fixed number of buckets, chosen by a keyed hash of the address, so that
 * memory does not grow with the number of addresses that somebody makes up, and one who floods spoils it for few. Each
 * bucket is one number (the generic cell rate algorithm, ITU-T I.371): when it would be full again.
 */

/** The rate of one. Times in ns. */
export interface Pace {
  readonly periodNs: number
  /** How many may come at once. */
  readonly burst: number
}

export const perSecond = (rate: number, burst: number): Pace => ({ periodNs: 1e9 / rate, burst })

export class Paces {
  readonly #pace: Pace
  readonly #fullAt: Float64Array
  readonly #seed: number

  /** @param size number of buckets. @param seed secret 32-bit number */
  constructor(pace: Pace, size: number, seed: number) {
    this.#pace = pace
    this.#fullAt = new Float64Array(size)
    this.#seed = seed
  }

  /** Takes one for an address, if there is one. */
  take(address: number, now: number): boolean {
    const bucket = mix(address ^ this.#seed) % this.#fullAt.length
    const next = takeFrom(this.#pace, this.#fullAt[bucket]!, now)
    if (next < 0) return false
    this.#fullAt[bucket] = next
    return true
  }
}

/** When a bucket is full again after one more was taken; negative when there is none to take. */
export function takeFrom({ periodNs, burst }: Pace, fullAt: number, now: number): number {
  const at = Math.max(fullAt, now)
  return at - now > (burst - 1) * periodNs ? -1 : at + periodNs
}

/** The finaliser of MurmurHash3 (A. Appleby): every bit of the address moves every bit of the choice. */
function mix(word: number): number {
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35)
  return (word ^ (word >>> 16)) >>> 0
}
