/**
 * Keys: RSA for signing bundles (what other tools can verify), Ed25519 for everything that speaks on the wire. The
 * one idea: an Ed25519 key is its 32-byte seed, so that a laboratory derives all its keys from one secret.
 *
 * Arithmetic is OpenSSL's (node:crypto); RFC 8032, RFC 8017 (PKCS #1 v1.5 signatures), RFC 8410.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, hkdfSync, type KeyObject } from 'node:crypto'
import { CertificateError } from './errors.ts'

export type { KeyObject } from 'node:crypto'

/** The key to make. RSA keys take up to a second and cannot be derived from a seed. */
export type KeyRequest =
  | { readonly algorithm: 'rsa'; readonly bits: 2048 | 3072 | 4096 }
  /** `seed` of 32 bytes; without one the key is random. */
  | { readonly algorithm: 'ed25519'; readonly seed?: Uint8Array }

/** PKCS #8 (RFC 8410) of an Ed25519 key up to its seed. */
const PKCS8_ED25519 = Uint8Array.from(Buffer.from('302e020100300506032b657004220420', 'hex'))
const SEED_BYTES = 32
/** Below this an RSA key is refused, wherever it comes from. */
const MIN_RSA_BITS = 2048
const MAX_RSA_BITS = 8192

/** A new private key. */
export function createKey(request: KeyRequest): KeyObject {
  if (request.algorithm === 'rsa')
    return generateKeyPairSync('rsa', { modulusLength: request.bits }).privateKey
  if (request.seed === undefined) return generateKeyPairSync('ed25519').privateKey
  if (request.seed.length !== SEED_BYTES)
    throw new CertificateError('invalid', `expected a seed of ${SEED_BYTES} bytes`, 'seed')
  const der = Buffer.concat([PKCS8_ED25519, request.seed])
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
}

/** A seed of 32 bytes for one name under a secret (HKDF-SHA256, RFC 5869): same secret and name, same seed. */
export function deriveSeed(secret: Uint8Array | string, name: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, 'pronto key', name, SEED_BYTES))
}

/** The private key of an unencrypted PEM text. @throws CertificateError `malformed` or `unsupported` */
export function readPrivateKey(pem: string): KeyObject {
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch {
    throw new CertificateError('malformed', 'not an unencrypted private key in PEM')
  }
  checkKey(key)
  return key
}

/** PKCS #8 PEM, unencrypted: to be kept in files of mode 0600. */
export function writePrivateKey(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** The public key of a private one; a public one as it is. */
export function publicKeyOf(key: KeyObject): KeyObject {
  return key.type === 'private' ? createPublicKey(key) : key
}

/** SubjectPublicKeyInfo of a private or public key. */
export function writePublicKey(key: KeyObject): Uint8Array {
  return Uint8Array.from(publicKeyOf(key).export({ type: 'spki', format: 'der' }))
}

/** The public key of a SubjectPublicKeyInfo, attacker-controlled. @throws CertificateError */
export function readPublicKey(der: Uint8Array): KeyObject {
  let key: KeyObject
  try {
    key = createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' })
  } catch {
    throw new CertificateError('malformed', 'not a public key')
  }
  checkKey(key)
  return key
}

/** Ed25519, or RSA of an accepted size. @throws CertificateError `unsupported` */
function checkKey(key: KeyObject): void {
  if (key.asymmetricKeyType === 'ed25519') return
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (key.asymmetricKeyType !== 'rsa')
    throw new CertificateError(
      'unsupported',
      `a key of type ${key.asymmetricKeyType}, expected rsa or ed25519`,
    )
  if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS)
    throw new CertificateError('unsupported', `an RSA key of ${bits} bits, expected at least ${MIN_RSA_BITS}`)
}

/** Whether a private and a public key belong together. */
export function isKeyPair(privateKey: KeyObject, publicKey: KeyObject): boolean {
  return createPublicKey(privateKey).equals(publicKey)
}
