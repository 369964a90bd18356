/** The refusals of the host agent. */

/** Why the agent cannot do what it was asked. Closed: every consumer may switch over it. */
export type HostErrorCode =
  | 'busy' // an agent of this name runs, or something else holds what it needs
  | 'not-found' // no agent of this name runs, or there is no such device
  | 'forbidden' // a privilege is missing
  | 'unsupported' // this kernel or machine cannot do it
  | 'invalid' // a value is out of its bounds, or not what this machine is like
  | 'failed' // anything else

export class HostError extends Error {
  override readonly name = 'HostError'
  readonly code: HostErrorCode

  constructor(code: HostErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
