/**
 * The error of a file that is no bundle. The one idea: a bundle has exactly one form, so every difference has a name
 * and a place. Whether a well-formed bundle is to be believed is told by CertificateError.
 */

/** Why it was refused. Closed: every consumer may switch over it. */
export type BundleErrorCode =
  | 'truncated' // ends before it should
  | 'trailing' // something follows the end
  | 'checksum' // a header does not fit its own checksum
  | 'not-a-file' // an entry that is a link, a folder, a device ...
  | 'unexpected-entry' // an entry that does not belong here
  | 'duplicate' // an entry given twice
  | 'order' // an entry before another that must come first
  | 'missing-entry' // an entry that must be there
  | 'not-canonical' // another form of what could be written in one form only
  | 'limit' // an entry, or the whole, is too large
  | 'encoding' // a text that is not UTF-8
  | 'manifest' // pronto.json is not a manifest; the cause is a ContractError

/** Refused: `code` for programs, `message` for people, `place` naming the entry and the byte where it begins. */
export class BundleError extends Error {
  override readonly name = 'BundleError'
  readonly code: BundleErrorCode
  /** What is wrong, without the place. */
  readonly reason: string
  /** `plugin.js`, or `byte 1536` where no entry can be told. */
  readonly place: string

  constructor(code: BundleErrorCode, reason: string, place: string, options?: ErrorOptions) {
    super(`${place}: ${reason}`, options)
    this.code = code
    this.reason = reason
    this.place = place
  }
}
