/**
 * Signing a bundle: a detached CMS signature over its payload. The one idea: refuse now what would be refused at
 * every load, so that the author hears of it first.
 */
import { CertificateError, type Credential, signDetached } from '../certificates/index.ts'
import { formatViolation, within } from '../contract/index.ts'
import { attachSignature, readBundle } from './bundle.ts'

/**
 * The bundle with the signature of `signer`, which takes the place of an earlier one.
 * Same bundle, credential and time: same bytes.
 * @param claimedMs calendar time that goes into the signature; nobody relies on it
 * @throws BundleError for what is no bundle; CertificateError `beyond-grant` when the plugin asks for more than the
 *   certificate grants
 */
export function signBundle(bytes: Uint8Array, signer: Credential, claimedMs: number): Uint8Array {
  const bundle = readBundle(bytes)
  const { certificate } = signer
  const [excess] = within(bundle.manifest.capabilities, certificate.grant.capabilities ?? {})
  if (excess !== undefined)
    throw new CertificateError('beyond-grant', formatViolation(excess), certificate.subject)
  return attachSignature(bundle, signDetached(bundle.payload, signer, claimedMs))
}
