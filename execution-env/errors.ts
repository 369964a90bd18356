/**
 * The execution environment's one error: something that was asked about a plugin instance was not done. What a bundle,
 * a certificate or a contract is wrong with has errors of its own; they come through unchanged.
 */

/** Why. Closed: every consumer may switch over it. */
export type EnvironmentErrorCode =
  | 'invalid' // a value is of the wrong form or out of its bounds
  | 'unknown' // no such instance
  | 'exists' // an instance of this id is there already
  | 'busy' // not in this state; the message says which
  | 'refused' // the code, its setup or what it asked for was refused: nothing has changed
  | 'timeout' // it took longer than it may: nothing has changed
  | 'forbidden' // it asked for more than it was granted: nothing has changed
  | 'conflict' // it contradicts what another one holds: nothing has changed
  | 'limit' // a share or a table is full: nothing has changed
  | 'state' // its state could not be moved: nothing has changed
  | 'lost' // it, or the sandbox around it, came to an end meanwhile
  | 'stopped' // it was stopped meanwhile

/** A refusal as plain data, as it crosses threads and sockets. */
export interface EnvironmentFailure {
  readonly code: EnvironmentErrorCode
  readonly reason: string
}

export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError'
  readonly code: EnvironmentErrorCode
  readonly reason: string

  constructor(code: EnvironmentErrorCode, reason: string, options?: ErrorOptions) {
    super(reason, options)
    this.code = code
    this.reason = reason
  }
}
