/**
 * Signatures for plugins: with keys of the router, verified by keys, certificates or bare public keys (R-DT-05 and
 * R-SEC-02 build on it). The one idea: what is signed begins with the name of a protocol of its own, so that whoever
 * may sign here can never speak for the router or a host elsewhere. Ed25519, RFC 8032.
 */

import { verifyMessageBy } from '../certificates/identity.ts'
import { Certificate, CertificateError, type KeyObject, signMessage } from '../certificates/index.ts'
import { publicKeyOf, readPublicKey } from '../certificates/keys.ts'
import type { ServiceFailure, SignatureRecord, VerdictRecord } from '../contract/api/index.ts'
import { type SignRequest, serviceFailure, type VerifyRequest } from './plugin-services.ts'

export interface KeySources {
  /** The router's private key of a name. */
  readonly key: (name: string) => KeyObject | undefined
  /** The certificate of a name that is believed, or why there is none. */
  readonly certificate: (name: string) => Certificate | ServiceFailure
}

/** Put before every text that is signed for a plugin, with a zero byte between. */
export const PLUGIN_PROTOCOL = 'plugin-text/1'

export class KeyService {
  readonly #sources: KeySources

  constructor(sources: KeySources) {
    this.#sources = sources
  }

  sign({ key: name, text }: SignRequest): SignatureRecord | ServiceFailure {
    const key = this.#sources.key(name)
    if (key === undefined) return serviceFailure('unknown', `no key ${name}`)
    const signature = signMessage(key, PLUGIN_PROTOCOL, Buffer.from(text))
    return { ok: true, signature: Buffer.from(signature).toString('base64') }
  }

  verify({ key, publicKey, text, signature }: VerifyRequest): VerdictRecord | ServiceFailure {
    const found = key === undefined ? readKey(publicKey ?? '') : this.#keyOf(key)
    if ('ok' in found) return found
    if (found.asymmetricKeyType !== 'ed25519') return serviceFailure('invalid', 'not an Ed25519 key')
    const bytes = Buffer.from(signature, 'base64')
    return { ok: true, valid: verifyMessageBy(found, PLUGIN_PROTOCOL, Buffer.from(text), bytes) }
  }

  /** The router's own key of a name, else that of the certificate. */
  #keyOf(name: string): KeyObject | ServiceFailure {
    const own = this.#sources.key(name)
    if (own !== undefined) return publicKeyOf(own)
    const certificate = this.#sources.certificate(name)
    return certificate instanceof Certificate ? certificate.publicKey : certificate
  }
}

/** @param text attacker-controlled */
function readKey(text: string): KeyObject | ServiceFailure {
  try {
    return readPublicKey(Buffer.from(text, 'base64'))
  } catch (error) {
    if (error instanceof CertificateError) return serviceFailure('invalid', error.message)
    throw error
  }
}
