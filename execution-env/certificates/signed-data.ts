/**
 * Detached signatures: CMS SignedData (RFC 5652) in DER, one signer, the content elsewhere. The one idea: one
 * fixed form; what `openssl cms -verify -binary -inform DER` accepts, and what
 * `openssl cms -sign -binary -outform DER` writes can be read (signed-data-reader.ts).
 *
 * Signed are three attributes: the content's type, its digest and the time the signer claims (believed by nobody).
 * RSA keys sign with SHA-256, Ed25519 keys with SHA-512 (RFC 8419).
 */
import type { Credential } from './authority.ts'
import type { Certificate } from './certificate.ts'
import { context, type Element, element, readDer, writeDer } from './der.ts'
import {
  integer,
  integerFromHex,
  nothing,
  objectIdentifier,
  octetString,
  sequence,
  setOf,
  time,
} from './der-values.ts'
import { CertificateError } from './errors.ts'
import { OID } from './object-identifiers.ts'
import { algorithmOf, digestOf, signWith, verifyWith } from './signature.ts'

/** A signature as it was presented, before anything in it is believed. */
export interface SignedData {
  /** The signer's certificate first, then the others that came with it. */
  readonly certificates: readonly Certificate[]
  /** When the signer says it signed. */
  readonly claimedMs: number | undefined
  /** Digest of the content, and by which algorithm. */
  readonly digest: Uint8Array
  readonly digestName: string
  /** The signed attributes as they were signed, the signature, and its algorithm. */
  readonly attributes: Uint8Array
  readonly signature: Uint8Array
  readonly algorithm: string
}

/** No signature is longer. */
export const MAX_SIGNATURE_BYTES = 65_536
export const VERSION_1 = 1

const attribute = (name: string, value: Element): Element => sequence(objectIdentifier(name), setOf(value))

/**
 * The detached signature of `content`. Same credential, content and time: same bytes.
 * @param claimedMs calendar time that goes into the signature
 */
export function signDetached(content: Uint8Array, signer: Credential, claimedMs: number): Uint8Array {
  const { certificate, key, chain } = signer
  const isEd25519 = key.asymmetricKeyType === 'ed25519'
  const digestName = isEd25519 ? OID.sha512 : OID.sha256
  const digestAlgorithm = isEd25519
    ? sequence(objectIdentifier(digestName))
    : sequence(objectIdentifier(digestName), nothing())
  // A SET OF in DER is sorted; with these three attributes that is by their lengths.
  const attributes = [
    attribute(OID.contentType, objectIdentifier(OID.data)),
    attribute(OID.signingTime, time(claimedMs)),
    attribute(OID.messageDigest, octetString(digestOf(digestName, content))),
  ]
  const signature = signWith(key, writeDer(setOf(...attributes)))
  const issuer = readDer(Uint8Array.from(Buffer.from(certificate.issuerDer, 'hex')), MAX_SIGNATURE_BYTES)
  const signerInfo = sequence(
    integer(VERSION_1),
    sequence(issuer, integerFromHex(certificate.serial)),
    digestAlgorithm,
    element(context(0, true), attributes),
    isEd25519 ? algorithmOf(key) : sequence(objectIdentifier(OID.rsaEncryption), nothing()),
    octetString(signature),
  )
  const certificates = [certificate, ...chain].map((each) => readDer(each.der, MAX_SIGNATURE_BYTES))
  const signedData = sequence(
    integer(VERSION_1),
    setOf(digestAlgorithm),
    sequence(objectIdentifier(OID.data)),
    element(context(0, true), certificates),
    setOf(signerInfo),
  )
  return writeDer(sequence(objectIdentifier(OID.signedData), element(context(0, true), [signedData])))
}

/**
 * Whether `signed` is a signature over `content` by the key of its first certificate.
 * @throws CertificateError `altered` when it is not; whether the certificate is to be believed is verifier.ts's
 */
export function checkSignedData(signed: SignedData, content: Uint8Array): void {
  const [signer] = signed.certificates
  const digest = digestOf(signed.digestName, content)
  if (Buffer.compare(digest, signed.digest) !== 0)
    throw new CertificateError('altered', 'the signature is over other bytes')
  if (!verifyWith(signed.algorithm, signer!.publicKey, signed.attributes, signed.signature))
    throw new CertificateError(
      'altered',
      'the signature is not by the key of its certificate',
      signer!.subject,
    )
}
