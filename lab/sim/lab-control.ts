/**
 * The control of a lab that is kept up: every router with plugins answers the same commands as a real one, through a
 * socket for each role in a folder of the lab's own. The one idea: nothing here is the simulator's; it puts together
 * the router's own administration around an engine that happens to live in virtual time.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  AuditLog,
  ControlServer,
  LocalEngine,
  ManagedPlugins,
  makeRouterFolder,
  Registry,
  Router,
  Trust,
} from '../../router/index.ts'
import type { PluginSpec } from '../file/index.ts'
import { LabPluginError } from '../lab-plugin-error.ts'
import type { LabPlugins } from './lab-plugins.ts'
import type { SimRouter } from './router-node.ts'
import type { Simulation } from './simulation.ts'

type Json = Parameters<Router['load']>[2]['config']

export class LabControl {
  readonly #state: string
  readonly #servers: ControlServer[] = []
  readonly #loads: Promise<unknown>[] = []
  #failure: Error | undefined

  private constructor() {
    this.#state = mkdtempSync(join(tmpdir(), 'pronto-lab-'))
  }

  /** Opens the sockets of all routers, then asks for the plugins of the file, which come as the lab begins to turn. */
  static async open(simulation: Simulation, plugins: LabPlugins): Promise<LabControl> {
    const control = new LabControl()
    try {
      for (const router of simulation.routers) await control.#open(simulation, router, plugins)
    } catch (error) {
      await control.close()
      throw error
    }
    return control
  }

  /** Why the lab cannot be kept up, once it cannot. */
  get failure(): Error | undefined {
    return this.#failure
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.close()))
    rmSync(this.#state, { recursive: true, force: true })
  }

  async #open(simulation: Simulation, node: SimRouter, plugins: LabPlugins): Promise<void> {
    const { engine, plugins: environment } = node
    if (engine === undefined || environment === undefined) return
    const { timeline, lab } = simulation
    const now = () => timeline.now
    const wake = () => node.ring(timeline.now)
    const state = join(this.#state, node.name)
    mkdirSync(state)
    const { manager, dispatcher } = environment
    const router = new Router({
      name: `${lab.name}/${node.name}`,
      version: 'lab',
      engine: new LocalEngine(engine, now, wake),
      plugins: new ManagedPlugins({ manager, dispatcher, fallback: () => 'closed', now, wake }),
      registry: Registry.open(state),
      audit: new AuditLog(state),
      trust: new Trust(plugins.trust),
      clock: Date.now,
    })
    await router.start()
    const folder = makeRouterFolder(`${lab.name}/${node.name}`)
    this.#servers.push(await ControlServer.open({ router, folder }))
    for (const spec of node.specs) this.#loads.push(this.#load(router, spec, plugins))
  }

  async #load(router: Router, spec: PluginSpec, plugins: LabPlugins): Promise<void> {
    const settings = { config: spec.config as Json, priority: 0, limits: {}, trusted: false }
    try {
      await router.load(plugins.bundle(spec), spec.id, settings, 'lab')
    } catch (error) {
      this.#failure = new LabPluginError(
        `${router.name}: cannot load ${spec.source.path}: ${(error as Error).message}`,
      )
    }
  }
}
