/**
 * What the proxies of the router do for a plugin: the web (`http`), the certification authority (`certificates`) and
 * keys (`keys`) (R-PR-02). The one idea: a verb asks, the callback gets either the answer or why there is none, as a
 * closed code; nothing of it throws later, and each callback is called once.
 */

/** Why there is no answer. */
export const SERVICE_ERRORS = [
  'timeout', // none within ten seconds
  'unreachable', // no such host, no connection, no believable server, or it broke off
  'refused', // a redirect out of what is granted, a certificate that is not believed
  'limit', // too many at a time, or in a second
  'too-large', // more than the limit `responseBytes`
  'invalid', // not what it should be: no text in UTF-8, no HTTP, no key
  'unknown', // nothing of this name
  'unsupported', // this router has no such service
] as const
export type ServiceErrorCode = (typeof SERVICE_ERRORS)[number]

export interface ServiceFailure {
  readonly ok: false
  readonly code: ServiceErrorCode
  /** For people. */
  readonly reason: string
}

export interface HttpResponse {
  readonly ok: true
  /** 200..599; one that is no success is an answer, too. */
  readonly status: number
  /** As the server says; empty when it does not. */
  readonly contentType: string
  readonly body: string
}

export interface CertificateRecord {
  readonly ok: true
  /** Its common name. */
  readonly name: string
  /** SubjectPublicKeyInfo in base64. */
  readonly publicKey: string
  /** Calendar milliseconds since 1970. */
  readonly notAfterMs: number
  /** Lower-case hexadecimal. */
  readonly serial: string
}

export interface SignatureRecord {
  readonly ok: true
  /** Of 64 bytes, in base64. */
  readonly signature: string
}

export interface VerdictRecord {
  readonly ok: true
  readonly valid: boolean
}

/** What comes of a request. */
export type ServiceAnswer =
  | HttpResponse
  | CertificateRecord
  | SignatureRecord
  | VerdictRecord
  | ServiceFailure

export interface HttpOptions {
  /** How many redirects are followed, 0..5, each to a granted origin. Default 0: a redirect is the answer. */
  readonly redirects?: number
}

/** The HTTP proxy: texts from the origins that the capability names. No cookies, no credentials, no caches. */
export interface Http {
  get(url: string, done: (response: HttpResponse | ServiceFailure) => void, options?: HttpOptions): void
}

/** The certificate authority's proxy: whose key it is, of certificates that are valid now and not revoked. */
export interface Certificates {
  lookup(name: string, done: (certificate: CertificateRecord | ServiceFailure) => void): void
}

/** By name: a key of the router or else a certificate; or the key itself, as `certificates.lookup` gives it. */
export type VerifyingKey = string | { readonly publicKey: string }

/** Ed25519 signatures over texts of at most 16,384 characters. They stand for nothing but texts of plugins. */
export interface Keys {
  /** Signs with a key that the router's configuration names. */
  sign(key: string, text: string, done: (signature: SignatureRecord | ServiceFailure) => void): void
  verify(
    key: VerifyingKey,
    text: string,
    signature: string,
    done: (verdict: VerdictRecord | ServiceFailure) => void,
  ): void
}
