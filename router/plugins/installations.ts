/**
 * The plugins of a router, running and on disk. The one idea: what runs is changed first, the registry after it, and
 * the answer comes last; what cannot be remembered is taken back. So whatever was acknowledged survives a crash, and a
 * plugin that cannot start any more is reported and holds up nobody.
 */
import { readBundle } from '../../execution-env/bundle/index.ts'
import { ControlError, controlErrorOf } from '../control/errors.ts'
import { type InstalledVersion, type RegistryEntry, versionOf } from '../state/entry.ts'
import { fileOf, type Registry } from '../state/registry.ts'
import type { DryRun, PluginHost, PluginReport, PluginSettings } from './plugin-host.ts'

/** An instance as the router shows it. */
export interface InstalledReport extends PluginReport {
  readonly priority: number
  readonly installedMs: number
  readonly by: string
}

/** Why an instance of the registry does not even stand in the list of those that run. */
interface Refusal {
  readonly code: string
  readonly message: string
}

export class Installations {
  readonly #host: PluginHost
  readonly #registry: Registry
  readonly #clock: () => number
  readonly #refused = new Map<string, Refusal>()
  /** Bundle to which the host itself can roll back, by instance. */
  readonly #behind = new Map<string, string>()

  /** @param clock calendar milliseconds */
  constructor(host: PluginHost, registry: Registry, clock: () => number) {
    this.#host = host
    this.#registry = registry
    this.#clock = clock
  }

  /**
   * Starts everything that ran before the router went down, all at once. Answers which instances do not run, and why;
   * never rejects.
   */
  async restore(): Promise<ReadonlyMap<string, string>> {
    const { entries } = this.#registry
    const reasons = await Promise.all(entries.map((entry) => this.#restoreOne(entry)))
    return new Map(
      entries.flatMap(({ id }, index) => {
        const reason = reasons[index]
        return reason === undefined ? [] : [[id, reason] as const]
      }),
    )
  }

  /** Answers why it does not run; undefined when it does. */
  async #restoreOne(entry: RegistryEntry): Promise<string | undefined> {
    try {
      const bundle = this.#registry.readBundle(entry.file)
      const report = await this.#host.load(bundle, entry.id, settingsOf(entry), 'restore')
      return report.state === 'running' ? undefined : `${report.state}: ${report.lastFailure}`
    } catch (error) {
      const { code, causeCode, message } = controlErrorOf(error)
      this.#refused.set(entry.id, { code: causeCode ?? code, message })
      return message
    }
  }

  /** What a load, or an upgrade where the instance is there, would bring. */
  dryRun(bundle: Uint8Array, id: string | undefined, settings: PluginSettings): Promise<DryRun> {
    return this.#host.dryRun(bundle, id, settings)
  }

  /** The settings with which an instance runs. @throws ControlError `unknown` */
  settingsOf(id: string): PluginSettings {
    return settingsOf(this.#get(id))
  }

  async load(
    bundle: Uint8Array,
    id: string | undefined,
    settings: PluginSettings,
    by: string,
  ): Promise<InstalledReport> {
    const wanted = id ?? readBundle(bundle).manifest.name
    if (this.#registry.get(wanted) !== undefined)
      throw new ControlError('exists', `${wanted} is installed already`, { place: 'id' })
    const report = await this.#host.load(bundle, id, settings, 'load')
    const entry = { id: report.id, ...this.#version(report, bundle, settings, by) }
    await this.#remember(
      () => this.#registry.put(entry, bundle),
      () => this.#host.unload(report.id, 'purge'),
    )
    return merged(report, entry)
  }

  /** @param settings default: as they were */
  async upgrade(
    id: string,
    bundle: Uint8Array,
    settings: PluginSettings,
    state: 'move' | 'discard',
    by: string,
  ): Promise<InstalledReport> {
    const entry = this.#get(id)
    const report = this.#isRunning(id)
      ? await this.#host.upgrade(id, bundle, settings, state)
      : await this.#host.load(bundle, id, settings, 'load')
    this.#follow(id, report, entry.file)
    const next = { id, ...this.#version(report, bundle, settings, by), previous: versionOf(entry) }
    await this.#remember(
      () => this.#registry.put(next, bundle),
      () => this.#goBack(id, entry),
    )
    return merged(report, next)
  }

  /** Goes back to the version before the last upgrade, with its settings; that one can be gone back to again. */
  async rollback(id: string, by: string): Promise<InstalledReport> {
    const entry = this.#get(id)
    const { previous } = entry
    if (previous === undefined) throw new ControlError('unknown', `${id} has no version to go back to`)
    const report = await this.#goBack(id, previous)
    const next = { ...previous, id, installedMs: this.#clock(), by, previous: versionOf(entry) }
    await this.#remember(
      () => this.#registry.put(next),
      () => this.#goBack(id, entry),
    )
    return merged(report, next)
  }

  /** Ends an instance and forgets it; while its flows drain, it still stands in the list. */
  async unload(id: string, flows: 'drain' | 'purge'): Promise<void> {
    const isRunning = this.#isRunning(id)
    if (!isRunning) this.#get(id)
    if (isRunning) await this.#host.unload(id, flows)
    this.#refused.delete(id)
    this.#behind.delete(id)
    this.#registry.remove(id)
  }

  /** All instances: those that run, those that could not be installed, and those that only drain. */
  list(): InstalledReport[] {
    const running = new Map(this.#host.list().map((each) => [each.id, each]))
    const installed = this.#registry.entries.map((entry) => {
      const report = running.get(entry.id) ?? this.#refusedReport(entry)
      running.delete(entry.id)
      return merged(report, entry)
    })
    const draining = [...running.values()].map((each) => ({ ...each, priority: 0, installedMs: 0, by: '' }))
    return [...installed, ...draining]
  }

  /**
   * To another version that this router has had: as the host remembers it, else from the registry. What was accepted
   * once is judged as after a restart: that a certificate has run out since does not keep it out.
   */
  async #goBack(id: string, version: InstalledVersion): Promise<PluginReport> {
    const leaving = this.#registry.get(id)?.file
    const bundle = this.#registry.readBundle(version.file)
    const settings = settingsOf(version)
    let report: PluginReport
    if (!this.#isRunning(id)) report = await this.#loadAgain(id, bundle, settings)
    else if (this.#behind.get(id) === version.file) report = await this.#host.rollback(id)
    else report = await this.#host.upgrade(id, bundle, settings, 'move', 'restore')
    this.#follow(id, report, leaving)
    return report
  }

  /** What is restored stays when it does not start; what is gone back to does not. */
  async #loadAgain(id: string, bundle: Uint8Array, settings: PluginSettings): Promise<PluginReport> {
    const report = await this.#host.load(bundle, id, settings, 'restore')
    if (report.state === 'running') return report
    await this.#host.unload(id, 'purge')
    throw new ControlError('failed', `${id} ${report.version} does not start: ${report.lastFailure}`)
  }

  #isRunning(id: string): boolean {
    return this.#host.list().some((each) => each.id === id)
  }

  /** Notes what the host has done, and what it could go back to by itself. */
  #follow(id: string, { previous }: PluginReport, left: string | undefined): void {
    this.#refused.delete(id)
    if (previous === undefined || left === undefined) this.#behind.delete(id)
    else this.#behind.set(id, left)
  }

