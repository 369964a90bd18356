/**
 * Signature algorithms: RSA PKCS #1 v1.5 with SHA-2 and Ed25519, and nothing else. The one idea: an algorithm is
 * only accepted together with a key of its kind and exactly the parameters that the standards fix, so that no byte
 * of an algorithm identifier can be changed unnoticed.
 */
import { createHash, type KeyObject, sign, verify } from 'node:crypto'
import { childrenOf, type Element, Fields, TAG, writeDer } from './der.ts'
import { bitString, nothing, objectIdentifier, readObjectIdentifier, sequence } from './der-values.ts'
import { CertificateError } from './errors.ts'
import { OID } from './object-identifiers.ts'

type KeyType = 'rsa' | 'ed25519'

interface Algorithm {
  readonly keyType: KeyType
  /** Name of the digest for node:crypto; Ed25519 digests by itself. */
  readonly digest: string | null
  /** The digest of the content beside which CMS allows this algorithm. */
  readonly contentDigest: string
}

const ALGORITHMS: Readonly<Record<string, Algorithm>> = {
  [OID.rsaSha256]: { keyType: 'rsa', digest: 'sha256', contentDigest: OID.sha256 },
  [OID.rsaSha384]: { keyType: 'rsa', digest: 'sha384', contentDigest: OID.sha384 },
  [OID.rsaSha512]: { keyType: 'rsa', digest: 'sha512', contentDigest: OID.sha512 },
  [OID.ed25519]: { keyType: 'ed25519', digest: null, contentDigest: OID.sha512 },
}

const DIGESTS: Readonly<Record<string, string>> = {
  [OID.sha256]: 'sha256',
  [OID.sha384]: 'sha384',
  [OID.sha512]: 'sha512',
}

/** The digest of `bytes`. @param name object identifier; others than SHA-2 are a broken invariant */
export function digestOf(name: string, bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash(DIGESTS[name]!).update(bytes).digest())
}

/**
 * The algorithm that a CMS signer names together with the digest of the content.
 * @throws CertificateError `unsupported` unless the two belong together
 */
export function cmsAlgorithm(name: string, contentDigest: string): string {
  const found = Object.keys(ALGORITHMS).find((each) => {
    const { keyType, contentDigest: fitting } = ALGORITHMS[each]!
    return fitting === contentDigest && (each === name || (name === OID.rsaEncryption && keyType === 'rsa'))
  })
  if (found === undefined)
    throw new CertificateError('unsupported', `signature algorithm ${name} with digest ${contentDigest}`)
  return found
}

/** The algorithm identifier with which `signWith` signs. */
export function algorithmOf(key: KeyObject): Element {
  return key.asymmetricKeyType === 'ed25519'
    ? sequence(objectIdentifier(OID.ed25519))
    : sequence(objectIdentifier(OID.rsaSha256), nothing())
}

/** RSA with SHA-256, or Ed25519, by the kind of key. Deterministic. */
export function signWith(key: KeyObject, bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(sign(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', bytes, key))
}

/** Content, algorithm and signature: the outer form of certificates and revocation lists. */
export function writeSigned(content: Element, key: KeyObject): Uint8Array {
  return writeDer(sequence(content, algorithmOf(key), bitString(signWith(key, writeDer(content)))))
}

/** The object identifier of an algorithm identifier whose parameters are absent (Ed25519) or NULL (all others). */
export function readAlgorithm(identifier: Element): string {
  const fields = new Fields(identifier, TAG.sequence, 'algorithm')
  const name = readObjectIdentifier(fields.take(TAG.objectIdentifier, 'name'))
  if (name !== OID.ed25519 && childrenOf(identifier).length > 1) fields.take(TAG.null, 'parameters')
  fields.end()
  return name
}

/**
 * Whether `signature` over `bytes` is right.
 * @param name what `readAlgorithm` answered
 * @throws CertificateError `unsupported` for an algorithm that is not accepted or not of the key's kind
 */
export function verifyWith(name: string, key: KeyObject, bytes: Uint8Array, signature: Uint8Array): boolean {
  const algorithm = ALGORITHMS[name]
  if (algorithm === undefined) throw new CertificateError('unsupported', `signature algorithm ${name}`)
  if (key.asymmetricKeyType !== algorithm.keyType)
    throw new CertificateError(
      'unsupported',
      `a ${algorithm.keyType} signature by a ${key.asymmetricKeyType} key`,
    )
  return verify(algorithm.digest, bytes, key, signature)
}
