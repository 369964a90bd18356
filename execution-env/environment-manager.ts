/**
 * The environment manager (1124): authenticates, installs, starts, upgrades, rolls back, stops and quarantines plugin
 * instances. The one idea: every request is judged before anything runs, and every change of what runs is one
 * instance's own; instances know nothing of one another.
 *
 * It lives beside the dispatcher, in the engine's thread; what it takes and gives is plain data and callbacks, so that
 * whoever administers it may be elsewhere.
 */
import type { Change, Random } from '../engine/index.ts'
import { EngineError } from '../engine/index.ts'
import { describeCapabilities } from './contract/index.ts'
import type { Dispatcher, LostSink } from './dispatch/dispatcher.ts'
import type { LogEntry } from './dispatch/program-log.ts'
import { Tenant, type TenantCounters } from './dispatch/tenant.ts'
import { Environment } from './environment.ts'
import { EnvironmentError } from './errors.ts'
import {
  type BundleVerifier,
  createInstallation,
  type Installation,
  type InstallOptions,
  instanceId,
} from './installation.ts'
import type { State } from './life.ts'
import type { Done, Outcome } from './outcome.ts'
import { Preparation } from './preparation.ts'
import type { LoadOptions, Sandbox, SandboxEvent } from './sandbox/index.ts'
import type { Sandboxes } from './sandbox-pool.ts'

export interface EnvironmentManagerOptions {
  readonly dispatcher: Dispatcher
  readonly verifier: BundleVerifier
  readonly sandboxes: Sandboxes
  /** Where the randomness of plugins comes from. */
  readonly random: Random
  /** Put before the names of instances, where several routers share a sandbox. */
  readonly scope?: string
}

/** What a load or an upgrade would bring. */
export interface DryRun {
  readonly id: string
  readonly version: string
  readonly signer: string
  readonly warnings: readonly string[]
  /** What would be granted, a line for each word. */
  readonly granted: readonly string[]
  /** What would change in the engine. */
  readonly changes: readonly Change[]
}

/** An instance as lists show it. */
export interface EnvironmentReport {
  readonly id: string
  readonly name: string
  readonly version: string
  readonly digest: string
  readonly signer: string
  readonly state: State
  readonly trusted: boolean
  /** Version that a rollback would bring back. */
  readonly previous: string | undefined
  readonly granted: readonly string[]
  readonly restarts: number
  /** Flows in the table. */
  readonly flows: number
  readonly claims: number
  readonly tunnels: number
  readonly classes: number
  readonly counters: Readonly<TenantCounters> | undefined
  readonly lastFailure: string
}

export class EnvironmentManager {
  readonly #options: EnvironmentManagerOptions
  readonly #environments = new Map<string, Environment>()
  /** Instances that each id has had. */
  readonly #instances = new Map<string, number>()

  constructor(options: EnvironmentManagerOptions) {
    this.#options = options
    options.dispatcher.onLost = this.#lost
  }

