/**
 * The engine's one error: a refused request. A bad packet never throws (it is counted and dropped) and a
 * broken invariant asserts; only a request that the engine will not carry out becomes an EngineError, whose
 * closed `code` crosses a sandbox or a socket as data.
 */

/** Why a request was refused. Closed: every consumer may switch over it. */
export type EngineErrorCode =
  | 'invalid' // a value is of the wrong form or out of its bounds
  | 'unknown' // names something that does not exist
  | 'exists' // names something that exists already
  | 'in-use' // still referenced by something else
  | 'conflict' // contradicts what another owner holds
  | 'limit' // a table, a share or a quota is full
  | 'unsupported' // this engine, port or machine cannot do it
  | 'forbidden' // the owner may not do it

/** A refused request: `code` for programs, `message` for people, `place` naming the offending value. */
export class EngineError extends Error {
  override readonly name = 'EngineError'
  readonly code: EngineErrorCode
  /** What is wrong, without the place. */
  readonly reason: string
  /** Path of the offending value in the request, e.g. `changes[3].filter.to`; empty when it is the whole. */
  readonly place: string

  constructor(code: EngineErrorCode, reason: string, place = '') {
    super(place === '' ? reason : `${place}: ${reason}`)
    this.code = code
    this.reason = reason
    this.place = place
  }

  /** The same refusal seen from further out: `place` is put in front. */
  within(place: string): EngineError {
    return new EngineError(this.code, this.reason, this.place === '' ? place : `${place}.${this.place}`)
  }
}
