/** Signing a bundle with a certificate and its key from files. */
import { signBundle } from '../execution-env/bundle/index.ts'
import { loadCredential } from '../execution-env/certificates/index.ts'

/** Files of `pronto ca issue`. */
export interface SignerFiles {
  readonly certificate: string
  readonly key: string
}

/**
 * The signed bundle; an earlier signature is replaced.
 * @param claimedMs calendar time that goes into the signature
 * @throws BundleError, CertificateError
 */
export function signPlugin(bytes: Uint8Array, files: SignerFiles, claimedMs: number): Uint8Array {
  return signBundle(bytes, loadCredential(files.certificate, files.key), claimedMs)
}
