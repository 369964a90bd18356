/**
 * Protocol identities: routers, hosts and operators sign what they say with the Ed25519 key of their certificate. The
 * one idea: what is signed begins with the name of its protocol, so that a signature made for one can never stand
 * for another. 64-byte signatures; RFC 8032.
 */
import { sign, verify } from 'node:crypto'
import type { Certificate } from './certificate.ts'
import { CertificateError } from './errors.ts'
import type { KeyObject } from './keys.ts'

/** Bytes of every signature. */
export const SIGNATURE_BYTES = 64

const PROTOCOL = /^[a-z0-9][a-z0-9./-]{0,63}$/

/** The bytes that are really signed: the protocol's name, a zero byte, the message. */
function frame(protocol: string, message: Uint8Array): Uint8Array {
  if (!PROTOCOL.test(protocol))
    throw new CertificateError('invalid', 'expected the name of a protocol', protocol)
  return Buffer.concat([Buffer.from(protocol, 'latin1'), Uint8Array.of(0), message])
}

/** Signs a message of a protocol (such as `flow-advertisement/1`). Same key and message, same bytes. */
export function signMessage(key: KeyObject, protocol: string, message: Uint8Array): Uint8Array {
  if (key.asymmetricKeyType !== 'ed25519')
    throw new CertificateError('unsupported', 'expected an Ed25519 key', 'key')
  return Uint8Array.from(sign(null, frame(protocol, message), key))
}

/** Whether the holder of a certificate, already verified, signed the message. Never throws on hostile bytes. */
export function verifyMessage(
  certificate: Certificate,
  protocol: string,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  return verifyMessageBy(certificate.publicKey, protocol, message, signature)
}

/** The same for the holder of a key. */
export function verifyMessageBy(
  publicKey: KeyObject,
  protocol: string,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (publicKey.asymmetricKeyType !== 'ed25519' || signature.length !== SIGNATURE_BYTES) return false
  return verify(null, frame(protocol, message), publicKey, signature)
}
