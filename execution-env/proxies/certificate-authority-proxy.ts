/**
 * The certificate authority's proxy (R-PR-02): tells plugins whose key it is. The one idea: nothing is told that was
 * not verified in the moment of the question: chain, validity, revocation; where a certificate is kept proves nothing.
 */
import {
  type Certificate,
  CertificateError,
  type TrustStore,
  USAGES,
  verifyCertificate,
} from '../certificates/index.ts'
import { writePublicKey } from '../certificates/keys.ts'
import { PURPOSES_OF } from '../certificates/object-identifiers.ts'
import type { CertificateRecord, ServiceFailure } from '../contract/api/index.ts'
import { serviceFailure } from './plugin-services.ts'

export interface CertificateSources {
  /** Whom to believe at this moment. */
  readonly trust: () => TrustStore
  /** Certificates that may be of this name, each with those that lead to a root behind it. */
  readonly candidates: (name: string) => Iterable<readonly Certificate[]>
  readonly calendarMs: () => number
}

/** Certificates of one name that are looked at. */
const CANDIDATES_MAX = 16

export class CertificateAuthorityProxy {
  readonly #sources: CertificateSources

  constructor(sources: CertificateSources) {
    this.#sources = sources
  }

  /** The certificate of a name that is believed now; of several, the one that was issued last. */
  find(name: string): Certificate | ServiceFailure {
    const { trust, candidates, calendarMs } = this.#sources
    const store = trust()
    const atMs = calendarMs()
    let best: Certificate | undefined
    let refusal: string | undefined
    let looked = 0
    for (const presented of candidates(name)) {
      const [certificate] = presented
      if (certificate?.commonName !== name) continue
      if (++looked > CANDIDATES_MAX) break
      const why = whyNot(presented, store, atMs)
      if (why !== undefined) refusal ??= why
      else if (best === undefined || isNewer(certificate, best)) best = certificate
    }
    if (best !== undefined) return best
    if (refusal !== undefined) return serviceFailure('refused', refusal)
    return serviceFailure('unknown', `no certificate of ${name}`)
  }

  lookup(name: string): CertificateRecord | ServiceFailure {
    const found = this.find(name)
    return 'ok' in found ? found : certificateRecord(found)
  }
}

/** What a plugin is told of a certificate. */
export function certificateRecord(certificate: Certificate): CertificateRecord {
  const { commonName, publicKey, notAfterMs, serial } = certificate
  const key = Buffer.from(writePublicKey(publicKey)).toString('base64')
  return { ok: true, name: commonName, publicKey: key, notAfterMs, serial }
}

/** Why a certificate is not believed for what it was issued for; undefined when it is. */
function whyNot(presented: readonly Certificate[], trust: TrustStore, atMs: number): string | undefined {
  const purposes = presented[0]!.extensions.purposes
  const usage = USAGES.find((each) => purposes?.includes(PURPOSES_OF[each][0]!))
  if (usage === undefined) return 'issued for none of our uses'
  try {
    verifyCertificate(presented, trust, { usage, atMs })
    return undefined
  } catch (error) {
    if (error instanceof CertificateError) return error.message
    throw error
  }
}

function isNewer(one: Certificate, other: Certificate): boolean {
  if (one.notBeforeMs !== other.notBeforeMs) return one.notBeforeMs > other.notBeforeMs
  return one.serial.padStart(40, '0') > other.serial.padStart(40, '0')
}
