/**
 * The plugins of a simulated lab, made ready before time starts. The one idea: what takes real time happens here;
 * inside the simulation a plugin is bytes.
 */
import type { TrustStore } from '../../execution-env/certificates/index.ts'
import { type BundleVerifier, TrustVerifier } from '../../execution-env/index.ts'
import type { Lab, PluginSpec } from '../file/index.ts'
import { LabBundles, pluginsOf } from '../lab-bundles.ts'
import { PatientSandboxes } from './patient-sandboxes.ts'

export class LabPlugins {
  /** Where the lab's plugins run: a process of their own, which answers before virtual time goes on. */
  readonly sandboxes = new PatientSandboxes()
  /** Operators may speak to the routers while the lab is up. */
  readonly operated: boolean
  readonly #bundles: LabBundles

  private constructor(bundles: LabBundles, operated: boolean) {
    this.#bundles = bundles
    this.operated = operated
  }

  /** Builds and signs all plugins that the lab names; undefined when it names none. @throws what building throws */
  static async prepare(lab: Lab, operated = false, trustPath?: string): Promise<LabPlugins | undefined> {
    if (pluginsOf(lab).length === 0 && !operated) return undefined
    return new LabPlugins(await LabBundles.prepare(lab, trustPath), operated)
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
