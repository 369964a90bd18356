/**
 * Chains: the ways from a presented certificate up to a trusted root. The one idea: a link exists where the name
 * above fits and its key made the signature below; whether the chain may be used is decided elsewhere (verifier.ts).
 *
 * What is presented is attacker-controlled: depth and number of signature checks are bounded.
 */
import type { Certificate } from './certificate.ts'
import { CertificateError } from './errors.ts'
import type { TrustStore } from './trust-store.ts'

/** End of the chain first, root last. */
export type Chain = readonly Certificate[]

const MAX_PRESENTED = 8
const MAX_LENGTH = 8
const MAX_CHECKS = 64

/**
 * Every chain from `presented[0]` to a root, through what was presented with it and what the store has at hand.
 * @throws CertificateError `altered` or `untrusted` when there is none, `limit` when too much is presented
 */
export function findChains(presented: readonly Certificate[], store: TrustStore): readonly Chain[] {
  const [first] = presented
  if (first === undefined) throw new CertificateError('unsigned', 'no certificate was presented')
  if (presented.length > MAX_PRESENTED)
    throw new CertificateError('limit', `${presented.length} certificates, expected at most ${MAX_PRESENTED}`)
  const search = new ChainSearch([...store.roots, ...store.authorities, ...presented.slice(1)], store)
  search.from([first])
  if (search.chains.length === 0) throw search.refusal(first)
  return search.chains
}

class ChainSearch {
  readonly chains: Chain[] = []
  readonly #candidates: readonly Certificate[]
  readonly #store: TrustStore
  #checksLeft = MAX_CHECKS
  /** A certificate whose issuer is known by name, but did not sign it. */
  #altered: Certificate | undefined
  /** A certificate whose issuer is not known at all. */
  #orphan: Certificate | undefined

  constructor(candidates: readonly Certificate[], store: TrustStore) {
    this.#candidates = candidates
    this.#store = store
  }

  from(path: Chain): void {
    const last = path.at(-1)!
    if (this.#store.isRoot(last)) {
      this.chains.push(path)
      return
    }
    if (path.length >= MAX_LENGTH) return
    const above = this.#candidates.filter((each) => last.names(each) && !path.includes(each))
    const signers = above.filter((each) => this.#isSigned(last, each))
    if (above.length === 0) this.#orphan ??= last
    else if (signers.length === 0) this.#altered ??= last
    for (const signer of signers) this.from([...path, signer])
  }

  #isSigned(below: Certificate, above: Certificate): boolean {
    if (this.#checksLeft === 0)
      throw new CertificateError('limit', 'too many ways from this certificate upwards')
    this.#checksLeft--
    return below.isSignedBy(above)
  }

  refusal(first: Certificate): CertificateError {
    if (this.#altered !== undefined) {
      const reason = `its issuer ${this.#altered.issuer} did not make its signature`
      return new CertificateError('altered', reason, this.#altered.subject)
    }
    const last = this.#orphan ?? first
    const reason = last.isSelfIssued
      ? 'signed itself and is no trusted root'
      : `its issuer ${last.issuer} is unknown`
    return new CertificateError('untrusted', reason, last.subject)
  }
}
