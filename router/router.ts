/**
 * A router as its operators see it. The one idea: whatever changes it takes its turn (turns.ts), so that nobody sees
 * another's half-done work; whatever only looks does not wait.
 */
import type { Answer, FlowQuestion, Query, Row } from '../engine/index.ts'
import type { JsonValue } from '../execution-env/contract/index.ts'
import { type ConfigurationText, Configurator } from './configurator.ts'
import { ControlError, controlErrorOf } from './control/errors.ts'
import type { EngineAccess } from './engine-access.ts'
import { type FlowExplanation, withPlugin } from './explain.ts'
import { Installations, type InstalledReport } from './plugins/installations.ts'
import type {
  DryRun,
  PluginHost,
  PluginLogLine,
  PluginSettings,
  SandboxReport,
} from './plugins/plugin-host.ts'
import type { CapturePart } from './port-captures.ts'
import type { ReloadReport } from './reload-report.ts'
import { RouterKeys } from './router-keys.ts'
import type { AuditLog } from './state/audit-log.ts'
import type { Registry } from './state/registry.ts'
import type { Trust } from './trust.ts'
import { Turns } from './turns.ts'

export interface RouterOptions {
  readonly name: string
  /** Version of this software. */
  readonly version: string
  readonly engine: EngineAccess
  readonly plugins: PluginHost
  readonly registry: Registry
  readonly audit: AuditLog
  readonly trust: Trust
  /** Keys that plugins may sign with; the configuration fills them. */
  readonly keys?: RouterKeys
  /** Where its configuration comes from. Default: from nowhere, and cannot be reloaded. */
  readonly source?: () => ConfigurationText
  /** Calendar milliseconds. */
  readonly clock: () => number
}

/** A capture under way. */
export interface PortCapture {
  take(): Promise<CapturePart>
  /** Idempotent. */
  end(): Promise<void>
}

/** A line of a log with the instance that it speaks of. */
export type LogLine = PluginLogLine & { readonly id: string }

/** How long a plugin may take to answer an operator. */
const ANSWER_MS = 10_000
const DEFAULT_LOG_LINES = 200
const DEFAULT_ROWS = 1_000

export class Router {
  readonly name: string
  readonly version: string
  readonly audit: AuditLog
  readonly trust: Trust
  readonly #engine: EngineAccess
  readonly #plugins: PluginHost
  /** Tables beside the engine's. */
  readonly #tables: Readonly<Record<string, () => readonly Row[]>>
  readonly #installations: Installations
  readonly #configurator: Configurator | undefined
  readonly #turns = new Turns()
  #warnings: readonly string[] = []

  constructor(options: RouterOptions) {
    const { engine, plugins, registry, trust, source, clock } = options
    this.#tables = { sandboxes: () => plugins.sandboxes().map(sandboxRow) }
    this.name = options.name
    this.version = options.version
    this.audit = options.audit
    this.trust = trust
    this.#engine = engine
    this.#plugins = plugins
    const { keys = new RouterKeys() } = options
    const installations = new Installations(plugins, registry, clock)
    this.#installations = installations
    this.#configurator =
      source && new Configurator({ source, engine, installations, registry, trust, keys, clock })
  }

  /** What the last start could not do. */
  get warnings(): readonly string[] {
    return this.#warnings
  }

