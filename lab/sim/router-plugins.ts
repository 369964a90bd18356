/**
 * The execution environment of one simulated router in one of its lives. The one idea: the real environment manager,
 * dispatcher and sandbox, with modelled processor time, so that a plugin's answers come at virtual times that depend
 * on nothing but the lab.
 */
import type { Engine, Nanoseconds, Random } from '../../engine/index.ts'
import type { JsonValue } from '../../execution-env/contract/index.ts'
import {
  Dispatcher,
  EnvironmentManager,
  type InstallOptions,
  MODELLED,
  type Outcome,
  type Timing,
} from '../../execution-env/index.ts'
import type { PluginSpec } from '../file/index.ts'
import { LabPluginError } from '../lab-plugin-error.ts'
import type { PluginReport } from '../report.ts'
import type { LabPlugins } from './lab-plugins.ts'
import { RouterSandboxes } from './router-sandboxes.ts'

export class RouterPlugins {
  readonly manager: EnvironmentManager
  readonly dispatcher: Dispatcher
  readonly #router: string
  readonly #plugins: LabPlugins
  readonly #sandboxes: RouterSandboxes
  /** Loading takes no virtual time before the router forwards its first packet. */
  readonly #timing: { -readonly [key in keyof Timing]: Timing[key] } & { loadNs: number }

  constructor(
    router: string,
    engine: Engine,
    plugins: LabPlugins,
    epochMs: number,
    random: Random,
    life: number,
  ) {
    this.#router = router
    this.#plugins = plugins
    this.#sandboxes = new RouterSandboxes(plugins.sandboxes)
    this.#timing = { ...(MODELLED as Extract<Timing, { kind: 'modelled' }>) }
    const calendar = (now: Nanoseconds) => epochMs + Math.floor(now / 1e6)
    const dispatcher = new Dispatcher({ engine, timing: this.#timing as Timing, calendar })
    this.dispatcher = dispatcher
    this.manager = new EnvironmentManager({
      dispatcher,
      verifier: plugins.verifier(() => calendar(dispatcher.now)),
      sandboxes: this.#sandboxes,
      random,
      scope: `${router}#${life}/`,
    })
  }

  /** Loads the plugins that the file gives the router, before anything else happens. @throws LabPluginError */
  loadFirst(specs: readonly PluginSpec[], now: Nanoseconds): void {
    const { loadNs } = this.#timing
    this.#timing.loadNs = 0
    for (const spec of specs) this.load(spec, now)
    for (let round = 0; round < 1000 && this.poll(now) > 0; round++);
    this.#timing.loadNs = loadNs
  }

  load(spec: PluginSpec, now: Nanoseconds): void {
    const options: InstallOptions = {
      ...(spec.id === undefined ? {} : { id: spec.id }),
      config: spec.config as JsonValue,
    }
    this.#attempt('load', spec.id ?? spec.source.path, () =>
      this.manager.load(this.#plugins.bundle(spec), options, now, this.#expect('load', spec.id ?? '')),
    )
  }

  upgrade(id: string, spec: PluginSpec, now: Nanoseconds): void {
    const config = { config: spec.config as JsonValue }
    this.#attempt('upgrade', id, () =>
      this.manager.upgrade(id, this.#plugins.bundle(spec), config, now, this.#expect('upgrade', id)),
    )
  }

  unload(id: string, flows: 'drain' | 'purge', now: Nanoseconds): void {
    this.#attempt('unload', id, () =>
      this.manager.stop(id, flows, now, (outcome) => {
        this.#expect('unload', id)(outcome)
        this.manager.remove(id)
      }),
    )
  }

  /** Lets plugins and dispatcher work at this instant; returns how much was done. @throws what ends the lab */
  poll(now: Nanoseconds): number {
    const done = this.manager.poll(now)
    const { failure } = this.#plugins.sandboxes
    if (failure !== undefined) throw failure
    return done
  }

  /** Kills the processes of its sandboxes; the router lives on. */
  killSandboxes(now: Nanoseconds): void {
    this.#sandboxes.kill(now)
  }

  /** The router's plug was pulled: its programs end with it. */
  fail(): void {
    this.manager.close()
    this.#sandboxes.close()
  }

  report(): PluginReport[] {
    return this.manager.list().map(({ id, name, version, state, counters, restarts }) => ({
      id,
      name,
      version,
      state,
      decisions: counters?.decisions ?? 0,
      restarts,
    }))
  }

  #attempt(what: string, id: string, run: () => void): void {
    try {
      run()
    } catch (error) {
      throw new LabPluginError(`${this.#router}: cannot ${what} ${id}: ${(error as Error).message}`)
    }
  }

  #expect(what: string, id: string) {
    return <T>(outcome: Outcome<T>): void => {
      if (!outcome.ok)
        throw new LabPluginError(`${this.#router}: cannot ${what} ${id}: ${outcome.failure.reason}`)
    }
  }
}
