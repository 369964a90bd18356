/**
 * The one error of certificates: something that is not believed, or a request to the authority that is refused.
 * Its closed `code` crosses a socket as data; its message says whose certificate and what would help.
 */

/** Why. Closed: every consumer may switch over it. */
export type CertificateErrorCode =
  // what was presented
  | 'malformed' // not a certificate, list or signature of the accepted form
  | 'unsupported' // an algorithm, key or critical extension that is not accepted here
  | 'unsigned' // there is no signature at all
  | 'altered' // a signature does not fit the bytes it stands for
  | 'untrusted' // no chain leads to a trusted root
  | 'not-authority' // an issuer that may not issue certificates
  | 'path-length' // more authorities below one than it allows
  | 'wrong-usage' // a certificate for something else
  | 'expired'
  | 'not-yet-valid'
  | 'revoked'
  | 'list-missing' // no revocation list of an issuer is known
  | 'list-stale' // its revocation list is too old, or from the future
  | 'beyond-grant' // grants or asks for more than its issuer was granted
  // what was asked of an authority or a file
  | 'invalid' // a value is of the wrong form or out of its bounds
  | 'exists' // would overwrite something
  | 'unknown' // names something that does not exist
  | 'busy' // another process is at work there
  | 'unreadable' // a file cannot be read or written
  | 'limit' // too many or too large

/** Refused: `code` for programs, `message` for people, `place` naming the certificate, file or value. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError'
  readonly code: CertificateErrorCode
  /** What is wrong, without the place. */
  readonly reason: string
  /** A subject, a file or a key; empty when it is the whole. */
  readonly place: string

  constructor(code: CertificateErrorCode, reason: string, place = '') {
    super(place === '' ? reason : `${place}: ${reason}`)
    this.code = code
    this.reason = reason
    this.place = place
  }
}
