/**
 * An X.509 version 3 certificate (RFC 5280), read. The one idea: an immutable value whose fields were all read
 * strictly, with nothing believed yet: what it says becomes true only through verifier.ts.
 */
import { createHash, type KeyObject } from 'node:crypto'
import { context, Fields, malformed, readDer, TAG, writeDer } from './der.ts'
import { readBytes, readInteger, readSerial, readTime } from './der-values.ts'
import { readName } from './distinguished-name.ts'
import { CertificateError } from './errors.ts'
import { type Extensions, readExtensions } from './extensions.ts'
import { readPublicKey } from './keys.ts'
import { type PemBlock, readPem, writePem } from './pem.ts'
import { readAlgorithm, verifyWith } from './signature.ts'

/** No certificate is longer. */
const MAX_BYTES = 32_768
const VERSION_3 = 2

/** What a certificate says, besides its signature. */
interface Content {
  readonly serial: string
  readonly algorithm: string
  readonly issuer: { readonly text: string; readonly der: string }
  readonly subject: { readonly text: string; readonly commonName: string; readonly der: string }
  readonly notBeforeMs: number
  readonly notAfterMs: number
  readonly publicKeyDer: Uint8Array
  readonly extensions: Extensions
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** A certificate as it was presented. */
export class Certificate {
  /** The whole of it. */
  readonly der: Uint8Array
  /** Lower-case hexadecimal, even digits. */
  readonly serial: string
  /** For people: `CN=a, O=b`. */
  readonly subject: string
  readonly issuer: string
  readonly commonName: string
  /** Encoded names, to be compared. */
  readonly subjectDer: string
  readonly issuerDer: string
  /** Calendar time, inclusive; whole seconds. */
  readonly notBeforeMs: number
  readonly notAfterMs: number
  readonly extensions: Extensions
  readonly publicKey: KeyObject
  /** SHA-256 of the whole, hexadecimal. */
  readonly fingerprint: string
  /** SHA-256 of the public key, hexadecimal: stays the same when a certificate is renewed with the same key. */
  readonly keyId: string
  readonly #signed: Uint8Array
  readonly #algorithm: string
  readonly #signature: Uint8Array

  /** @throws CertificateError `malformed`, `unsupported` or `limit`; input is attacker-controlled */
  constructor(der: Uint8Array) {
    const whole = new Fields(readDer(der, MAX_BYTES), TAG.sequence, 'certificate')
    const signed = whole.take(TAG.sequence, 'content')
    const algorithm = readAlgorithm(whole.take(TAG.sequence, 'signature algorithm'))
    const signature = readBytes(whole.take(TAG.bitString, 'signature'))
    whole.end()
    const content = readContent(new Fields(signed, TAG.sequence, 'certificate'))
    if (content.algorithm !== algorithm) throw malformed('two signature algorithms that differ')
    this.der = Uint8Array.from(der)
    this.serial = content.serial
    this.subject = content.subject.text
    this.commonName = content.subject.commonName
    this.subjectDer = content.subject.der
    this.issuer = content.issuer.text
    this.issuerDer = content.issuer.der
    this.notBeforeMs = content.notBeforeMs
    this.notAfterMs = content.notAfterMs
    this.extensions = content.extensions
    this.publicKey = readPublicKey(content.publicKeyDer)
    this.fingerprint = sha256(der)
    this.keyId = sha256(content.publicKeyDer)
    this.#signed = writeDer(signed)
    this.#algorithm = algorithm
    this.#signature = signature
  }

  /** Whether subject and issuer are the same name. */
  get isSelfIssued(): boolean {
    return this.subjectDer === this.issuerDer
  }

  /** What it grants; nothing when it says nothing. */
  get grant() {
    return this.extensions.grant ?? {}
  }

  /** Whether `issuer` could have issued it: by name, and by key identifier where both have one. */
  names(issuer: Certificate): boolean {
    const { authorityKeyId } = this.extensions
    const { subjectKeyId } = issuer.extensions
    if (this.issuerDer !== issuer.subjectDer) return false
    return authorityKeyId === undefined || subjectKeyId === undefined || authorityKeyId === subjectKeyId
  }

  /** Whether `issuer` signed it. @throws CertificateError `unsupported` */
  isSignedBy(issuer: Certificate): boolean {
    return verifyWith(this.#algorithm, issuer.publicKey, this.#signed, this.#signature)
  }

  /** PEM text. */
  toPem(): string {
    return writePem('CERTIFICATE', this.der)
  }
}

function readContent(fields: Fields): Content {
  const version = fields.enter(context(0, true), 'version')
  if (readInteger(version.take(TAG.integer, 'number')) !== VERSION_3) throw malformed('not of version 3')
  version.end()
  const serial = readSerial(fields.take(TAG.integer, 'serial number'))
  const algorithm = readAlgorithm(fields.take(TAG.sequence, 'signature algorithm'))
  const issuer = fields.take(TAG.sequence, 'issuer')
  const validity = fields.enter(TAG.sequence, 'validity')
  const notBeforeMs = readTime(validity.any('beginning'))
  const notAfterMs = readTime(validity.any('end'))
  validity.end()
  const subject = fields.take(TAG.sequence, 'subject')
  const publicKeyDer = writeDer(fields.take(TAG.sequence, 'public key'))
  const extensions = fields.done ? undefined : fields.enter(context(3, true), 'extensions')
  const extensionList = extensions?.take(TAG.sequence, 'list')
  extensions?.end()
  fields.end()
  const subjectName = readName(subject)
  if (subjectName.text === '') throw malformed('without a subject')
  return {
    serial,
    algorithm,
    issuer: { text: readName(issuer).text, der: hex(writeDer(issuer)) },
    subject: { ...subjectName, der: hex(writeDer(subject)) },
    notBeforeMs,
    notAfterMs,
    publicKeyDer,
    extensions: readExtensions(extensionList),
  }
}

/** The certificates of a PEM text or of one DER certificate. Other PEM blocks are passed over. */
export function readCertificates(source: Uint8Array | string): readonly Certificate[] {
  const text = typeof source === 'string' ? source : Buffer.from(source).toString('latin1')
  const blocks = readPem(text).filter((each: PemBlock) => each.label === 'CERTIFICATE')
  if (blocks.length > 0) return blocks.map((each) => new Certificate(each.der))
  if (typeof source !== 'string' && source[0] === TAG.sequence) return [new Certificate(source)]
  throw new CertificateError('malformed', 'neither a PEM certificate nor a DER one')
}