  /** Comes up as it was; see Configurator.start. @throws when there is nothing to come up with */
  async start(): Promise<void> {
    await this.#turns.take(async () => {
      if (this.#configurator !== undefined) this.#warnings = await this.#configurator.start()
      else
        this.#warnings = [...(await this.#installations.restore())].map(([id, why]) => `plugin ${id}: ${why}`)
    })
    const actor = { via: 'router', name: this.name } as const
    this.audit.write({ actor, what: 'start', outcome: 'done', detail: `${this.#warnings.length} warnings` })
  }

  load(
    bundle: Uint8Array,
    id: string | undefined,
    settings: PluginSettings,
    by: string,
  ): Promise<InstalledReport> {
    return this.#turns.take(() => this.#installations.load(bundle, id, settings, by))
  }

  /** What a load would bring. */
  tryLoad(bundle: Uint8Array, id: string | undefined, settings: PluginSettings): Promise<DryRun> {
    return this.#turns.take(() => this.#installations.dryRun(bundle, id, settings))
  }

  /** @param config in place of the one it has */
  upgrade(
    id: string,
    bundle: Uint8Array,
    config: JsonValue | undefined,
    state: 'move' | 'discard',
    by: string,
  ): Promise<InstalledReport> {
    return this.#turns.take(async () => {
      const settings = this.#upgradeSettings(id, config)
      return this.#installations.upgrade(id, bundle, settings, state, by)
    })
  }

  tryUpgrade(id: string, bundle: Uint8Array, config: JsonValue | undefined): Promise<DryRun> {
    return this.#turns.take(async () =>
      this.#installations.dryRun(bundle, id, this.#upgradeSettings(id, config)),
    )
  }

  rollback(id: string, by: string): Promise<InstalledReport> {
    return this.#turns.take(() => this.#installations.rollback(id, by))
  }

  unload(id: string, flows: 'drain' | 'purge'): Promise<void> {
    return this.#turns.take(() => this.#installations.unload(id, flows))
  }

  reload(dryRun: boolean): Promise<ReloadReport> {
    const configurator = this.#configurator
    if (configurator === undefined)
      return Promise.reject(new ControlError('unsupported', 'this router has no configuration file'))
    return this.#turns.take(async () => {
      const report = await configurator.reload(dryRun)
      // What the start had to say of the file and of what it declares is over.
      if (!dryRun) this.#warnings = report.warnings ?? []
      return report
    })
  }

  list(): InstalledReport[] {
    return this.#installations.list()
  }

  /** The last lines of one plugin, or of all in order of time. @throws ControlError `unknown` */
  logs(id?: string, limit = DEFAULT_LOG_LINES): LogLine[] {
    const reports = this.#plugins.list()
    if (id !== undefined && !this.list().some((each) => each.id === id))
      throw new ControlError('unknown', `no plugin ${id}`, { place: 'id' })
    const lines = reports
      .filter((each) => id === undefined || each.id === id)
      .flatMap((each) => this.#plugins.logs(each.id).map((line) => ({ ...line, id: each.id })))
    return lines.sort((a, b) => a.atNs - b.atNs).slice(-limit)
  }

  /** The very lines of a plugin's log, to be followed. */
  logOf(id: string): readonly PluginLogLine[] {
    return this.#plugins.logs(id)
  }

  call(id: string, topic: string, body: JsonValue, operator: string): Promise<JsonValue> {
    return answered(id, this.#plugins.call(id, topic, body, operator))
  }

  ask(id: string, name: string, argument: JsonValue): Promise<JsonValue> {
    return answered(id, this.#plugins.ask(id, name, argument))
  }

  async query(query: Query): Promise<Answer> {
    const own = this.#tables[query.table]
    return own === undefined ? this.#engine.query(query) : answerOf(query, own())
  }

  /** What would happen to a flow, and why. */
  async explain(question: FlowQuestion): Promise<FlowExplanation> {
    return withPlugin(await this.#engine.explain(question), this.list())
  }

  /** Begins to capture a port. Answers with what takes the next part, and with what ends it. */
  async capture(port: string, snapBytes: number): Promise<PortCapture> {
    const engine = this.#engine
    const capture = await engine.beginCapture(port, snapBytes)
    return { take: () => engine.takeCapture(capture), end: () => engine.endCapture(capture) }
  }

  /** Counters, limits, ports, and what stands beside the engine. */
  async stats(): Promise<Readonly<Record<string, readonly Row[]>>> {
    const tables = ['counters', 'limits', 'ports', 'hosts', 'signaling']
    const answers = await Promise.all(tables.map((table) => this.query({ table, limit: 10_000 })))
    // A router without signaling has nothing to say of it.
    const rows = Object.fromEntries(answers.flatMap(({ table, rows }) => (rows[0] ? [[table, rows]] : [])))
    const own = Object.entries(this.#tables).map(([name, read]) => [name, read()])
    return { ...rows, ...Object.fromEntries(own) }
  }

  /**
   * Lets no change begin any more; resolves when those under way are through.
   * @param fault why it ends though nobody asked: then the next start takes it for a crash
   */
  async close(fault?: Error): Promise<void> {
    await this.#turns.close()
    const actor = { via: 'router', name: this.name } as const
    if (fault !== undefined) {
      this.audit.write({ actor, what: 'stop', outcome: 'failed', code: 'internal' })
      return
    }
    try {
      this.#configurator?.stop()
      this.audit.write({ actor, what: 'stop', outcome: 'done' })
    } catch (error) {
      // The next start takes this one for a crash, and comes up with what is in force now.
      this.audit.write({ actor, what: 'stop', outcome: 'failed', code: controlErrorOf(error).code })
    }
  }

  /** What is unisolated is the operator's own choice, in the configuration and nowhere else. */
  #upgradeSettings(id: string, config: JsonValue | undefined): PluginSettings {
    const settings = this.#installations.settingsOf(id)
    if (settings.trusted)
      throw new ControlError('forbidden', `${id} is trusted: another version comes by the configuration only`)
    return config === undefined ? settings : { ...settings, config }
  }
}

/** The rows of a table of the router's own that match. */
function answerOf({ table, where = {}, limit = DEFAULT_ROWS }: Query, rows: readonly Row[]): Answer {
  const matching = rows.filter((row) => Object.entries(where).every(([key, value]) => row[key] === value))
  const atNs = performance.now() * 1e6
  return { table, atNs, rows: matching.slice(0, limit), truncated: matching.length > limit }
}

/** A sandbox as a row of a table. */
function sandboxRow({ confinement, quarantined, ...rest }: SandboxReport): Row {
  return {
    ...rest,
    pid: rest.pid ?? null,
    quarantined: quarantined.join(', '),
    confinedBy: confinement.inForce.join(', '),
    unconfined: confinement.missing.join(', '),
  }
}

/** The answer of a plugin, or `timeout`. */
async function answered(id: string, answer: Promise<JsonValue>): Promise<JsonValue> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const refuse = () => reject(new ControlError('timeout', `${id} has not answered in ${ANSWER_MS} ms`))
    timer = setTimeout(refuse, ANSWER_MS).unref()
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}
