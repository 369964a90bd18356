/**
 * Whether a bundle may be loaded: signed, unaltered, by someone who is trusted to sign, for no more than was granted.
 * The one idea: these questions in this order; the answer names the signer and what it was granted, and everything
 * that is not an answer is an error with a closed code.
 */
import {
  type Certificate,
  CertificateError,
  type CertificateWarning,
  checkSignedData,
  type Grant,
  readSignedData,
  type SignedData,
  type TrustStore,
  type VerifyRequest,
  verifyCertificate,
} from '../certificates/index.ts'
import { formatViolation, within } from '../contract/index.ts'
import type { Bundle } from './bundle.ts'

/** When, and whether it was accepted before (then time alone is no reason to refuse, see `VerifyRequest`). */
export type BundleRequest = Omit<VerifyRequest, 'usage'>

/** A bundle that may be loaded. */
export interface VerifiedBundle {
  readonly bundle: Bundle
  readonly signer: Certificate
  /** From the signer to the root. */
  readonly chain: readonly Certificate[]
  /** What the signer was granted; the manifest's capabilities are within it. */
  readonly grant: Grant
  readonly warnings: readonly CertificateWarning[]
  /** When the signer says it signed; for display. */
  readonly claimedMs: number | undefined
}

/**
 * Judges a bundle.
 * @throws CertificateError `unsigned`, `altered`, `untrusted`, `revoked`, `beyond-grant`, ...
 */
export function verifyBundle(bundle: Bundle, store: TrustStore, request: BundleRequest): VerifiedBundle {
  const signed = readSignature(bundle)
  checkSignedData(signed, bundle.payload)
  const { certificate, chain, grant, warnings } = verifyCertificate(signed.certificates, store, {
    ...request,
    usage: 'signer',
  })
  checkNothingAdded(signed, chain)
  checkCapabilities(bundle, certificate)
  return { bundle, signer: certificate, chain, grant, warnings, claimedMs: signed.claimedMs }
}

function readSignature(bundle: Bundle): SignedData {
  if (bundle.signature === undefined)
    throw new CertificateError('unsigned', 'this bundle is not signed (pronto plugin sign)')
  return readSignedData(bundle.signature)
}

/** A certificate that is not on the chain is covered by no signature that was checked. */
function checkNothingAdded(signed: SignedData, chain: readonly Certificate[]): void {
  const used = new Set(chain.map((each) => each.fingerprint))
  const added = signed.certificates.find((each) => !used.has(each.fingerprint))
  if (added !== undefined)
    throw new CertificateError('malformed', 'a certificate that does not belong to the signer', added.subject)
}

function checkCapabilities(bundle: Bundle, signer: Certificate): void {
  const [excess] = within(bundle.manifest.capabilities, signer.grant.capabilities ?? {})
  if (excess !== undefined)
    throw new CertificateError('beyond-grant', formatViolation(excess), signer.subject)
}
