/**
 * State kept against a crash: asked for each second while something happens, bounded, the last one kept. The one idea:
 * a crash loses at most what happened since.
 */
import { NEVER } from '../engine/index.ts'
import type { ExportedState } from './contract/api/index.ts'
import type { Dispatcher } from './dispatch/dispatcher.ts'
import type { Program } from './dispatch/program.ts'
import type { Tenant } from './dispatch/tenant.ts'
import type { Outcome } from './outcome.ts'
import { exportState } from './state-export.ts'

const INTERVAL_NS = 1e9

export class Checkpoints {
  readonly #dispatcher: Dispatcher
  #last: ExportedState | undefined
  #dueAt = 0
  /** The program that is being asked. */
  #asked: Program | undefined

  constructor(dispatcher: Dispatcher) {
    this.#dispatcher = dispatcher
  }

  /** The state to come back with. */
  get last(): ExportedState | undefined {
    return this.#last
  }

  /** Begins to keep the state of another program; what was kept counts until it has told its own. */
  begin(now: number): void {
    this.#dueAt = now + INTERVAL_NS
  }

  forget(): void {
    this.#last = undefined
  }

  /** When `poll` has something to do. */
  nextAt(tenant: Tenant | undefined): number {
    const program = tenant?.program
    const isWanted = program?.hooks.exportsState === true && program.isDirty && this.#asked !== program
    return isWanted ? this.#dueAt : NEVER
  }

  /** Asks for the state when it is due. @param failed hears of a program that is gone */
  poll(
    tenant: Tenant,
    now: number,
    failed: (outcome: Extract<Outcome, { ok: false }>, now: number) => void,
  ): void {
    const { program } = tenant
    if (program === undefined || this.nextAt(tenant) > now) return
    program.isDirty = false
    this.#asked = program
    this.#dueAt = now + INTERVAL_NS
    exportState(this.#dispatcher, tenant, program, now, (outcome, at) => {
      if (this.#asked === program) this.#asked = undefined
      if (tenant.program !== program) return
      if (outcome.ok) this.#last = outcome.value
      else {
        tenant.log.note('warn', `no checkpoint: ${outcome.failure.reason}`, at)
        failed(outcome, at)
      }
    })
  }
}
