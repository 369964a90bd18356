/**
 * The environment manager as the router asks for it. The one idea: the manager works when the engine's loop lets it and
 * calls back; here a callback becomes a promise, and a refusal an error, and whoever asks sees to it that the loop turns.
 */
import type { Nanoseconds } from '../../engine/index.ts'
import type { JsonValue } from '../../execution-env/contract/index.ts'
import {
  type BundleVerifier,
  type Dispatcher,
  type EnvironmentManager,
  type EnvironmentReport,
  type InstallOptions,
  type Outcome,
  type SandboxPool,
  TrustVerifier,
} from '../../execution-env/index.ts'
import type { Fallback } from '../config/index.ts'
import { ControlError, environmentRefusal } from '../control/errors.ts'
import type { Trust } from '../trust.ts'
import type {
  DryRun,
  PluginHost,
  PluginLogLine,
  PluginReport,
  PluginSettings,
  SandboxReport,
} from './plugin-host.ts'

export interface ManagedPluginsOptions {
  readonly manager: EnvironmentManager
  readonly dispatcher: Dispatcher
  /** Where its plugins run, for reports. */
  readonly sandboxes?: Pick<SandboxPool, 'stats'>
  /** What happens to new flows without a decision. */
  readonly fallback: () => Fallback
  /** Monotonic time of the engine's loop. */
  readonly now: () => Nanoseconds
  /** Called when the loop has something to do. */
  readonly wake: () => void
}

/** A verifier that goes by whom the router believes at the moment. */
export function trustVerifier(trust: Trust, calendarMs: () => number): BundleVerifier {
  return { verify: (bytes, occasion) => new TrustVerifier(trust.store, calendarMs).verify(bytes, occasion) }
}

export class ManagedPlugins implements PluginHost {
  readonly #options: ManagedPluginsOptions

  constructor(options: ManagedPluginsOptions) {
    this.#options = options
  }

  async dryRun(bundle: Uint8Array, id: string | undefined, settings: PluginSettings): Promise<DryRun> {
    return this.#outcome((manager, now, done) =>
      manager.dryRun(bundle, this.#installOptions(id, settings), now, done),
    )
  }

  async load(
    bundle: Uint8Array,
    id: string | undefined,
    settings: PluginSettings,
    occasion: 'load' | 'restore',
  ): Promise<PluginReport> {
    const options = this.#installOptions(id, settings)
    if (occasion === 'load') {
      const loaded = await this.#outcome<string>((manager, now, done) =>
        manager.load(bundle, options, now, done),
      )
      return this.#report(loaded)
    }
    const installed = this.#options.manager.install(bundle, options, 'again')
    // What does not start stays, and says why in its report.
    await this.#outcome<undefined>((manager, now, done) => manager.start(installed, now, done)).catch(
      () => {},
    )
    return this.#report(installed)
  }

  async upgrade(
    id: string,
    bundle: Uint8Array,
    settings: PluginSettings,
    state: 'move' | 'discard',
    occasion: 'load' | 'restore' = 'load',
  ): Promise<PluginReport> {
    const judged = occasion === 'load' ? ('first' as const) : ('again' as const)
    const options = { ...this.#installOptions(id, settings), state, occasion: judged }
    await this.#outcome<undefined>((manager, now, done) => manager.upgrade(id, bundle, options, now, done))
    return this.#report(id)
  }

  async rollback(id: string): Promise<PluginReport> {
    await this.#outcome<undefined>((manager, now, done) => manager.rollback(id, now, done))
    return this.#report(id)
  }

  /** Answers when the instance decides no more; while its flows drain it stands in the list as `stopping`. */
  async unload(id: string, flows: 'drain' | 'purge'): Promise<void> {
    const { manager, dispatcher, now, wake } = this.#options
    if (manager.report(id)?.state === 'stopping') {
      if (flows === 'purge') dispatcher.engine.control.removeOwner(id, 'purge', now())
      return wake()
    }
    const stopped = this.#outcome<undefined>((asked, at, done) =>
      asked.stop(id, flows, at, (outcome, later) => {
        if (outcome.ok) manager.remove(id)
        done(outcome, later)
      }),
    )
    if (flows === 'purge') await stopped
    else if (manager.report(id)?.state !== 'stopping') await stopped
    else stopped.catch(() => {})
  }

  list(): PluginReport[] {
    return this.#options.manager.list().map(reportOf)
  }

  sandboxes(): SandboxReport[] {
    return (this.#options.sandboxes?.stats() ?? []).map((each) => {
      const { signer, kind, state, pid, starts, crashes, quarantined, confinement } = each
      return { signer, kind, state, pid, starts, crashes, quarantined, confinement }
    })
  }

  logs(id: string): readonly PluginLogLine[] {
    return this.#options.manager.logs(id)
  }

  call(id: string, topic: string, body: JsonValue, operator: string): Promise<JsonValue> {
    const { dispatcher, now } = this.#options
    const from = { kind: 'operator', name: operator } as const
    return this.#answer((done) => dispatcher.deliver(id, topic, body, from, done, now()))
  }

  ask(id: string, name: string, argument: JsonValue): Promise<JsonValue> {
    return this.#answer((done) => this.#options.dispatcher.ask(id, name, argument, done))
  }

  #installOptions(id: string | undefined, settings: PluginSettings): InstallOptions {
    return { ...settings, ...(id === undefined ? {} : { id }), fallback: this.#options.fallback() }
  }

  /** What the manager calls back with. Rejects with what it refuses at once, or then. */
  #outcome<T>(
    ask: (
      manager: EnvironmentManager,
      now: Nanoseconds,
      done: (outcome: Outcome<T>, now: Nanoseconds) => void,
    ) => void,
  ): Promise<T> {
    const { manager, now, wake } = this.#options
    return new Promise<T>((settle, reject) => {
      ask(manager, now(), (outcome) => {
        if (outcome.ok) settle(outcome.value)
        else reject(environmentRefusal(outcome.failure.code, outcome.failure.reason))
      })
      wake()
    })
  }

  #answer(ask: (done: Parameters<Dispatcher['ask']>[3]) => void): Promise<JsonValue> {
    return new Promise((settle, reject) => {
      ask((result) => {
        if (result.ok) settle(result.value)
        else reject(environmentRefusal(result.code, result.reason))
      })
      this.#options.wake()
    })
  }

  #report(id: string): PluginReport {
    const report = this.#options.manager.report(id)
    if (report === undefined) throw new ControlError('failed', `${id} went away meanwhile`)
    return reportOf(report)
  }
}

function reportOf(report: EnvironmentReport): PluginReport {
  const { claims: _, tunnels: __, classes: ___, counters, ...rest } = report
  return { ...rest, decisions: counters?.decisions ?? 0 }
}