  /**
   * Authenticates a bundle and keeps it under an id. Nothing runs yet.
   * @param bytes attacker-controlled
   * @returns the id
   * @throws EnvironmentError, and what the verifier and the vetting throw
   */
  install(bytes: Uint8Array, options: InstallOptions = {}, occasion: 'first' | 'again' = 'first'): string {
    const bundle = this.#options.verifier.verify(bytes, occasion)
    const id = instanceId(bundle, options)
    if (this.#environments.has(id)) throw new EnvironmentError('exists', `${id} is installed already`)
    const installation = createInstallation(bundle, options)
    this.#environments.set(id, new Environment(id, installation, this.#context))
    return id
  }

  /** Starts an instance. @throws EnvironmentError `unknown`, `busy` */
  start(id: string, now: number, done: Done = () => {}): void {
    this.#get(id).start(now, done)
  }

  /** Installs and starts; an instance that cannot be started is forgotten again. @throws as `install` */
  load(bytes: Uint8Array, options: InstallOptions, now: number, done: Done<string>): void {
    const id = this.install(bytes, options)
    this.start(id, now, (outcome, at) => {
      if (outcome.ok) return done({ ok: true, value: id }, at)
      const environment = this.#get(id)
      if (environment.state !== 'failed') return done(outcome, at)
      environment.stop('purge', at, () => this.remove(id))
      done(outcome, at)
    })
  }

  /**
   * Brings another version of an instance, with its state; where nothing serves, it is simply started.
   * @param options `occasion` as for `install`: `again` for a version that was accepted before
   * @throws EnvironmentError, and what the verifier and the vetting throw
   */
  upgrade(
    id: string,
    bytes: Uint8Array,
    options: InstallOptions & {
      readonly state?: 'move' | 'discard'
      readonly occasion?: 'first' | 'again'
    },
    now: number,
    done: Done,
  ): void {
    const environment = this.#get(id)
    const bundle = this.#options.verifier.verify(bytes, options.occasion ?? 'first')
    const { name } = environment.installation.bundle.manifest
    if (bundle.manifest.name !== name)
      throw new EnvironmentError('invalid', `${id} is ${name}, this is ${bundle.manifest.name}`)
    const installation = createInstallation(bundle, { ...environment.installation.options, ...options })
    if (environment.state === 'running') environment.upgrade(installation, options.state ?? 'move', now, done)
    else environment.start(now, done, installation)
  }

  /** Goes back to the version before the last upgrade. @throws EnvironmentError `unknown`, `busy` */
  rollback(id: string, now: number, done: Done = () => {}): void {
    this.#get(id).rollback(now, done)
  }

  /** Ends an instance; its flows go on until they are over, or end with it. @throws EnvironmentError */
  stop(id: string, flows: 'drain' | 'purge', now: number, done: Done = () => {}): void {
    this.#get(id).stop(flows, now, done)
  }

  /** Forgets an instance that is stopped, or was never started. @throws EnvironmentError `unknown`, `busy` */
  remove(id: string): void {
    this.#get(id).remove()
    this.#environments.delete(id)
  }

  /**
   * What loading (or upgrading, where the instance is there) would grant and change. Runs setup; changes nothing.
   * @throws as `install`
   */
  dryRun(bytes: Uint8Array, options: InstallOptions, now: number, done: Done<DryRun>): void {
    const bundle = this.#options.verifier.verify(bytes, 'first')
    const id = instanceId(bundle, options)
    const present = this.#environments.get(id)
    const installation = createInstallation(bundle, { ...present?.installation.options, ...options })
    const { dispatcher, random } = this.#options
    const owner = dispatcher.engine.owners.numberOf(id)
    const tenant = present?.tenant ?? new Tenant({ id }, owner, Number.MAX_SAFE_INTEGER)
    const name = this.#instanceName(id)
    const preparation = new Preparation({
      dispatcher,
      tenant,
      installation,
      sandbox: this.#sandboxFor(installation),
      name,
      seed: random.fork(name).origin as LoadOptions['seed'],
    })
    preparation.begin(now, (outcome, at) => {
      const result = outcome.ok ? this.#dryRunOf(id, installation, preparation, at) : outcome
      preparation.abandon()
      done(result, at)
    })
  }

  /** All instances, in order of installation. */
  list(): EnvironmentReport[] {
    return [...this.#environments.values()].map((each) => this.#report(each))
  }

  /** One instance, or undefined. */
  report(id: string): EnvironmentReport | undefined {
    const environment = this.#environments.get(id)
    return environment && this.#report(environment)
  }

  /** The last lines of an instance's log. @throws EnvironmentError `unknown` */
  logs(id: string): readonly LogEntry[] {
    return this.#get(id).tenant?.log.entries ?? []
  }

  /** Does all that can be done at `now`; returns how much was done. */
  poll(now: number): number {
    let done = 0
    for (;;) {
      const moved = this.#options.dispatcher.poll(now)
      for (const each of [...this.#environments.values()]) each.poll(now)
      if (moved === 0) return done
      done += moved
    }
  }

  pollAt(now: number): number {
    let at = this.#options.dispatcher.pollAt(now)
    for (const each of this.#environments.values()) at = Math.min(at, each.pollAt())
    return at
  }

  /** Ends everything at once, without a word to anybody: the engine is closed, or is about to be. */
  close(): void {
    for (const { tenant } of this.#environments.values()) {
      const program = tenant?.program
      program?.sandbox.unload(program.name)
    }
    this.#environments.clear()
    this.#options.sandboxes.leave(this.#onEvent)
  }

  readonly #lost: LostSink = (tenant, _program, failure, now) =>
    this.#environments.get(tenant.id)?.lost(failure, now)

  get #context() {
    const { dispatcher, random } = this.#options
    return {
      dispatcher,
      random,
      instanceName: (id: string) => this.#instanceName(id),
      sandboxFor: (installation: Installation) => this.#sandboxFor(installation),
    }
  }

  #instanceName(id: string): string {
    const number = (this.#instances.get(id) ?? 0) + 1
    this.#instances.set(id, number)
    return `${this.#options.scope ?? ''}${id}:${number}`
  }

  #sandboxFor({ bundle, trusted }: Installation): Sandbox {
    return this.#options.sandboxes.sandboxFor(bundle.signer, trusted, this.#onEvent)
  }

  /** A sandbox's death is the end of all programs in it, also of those that were idle or not ready yet. */
  readonly #onEvent = (event: SandboxEvent): void => {
    if (event.kind !== 'crashed') return
    const message = `the sandbox process ended (${event.reason})`
    for (const environment of this.#environments.values()) {
      const name = environment.instance
      if (!event.lost.includes(name)) continue
      const blamed = event.culprit === name
      environment.lost({ code: 'crashed', message, stack: '', blamed }, this.#options.dispatcher.now)
    }
  }

  #dryRunOf(id: string, installation: Installation, preparation: Preparation, now: number): Outcome<DryRun> {
    const { manifest, signer, warnings } = installation.bundle
    try {
      const { changes } = preparation.plan(now)
      const granted = describeCapabilities(installation.granted)
      return { ok: true, value: { id, version: manifest.version, signer, warnings, granted, changes } }
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      return { ok: false, failure: { code: 'refused', reason: error.message } }
    }
  }

  #report(environment: Environment): EnvironmentReport {
    const { id, installation, previous, state, restarts, tenant, lastFailure } = environment
    const { bundle, granted, trusted } = installation
    return {
      id,
      name: bundle.manifest.name,
      version: bundle.manifest.version,
      digest: bundle.digest,
      signer: bundle.signer,
      state,
      trusted,
      previous: previous?.bundle.manifest.version,
      granted: describeCapabilities(granted),
      restarts,
      flows: this.#options.dispatcher.engine.owned.count(id),
      claims: tenant?.holdings.claims.size ?? 0,
      tunnels: tenant?.holdings.tunnels.size ?? 0,
      classes: tenant?.holdings.classes.size ?? 0,
      counters: tenant && { ...tenant.counters },
      lastFailure,
    }
  }

  #get(id: string): Environment {
    const environment = this.#environments.get(id)
    if (environment === undefined) throw new EnvironmentError('unknown', `no plugin ${id}`)
    return environment
  }
}
