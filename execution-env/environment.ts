/**
 * An environment: one plugin instance's life (life.ts), from installation to its last flow. The one idea: everything
 * that takes time is a step; an event that comes first overtakes it, and a step that was overtaken does nothing more.
 *
 * Guarantees: the state moves along the table only; whatever is refused leaves what served before as it was; every
 * `done` is called once.
 */
import { NEVER, type Random } from '../engine/index.ts'
import { Checkpoints } from './checkpoints.ts'
import type { ExportedState } from './contract/api/index.ts'
import type { Dispatcher } from './dispatch/dispatcher.ts'
import type { Tenant } from './dispatch/tenant.ts'
import { EnvironmentError, type EnvironmentErrorCode } from './errors.ts'
import type { Installation } from './installation.ts'
import { type Event, nextState, type State } from './life.ts'
import { DONE, type Done, type Outcome } from './outcome.ts'
import { Preparation } from './preparation.ts'
import type { LoadOptions, Sandbox, SandboxFailure } from './sandbox/index.ts'
import { reads } from './state-export.ts'
import { Strikes } from './strikes.ts'
import { Upgrade } from './upgrade.ts'

export interface EnvironmentContext {
  readonly dispatcher: Dispatcher
  /** Where an installation runs. */
  readonly sandboxFor: (installation: Installation) => Sandbox
  readonly random: Random
  /**
   * A name for a new instance of an id in its sandbox, which no instance has had: a sandbox remembers what the bearers
   * of names did.
   */
  readonly instanceName: (id: string) => string
}

/** A version that has gone. */
interface Previous {
  readonly installation: Installation
  readonly state: ExportedState | undefined
}

type Refused = Extract<Outcome, { ok: false }>

/** How often it is looked for what cannot be waited for: the last flow, a sandbox that starts again. */
const LOOK_NS = 20e6

export class Environment {
  readonly id: string
  readonly #context: EnvironmentContext
  readonly #strikes = new Strikes()
  readonly #checkpoints: Checkpoints
  #state: State = 'installed'
  #installation: Installation
  #previous: Previous | undefined
  #tenant: Tenant | undefined
  /** The step under way, to be abandoned when it is overtaken. */
  #step: { abandon(): void } | undefined
  /** Whoever waits for it. */
  #waiting: Done = () => {}
  /** Name of the instance that serves in its sandbox; it keeps it when it comes back. */
  #name = ''
  #lookAt = NEVER
  /** What becomes of its flows when it is stopped. */
  #flows: 'drain' | 'purge' = 'drain'
  #restarts = 0
  #lastFailure = ''

  constructor(id: string, installation: Installation, context: EnvironmentContext) {
    this.id = id
    this.#installation = installation
    this.#context = context
    this.#checkpoints = new Checkpoints(context.dispatcher)
  }

  get state(): State {
    return this.#state
  }

  get installation(): Installation {
    return this.#installation
  }

  /** The version that a rollback would bring back. */
  get previous(): Installation | undefined {
    return this.#previous?.installation
  }

  get tenant(): Tenant | undefined {
    return this.#tenant
  }

  get restarts(): number {
    return this.#restarts
  }

  /** Why it failed, was lost or was refused last; empty when it never was. */
  get lastFailure(): string {
    return this.#lastFailure
  }

  /** Loads and sets up the installation, or another one in its place. @throws EnvironmentError `busy` */
  start(now: number, done: Done, installation?: Installation): void {
    this.#move('start')
    if (installation !== undefined) this.#installation = installation
    this.#tenant ??= this.#context.dispatcher.addTenant({ id: this.id })
    this.#strikes.forget()
    this.#waiting = done
    this.#name = this.#context.instanceName(this.id)
    this.#prepare(undefined, now)
  }

  /**
   * Brings another version: it is prepared while this one serves, gets its state, and takes over between two turns.
   * @param state what becomes of the state: `move` refuses where it cannot be moved
   * @throws EnvironmentError `busy`
   */
  upgrade(installation: Installation, state: 'move' | 'discard', now: number, done: Done): void {
    this.#upgrade({ installation, state: undefined }, state, now, done)
  }

