/**
 * The plugins of a lab, made ready before time starts: folders are built, bundles read, everything signed by the lab's
 * own authority. The one idea: what takes real time happens here; inside the simulation a plugin is bytes.
 */
import { readFile } from 'node:fs/promises'
import { readBundle } from '../../execution-env/bundle/index.ts'
import { loadTrustStore, TrustStore } from '../../execution-env/certificates/index.ts'
import { type BundleVerifier, TrustVerifier } from '../../execution-env/index.ts'
import { buildPlugin } from '../../sdk/tools.ts'
import { type Lab, type PluginSource, type PluginSpec, routersOf } from '../file/index.ts'
import { LabAuthority } from './lab-authority.ts'
import { PatientSandboxes } from './patient-sandboxes.ts'

export class LabPlugins {
  /** Where the lab's plugins run: a process of their own, which answers before virtual time goes on. */
  readonly sandboxes = new PatientSandboxes()
  readonly #bundles: ReadonlyMap<string, Uint8Array>

  /** Operators may speak to the routers while the lab is up. */
  readonly operated: boolean
  /** Whom the lab's routers believe: the lab's authority, and whom the user named. */
  readonly trust: TrustStore

  private constructor(
    bundles: ReadonlyMap<string, Uint8Array>,
    authority: LabAuthority,
    operated: boolean,
    trustPath: string | undefined,
  ) {
    this.#bundles = bundles
    this.operated = operated
    const own = authority.trust
    const other = trustPath === undefined ? new TrustStore([]) : loadTrustStore(trustPath)
    const certificates = [own, other].flatMap((store) => [...store.roots, ...store.authorities])
    this.trust = new TrustStore(certificates, [...own.lists, ...other.lists])
  }

  /** Builds and signs all plugins that the lab names; undefined when it names none. @throws what building throws */
  static async prepare(lab: Lab, operated = false, trustPath?: string): Promise<LabPlugins | undefined> {
    const sources = pluginsOf(lab).map((each) => each.source)
    if (sources.length === 0 && !operated) return undefined
    const authority = new LabAuthority(lab.rootSeed, lab.epochMs)
    const bundles = new Map<string, Uint8Array>()
    for (const source of sources)
      if (!bundles.has(source.path))
        bundles.set(source.path, authority.sign(readBundle(await bytesOf(source))))
    return new LabPlugins(bundles, authority, operated, trustPath)
  }

  /** The signed bundle of a plugin that the lab names. */
  bundle(plugin: PluginSpec): Uint8Array {
    return this.#bundles.get(plugin.source.path)!
  }

  /** Judges bundles by the lab's authority at a calendar time. */
  verifier(calendarMs: () => number): BundleVerifier {
    return new TrustVerifier(this.trust, calendarMs)
  }

  async close(): Promise<void> {
    await this.sandboxes.close()
  }
}

function pluginsOf(lab: Lab): PluginSpec[] {
  const atStart = routersOf(lab).flatMap((router) => router.plugins)
  const later = lab.events.flatMap((event) =>
    event.kind === 'load' || event.kind === 'upgrade' ? [event.plugin] : [],
  )
  return [...atStart, ...later]
}

async function bytesOf({ form, path }: PluginSource): Promise<Uint8Array> {
  return form === 'folder' ? (await buildPlugin(path)).bytes : await readFile(path)
}
