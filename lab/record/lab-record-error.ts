/** The error of records: one that cannot be read, is damaged, or belongs to another lab. */

/** Why. Closed: every consumer may switch over it. */
export type LabRecordErrorCode =
  | 'unreadable' // the file, or a bundle beside it, cannot be read
  | 'damaged' // a line, or a bundle beside it, is not what was written
  | 'foreign' // it was made with another lab, or by another version of records

/** Refused: the message names file and line. */
export class LabRecordError extends Error {
  override readonly name = 'LabRecordError'
  readonly code: LabRecordErrorCode

  constructor(code: LabRecordErrorCode, place: string, reason: string, options?: ErrorOptions) {
    super(`${place}: ${reason}`, options)
    this.code = code
  }
}
