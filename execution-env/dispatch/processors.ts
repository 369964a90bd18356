/**
 * The processors of a dispatcher: one for each sandbox that it uses. The one idea: a sandbox that owes an answer is
 * polled all the time, one that owes none now and then, since it may have died meanwhile.
 */
import type { Sandbox } from '../sandbox/index.ts'
import { Processor } from './processor.ts'
import type { Program } from './program.ts'
import type { Tenant } from './tenant.ts'

/** How often a sandbox is looked after that owes nothing. */
const INTERVAL_NS = 10e6

export class Processors {
  /** Requests under way in all sandboxes. */
  outstanding = 0
  readonly #bySandbox = new Map<Sandbox, Processor>()
  readonly #spacingNs: number
  #lookedAt = Number.NEGATIVE_INFINITY

  /** @param spacingNs between the beginnings of two turns of a processor */
  constructor(spacingNs: number) {
    this.#spacingNs = spacingNs
  }

  of(sandbox: Sandbox): Processor {
    let processor = this.#bySandbox.get(sandbox)
    if (processor === undefined)
      this.#bySandbox.set(sandbox, (processor = new Processor(sandbox, this.#spacingNs)))
    return processor
  }

  [Symbol.iterator](): IterableIterator<Processor> {
    return this.#bySandbox.values()
  }

  /** Admits a program for its tenant. @throws EngineError `limit` when no such share is free */
  admit(tenant: Tenant, program: Program, now: number): void {
    const { grants, settings } = program
    const share = { ...(grants.cpuShare > 0 ? { guarantee: grants.cpuShare } : {}), ...settings.cpu }
    this.of(program.sandbox).attach(tenant.id, share, now)
  }

  /** Takes an admission back. While the tenant has its turn nothing happens: the next admission takes its place. */
  dismiss(tenant: Tenant, program: Program): void {
    const processor = this.of(program.sandbox)
    if (processor.turn !== tenant.id) processor.detach(tenant.id)
  }

  /** Hands over the replies that are there; returns how many. */
  poll(now: number): number {
    if (this.outstanding === 0 && now - this.#lookedAt < INTERVAL_NS && this.#pollAt() > now) return 0
    this.#lookedAt = now
    let replies = 0
    for (const { sandbox } of this) replies += sandbox.poll(now)
    return replies
  }

  /** When a turn may begin or a sandbox has something to do by itself. */
  nextAt(now: number): number {
    let at = this.#pollAt()
    for (const processor of this) at = Math.min(at, processor.nextTurnAt(now))
    return at
  }

  #pollAt(): number {
    let at = Number.POSITIVE_INFINITY
    for (const { sandbox } of this) at = Math.min(at, sandbox.pollAt())
    return at
  }
}
