/**
 * The plugins of a lab as signed bundles, made ready before the lab begins: folders are built, bundles read, everything
 * signed by the lab's own authority. The one idea: from then on a plugin is bytes, and whom to believe is settled.
 */
import { readFile } from 'node:fs/promises'
import { readBundle } from '../execution-env/bundle/index.ts'
import { loadTrustStore, TrustStore } from '../execution-env/certificates/index.ts'
import { buildPlugin } from '../sdk/tools.ts'
import { type Lab, type PluginSource, type PluginSpec, routersOf } from './file/index.ts'
import { LabAuthority } from './lab-authority.ts'

export class LabBundles {
  /** Whom the lab's routers believe: the lab's authority, and whom the user named. */
  readonly trust: TrustStore
  readonly #bundles: ReadonlyMap<string, Uint8Array>

  private constructor(bundles: ReadonlyMap<string, Uint8Array>, own: TrustStore, other: TrustStore) {
    this.#bundles = bundles
    const certificates = [own, other].flatMap((store) => [...store.roots, ...store.authorities])
    this.trust = new TrustStore(certificates, [...own.lists, ...other.lists])
  }

  /**
   * Builds and signs all plugins that the lab names.
   * @param trust whom to believe besides the lab's authority; a folder or file of such
   * @throws what building throws, CertificateError
   */
  static async prepare(lab: Lab, trust: string | TrustStore = new TrustStore([])): Promise<LabBundles> {
    const authority = new LabAuthority(lab.rootSeed, lab.epochMs)
    const bundles = new Map<string, Uint8Array>()
    for (const { source } of pluginsOf(lab))
      if (!bundles.has(source.path))
        bundles.set(source.path, authority.sign(readBundle(await bytesOf(source))))
    const other = typeof trust === 'string' ? loadTrustStore(trust) : trust
    return new LabBundles(bundles, authority.trust, other)
  }

  /** The signed bundle of a plugin that the lab names. */
  bundle(plugin: PluginSpec): Uint8Array {
    return this.#bundles.get(plugin.source.path)!
  }
}

/** All plugins that the routers of a lab run at its start or later. */
export function pluginsOf(lab: Lab): PluginSpec[] {
  const atStart = routersOf(lab).flatMap((router) => router.plugins)
  const later = lab.events.flatMap((event) =>
    event.kind === 'load' || event.kind === 'upgrade' ? [event.plugin] : [],
  )
  return [...atStart, ...later]
}

async function bytesOf({ form, path }: PluginSource): Promise<Uint8Array> {
  return form === 'folder' ? (await buildPlugin(path)).bytes : await readFile(path)
}
