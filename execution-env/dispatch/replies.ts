/**
 * Replies that have come and take effect later. The one idea: whatever order they arrive in, they take effect by
 * (time, tenant, sequence), so that a simulation does not depend on the machine it runs on.
 */

interface Held {
  readonly at: number
  readonly order: number
  readonly sequence: number
  readonly run: (now: number) => void
}

export class Replies {
  #held: Held[] = []
  #sequence = 0

  get size(): number {
    return this.#held.length
  }

  /** When the first takes effect; infinity when there is none. */
  get earliest(): number {
    return this.#held[0]?.at ?? Number.POSITIVE_INFINITY
  }

  /** @param order place of the tenant that the reply is for */
  hold(at: number, order: number, run: (now: number) => void): void {
    this.#held.push({ at, order, sequence: this.#sequence++, run })
    this.#held.sort(compare)
  }

  /** Lets everything take effect that is due; returns how many did. What that holds anew waits for the next call. */
  release(now: number): number {
    if (this.earliest > now) return 0
    const due = this.#held.filter((each) => each.at <= now)
    this.#held = this.#held.filter((each) => each.at > now)
    for (const each of due) each.run(now)
    return due.length
  }
}

function compare(one: Held, other: Held): number {
  return one.at - other.at || one.order - other.order || one.sequence - other.sequence
}
