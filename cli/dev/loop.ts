/**
 * From changes to looks, one at a time. The one idea: a change ends the look under way, whose news nobody wants any
 * more; a version on its way to a router is not stopped half way.
 */
import type { Look } from './look.ts'

export interface LoopSteps {
  /** @throws the signal's reason once it is aborted */
  look(signal: AbortSignal): Promise<Look>
  /** Tells of a look, and puts what is right in its place. */
  settle(look: Look): Promise<void>
}

export class DevLoop {
  readonly #steps: LoopSteps
  #current: AbortController | undefined
  #wanted = false
  #working: Promise<void> | undefined
  #ended = false

  constructor(steps: LoopSteps) {
    this.#steps = steps
  }

  /** Something has changed. @returns when everything that has changed so far was looked at; rejects as the steps do */
  changed(): Promise<void> {
    if (this.#ended) return Promise.resolve()
    this.#wanted = true
    this.#current?.abort(new Error('the folder has changed meanwhile'))
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined
    })
    return this.#working
  }

  /** Ends the look under way and takes no further one. */
  async end(): Promise<void> {
    this.#ended = true
    this.#wanted = false
    this.#current?.abort(new Error('it is ended'))
    await this.#working?.catch(() => {})
  }

  async #work(): Promise<void> {
    while (this.#wanted) {
      this.#wanted = false
      const current = new AbortController()
      this.#current = current
      try {
        const look = await this.#steps.look(current.signal)
        this.#current = undefined
        await this.#steps.settle(look)
      } catch (error) {
        if (!current.signal.aborted) throw error
      }
    }
  }
}
