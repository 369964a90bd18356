/**
 * The plugins of a simulated lab, made ready before time starts. The one idea: what takes real time happens here;
 * inside the simulation a plugin is bytes.
 */
import type { TrustStore } from '../../execution-env/certificates/index.ts'
import { type BundleVerifier, TrustVerifier } from '../../execution-env/index.ts'
import type { Lab, PluginSpec } from '../file/index.ts'
import { LabBundles, pluginsOf } from '../lab-bundles.ts'
import { LabServices } from './lab-services.ts'
import type { OperatorDesk } from './operator-desk.ts'
import { PatientSandboxes } from './patient-sandboxes.ts'

export interface LabPluginsOptions {
  /** Where operators speak to the routers; undefined: nobody does. */
  readonly desk?: OperatorDesk | undefined
  /** Whom the routers believe besides the lab's own authority. */
  readonly trust?: TrustStore | undefined
}

export class LabPlugins {
  /** Name of the lab. */
  readonly lab: string
  /** Where the lab's plugins run: a process of their own, which answers before virtual time goes on. */
  readonly sandboxes = new PatientSandboxes()
  readonly desk: OperatorDesk | undefined
  /** What the proxies of the lab's routers do. */
  readonly services: LabServices
  readonly #bundles: LabBundles
  #failure: Error | undefined

  private constructor(lab: Lab, bundles: LabBundles, desk: OperatorDesk | undefined) {
    this.lab = lab.name
    this.services = new LabServices(lab, bundles.trust)
    this.#bundles = bundles
    this.desk = desk
  }

  /** Builds and signs all plugins that the lab names. @throws what building throws */
  static async prepare(lab: Lab, { desk, trust }: LabPluginsOptions = {}): Promise<LabPlugins> {
    return new LabPlugins(lab, await LabBundles.prepare(lab, trust), desk)
  }

  /** Whether a lab names any. */
  static areIn(lab: Lab): boolean {
    return pluginsOf(lab).length > 0
  }

  /** Why the lab cannot go on, once it cannot. */
  get failure(): Error | undefined {
    return this.#failure ?? this.sandboxes.failure
  }

  /** Lets the lab end. */
  fail(error: Error): void {
    this.#failure ??= this.sandboxes.failure ?? error
  }

  /** Whom the lab's routers believe: the lab's authority, and whom the user named. */
  get trust(): TrustStore {
    return this.#bundles.trust
  }

  /** The signed bundle of a plugin that the lab names. */
  bundle(plugin: PluginSpec): Uint8Array {
    return this.#bundles.bundle(plugin)
  }

  /** Judges bundles by the lab's authority at a calendar time. */
  verifier(calendarMs: () => number): BundleVerifier {
    return new TrustVerifier(this.trust, calendarMs)
  }

  async close(): Promise<void> {
    await this.sandboxes.close()
  }
}
