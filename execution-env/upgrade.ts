/**
 * An upgrade: another version of a plugin takes over from the one that serves. The one idea: the new version is
 * prepared while the old one serves; only the moving of the state and the switch, one transaction between two turns,
 * are waited for, and what comes meanwhile waits, too. Until the switch nothing has changed.
 */
import type { ExportedState } from './contract/api/index.ts'
import type { Dispatcher } from './dispatch/dispatcher.ts'
import type { Program } from './dispatch/program.ts'
import type { Tenant } from './dispatch/tenant.ts'
import type { Done, Outcome } from './outcome.ts'
import type { Preparation } from './preparation.ts'
import { exportState, reads, stateRefusal } from './state-export.ts'

export interface UpgradeOptions {
  readonly dispatcher: Dispatcher
  readonly tenant: Tenant
  readonly preparation: Preparation
  /** `move` refuses where the state cannot be moved. */
  readonly state: 'move' | 'discard'
  /** A state of the version that comes, should it not read that of the one that goes (a rollback). */
  readonly older?: ExportedState
}

/** What has been left behind. */
export interface Upgraded {
  readonly before: Program | undefined
  /** The last state of the version that has gone. */
  readonly exported: ExportedState | undefined
}

export class Upgrade {
  readonly #options: UpgradeOptions
  #done: Done<Upgraded> = () => {}
  #isOver = false

  constructor(options: UpgradeOptions) {
    this.#options = options
  }

  /** Begins. After a refusal the old version goes on serving. */
  begin(now: number, done: Done<Upgraded>): void {
    const { dispatcher, tenant, preparation, state } = this.#options
    this.#done = done
    preparation.begin(now, (outcome, at) => {
      if (this.#isOver) return
      if (!outcome.ok) return this.#refuse(outcome, at)
      const refused = state === 'move' ? this.#refusalOfState(preparation.program) : undefined
      if (refused !== undefined) return this.#refuse(stateRefusal(refused), at)
      dispatcher.quiesce(tenant, at, (later) => this.#export(later))
    })
  }

  /** Forgets the version that was to come. Nobody is called back any more. */
  abandon(): void {
    this.#isOver = true
    this.#options.preparation.abandon()
  }

  /** Why a state could not be moved, before anything is asked. */
  #refusalOfState(to: Program): string | undefined {
    const from = this.#options.tenant.program
    if (from?.hooks.exportsState !== true || to.hooks.importsState) return undefined
    return `version ${to.version} imports no state, but version ${from.version} has some; discard it, or implement importState`
  }

  #export(now: number): void {
    const { dispatcher, tenant, state, older } = this.#options
    const from = tenant.program!
    if (state === 'discard') return this.#switch(undefined, now)
    if (!from.hooks.exportsState) return this.#import(older, undefined, now)
    exportState(dispatcher, tenant, from, now, (outcome, at) => {
      if (this.#isOver) return
      if (outcome.ok) this.#choose(outcome.value, at)
      else this.#refuse(outcome, at)
    })
  }

  #choose(exported: ExportedState, now: number): void {
    const { preparation, older } = this.#options
    const { program } = preparation
    const chosen = [exported, older].find((each) => each !== undefined && reads(program, each))
    if (chosen !== undefined) return this.#import(chosen, exported, now)
    const wanted = (program.hooks.stateVersions ?? []).join(', ')
    const reason = `version ${program.version} reads states of version ${wanted}, this one is of version ${exported.version}`
    this.#refuse(stateRefusal(reason), now)
  }

  #import(state: ExportedState | undefined, exported: ExportedState | undefined, now: number): void {
    const { preparation } = this.#options
    if (state === undefined || !preparation.program.hooks.importsState) return this.#switch(exported, now)
    preparation.importState(state, now, (outcome, at) => {
      if (this.#isOver) return
      if (outcome.ok) this.#switch(exported, at)
      else this.#refuse(outcome, at)
    })
  }

  #switch(exported: ExportedState | undefined, now: number): void {
    const outcome = this.#options.preparation.takeOver(now)
    if (!outcome.ok) return this.#refuse(outcome, now)
    this.#isOver = true
    this.#done({ ok: true, value: { before: outcome.value, exported } }, now)
  }

  #refuse(outcome: Extract<Outcome, { ok: false }>, now: number): void {
    const { dispatcher, tenant } = this.#options
    this.abandon()
    dispatcher.resume(tenant)
    this.#done(outcome, now)
  }
}
