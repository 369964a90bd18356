/**
 * A small plugin as a bundle, for tests.
 */
import {
  type Bundle,
  type BundleSource,
  buildBundle,
  readBundle,
} from '../../../execution-env/bundle/bundle.ts'
import { BundleError } from '../../../execution-env/bundle/errors.ts'
import { CertificateError } from '../../../execution-env/certificates/errors.ts'
import type { Capabilities } from '../../../execution-env/contract/capabilities.ts'
import { parseManifest } from '../../../execution-env/contract/manifest.ts'

/** Sources of a plugin that asks for these capabilities. */
export function source(capabilities: Capabilities = {}): BundleSource {
  const manifest = { name: 'round-robin', version: '1.0.0', apiVersion: 1, entry: 'plugin.ts', capabilities }
  return {
    manifest: parseManifest(JSON.stringify(manifest)),
    code: 'export default { setup() {} } // é\n',
    sourceMap: JSON.stringify({ version: 3, sources: ['plugin.ts'], mappings: 'AAAA' }),
  }
}

/** The unsigned bundle of `source`. */
export function bundleOf(capabilities: Capabilities = {}): { bytes: Uint8Array; bundle: Bundle } {
  const bytes = buildBundle(source(capabilities))
  return { bytes, bundle: readBundle(bytes) }
}

/** Code of the BundleError or CertificateError that `work` ends with, or `accepted`. */
export function codeOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof BundleError || error instanceof CertificateError) return error.code
    throw error
  }
  return 'accepted'
}
