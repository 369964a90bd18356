/**
 * A processor: the one thread on which a sandbox runs its programs, shared among tenants start-time fairly (R-PR-04,
 * R-SLR-26). The one idea: a turn is one call or one batch; who is next is chosen when the last turn is over, and what
 * it took is accounted to whoever had it.
 */
import { type Owner, ResourceManager, type ResourceReport, type ResourceShare } from '../../engine/index.ts'
import type { Sandbox } from '../sandbox/index.ts'

const NANOSECONDS_PER_SECOND = 1e9
/** Questions with which a turn need not wait any longer. */
export const PRESSING = 32

export class Processor {
  readonly sandbox: Sandbox
  readonly #resources = new ResourceManager({ unitsPerSecond: NANOSECONDS_PER_SECOND })
  readonly #owners = new Set<Owner>()
  readonly #spacingNs: number
  #turn: Owner | undefined
  #begunAt = Number.NEGATIVE_INFINITY
  #isPressed = false

  /**
   * @param spacingNs between the beginnings of two turns, unless many questions wait: under load a batch gathers, at
   * rest nothing waits
   */
  constructor(sandbox: Sandbox, spacingNs = 0) {
    this.sandbox = sandbox
    this.#spacingNs = spacingNs
  }

  /** Whose turn is under way. */
  get turn(): Owner | undefined {
    return this.#turn
  }

  get isUsed(): boolean {
    return this.#owners.size > 0
  }

  /** Admits an owner. @throws EngineError `limit` when more would be promised than there is */
  attach(owner: Owner, share: ResourceShare, now: number): void {
    if (this.#owners.has(owner)) this.#resources.set(owner, share, now)
    else this.#resources.register(owner, share, now)
    this.#owners.add(owner)
  }

  /** Forgets an owner, which must not have the turn. Idempotent. */
  detach(owner: Owner): void {
    if (this.#owners.delete(owner)) this.#resources.unregister(owner)
  }

  /** Says that an owner has something to do, or has not. Nothing happens while it has the turn. */
  setRunnable(owner: Owner, runnable: boolean): void {
    if (this.#turn === owner || !this.#owners.has(owner)) return
    if (runnable) this.#resources.wake(owner)
    else this.#resources.block(owner)
  }

  /** Says that many questions wait. */
  press(): void {
    this.#isPressed = true
  }

  /** Begins the next turn, if none is under way and somebody may have one. */
  begin(now: number): Owner | undefined {
    if (this.#turn !== undefined || (!this.#isPressed && now - this.#begunAt < this.#spacingNs))
      return undefined
    this.#turn = this.#resources.pickNext(now)
    if (this.#turn === undefined) return undefined
    this.#isPressed = false
    this.#begunAt = now
    return this.#turn
  }

  /** Ends the turn. */
  end(spentNs: number, runnable: boolean, now: number): void {
    this.#turn = undefined
    this.#resources.account(spentNs, runnable, now)
  }

  /** When a turn may begin; infinity while one is under way. */
  nextTurnAt(now: number): number {
    if (this.#turn !== undefined) return Number.POSITIVE_INFINITY
    const spacedAt = this.#isPressed ? now : this.#begunAt + this.#spacingNs
    return Math.max(this.#resources.nextEligibleAt(now), spacedAt)
  }

  report(): readonly ResourceReport[] {
    return this.#resources.report()
  }
}
