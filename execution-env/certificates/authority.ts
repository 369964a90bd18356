/**
 * An authority: issues certificates and revocation lists. The one idea: everything that goes into a certificate is an
 * argument (names, serial, times, keys), so that with Ed25519 or RSA keys alike the same request gives the same
 * bytes. authority-directory.ts keeps one in a folder; a laboratory keeps one in memory.
 */
import { createHash } from 'node:crypto'
import { formatViolation } from '../contract/index.ts'
import { Certificate } from './certificate.ts'
import { context, type Element, element, readDer } from './der.ts'
import { integer, integerFromHex, sequence, time } from './der-values.ts'
import { writeName } from './distinguished-name.ts'
import { CertificateError } from './errors.ts'
import { type IssuedExtensions, writeExtensions } from './extensions.ts'
import { excessOfGrant, type Grant } from './grant.ts'
import { type KeyObject, writePublicKey } from './keys.ts'
import { PURPOSES_OF, type Usage } from './object-identifiers.ts'
import { algorithmOf, writeSigned } from './signature.ts'

/** A certificate with its private key and the authorities above it, the root left out. */
export interface Credential {
  readonly certificate: Certificate
  readonly key: KeyObject
  /** Issuer first. */
  readonly chain: readonly Certificate[]
}

interface CommonRequest {
  /** 1..64 printable characters. */
  readonly name: string
  /** Even hexadecimal digits, at most 20 bytes; unique for the issuer. */
  readonly serial: string
  /** Calendar time; cut off to whole seconds. */
  readonly notBeforeMs: number
  readonly notAfterMs: number
  readonly grant?: Grant
}

/** A root, or an authority below another. */
export interface AuthorityRequest extends CommonRequest {
  readonly key: KeyObject
  /** Authorities that may stand below it; absent: any number. */
  readonly pathLength?: number
}

/** A certificate for the end of a chain. */
export interface IssueRequest extends CommonRequest {
  readonly type: Usage
  /** Private or public. Protocol identities (router, host, operator) need an Ed25519 key. */
  readonly key: KeyObject
}

const NAME = /^[\p{L}\p{N}\p{P}\p{S} ]{1,64}$/u
const SERIAL = /^(?:[0-9a-f]{2}){1,20}$/
const DNS_NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/i
/** GeneralizedTime ends with the year 9999. */
const LAST_TIME_MS = Date.UTC(9999, 11, 31, 23, 59, 59)

/** A new root: signs itself. */
export function createRoot(request: AuthorityRequest): Credential {
  const { key } = request
  const keyId = keyIdOf(key)
  const name = writeName(request.name)
  const extensions = authorityExtensions(request, keyId, keyId)
  return { certificate: write(request, name, name, key, key, extensions), key, chain: [] }
}

/** An authority below `issuer`. @throws CertificateError `beyond-grant`, `path-length`, `invalid` */
export function issueAuthority(issuer: Credential, request: AuthorityRequest): Credential {
  const above = issuer.certificate.extensions.pathLength
  if (above !== undefined && (request.pathLength === undefined || request.pathLength >= above))
    throw new CertificateError('path-length', `expected less than ${above}`, 'pathLength')
  const extensions = authorityExtensions(request, keyIdOf(request.key), issuerKeyId(issuer))
  const certificate = issueWith(issuer, request, request.key, extensions)
  return { certificate, key: request.key, chain: chainBelow(issuer) }
}

/** A certificate for the end of a chain. @throws CertificateError `beyond-grant`, `unsupported`, `invalid` */
export function issueCertificate(issuer: Credential, request: IssueRequest): Certificate {
  const { type, key, name, grant } = request
  if (type !== 'signer' && key.asymmetricKeyType !== 'ed25519')
    throw new CertificateError('unsupported', `a ${type} needs an Ed25519 key`, 'key')
  return issueWith(issuer, request, key, {
    isAuthority: false,
    keyUsages: ['digitalSignature'],
    purposes: PURPOSES_OF[type],
    subjectKeyId: keyIdOf(key),
    authorityKeyId: issuerKeyId(issuer),
    dnsNames: type !== 'signer' && DNS_NAME.test(name) ? [name] : [],
    ...(grant === undefined ? {} : { grant }),
  })
}

/** What stands between a certificate issued by `issuer` and the root: `issuer` itself unless it is the root. */
export function chainBelow(issuer: Credential): readonly Certificate[] {
  return issuer.certificate.isSelfIssued ? [] : [issuer.certificate, ...issuer.chain]
}

function issueWith(
  issuer: Credential,
  request: CommonRequest,
  key: KeyObject,
  extensions: IssuedExtensions,
): Certificate {
  const { certificate } = issuer
  if (!certificate.extensions.isAuthority)
    throw new CertificateError('not-authority', 'may not issue certificates', certificate.subject)
  const isBound = !certificate.isSelfIssued || certificate.extensions.grant !== undefined
  const [excess] = isBound ? excessOfGrant(request.grant ?? {}, certificate.grant) : []
  if (excess !== undefined) throw new CertificateError('beyond-grant', formatViolation(excess), request.name)
  const issuerName = readDer(Uint8Array.from(Buffer.from(certificate.subjectDer, 'hex')), 1 << 16)
  return write(request, issuerName, writeName(request.name), key, issuer.key, extensions)
}

function authorityExtensions(
  request: AuthorityRequest,
  subjectKeyId: string,
  authorityKeyId: string,
): IssuedExtensions {
  const { pathLength, grant } = request
  return {
    isAuthority: true,
    keyUsages: ['keyCertSign', 'cRLSign'],
    purposes: [],
    subjectKeyId,
    authorityKeyId,
    dnsNames: [],
    ...(pathLength === undefined ? {} : { pathLength }),
    ...(grant === undefined ? {} : { grant }),
  }
}

function write(
  request: CommonRequest,
  issuer: Element,
  subject: Element,
  key: KeyObject,
  signer: KeyObject,
  extensions: IssuedExtensions,
): Certificate {
  checkRequest(request)
  const content = sequence(
    element(context(0, true), [integer(2)]),
    integerFromHex(request.serial),
    algorithmOf(signer),
    issuer,
    sequence(time(request.notBeforeMs), time(request.notAfterMs)),
    subject,
    readDer(writePublicKey(key), 1 << 16),
    element(context(3, true), [writeExtensions(extensions)]),
  )
  return new Certificate(writeSigned(content, signer))
}

function checkRequest({ name, serial, notBeforeMs, notAfterMs }: CommonRequest): void {
  if (!NAME.test(name)) throw new CertificateError('invalid', 'expected 1..64 printable characters', 'name')
  if (!SERIAL.test(serial) || /^0+$/.test(serial) || /^00/.test(serial))
    throw new CertificateError('invalid', 'expected even hexadecimal digits of a positive number', 'serial')
  if (!(notBeforeMs >= 0 && notBeforeMs < notAfterMs && notAfterMs <= LAST_TIME_MS))
    throw new CertificateError('invalid', 'expected a beginning from 1970 on and a later end', 'validity')
}

/** SHA-256 of the public key, cut to 160 bits (RFC 7093 section 2). */
function keyIdOf(key: KeyObject): string {
  return createHash('sha256').update(writePublicKey(key)).digest('hex').slice(0, 40)
}

function issuerKeyId(issuer: Credential): string {
  return issuer.certificate.extensions.subjectKeyId ?? keyIdOf(issuer.key)
}
