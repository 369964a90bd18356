/**
 * Turns: changes of a router one after the other. The one idea: whoever changes something sees nothing half done by
 * another; those who wait are bounded.
 */
import { ControlError } from './control/errors.ts'

/** Most that wait. */
const MOST_WAITING = 32

export class Turns {
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0
  #closed = false

  /** Runs `work` when everything before it is over. Rejects as it does; `busy` or `closing` without running it. */
  take<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#closed) return Promise.reject(new ControlError('closing', 'the router is going down'))
    if (this.#waiting >= MOST_WAITING)
      return Promise.reject(new ControlError('busy', `${MOST_WAITING} changes wait already`))
    this.#waiting++
    const result = this.#last.then(work).finally(() => this.#waiting--)
    this.#last = result.catch(() => {})
    return result
  }

  /** Lets nobody in any more; resolves when the last one is through. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#last
  }
}
