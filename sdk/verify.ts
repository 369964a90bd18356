/** Verifying a bundle as a router would before it loads it for the first time. */
import { readBundle, type VerifiedBundle, verifyBundle } from '../execution-env/bundle/index.ts'
import { loadTrustStore } from '../execution-env/certificates/index.ts'

/**
 * Judges a bundle's bytes by what is trusted in a folder or file.
 * @param atMs calendar time
 * @throws BundleError, CertificateError
 */
export function verifyPlugin(bytes: Uint8Array, trustPath: string, atMs: number): VerifiedBundle {
  return verifyBundle(readBundle(bytes), loadTrustStore(trustPath), { atMs })
}
