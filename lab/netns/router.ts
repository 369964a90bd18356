/**
 * A router of a lab in its namespace: the process that `pronto router run` is anywhere, spoken to by its control. The
 * one idea: the lab is its operator; events are what an operator would do, and the report is what one would read.
 *
 * Its packets are those of all its lives; of one that was killed, as of just before.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ControlClient, ControlError, connectRouter } from '../../router/control-client/index.ts'
import type { PluginSpec, RouterNode } from '../file/index.ts'
import { LabFailure } from '../lab-failure.ts'
import { LabPluginError } from '../lab-plugin-error.ts'
import type { PacketCounts, RouterReport } from '../report.ts'
import { labFolder } from './ledger.ts'
import { LabProcess } from './process.ts'
import { prontoCommand } from './pronto-command.ts'
import { routerConfig } from './router-config.ts'
import { addPackets, closedPackets, NO_PACKETS, routerReport, type Tables } from './router-figures.ts'
import { type Surroundings, writeGenerated } from './surroundings.ts'

const START_LIMIT_MS = 30_000
const ASK_LIMIT_MS = 5_000
const LOOK_MS = 25
const NOTHING: RouterReport = { packets: NO_PACKETS, flows: 0, tunnels: 0, classes: {}, plugins: [] }

type PluginRow = { readonly id: string; readonly state: string; readonly lastFailure?: string }

export class NetnsRouter {
  readonly name: string
  readonly #spec: RouterNode
  readonly #surroundings: Surroundings
  readonly #past: PacketCounts[] = []
  #process: LabProcess | undefined
  #client: ControlClient | undefined
  #latest = NOTHING
  #lives = 0

  constructor(spec: RouterNode, surroundings: Surroundings) {
    this.name = spec.name
    this.#spec = spec
    this.#surroundings = surroundings
  }

  /** Everything that runs and was not told to end. */
  get processes(): readonly LabProcess[] {
    return this.#process === undefined ? [] : [this.#process]
  }

  /** Starts the process; resolves when it forwards and its plugins decide. Nothing happens when it is up. */
  async start(): Promise<void> {
    if (this.#process !== undefined) return
    const { ledger, network, folder, lab } = this.#surroundings
    const config = this.#writeConfig()
    ledger.add({ kind: 'folder', path: this.#folder })
    const process = LabProcess.start(ledger, {
      what: `router ${this.name}`,
      namespace: network.namespace(this.name),
      command: prontoCommand('router', 'run', config),
      logFile: join(folder, `${this.name}-${this.#lives++}.log`),
      environment: { PRONTO_RUNTIME: labFolder(lab.name) },
    })
    this.#process = process
    this.#client = await this.#reach(process)
    await this.#expectPlugins()
  }

  /** Pulls its plug: process and links. Nothing happens when it is down. */
  async fail(): Promise<void> {
    if (this.#process === undefined) return
    this.#surroundings.network.setNode(this.name, false)
    await this.#die()
  }

  async recover(): Promise<void> {
    if (this.#process !== undefined) return
    this.#surroundings.network.setNode(this.name, true)
    await this.start()
  }

  /** Kills its process, which is started again at once, or the processes of its sandboxes, which it starts again. */
  async kill(part: 'sandbox' | 'process'): Promise<void> {
    if (part === 'process') {
      await this.#die()
      await this.start()
      return
    }
    const { sandboxes = [] } = (await this.#ask('stats')) as Tables
    const pids = sandboxes.map(({ pid }) => Number(pid)).filter((pid) => pid > 1)
    if (pids.length === 0) throw new LabFailure(`${this.name} has no sandbox process to kill`)
    for (const pid of pids) process.kill(pid, 'SIGKILL')
  }

  async load(spec: PluginSpec): Promise<void> {
    const id = spec.id === undefined ? {} : { id: spec.id }
    await this.#change('load', spec.id ?? spec.source.path, spec, { ...id, config: spec.config })
  }

  async upgrade(id: string, spec: PluginSpec): Promise<void> {
    await this.#change('upgrade', id, spec, { id, config: spec.config })
  }

  async unload(id: string, flows: 'drain' | 'purge'): Promise<void> {
    await this.#telling('unload', id, () => this.#operate('unload', { id, flows }))
  }

  /** Asks the router for its figures. One that dies meanwhile leaves those from before. */
  async refresh(): Promise<void> {
    const client = this.#client
    if (client === undefined) return
    try {
      const [stats, queues, list] = (await Promise.all([
        client.call('stats'),
        client.call('queues', { limit: 10_000 }),
        client.call('list'),
      ])) as unknown as [Tables, { rows: Tables[string] }, Tables[string]]
      if (this.#client === client) this.#latest = routerReport({ ...stats, queues: queues.rows }, list)
    } catch (error) {
      if (!(error instanceof ControlError) || error.code !== 'unreachable') throw error
    }
  }

  /** As of the last `refresh`. */
  report(): RouterReport {
    return { ...this.#latest, packets: addPackets([...this.#past, this.#latest.packets]) }
  }

  get #folder(): string {
    return join(labFolder(this.#surroundings.lab.name), this.name)
  }

  #writeConfig(): string {
    const { lab, bundles, folder } = this.#surroundings
    const files = this.#spec.plugins.map((plugin, index) => {
      const path = join(folder, `${this.name}-plugin-${index}.pronto`)
      writeFileSync(path, bundles.bundle(plugin))
      return path
    })
    const state = join(folder, `${this.name}-state`)
    mkdirSync(state, { recursive: true, mode: 0o700 })
    const trust = join(folder, 'trust')
    const text = routerConfig(lab, this.#spec, { trust, state, bundles: files })
    return writeGenerated(this.#surroundings, `${this.name}.yaml`, text)
  }

  async #reach(process: LabProcess): Promise<ControlClient> {
    const deadline = performance.now() + START_LIMIT_MS
    const options = { address: { kind: 'local' as const, folder: this.#folder }, role: 'install' as const }
    for (;;) {
      if (process.ending !== undefined) throw process.failure
      try {
        return await connectRouter({ ...options, timeoutMs: ASK_LIMIT_MS })
      } catch (error) {
        if (!(error instanceof ControlError) || error.code !== 'unreachable') throw error
        if (performance.now() > deadline)
          throw new LabFailure(`router ${this.name} did not come up within ${START_LIMIT_MS / 1000} s`)
      }
      await sleep(LOOK_MS)
    }
  }

  /** @throws LabPluginError when a plugin of the file does not run */
  async #expectPlugins(): Promise<void> {
    await this.refresh()
    const plugins = (await this.#ask('list')) as readonly PluginRow[]
    const unwell = plugins.find(({ state }) => state !== 'running')
    if (unwell !== undefined)
      throw new LabPluginError(
        `${this.name}: plugin ${unwell.id} is ${unwell.state}: ${unwell.lastFailure ?? ''}`,
      )
    if (plugins.length < this.#spec.plugins.length) {
      const health = (await this.#ask('health')) as { warnings?: readonly string[] }
      throw new LabPluginError(`${this.name}: cannot load its plugins: ${(health.warnings ?? []).join('; ')}`)
    }
  }

  async #die(): Promise<void> {
    await this.refresh()
    this.#client = undefined
    this.#past.push(closedPackets(this.#latest.packets))
    this.#latest = NOTHING
    const process = this.#process
    this.#process = undefined
    await process?.kill()
  }

  async #change(what: 'load' | 'upgrade', about: string, spec: PluginSpec, params: object): Promise<void> {
    await this.#telling(what, about, async () => {
      const client = this.#connected()
      const upload = await client.upload(this.#surroundings.bundles.bundle(spec))
      await client.call(what, { upload, ...params })
    })
  }

  async #operate(method: 'unload', params: object): Promise<void> {
    await this.#connected().call(method, params)
  }

  async #telling(what: string, about: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof ControlError)) throw error
      throw new LabPluginError(`${this.name}: cannot ${what} ${about}: ${error.message}`)
    }
  }

  async #ask(method: 'stats' | 'list' | 'health', params: object = {}): Promise<object> {
    return (await this.#connected().call(method, params)) as object
  }

  #connected(): ControlClient {
    if (this.#client === undefined) throw new LabFailure(`router ${this.name} is down`)
    return this.#client
  }
}
