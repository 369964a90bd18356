/** How often something may happen: a bucket of turns that fills evenly. Times in monotonic milliseconds. */
export class Pace {
  readonly #perSecond: number
  readonly #burst: number
  #turns: number
  #atMs: number

  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#turns = burst
    this.#atMs = nowMs
  }

  /** Takes a turn, if there is one. */
  take(nowMs: number): boolean {
    const filled = this.#turns + ((nowMs - this.#atMs) * this.#perSecond) / 1_000
    this.#turns = Math.min(this.#burst, filled)
    this.#atMs = nowMs
    if (this.#turns < 1) return false
    this.#turns--
    return true
  }

  /** Milliseconds until there is a turn; 0 when there is one. */
  waitMs(nowMs: number): number {
    const turns = this.#turns + ((nowMs - this.#atMs) * this.#perSecond) / 1_000
    return turns >= 1 ? 0 : Math.ceil(((1 - turns) * 1_000) / this.#perSecond)
  }
}
