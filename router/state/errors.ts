/** The error of the router's own state: something on its disk is not as the router left it, or cannot be had. */

/** Why. Closed: every consumer may switch over it. */
export type StateErrorCode =
  | 'damaged' // a file is not what the router wrote
  | 'unreadable' // the folder cannot be read or written
  | 'limit' // more than the registry holds
  | 'locked' // another router runs on the folder

/** Refused: `code` for programs, `message` for people, `place` naming the file or folder. */
export class StateError extends Error {
  override readonly name = 'StateError'
  readonly code: StateErrorCode
  /** What is wrong, without the place. */
  readonly reason: string
  readonly place: string

  constructor(code: StateErrorCode, reason: string, place: string, options?: ErrorOptions) {
    super(`${place}: ${reason}`, options)
    this.code = code
    this.reason = reason
    this.place = place
  }
}
