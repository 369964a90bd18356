/**
 * The control protocol's one error: a request that was not carried out. The one idea: a closed `code`, each with its
 * number for JSON-RPC 2.0, so that clients switch over it; what was refused by another room keeps that room's own code
 * as `cause`.
 */
import { DocumentError } from '../../document/index.ts'
import { EngineError } from '../../engine/index.ts'
import { BundleError } from '../../execution-env/bundle/index.ts'
import { CertificateError } from '../../execution-env/certificates/index.ts'
import { ContractError } from '../../execution-env/contract/index.ts'
import { StateError } from '../state/errors.ts'

/** Code -> number of the JSON-RPC error. Closed: every consumer may switch over it. */
export const CONTROL_ERRORS = {
  malformed: -32_700, // not JSON
  'invalid-request': -32_600, // not a request of this protocol
  'unknown-method': -32_601,
  invalid: -32_602, // a value is of the wrong form or out of its bounds
  internal: -32_603, // a fault of the router itself
  forbidden: -32_001, // the role, or the operator, does not allow it
  unknown: -32_002, // names something that does not exist
  exists: -32_003, // names something that exists already
  'in-use': -32_004, // still referenced by something else
  conflict: -32_005, // contradicts what another one holds
  limit: -32_006, // too large, too many, too often
  unsupported: -32_007, // this router cannot do it
  refused: -32_008, // a bundle or certificate that is not believed, or code that is not accepted
  failed: -32_009, // a plugin did not do what was asked of it
  timeout: -32_010,
  busy: -32_011, // not in this state, or too much waits already
  closing: -32_012, // the router is going down
  unreachable: -32_013, // told by the client: there is no such router, or it went away
} as const

export type ControlErrorCode = keyof typeof CONTROL_ERRORS

/** One of several things that are wrong. */
export interface ControlProblem {
  readonly place: string
  readonly message: string
}

export interface ControlErrorDetails {
  /** Path of the offending value in the request. */
  readonly place?: string
  /** Code of the room that refused: `revoked`, `truncated` ... */
  readonly cause?: string
  readonly problems?: readonly ControlProblem[]
}

/** Refused: `code` for programs, `message` for people. */
export class ControlError extends Error {
  override readonly name = 'ControlError'
  readonly code: ControlErrorCode
  readonly place: string
  readonly causeCode: string | undefined
  readonly problems: readonly ControlProblem[]

  constructor(code: ControlErrorCode, message: string, details: ControlErrorDetails = {}) {
    super(message)
    this.code = code
    this.place = details.place ?? ''
    this.causeCode = details.cause
    this.problems = details.problems ?? []
  }
}

/** Codes of other rooms that mean something else than the same word here. */
const TRANSLATED: Readonly<Record<string, ControlErrorCode>> = {
  state: 'failed',
  lost: 'failed',
  stopped: 'failed',
  unavailable: 'busy',
  crashed: 'failed',
  threw: 'failed',
  closed: 'closing',
  damaged: 'failed',
  unreadable: 'failed',
  'not-found': 'unknown',
}

/** Codes of plugins and their surroundings that are the same here. */
const SHARED: ReadonlySet<string> = new Set<ControlErrorCode>([
  'invalid',
  'forbidden',
  'unknown',
  'exists',
  'in-use',
  'conflict',
  'limit',
  'unsupported',
  'refused',
  'failed',
  'timeout',
  'busy',
])

/**
 * Any error as one of the protocol's. What is nobody's refusal becomes `internal`, whose message tells a stranger
 * nothing about the router.
 */
export function controlErrorOf(error: unknown): ControlError {
  if (error instanceof ControlError) return error
  if (error instanceof CertificateError || error instanceof BundleError)
    return new ControlError('refused', error.message, { place: error.place, cause: error.code })
  if (error instanceof ContractError)
    return new ControlError('invalid', error.message, {
      place: error.place,
      cause: error.code,
      problems: error.problems.map(({ place, reason }) => ({ place, message: reason })),
    })
  if (error instanceof DocumentError)
    return new ControlError('invalid', error.message, {
      cause: error.code,
      problems: error.problems.map((each) => ({
        place: `${each.file}:${each.line}:${each.column}`,
        message: each.message,
      })),
    })
  if (error instanceof EngineError) return new ControlError(error.code, error.message, { place: error.place })
  if (error instanceof StateError)
    return new ControlError(error.code === 'limit' ? 'limit' : 'failed', error.message, {
      place: error.place,
      cause: error.code,
    })
  return coded(error) ?? new ControlError('internal', 'this is a fault of the router; its own log tells more')
}

/** An error of the environment or the machine, known by its name and code alone: its class may live in another thread. */
function coded(error: unknown): ControlError | undefined {
  if (!(error instanceof Error) || !/^(?:Environment|Sandbox|Linux)Error$/.test(error.name)) return undefined
  return environmentRefusal(String((error as { code?: unknown }).code), error.message)
}

/** A refusal of the environment or of a plugin, by its code. */
export function environmentRefusal(code: string, message: string): ControlError {
  const own = SHARED.has(code) ? (code as ControlErrorCode) : (TRANSLATED[code] ?? 'failed')
  return new ControlError(own, message, { cause: code })
}
