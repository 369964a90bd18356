/**
 * How often an instance came to harm lately. The one idea: what it is to blame for counts; after too many within a
 * while it is kept out, and before that it comes back a little later each time.
 */
import type { SandboxFailure } from './sandbox/index.ts'

/** Losses that an instance brings about by itself. */
const OWN_FAULTS: readonly SandboxFailure['code'][] = ['timeout', 'memory']
const WINDOW_NS = 300e9
const MOST = 3
const FIRST_DELAY_NS = 100e6
const LONGEST_DELAY_NS = 10e9

export class Strikes {
  #at: number[] = []

  /** Notes a loss. @returns true when there were too many */
  strike(failure: SandboxFailure, now: number): boolean {
    if (!failure.blamed && !OWN_FAULTS.includes(failure.code)) return false
    this.#at = this.#at.filter((each) => now - each <= WINDOW_NS)
    this.#at.push(now)
    return this.#at.length >= MOST
  }

  /** Time until the next attempt: none after the first loss. */
  get delayNs(): number {
    const count = this.#at.length
    return count < 2 ? 0 : Math.min(FIRST_DELAY_NS * 2 ** (count - 2), LONGEST_DELAY_NS)
  }

  forget(): void {
    this.#at = []
  }
}
