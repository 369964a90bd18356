/**
 * Where the commands of operators wait for virtual time. The one idea: a command is handed in when everything of an
 * instant has happened and before the next one, and its time is written down first; so it can be handed in at that
 * time again.
 */
import type { Nanoseconds } from '../../engine/index.ts'
import { ControlError } from '../../router/index.ts'
import type { Command } from '../record/index.ts'

/** Writes down a command before it is carried out. @throws when it cannot */
export type WriteDown = (atNs: Nanoseconds, router: string, command: Command) => void

interface Waiting {
  readonly router: string
  readonly command: Command
  readonly isThere: () => boolean
  readonly begin: () => void
  readonly refuse: (error: Error) => void
}

export class OperatorDesk {
  readonly #writeDown: WriteDown
  #waiting: Waiting[] = []
  #isClosed = false

  constructor(writeDown: WriteDown) {
    this.#writeDown = writeDown
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /**
   * Resolves when a command may be carried out. Rejects with `closing` when the router, or the lab, is not there any
   * more, and with `failed` when it cannot be written down.
   */
  turn(router: string, command: Command, isThere: () => boolean): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    if (this.#isClosed) reject(new ControlError('closing', 'the lab is going down'))
    else this.#waiting.push({ router, command, isThere, begin: resolve, refuse: reject })
    return promise
  }

  /** Lets the first of those that wait begin. Its work goes on with the next turn of the event loop. */
  next(now: Nanoseconds): void {
    const first = this.#waiting.shift()
    if (first === undefined) return
    const { router, command, isThere, begin, refuse } = first
    if (!isThere()) return refuse(new ControlError('closing', `${router} is down`))
    try {
      this.#writeDown(now, router, command)
      begin()
    } catch (error) {
      refuse(new ControlError('failed', `the command cannot be recorded: ${(error as Error).message}`))
    }
  }

  /** Lets nobody in any more. */
  close(): void {
    this.#isClosed = true
    for (const { refuse } of this.#waiting.splice(0))
      refuse(new ControlError('closing', 'the lab is going down'))
  }
}
