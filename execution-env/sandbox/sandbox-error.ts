/**
 * The sandbox's one error: code that is not accepted, or a request that was not carried out. Its closed `code`
 * crosses processes as data; text that comes from a plugin is bounded before it gets here.
 */

/** Why. Closed: every consumer may switch over it. */
export type SandboxErrorCode =
  | 'refused' // vetting or the compiler does not accept the code
  | 'invalid' // a request or a reply is of the wrong form
  | 'unknown' // no such instance, entry or host function
  | 'exists' // the instance is loaded already
  | 'limit' // too large, too many, too deep
  | 'thrown' // the plugin threw; the instance lives on
  | 'timeout' // the plugin took longer than it may; the instance is gone
  | 'memory' // the plugin took more memory than it may; the instance is gone
  | 'crashed' // the sandbox process died meanwhile; every instance in it is gone
  | 'unavailable' // the sandbox process is not running yet or not running again yet
  | 'quarantined' // the instance brought the sandbox down too often
  | 'closed' // the sandbox was closed

const CODES: ReadonlySet<string> = new Set<SandboxErrorCode>([
  'refused',
  'invalid',
  'unknown',
  'exists',
  'limit',
  'thrown',
  'timeout',
  'memory',
  'crashed',
  'unavailable',
  'quarantined',
  'closed',
])

/** Whether a word from the other side is one of the codes. */
export function isSandboxErrorCode(word: unknown): word is SandboxErrorCode {
  return typeof word === 'string' && CODES.has(word)
}

/** A refused or failed request as plain data. */
export interface SandboxFailure {
  readonly code: SandboxErrorCode
  /** What happened, for people; at most 2,000 characters of it are a plugin's. */
  readonly message: string
  /** Where in the plugin, mapped to its sources where a source map was given; empty when unknown. */
  readonly stack: string
  /** Of a crash: the plugin was running when the process died. */
  readonly blamed: boolean
}

/** A failure without a place in a plugin. */
export function failure(code: SandboxErrorCode, message: string, blamed = false): SandboxFailure {
  return { code, message, stack: '', blamed }
}

/** A failure as something to throw. */
export class SandboxError extends Error {
  override readonly name = 'SandboxError'
  readonly code: SandboxErrorCode
  /** Where in the plugin, `file:line:column` frames; empty when unknown. */
  readonly pluginStack: string
  readonly blamed: boolean

  constructor(cause: SandboxFailure) {
    super(cause.message)
    this.code = cause.code
    this.pluginStack = cause.stack
    this.blamed = cause.blamed
  }
}
