/**
 * The configuration in force: at the start, and at every reload. The one idea: a reload is a transaction over the
 * engine, the trust, the plugins and the disk; each part knows its own undoing, and the first refusal undoes them all
 * in reverse order. A start instead goes as far as it can and tells what it could not do.
 */
import { DocumentError } from '../document/index.ts'
import type { Change } from '../engine/index.ts'
import { EMPTY_CONFIG, parseRouterConfig, planChanges, type RouterConfig } from './config/index.ts'
import { ControlError, controlErrorOf } from './control/errors.ts'
import type { EngineAccess } from './engine-access.ts'
import { newlyDisbelieved } from './plugins/disbelief.ts'
import { type Installations, settingsOf } from './plugins/installations.ts'
import type { DryRun } from './plugins/plugin-host.ts'
import { type DeclaredPlugin, type PluginStep, planPlugins, readDeclarations } from './plugins/plugin-plan.ts'
import { describeChange, describeStep, type ReloadReport } from './reload-report.ts'
import type { RouterKeys } from './router-keys.ts'
import type { AppliedConfiguration } from './state/entry.ts'
import type { Registry } from './state/registry.ts'
import type { Trust } from './trust.ts'

/** A configuration file, read. */
export interface ConfigurationText {
  readonly file: string
  /** Folder from which its relative paths start; absolute. */
  readonly folder: string
  readonly text: string
}

export interface ConfiguratorOptions {
  /** Reads the file. @throws DocumentError */
  readonly source: () => ConfigurationText
  readonly engine: EngineAccess
  readonly installations: Installations
  readonly registry: Registry
  readonly trust: Trust
  /** Calendar milliseconds. */
  readonly clock: () => number
  readonly keys: RouterKeys
}

type Undo = () => unknown

const BY = 'configuration'

export class Configurator {
  readonly #options: ConfiguratorOptions
  #current: RouterConfig = EMPTY_CONFIG
  #applied: AppliedConfiguration | undefined

  constructor(options: ConfiguratorOptions) {
    this.#options = options
  }

  /** What is in force. */
  get current(): RouterConfig {
    return this.#current
  }

  /**
   * Brings the router up with its file, or, where that cannot be read, with the configuration that was in force last.
   * Plugins that do not start are reported and hold nobody up. Answers with warnings.
   * @throws DocumentError, CertificateError, EngineError when there is nothing to come up with
   */
  async start(): Promise<string[]> {
    const { engine, installations, registry, trust, keys } = this.#options
    const warnings: string[] = []
    const remembered = registry.readConfiguration()
    const { config, text } = this.#atStart(remembered, warnings)
    trust.load(config.trust)
    keys.load(config.keys)
    await engine.begin(config)
    await engine.commit(planChanges(EMPTY_CONFIG, config).changes)
    for (const [id, why] of await installations.restore()) warnings.push(`plugin ${id}: ${why}`)
    this.#current = config
    this.#applied = remembered
    const { plugins, failures } = readDeclarations(config.plugins)
    for (const [id, error] of failures) warnings.push(`plugin ${id}: ${controlErrorOf(error).message}`)
    const done = { ...remembered?.declarations }
    for (const step of this.#planPlugins(plugins, new Set(failures.keys()))) {
      const id = idOf(step)
      try {
        await this.#carryOut(step)
        if (step.do === 'unload') delete done[id]
        else done[id] = step.plugin.text
      } catch (error) {
        warnings.push(`plugin ${id}: ${controlErrorOf(error).message}`)
      }
    }
    this.#inForce({ ...text, declarations: done, stopped: false })
    return warnings
  }

  /** Notes that the router goes down in order. */
  stop(): void {
    if (this.#applied !== undefined)
      this.#options.registry.writeConfiguration({ ...this.#applied, stopped: true })
  }

  #inForce(applied: AppliedConfiguration): void {
    this.#options.registry.writeConfiguration(applied)
    this.#applied = applied
  }

