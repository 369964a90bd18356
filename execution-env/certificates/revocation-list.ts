/**
 * Certificate revocation lists (RFC 5280 section 5): reading and writing. The one idea: a complete list of one
 * issuer, believed only after `isSignedBy`; a list with a critical extension (a partial or indirect one) is refused.
 */
import type { Certificate } from './certificate.ts'
import {
  childrenOf,
  contentOf,
  context,
  type Element,
  element,
  Fields,
  malformed,
  readDer,
  TAG,
  tagOf,
  writeDer,
} from './der.ts'
import {
  integer,
  integerFromHex,
  readBytes,
  readInteger,
  readSerial,
  readTime,
  sequence,
  time,
} from './der-values.ts'
import { readName } from './distinguished-name.ts'
import { CertificateError } from './errors.ts'
import { readExtensionList, readKeyReference, writeExtension, writeKeyReference } from './extensions.ts'
import type { KeyObject } from './keys.ts'
import { OID } from './object-identifiers.ts'
import { readPem, writePem } from './pem.ts'
import { algorithmOf, readAlgorithm, verifyWith, writeSigned } from './signature.ts'

/** No list is longer; about 50,000 entries. */
const MAX_BYTES = 2_097_152
const VERSION_2 = 1

/** Why a certificate was taken back (RFC 5280 section 5.3.1), by its number there. */
const REASONS = {
  unspecified: 0,
  keyCompromise: 1,
  authorityCompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  privilegeWithdrawn: 9,
} as const

export type RevocationReason = keyof typeof REASONS
export const REVOCATION_REASONS = Object.keys(REASONS) as readonly RevocationReason[]

/** One certificate taken back. */
export interface Revocation {
  readonly atMs: number
  readonly reason: RevocationReason
}

/** A list as it was presented. */
export class RevocationList {
  readonly der: Uint8Array
  readonly issuer: string
  readonly issuerDer: string
  /** From when to when it may be relied on; calendar time. */
  readonly thisUpdateMs: number
  readonly nextUpdateMs: number
  /** Goes up with every list of an issuer; 0 when it says none. */
  readonly number: number
  /** By serial number in lower-case hexadecimal. */
  readonly revoked: ReadonlyMap<string, Revocation>
  readonly #authorityKeyId: string | undefined
  readonly #signed: Uint8Array
  readonly #algorithm: string
  readonly #signature: Uint8Array

