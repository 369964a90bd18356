/**
 * The retransmission timeout (RFC 6298).
 * The one idea: an estimator that knows only round-trip samples and expirations; who samples, obeys Karn's rule.
 */
import type { Nanoseconds } from '../time.ts'
import { MILLISECOND, SECOND } from '../time.ts'

export interface RtoBounds {
  readonly minimumNs: Nanoseconds
  readonly maximumNs: Nanoseconds
}

/** Before the first sample (RFC 6298 2.1). */
export const INITIAL_RTO: Nanoseconds = 1 * SECOND
/** After a handshake whose SYN was retransmitted (RFC 6298 5.7). */
export const FALLBACK_RTO: Nanoseconds = 3 * SECOND
/** The clock granularity G of RFC 6298. */
const GRANULARITY: Nanoseconds = 1 * MILLISECOND

export class RtoEstimator {
  /** Smoothed round-trip time; -1 before the first sample. */
  smoothedNs: Nanoseconds = -1
  variationNs: Nanoseconds = 0
  /** Doublings since the last sample (Karn: only a sample takes them back). */
  backoff = 0
  readonly #bounds: RtoBounds
  #base: Nanoseconds

  constructor(bounds: RtoBounds, initial: Nanoseconds = INITIAL_RTO) {
    this.#bounds = bounds
    this.#base = initial
  }

  /** The timeout now, back-off included. */
  get value(): Nanoseconds {
    return Math.min(this.#base * 2 ** this.backoff, this.#bounds.maximumNs)
  }

  /** The timeout without back-off. */
  get base(): Nanoseconds {
    return this.#base
  }

  /** Takes a round-trip sample. */
  sample(roundTripNs: Nanoseconds): void {
    if (this.smoothedNs < 0) {
      this.smoothedNs = roundTripNs
      this.variationNs = roundTripNs / 2
    } else {
      this.variationNs += (Math.abs(this.smoothedNs - roundTripNs) - this.variationNs) / 4
      this.smoothedNs += (roundTripNs - this.smoothedNs) / 8
    }
    const wanted = this.smoothedNs + Math.max(GRANULARITY, 4 * this.variationNs)
    this.#base = Math.ceil(Math.min(Math.max(wanted, this.#bounds.minimumNs), this.#bounds.maximumNs))
    this.backoff = 0
  }

  /** The timer expired: double (RFC 6298 5.5). */
  expired(): void {
    if (this.value < this.#bounds.maximumNs) this.backoff++
  }

  /** Starts anew after a handshake that had to be repeated and gave no sample. */
  fallBack(): void {
    if (this.smoothedNs >= 0) return
    this.#base = FALLBACK_RTO
    this.backoff = 0
  }

  /** Takes over another estimator's state (a connection that moved here). */
  restore(smoothedNs: Nanoseconds, variationNs: Nanoseconds, base: Nanoseconds, backoff: number): void {
    this.smoothedNs = smoothedNs
    this.variationNs = variationNs
    this.#base = base
    this.backoff = backoff
  }
}
