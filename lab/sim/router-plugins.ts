/**
 * The execution environment of one simulated router in one of its lives, with its administration. The one idea: the
 * real router administration, environment manager, dispatcher and sandbox, with modelled processor time, so that a
 * plugin's answers come at virtual times that depend on nothing but the lab.
 */
import type { Engine, Nanoseconds, Random } from '../../engine/index.ts'
import type { JsonValue } from '../../execution-env/contract/index.ts'
import { Dispatcher, EnvironmentManager, MODELLED, type Timing } from '../../execution-env/index.ts'
import { LocalEngine, ManagedPlugins, Registry, Trust } from '../../router/index.ts'
import type { PluginSpec } from '../file/index.ts'
import { LabPluginError } from '../lab-plugin-error.ts'
import type { Command } from '../record/index.ts'
import type { PluginReport } from '../report.ts'
import type { LabPlugins } from './lab-plugins.ts'
import { LabRouter } from './lab-router.ts'
import { MemoryDisk } from './memory-disk.ts'
import { RouterSandboxes } from './router-sandboxes.ts'

/** What outlives a router's lives. */
export class RouterMemory {
  readonly disk = new MemoryDisk()
  /** Plugins of the file that were loaded once: whatever became of them is in the registry. */
  readonly carriedOut = new Set<PluginSpec>()
}

export interface RouterPluginsOptions {
  /** Names of the lab and of the router. */
  readonly lab: string
  readonly router: string
  readonly engine: Engine
  readonly plugins: LabPlugins
  readonly memory: RouterMemory
  readonly epochMs: number
  readonly random: Random
  readonly life: number
  readonly now: () => Nanoseconds
  /** Wakes the router: something was asked of it. */
  readonly wake: () => void
  /** Lets time stand still after the event that is happening. */
  readonly pause: () => void
}

export class RouterPlugins {
  readonly manager: EnvironmentManager
  readonly dispatcher: Dispatcher
  /** All that operators, and the events of the file, can do. */
  readonly administration: LabRouter
  readonly #router: string
  readonly #plugins: LabPlugins
  readonly #memory: RouterMemory
  readonly #sandboxes: RouterSandboxes
  readonly #pause: () => void
  /** Loading takes no virtual time before the router forwards its first packet. */
  readonly #timing: { -readonly [key in keyof Timing]: Timing[key] } & { loadNs: number }

  constructor(options: RouterPluginsOptions) {
    const { lab, router, engine, plugins, memory, epochMs, random, life, now, wake, pause } = options
    this.#router = router
    this.#plugins = plugins
    this.#memory = memory
    this.#pause = pause
    this.#sandboxes = new RouterSandboxes(plugins.sandboxes)
    this.#timing = { ...(MODELLED as Extract<Timing, { kind: 'modelled' }>) }
    const calendar = (at: Nanoseconds) => epochMs + Math.floor(at / 1e6)
    const services = plugins.services.of(() => calendar(now()))
    const dispatcher = new Dispatcher({ engine, timing: this.#timing as Timing, calendar, services })
    this.dispatcher = dispatcher
    const manager = new EnvironmentManager({
      dispatcher,
      verifier: plugins.verifier(() => calendar(dispatcher.now)),
      sandboxes: this.#sandboxes,
      random,
      scope: `${router}#${life}/`,
    })
    this.manager = manager
    this.administration = new LabRouter({
      node: router,
      desk: plugins.desk,
      pause,
      name: `${lab}/${router}`,
      engine: new LocalEngine(engine, now, wake),
      plugins: new ManagedPlugins({ manager, dispatcher, fallback: () => 'closed', now, wake }),
      registry: Registry.open('/', memory.disk),
      trust: new Trust(plugins.trust),
      clock: () => calendar(now()),
    })
  }

  /**
   * Brings back what was installed when the router went down, then what the file gives it and it never had; in no
   * time, as far as virtual time goes.
   */
  begin(specs: readonly PluginSpec[]): void {
    const { loadNs } = this.#timing
    const { carriedOut } = this.#memory
    const { administration } = this
    this.#timing.loadNs = 0
    const loadAll = async () => {
      await administration.start()
      for (const spec of specs.filter((each) => !carriedOut.has(each))) {
        await this.#carryOut(this.#loading(spec), spec)
        carriedOut.add(spec)
      }
      this.#timing.loadNs = loadNs
    }
    administration.whilePaused(loadAll).catch((error) => {
      if (!administration.isOver) this.#plugins.fail(error)
    })
  }

  load(spec: PluginSpec): void {
    void this.#carryOut(this.#loading(spec), spec)
  }

  upgrade(id: string, spec: PluginSpec): void {
    const bundle = this.#plugins.bundle(spec)
    const config = spec.config as JsonValue
    void this.#carryOut({ do: 'upgrade', id, bundle, config, state: 'move', by: 'lab' }, spec)
  }

  unload(id: string, flows: 'drain' | 'purge'): void {
    void this.#carryOut({ do: 'unload', id, flows })
  }

  /** Lets plugins and dispatcher work at this instant; returns how much was done. @throws what ends the lab */
  poll(now: Nanoseconds): number {
    const done = this.manager.poll(now)
    const { failure } = this.#plugins.sandboxes
    if (failure !== undefined) throw failure
    // What is over now goes on in the administration before anything else happens.
    if (this.administration.isBusy) this.#pause()
    return done
  }

  /** Kills the processes of its sandboxes; the router lives on. */
  killSandboxes(now: Nanoseconds): void {
    this.#sandboxes.kill(now)
  }

  /** The router's plug was pulled: its programs end with it. */
  fail(): void {
    this.administration.end()
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

  #loading(spec: PluginSpec): Command {
    const settings = { config: spec.config as JsonValue, priority: 0, limits: {}, trusted: false }
    return { do: 'load', bundle: this.#plugins.bundle(spec), id: spec.id, settings, by: 'lab' }
  }

  /** Does what the file asks for; the lab ends where that is refused, unless the router has lost its power. */
  async #carryOut(command: Command, spec?: PluginSpec): Promise<void> {
    try {
      await this.administration.carryOut(command)
    } catch (error) {
      if (this.administration.isOver) return
      const what = command.do === 'load' ? (spec?.id ?? spec?.source.path) : command.id
      const { message } = error as Error
      this.#plugins.fail(new LabPluginError(`${this.#router}: cannot ${command.do} ${what}: ${message}`))
    }
  }
}
