/**
 * When a sandbox process is started again, and who is kept out of it. The one idea: the first crash costs no time,
 * repeated ones double the wait, and an instance that brings the process down again and again is named and stays
 * out; all on whatever time line the caller lives.
 */

const SECOND = 1e9

export interface RestartPolicy {
  /** Wait after the second crash in a row; it doubles with every further one. */
  readonly firstDelayNs: number
  readonly longestDelayNs: number
  /** Time without a crash after which the next one is the first again. */
  readonly calmNs: number
  /** Crashes of one instance within `windowNs` after which it is quarantined. */
  readonly crashesMax: number
  readonly windowNs: number
}

export const RESTART_POLICY: RestartPolicy = {
  firstDelayNs: 0.1 * SECOND,
  longestDelayNs: 10 * SECOND,
  calmNs: 30 * SECOND,
  crashesMax: 3,
  windowNs: 300 * SECOND,
}

/** Exponential back-off. */
export class Backoff {
  readonly #policy: RestartPolicy
  #inARow = 0
  #last = Number.NEGATIVE_INFINITY

  constructor(policy: RestartPolicy) {
    this.#policy = policy
  }

  /** Notes a crash. @returns when to start again */
  crashed(now: number): number {
    const { firstDelayNs, longestDelayNs, calmNs } = this.#policy
    this.#inARow = now - this.#last > calmNs ? 1 : this.#inARow + 1
    this.#last = now
    if (this.#inARow === 1) return now
    return now + Math.min(firstDelayNs * 2 ** (this.#inARow - 2), longestDelayNs)
  }
}

/** Who has crashed how often lately. */
export class CrashBook {
  readonly #policy: RestartPolicy
  readonly #crashes = new Map<string, number[]>()
  readonly #quarantined = new Set<string>()

  constructor(policy: RestartPolicy) {
    this.#policy = policy
  }

  /** Notes a crash that an instance is blamed for. @returns true when it is quarantined by this one */
  blame(instance: string, now: number): boolean {
    const { crashesMax, windowNs } = this.#policy
    const recent = (this.#crashes.get(instance) ?? []).filter((at) => now - at <= windowNs)
    recent.push(now)
    this.#crashes.set(instance, recent)
    if (recent.length < crashesMax || this.#quarantined.has(instance)) return false
    this.#quarantined.add(instance)
    return true
  }

  /** Whether an instance was blamed and not pardoned since. */
  isSuspect(instance: string): boolean {
    return this.#crashes.has(instance)
  }

  isQuarantined(instance: string): boolean {
    return this.#quarantined.has(instance)
  }

  get quarantined(): string[] {
    return [...this.#quarantined]
  }

  /** Forgets what an instance has done. */
  pardon(instance: string): void {
    this.#crashes.delete(instance)
    this.#quarantined.delete(instance)
  }
}
