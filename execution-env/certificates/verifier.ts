/**
 * Whether a certificate may be used for something at a given time. The one idea: five questions in reading order
 * (chain, usage, validity, revocation, grant), each with its own refusals; `now` is an argument.
 *
 * Follows RFC 5280 section 6 for one name space, no policies, and revocation lists that must be at hand; stricter in
 * that a purpose must be named and that grants may only shrink on the way down.
 */
import { formatViolation } from '../contract/index.ts'
import type { Certificate } from './certificate.ts'
import { type Chain, findChains } from './chain.ts'
import { CertificateError, type CertificateErrorCode } from './errors.ts'
import { excessOfGrant, type Grant } from './grant.ts'
import { PURPOSE, PURPOSES_OF, type Usage } from './object-identifiers.ts'
import type { TrustStore } from './trust-store.ts'

/** What is asked. */
export interface VerifyRequest {
  readonly usage: Usage
  /** Calendar time in milliseconds since 1970. */
  readonly atMs: number
  /**
   * `again` for something that was accepted before and is only started anew: then time alone is no reason to refuse,
   * and expiry and a stale or missing list become warnings. Default `first`.
   */
  readonly occasion?: 'first' | 'again'
}

/** Something that does not refuse, but should be told. */
export interface CertificateWarning {
  readonly code: CertificateErrorCode
  readonly message: string
}

/** A certificate that may be used as asked. */
export interface VerifiedCertificate {
  readonly certificate: Certificate
  /** From the certificate to the root. */
  readonly chain: Chain
  readonly grant: Grant
  readonly warnings: readonly CertificateWarning[]
}

/**
 * Judges a certificate.
 * @param presented the certificate, then others that may lead to a root, in any order
 * @throws CertificateError of the first chain's first refusal
 */
export function verifyCertificate(
  presented: readonly Certificate[],
  store: TrustStore,
  request: VerifyRequest,
): VerifiedCertificate {
  let refusal: unknown
  for (const chain of findChains(presented, store)) {
    try {
      return verifyChain(chain, store, request)
    } catch (error) {
      refusal ??= error
    }
  }
  throw refusal
}

function verifyChain(chain: Chain, store: TrustStore, request: VerifyRequest): VerifiedCertificate {
  const warnings = new Leniency(request.occasion ?? 'first')
  checkAuthorities(chain)
  checkUsage(chain, request.usage)
  checkValidity(chain, request.atMs, warnings)
  checkRevocation(chain, store, request.atMs, warnings)
  checkGrants(chain)
  const certificate = chain[0]!
  return { certificate, chain, grant: certificate.grant, warnings: warnings.told }
}

/** Refuses the first time, warns when the same was accepted before. */
class Leniency {
  readonly told: CertificateWarning[] = []
  readonly #occasion: 'first' | 'again'

  constructor(occasion: 'first' | 'again') {
    this.#occasion = occasion
  }

  refuse(code: CertificateErrorCode, reason: string, subject: string): void {
    const error = new CertificateError(code, reason, subject)
    if (this.#occasion === 'first') throw error
    this.told.push({ code, message: error.message })
  }
}

/** Everyone above the end may issue, has few enough below, and says nothing critical that we do not understand. */
function checkAuthorities(chain: Chain): void {
  let below = 0
  for (const [index, each] of chain.entries()) {
    const { isAuthority, keyUsages, pathLength, unknownCritical } = each.extensions
    if (unknownCritical.length > 0)
      throw new CertificateError('unsupported', `critical extension ${unknownCritical[0]}`, each.subject)
    if (index === 0) continue
    if (!isAuthority) throw new CertificateError('not-authority', 'is no authority', each.subject)
    if (keyUsages !== undefined && !keyUsages.has('keyCertSign'))
      throw new CertificateError('not-authority', 'its key may not sign certificates', each.subject)
    if (pathLength !== undefined && below > pathLength)
      throw new CertificateError(
        'path-length',
        `${below} authorities below it, at most ${pathLength} may be`,
        each.subject,
      )
    if (!each.isSelfIssued) below++
  }
}

/** The end is no authority and is meant for this; authorities that name purposes name this one. */
function checkUsage(chain: Chain, usage: Usage): void {
  const certificate = chain[0]!
  const { isAuthority, keyUsages, purposes } = certificate.extensions
  const purpose = PURPOSES_OF[usage][0]!
  const wrong = (reason: string, at: Certificate) => new CertificateError('wrong-usage', reason, at.subject)
  if (isAuthority) throw wrong(`an authority, expected a ${usage}`, certificate)
  if (keyUsages !== undefined && !keyUsages.has('digitalSignature'))
    throw wrong('its key may not make signatures', certificate)
  if (purposes === undefined || !purposes.includes(purpose))
    throw wrong(`not a certificate for a ${usage}`, certificate)
  for (const each of chain.slice(1)) {
    const allowed = each.extensions.purposes
    if (allowed !== undefined && !allowed.includes(purpose) && !allowed.includes(PURPOSE.any))
      throw wrong(`may not issue certificates for a ${usage}`, each)
  }
  if (usage !== 'signer' && certificate.publicKey.asymmetricKeyType !== 'ed25519')
    throw new CertificateError('unsupported', `a ${usage} needs an Ed25519 key`, certificate.subject)
}

const day = (atMs: number): string => new Date(atMs).toISOString().replace('.000Z', 'Z')

/** All of the chain is within its time, both ends included. */
function checkValidity(chain: Chain, atMs: number, leniency: Leniency): void {
  for (const { notBeforeMs, notAfterMs, subject } of chain) {
    if (atMs < notBeforeMs) leniency.refuse('not-yet-valid', `valid from ${day(notBeforeMs)} on`, subject)
    if (atMs > notAfterMs) leniency.refuse('expired', `was valid until ${day(notAfterMs)}`, subject)
  }
}

/** Every issuer has a current list, and nobody below stands in one: not even in an older one or one to come. */
function checkRevocation(chain: Chain, store: TrustStore, atMs: number, leniency: Leniency): void {
  for (const [index, { serial, subject }] of chain.slice(0, -1).entries()) {
    const issuer = chain[index + 1]!
    const lists = store.listsOf(issuer)
    for (const list of lists) {
      const revocation = list.revoked.get(serial)
      if (revocation === undefined) continue
      const reason = `revoked on ${day(revocation.atMs)} (${revocation.reason})`
      throw new CertificateError('revoked', reason, subject)
    }
    const newest = lists.find((each) => each.thisUpdateMs <= atMs)
    if (lists.length === 0)
      leniency.refuse(
        'list-missing',
        `no revocation list of ${issuer.subject} is known (pronto ca crl)`,
        subject,
      )
    else if (newest === undefined)
      leniency.refuse('list-stale', `the revocation list of ${issuer.subject} is from the future`, subject)
    else if (newest.nextUpdateMs < atMs)
      leniency.refuse(
        'list-stale',
        `the revocation list of ${issuer.subject} was due on ${day(newest.nextUpdateMs)} (pronto ca crl)`,
        subject,
      )
  }
}

/** Each grant is within its issuer's. A root without a grant does not bound. */
function checkGrants(chain: Chain): void {
  for (const [index, each] of chain.slice(0, -1).entries()) {
    const issuer = chain[index + 1]!
    if (index === chain.length - 2 && issuer.extensions.grant === undefined) return
    const [excess] = excessOfGrant(each.grant, issuer.grant)
    if (excess !== undefined)
      throw new CertificateError(
        'beyond-grant',
        `${formatViolation(excess)} (${issuer.subject})`,
        each.subject,
      )
  }
}