  /**
   * Goes back to the version before the last upgrade, with the state of this one if that one reads it, else with its
   * own last one. @throws EnvironmentError `unknown`, `busy`
   */
  rollback(now: number, done: Done): void {
    if (this.#previous === undefined)
      throw new EnvironmentError('unknown', `${this.id} has no version before this one`)
    this.#upgrade(this.#previous, 'move', now, done)
  }

  /** Ends it. `drain`: its flows go on until they are over. Called again with `purge`, it ends them, too. */
  stop(flows: 'drain' | 'purge', now: number, done: Done): void {
    if (this.#state === 'stopping') return this.#stopFaster(flows, now, done)
    this.#move('stop')
    this.#overtake('stopped', 'it was stopped', now)
    this.#waiting = done
    this.#flows = flows
    if (this.#tenant === undefined) this.#finish(DONE, now)
    else this.#awaitIdle(now)
  }

  /** Forgets it. @throws EnvironmentError `busy` */
  remove(): void {
    this.#move('remove')
  }

  /** Name in its sandbox of the instance that serves, or else is made ready. */
  get instance(): string {
    return this.#name
  }

  /** The instance that serves or is made ready, or its sandbox, is gone. */
  lost(failure: SandboxFailure, now: number): void {
    if (this.#state === 'stopping') return this.#awaitIdle(now)
    const isMadeReady = this.#state === 'starting' || this.#state === 'recovering'
    if (isMadeReady && this.#step !== undefined) {
      const reason = { code: 'lost', reason: failure.message } as const
      return this.#notReady({ ok: false, failure: reason, cause: failure }, now)
    }
    if (this.#state !== 'running' && this.#state !== 'upgrading') return
    this.#overtake('lost', failure.message, now)
    if (this.#tenant !== undefined) this.#context.dispatcher.withdraw(this.#tenant, now)
    this.#strike(failure, now)
  }

  /** Does what is due. */
  poll(now: number): void {
    if (this.#state === 'running' && this.#tenant !== undefined)
      this.#checkpoints.poll(this.#tenant, now, ({ cause, failure }, at) => {
        if (failure.code !== 'refused' && failure.code !== 'state' && cause !== undefined)
          this.lost(cause, at)
      })
    if (now < this.#lookAt) return
    this.#lookAt = NEVER
    if (this.#state === 'stopping') this.#endWhenDrained(now)
    if (this.#state === 'recovering') this.#recover(now)
  }

  /** When `poll` has something to do by itself. */
  pollAt(): number {
    const checkpointAt = this.#state === 'running' ? this.#checkpoints.nextAt(this.#tenant) : NEVER
    return Math.min(this.#lookAt, checkpointAt)
  }

  #move(event: Event): void {
    const next = nextState(this.#state, event)
    if (next === undefined)
      throw new EnvironmentError('busy', `${this.id} is ${this.#state}: no ${event} now`)
    this.#state = next
  }

  /** Ends the step under way; whoever waits for it hears why. */
  #overtake(code: EnvironmentErrorCode, reason: string, now: number): void {
    this.#step?.abandon()
    this.#lookAt = NEVER
    this.#finish({ ok: false, failure: { code, reason } }, now)
  }

  #finish(outcome: Outcome, now: number): void {
    const waiting = this.#waiting
    this.#step = undefined
    this.#waiting = () => {}
    waiting(outcome, now)
  }

  #preparationOf(installation: Installation, name: string): Preparation {
    const { dispatcher, sandboxFor, random } = this.#context
    return new Preparation({
      dispatcher,
      tenant: this.#tenant!,
      installation,
      sandbox: sandboxFor(installation),
      name,
      seed: random.fork(`${name} ${this.#restarts}`).origin as LoadOptions['seed'],
    })
  }

  /** Loads and sets up the installation, and gives it the state that was kept, if it reads it. */
  #prepare(kept: ExportedState | undefined, now: number): void {
    const preparation = this.#preparationOf(this.#installation, this.#name)
    this.#step = preparation
    const end = (outcome: Outcome, at: number): void =>
      outcome.ok ? this.#takeOver(preparation, at) : this.#notReady(outcome, at)
    preparation.begin(now, (outcome, at) => {
      if (!outcome.ok || kept === undefined || !reads(preparation.program, kept)) return end(outcome, at)
      preparation.importState(kept, at, end)
    })
  }

  #takeOver(preparation: Preparation, now: number): void {
    const outcome = preparation.takeOver(now)
    if (!outcome.ok) return this.#notReady(outcome, now)
    this.#checkpoints.begin(now)
    this.#move('ready')
    this.#finish(DONE, now)
  }

  #notReady(outcome: Refused, now: number): void {
    const { failure, cause } = outcome
    const isLost = failure.code === 'lost' || failure.code === 'timeout'
    this.#lastFailure = `${failure.code}: ${failure.reason}`
    this.#step?.abandon()
    this.#step = undefined
    if (this.#state === 'recovering' && isLost && cause !== undefined) return this.#strike(cause, now)
    this.#move(cause?.code === 'quarantined' ? 'culprit' : isLost ? 'lost' : 'refused')
    this.#finish(outcome, now)
  }

  /** Counts a loss, and comes back later or not at all. */
  #strike(failure: SandboxFailure, now: number): void {
    const isCulprit = failure.code === 'quarantined' || this.#strikes.strike(failure, now)
    this.#lastFailure = `${failure.code}: ${failure.message}`
    this.#move(isCulprit ? 'culprit' : 'lost')
    this.#tenant?.log.note('error', `${isCulprit ? 'quarantined' : 'lost'}: ${this.#lastFailure}`, now)
    this.#lookAt = isCulprit ? NEVER : now + this.#strikes.delayNs
  }

  #recover(now: number): void {
    const sandbox = this.#context.sandboxFor(this.#installation)
    if (sandbox.stats().state === 'waiting') {
      this.#lookAt = now + LOOK_NS
      return
    }
    this.#restarts++
    this.#prepare(this.#checkpoints.last, now)
  }

  #upgrade(to: Previous, state: 'move' | 'discard', now: number, done: Done): void {
    this.#move('upgrade')
    this.#waiting = done
    const name = this.#context.instanceName(this.id)
    const upgrade = new Upgrade({
      dispatcher: this.#context.dispatcher,
      tenant: this.#tenant!,
      preparation: this.#preparationOf(to.installation, name),
      state,
      ...(to.state === undefined ? {} : { older: to.state }),
    })
    this.#step = upgrade
    upgrade.begin(now, (outcome, at) => {
      if (!outcome.ok) {
        this.#lastFailure = `${outcome.failure.code}: ${outcome.failure.reason}`
        this.#move('refused')
        return this.#finish(outcome, at)
      }
      const { before, exported } = outcome.value
      before?.sandbox.unload(before.name)
      this.#previous = { installation: this.#installation, state: exported }
      this.#installation = to.installation
      this.#name = name
      this.#checkpoints.forget()
      this.#checkpoints.begin(at)
      this.#move('switched')
      this.#finish(DONE, at)
    })
  }

  /** Goes on with the end when the turn under way is over; a loss in that turn has made the dispatcher forget it. */
  #awaitIdle(now: number): void {
    const tenant = this.#tenant
    if (tenant === undefined) return
    this.#context.dispatcher.quiesce(tenant, now, (at) => this.#withdraw(this.#flows, at))
  }

  #withdraw(flows: 'drain' | 'purge', now: number): void {
    const tenant = this.#tenant!
    const { program } = tenant
    this.#context.dispatcher.removeTenant(tenant, flows, now)
    program?.sandbox.unload(program.name)
    this.#tenant = undefined
    this.#checkpoints.forget()
    this.#endWhenDrained(now)
  }

  #stopFaster(flows: 'drain' | 'purge', now: number, done: Done): void {
    const before = this.#waiting
    this.#waiting = (outcome, at) => {
      before(outcome, at)
      done(outcome, at)
    }
    if (flows === 'drain') return
    const { dispatcher } = this.#context
    this.#flows = 'purge'
    if (this.#tenant !== undefined) return this.#awaitIdle(now)
    dispatcher.engine.control.removeOwner(this.id, 'purge', now)
    this.#endWhenDrained(now)
  }

  #endWhenDrained(now: number): void {
    if (this.#context.dispatcher.engine.owned.count(this.id) > 0) {
      this.#lookAt = now + LOOK_NS
      return
    }
    this.#lookAt = NEVER
    this.#move('drained')
    this.#finish(DONE, now)
  }
}
