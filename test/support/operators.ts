/** Operators of labs in tests: an authority of their own, versions that they sign, and sessions with routers. */
import { join, resolve } from 'node:path'
import { buildBundle, readBundle, signBundle } from '../../execution-env/bundle/index.ts'
import { AuthorityDirectory, loadCredential } from '../../execution-env/certificates/index.ts'
import { type ControlClient, connectRouter } from '../../router/control-client/index.ts'
import { buildPlugin } from '../../sdk/tools.ts'

const examples = resolve(import.meta.dirname, '../../examples')
const DAY_MS = 86_400_000

/** An authority in a folder, with a revocation list. */
export function authorityIn(folder: string, name = 'my authority'): AuthorityDirectory {
  const validity = { notBeforeMs: Date.now() - DAY_MS, notAfterMs: Date.now() + DAY_MS }
  const authority = AuthorityDirectory.create(folder, { name, ...validity })
  authority.publishList(Date.now())
  return authority
}

/** A bundle of a plugin, the round-robin example by default, as another version, signed under an authority. */
export async function signedVersion(
  authority: AuthorityDirectory,
  version: string,
  plugin = join(examples, 'round-robin'),
): Promise<Uint8Array> {
  const { bytes } = await buildPlugin(plugin)
  const { manifest, code, sourceMap } = readBundle(bytes)
  const { certificateFile, keyFile } = authority.issue({
    name: `me-${version}`,
    type: 'signer',
    notBeforeMs: Date.now() - DAY_MS,
    notAfterMs: Date.now() + DAY_MS,
    grant: { capabilities: manifest.capabilities },
  })
  const bundle = buildBundle({ manifest: { ...manifest, version }, code, sourceMap })
  return signBundle(bundle, loadCredential(certificateFile, keyFile), Date.now())
}

/** A session with a router of this machine, as soon as it is there. */
export async function sessionWith(folder: string): Promise<ControlClient> {
  const address = { kind: 'local', folder } as const
  for (let tries = 0; ; tries++) {
    try {
      return await connectRouter({ address, role: 'install' })
    } catch (error) {
      if (tries === 200) throw error
      await new Promise((settle) => setTimeout(settle, 20))
    }
  }
}
