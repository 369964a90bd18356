/**
 * The life of a sandbox process, seen from the router. The one idea: a state machine that is stepped with a time and
 * starts nothing on its own; whoever notices the death tells it, and it says when there is a process again.
 *
 *     starting --ready--> serving --ended--> waiting --due--> starting ...      any --close--> closed
 *        '------ended, or not ready in time------^
 */
import type { Confinement } from './confinement.ts'
import type { Launched } from './launch.ts'
import { Backoff, type RestartPolicy } from './restart-policy.ts'
import type { SandboxState } from './sandbox.ts'

export class Supervisor {
  readonly #launch: () => Launched
  readonly #backoff: Backoff
  readonly #bootNs: number
  #state: SandboxState = 'waiting'
  #process: Launched | undefined
  /** When the state changes by itself: a start that is due, or a boot that takes too long. */
  #changeAt = Number.NEGATIVE_INFINITY
  #starts = 0
  #lastFailure = ''
  #confinement: Confinement = { prefix: [], inForce: [], missing: [] }

  /** @param launch starts a process or throws @param bootMs until it must be ready */
  constructor(launch: () => Launched, policy: RestartPolicy, bootMs: number) {
    this.#launch = launch
    this.#backoff = new Backoff(policy)
    this.#bootNs = bootMs * 1e6
  }

  /** Until the first step the process counts as starting: requests may be made. */
  get state(): SandboxState {
    return this.#starts === 0 && this.#state === 'waiting' ? 'starting' : this.#state
  }

  get process(): Launched | undefined {
    return this.#process
  }

  get starts(): number {
    return this.#starts
  }

  /** What confines the process; as far as it is known before there is one, nothing. */
  get confinement(): Confinement {
    return this.#confinement
  }

  /** When `step` has something to do. */
  pollAt(): number {
    return this.#state === 'starting' || this.#state === 'waiting' ? this.#changeAt : Number.POSITIVE_INFINITY
  }

  /** Starts a process that is due. @returns false when a start failed or a boot takes too long: call `ended` */
  step(now: number): boolean {
    if (this.#state === 'starting') return now < this.#changeAt
    if (this.#state !== 'waiting' || now < this.#changeAt) return true
    this.#starts++
    try {
      this.#process = this.#launch()
      this.#lastFailure = ''
      this.#confinement = this.#process.confinement
    } catch (error) {
      this.#lastFailure = error instanceof Error ? error.message : 'unknown'
      return false
    }
    this.#state = 'starting'
    this.#changeAt = now + this.#bootNs
    return true
  }

  /** Says that the process has told that it serves. @returns false when it was not starting */
  ready(): boolean {
    if (this.#state !== 'starting') return false
    this.#process?.settle()
    this.#state = 'serving'
    return true
  }

  /**
   * Says that the process is of no use any more: it is killed, and started again after the back-off.
   * @returns what it complained about last, or why it could not be started
   */
  ended(now: number): string {
    const complaint = this.#process?.complaint() ?? this.#lastFailure
    this.#process?.close()
    this.#process = undefined
    this.#state = 'waiting'
    this.#changeAt = this.#backoff.crashed(now)
    return complaint
  }

  /** Ends the process for good. Resolves when it is gone. */
  async close(): Promise<void> {
    const process = this.#process
    this.#state = 'closed'
    this.#process = undefined
    process?.close()
    await process?.gone
  }
}