  /** @throws CertificateError `malformed`, `unsupported` or `limit`; input is attacker-controlled */
  constructor(der: Uint8Array) {
    const whole = new Fields(readDer(der, MAX_BYTES), TAG.sequence, 'revocation list')
    const signed = whole.take(TAG.sequence, 'content')
    this.#algorithm = readAlgorithm(whole.take(TAG.sequence, 'signature algorithm'))
    this.#signature = readBytes(whole.take(TAG.bitString, 'signature'))
    whole.end()
    this.#signed = writeDer(signed)
    this.der = Uint8Array.from(der)

    const fields = new Fields(signed, TAG.sequence, 'revocation list')
    if (readInteger(fields.take(TAG.integer, 'version')) !== VERSION_2) throw malformed('not of version 2')
    if (readAlgorithm(fields.take(TAG.sequence, 'signature algorithm')) !== this.#algorithm)
      throw malformed('two signature algorithms that differ')
    const issuer = fields.take(TAG.sequence, 'issuer')
    this.issuer = readName(issuer).text
    this.issuerDer = Buffer.from(writeDer(issuer)).toString('hex')
    this.thisUpdateMs = readTime(fields.any('thisUpdate'))
    this.nextUpdateMs = readTime(fields.any('nextUpdate'))
    const entries = fields.optional(TAG.sequence)
    this.revoked = readEntries(entries === undefined ? [] : childrenOf(entries))
    const extensions = fields.done ? undefined : fields.enter(context(0, true), 'extensions')
    const { number, keyId } = readListExtensions(extensions?.take(TAG.sequence, 'list'))
    extensions?.end()
    fields.end()
    this.number = number
    this.#authorityKeyId = keyId
  }

  /** Whether `authority` could have issued it, by name and key identifier. */
  names(authority: Certificate): boolean {
    const { subjectKeyId } = authority.extensions
    if (this.issuerDer !== authority.subjectDer) return false
    return (
      this.#authorityKeyId === undefined ||
      subjectKeyId === undefined ||
      this.#authorityKeyId === subjectKeyId
    )
  }

  /** Whether `authority` signed it. @throws CertificateError `unsupported` */
  isSignedBy(authority: Certificate): boolean {
    return verifyWith(this.#algorithm, authority.publicKey, this.#signed, this.#signature)
  }

  toPem(): string {
    return writePem('X509 CRL', this.der)
  }
}

function readEntries(entries: readonly Element[]): ReadonlyMap<string, Revocation> {
  const revoked = new Map<string, Revocation>()
  for (const entry of entries) {
    const fields = new Fields(entry, TAG.sequence, 'entry')
    const serial = readSerial(fields.take(TAG.integer, 'serial number'))
    const atMs = readTime(fields.any('revocation date'))
    const extensions = fields.optional(TAG.sequence)
    fields.end()
    revoked.set(serial, { atMs, reason: extensions === undefined ? 'unspecified' : readReason(extensions) })
  }
  return revoked
}

function readReason(extensions: Element): RevocationReason {
  const list = readExtensionList(extensions)
  const critical = list.find((each) => each.critical)
  if (critical !== undefined)
    throw new CertificateError('unsupported', `critical entry extension ${critical.name}`)
  const code = list.find((each) => each.name === OID.reasonCode)
  if (code === undefined) return 'unspecified'
  const value = readDer(code.value, 16)
  if (tagOf(value) !== TAG.enumerated) throw malformed('a reason that is no enumerated value')
  const number = contentOf(value)[0]
  return REVOCATION_REASONS.find((reason) => REASONS[reason] === number) ?? 'unspecified'
}

function readListExtensions(list: Element | undefined): {
  readonly number: number
  readonly keyId: string | undefined
} {
  let number = 0
  let keyId: string | undefined
  for (const { name, critical, value } of list === undefined ? [] : readExtensionList(list)) {
    if (name === OID.listNumber) number = readInteger(readDer(value, 64))
    else if (name === OID.authorityKeyIdentifier) keyId = readKeyReference(readDer(value, 1_024))
    else if (critical) throw new CertificateError('unsupported', `critical list extension ${name}`)
  }
  return { number, keyId }
}

/** The list to write. */
export interface RevocationListRequest {
  readonly number: number
  readonly thisUpdateMs: number
  readonly nextUpdateMs: number
  /** Serial numbers in hexadecimal. */
  readonly revoked: ReadonlyMap<string, Revocation>
}

/** A list signed by an authority. Same request, same bytes. */
export function writeRevocationList(
  issuer: { readonly certificate: Certificate; readonly key: KeyObject },
  request: RevocationListRequest,
): RevocationList {
  const { certificate, key } = issuer
  const entries = [...request.revoked].map(([serial, { atMs, reason }]) => {
    const code = writeExtension(
      OID.reasonCode,
      false,
      element(TAG.enumerated, Uint8Array.of(REASONS[reason])),
    )
    return sequence(integerFromHex(serial), time(atMs), ...(reason === 'unspecified' ? [] : [sequence(code)]))
  })
  const { subjectKeyId } = certificate.extensions
  const keyReference =
    subjectKeyId === undefined
      ? []
      : [writeExtension(OID.authorityKeyIdentifier, false, writeKeyReference(subjectKeyId))]
  const content = sequence(
    integer(VERSION_2),
    algorithmOf(key),
    readDer(Uint8Array.from(Buffer.from(certificate.subjectDer, 'hex')), MAX_BYTES),
    time(request.thisUpdateMs),
    time(request.nextUpdateMs),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    element(context(0, true), [
      sequence(...keyReference, writeExtension(OID.listNumber, false, integer(request.number))),
    ]),
  )
  return new RevocationList(writeSigned(content, key))
}

/** The lists of a PEM text or of one DER list. */
export function readRevocationLists(source: Uint8Array | string): readonly RevocationList[] {
  const text = typeof source === 'string' ? source : Buffer.from(source).toString('latin1')
  const blocks = readPem(text).filter((each) => each.label === 'X509 CRL')
  if (blocks.length > 0) return blocks.map((each) => new RevocationList(each.der))
  if (typeof source !== 'string' && source[0] === TAG.sequence) return [new RevocationList(source)]
  throw new CertificateError('malformed', 'neither a PEM revocation list nor a DER one')
}
