/** The verifier that believes what a trust store's authorities have let somebody sign. */
import { readBundle, verifyBundle } from './bundle/index.ts'
import type { TrustStore } from './certificates/index.ts'
import type { AuthenticBundle, BundleVerifier } from './installation.ts'

export class TrustVerifier implements BundleVerifier {
  readonly #store: TrustStore
  readonly #calendarMs: () => number

  /** @param calendarMs the time by which certificates are judged, milliseconds since 1970 */
  constructor(store: TrustStore, calendarMs: () => number) {
    this.#store = store
    this.#calendarMs = calendarMs
  }

  /** @throws BundleError, CertificateError */
  verify(bytes: Uint8Array, occasion: 'first' | 'again'): AuthenticBundle {
    const { bundle, signer, grant, warnings } = verifyBundle(readBundle(bytes), this.#store, {
      atMs: this.#calendarMs(),
      occasion,
    })
    const { manifest, code, sourceMap, digest } = bundle
    return {
      manifest,
      code,
      sourceMap,
      digest,
      signer: signer.subject,
      grant: grant.capabilities ?? {},
      warnings: warnings.map((each) => each.message),
    }
  }
}