  /**
   * Reads the file again and applies what is new, all of it or nothing.
   * @throws whatever refused it
   */
  async reload(dryRun: boolean): Promise<ReloadReport> {
    const text = this.#options.source()
    const next = parseRouterConfig(text.text, text.file, text.folder)
    const { changes, restart } = planChanges(this.#current, next)
    const { plugins, failures } = readDeclarations(next.plugins)
    for (const error of failures.values()) throw error
    const steps = this.#planPlugins(plugins)
    const report = { changes: changes.map(describeChange), plugins: steps.map(describeStep), restart }
    const undo: Undo[] = []
    const believed = this.#options.trust.store
    try {
      undo.push(this.#options.trust.load(next.trust))
      undo.push(this.#options.keys.load(next.keys))
      const dryRuns = await this.#tryOut(steps)
      if (dryRun) {
        await undoAll(undo)
        return { ...report, dryRuns }
      }
      await this.#apply(next, changes, steps, undo)
      const { registry, trust, clock } = this.#options
      const warnings = newlyDisbelieved(registry, believed, trust.store, clock)
      const declarations = Object.fromEntries(plugins.map((each) => [each.id, each.text]))
      this.#inForce({ ...text, declarations, stopped: false })
      this.#current = next
      return warnings.length === 0 ? report : { ...report, warnings }
    } catch (error) {
      await undoAll(undo)
      throw error
    }
  }

  /**
   * The configuration to come up with. After a crash it is the one that was in force: a file that was changed since
   * holds when somebody asks for it.
   */
  #atStart(
    remembered: AppliedConfiguration | undefined,
    warnings: string[],
  ): { config: RouterConfig; text: ConfigurationText } {
    const fallBack = (why: string) => {
      const { file, folder, text } = remembered!
      warnings.push(`${why}; the configuration that was in force last is used`)
      return { config: parseRouterConfig(text, file, folder), text: { file, folder, text } }
    }
    try {
      const text = this.#options.source()
      const isNew = remembered !== undefined && remembered.text !== text.text
      if (isNew && !remembered.stopped)
        return fallBack(`${text.file} has changed since the router died (pronto reload)`)
      return { config: parseRouterConfig(text.text, text.file, text.folder), text }
    } catch (error) {
      if (!(error instanceof DocumentError) || remembered === undefined) throw error
      return fallBack(error.message)
    }
  }

  #planPlugins(
    plugins: readonly DeclaredPlugin[],
    unreadable: ReadonlySet<string> = new Set(),
  ): PluginStep[] {
    const installed = new Set(this.#options.installations.list().map((each) => each.id))
    const steps = planPlugins(this.#applied?.declarations ?? {}, plugins, (id) => installed.has(id))
    // A bundle that cannot be read now is no reason to end what runs.
    return steps.filter((each) => each.do !== 'unload' || !unreadable.has(each.id))
  }

  /** What loads and upgrades would bring, where nothing has to go first to make room. */
  async #tryOut(steps: readonly PluginStep[]): Promise<DryRun[]> {
    const results: DryRun[] = []
    if (steps.some((each) => each.do === 'unload')) return results
    for (const step of steps) {
      if (step.do === 'unload') continue
      const { id, bundle, declaration } = step.plugin
      results.push(
        await naming(id, () => this.#options.installations.dryRun(bundle, id, settingsOf(declaration))),
      )
    }
    return results
  }

  async #apply(
    next: RouterConfig,
    changes: readonly Change[],
    steps: readonly PluginStep[],
    undo: Undo[],
  ): Promise<void> {
    const { engine } = this.#options
    const before = this.#current
    await engine.commit(changes)
    undo.push(() => engine.commit(planChanges(next, before).changes))
    for (const step of steps) undo.push(await naming(idOf(step), () => this.#carryOut(step)))
  }

  /** Carries a step out; answers with its undoing. */
  async #carryOut(step: PluginStep): Promise<Undo> {
    const { installations, registry } = this.#options
    if (step.do === 'unload') {
      const { id } = step
      const entry = registry.get(id)
      const bundle = entry && registry.readBundle(entry.file)
      await installations.unload(id, 'drain')
      return async () => entry && bundle && installations.load(bundle, id, settingsOf(entry), entry.by)
    }
    const { id, bundle, declaration } = step.plugin
    const settings = settingsOf(declaration)
    if (step.do === 'load') {
      await installations.load(bundle, id, settings, BY)
      return () => installations.unload(id, 'purge')
    }
    await installations.upgrade(id, bundle, settings, 'move', BY)
    return () => installations.rollback(id, BY)
  }
}

function idOf(step: PluginStep): string {
  return step.do === 'unload' ? step.id : step.plugin.id
}

/** Runs what may be refused, and says of which plugin the refusal speaks. */
async function naming<Result>(id: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    const { code, message, place, causeCode, problems } = controlErrorOf(error)
    const cause = causeCode === undefined ? {} : { cause: causeCode }
    throw new ControlError(code, `plugin ${id}: ${message}`, { place, problems, ...cause })
  }
}

/** Undoes what was done, the last first; what cannot be undone stops nothing. */
async function undoAll(undo: Undo[]): Promise<void> {
  for (const each of undo.splice(0).reverse()) {
    try {
      await each()
    } catch {
      // The refusal that led here is what is told; health shows what is not as it should be.
    }
  }
}
