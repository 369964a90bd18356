/**
 * The host stack's one error: a refused request. Frames from outside never throw (they are counted and dropped);
 * only a call that the stack will not carry out becomes a StackError with a closed `code`.
 */

/** Why a request was refused. Closed: every consumer may switch over it. */
export type StackErrorCode =
  | 'invalid' // a value is of the wrong form or out of its bounds
  | 'unknown' // names something that does not exist
  | 'exists' // the port, address or device is taken
  | 'limit' // a table or a quota is full
  | 'closed' // the object it is asked of has ended
  | 'unreachable' // there is no route to the address

/** A refused request: `code` for programs, `message` for people. */
export class StackError extends Error {
  override readonly name = 'StackError'
  readonly code: StackErrorCode

  constructor(code: StackErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