  async #remember(put: () => void, takeBack: () => Promise<unknown>): Promise<void> {
    try {
      put()
    } catch (error) {
      await takeBack().catch(() => {})
      throw error
    }
  }

  #version(report: PluginReport, bundle: Uint8Array, settings: PluginSettings, by: string): InstalledVersion {
    const { name, version } = report
    return { ...settings, file: fileOf(bundle), name, version, installedMs: this.#clock(), by }
  }

  #get(id: string): RegistryEntry {
    const entry = this.#registry.get(id)
    if (entry === undefined) throw new ControlError('unknown', `no plugin ${id}`, { place: 'id' })
    return entry
  }

  #refusedReport({ id, name, version, trusted }: RegistryEntry): PluginReport {
    const { code, message } = this.#refused.get(id) ?? { code: 'lost', message: 'it is not there any more' }
    return {
      id,
      name,
      version,
      digest: '',
      signer: '',
      state: 'refused',
      trusted,
      previous: undefined,
      granted: [],
      restarts: 0,
      flows: 0,
      decisions: 0,
      lastFailure: `${code}: ${message}`,
    }
  }
}

function merged(report: PluginReport, entry: RegistryEntry): InstalledReport {
  const { priority, installedMs, by, previous } = entry
  return { ...report, previous: previous?.version, priority, installedMs, by }
}

/** The settings alone of whatever has some. */
export function settingsOf({
  config,
  priority,
  allow,
  limits,
  trusted,
  cpu,
}: PluginSettings): PluginSettings {
  return {
    config,
    priority,
    ...(allow === undefined ? {} : { allow }),
    limits,
    trusted,
    ...(cpu === undefined ? {} : { cpu }),
  }
}
