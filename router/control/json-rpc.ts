/**
 * JSON-RPC 2.0 as routers speak it: one request a message, always with an id, parameters by name. The one idea: strict
 * in both directions and bounded before it is believed; batches, notifications from clients and parameters by place
 * are not part of it.
 */
import { ContractError, type JsonValue, parseJson } from '../../execution-env/contract/index.ts'
import { CONTROL_ERRORS, ControlError, type ControlErrorCode, type ControlProblem } from './errors.ts'
import { MAX_REQUEST_BYTES, MAX_REQUEST_DEPTH, MAX_REQUEST_VALUES } from './limits.ts'

export type RequestId = number | string

export interface Request {
  readonly id: RequestId
  readonly method: string
  readonly params: Readonly<Record<string, JsonValue>>
}

/** What a client gets: the answer to a request, or news of a watch. */
export type Incoming =
  | { readonly kind: 'result'; readonly id: RequestId; readonly result: JsonValue }
  | { readonly kind: 'error'; readonly id: RequestId | null; readonly error: ControlError }
  | { readonly kind: 'update'; readonly method: string; readonly params: JsonValue }

const LIMITS = {
  maxBytes: MAX_REQUEST_BYTES,
  maxDepth: MAX_REQUEST_DEPTH,
  maxValues: MAX_REQUEST_VALUES,
}
const KEYS: ReadonlySet<string> = new Set(['jsonrpc', 'id', 'method', 'params'])
const LONGEST_ID = 64
const LONGEST_METHOD = 64

/** A refused message, with the id to answer to where one could be read. */
export class RequestRefusal extends Error {
  readonly id: RequestId | null
  readonly error: ControlError

  constructor(id: RequestId | null, error: ControlError) {
    super(error.message)
    this.id = id
    this.error = error
  }
}

/**
 * The request in a message.
 * @param text attacker-controlled
 * @throws RequestRefusal
 */
export function parseRequest(text: Uint8Array | string): Request {
  const value = parse(text)
  const refuse = (reason: string, id: RequestId | null = null) =>
    new RequestRefusal(id, new ControlError('invalid-request', reason))
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw refuse('expected one request, an object')
  const { jsonrpc, id, method, params = {} } = value as Readonly<Record<string, JsonValue>>
  if (!isId(id)) throw refuse(`expected an id: a whole number or a text of at most ${LONGEST_ID}`)
  if (jsonrpc !== '2.0') throw refuse('expected "jsonrpc": "2.0"', id)
  if (typeof method !== 'string' || method.length > LONGEST_METHOD) throw refuse('expected a method', id)
  if (typeof params !== 'object' || params === null || Array.isArray(params))
    throw refuse('expected params by name, an object', id)
  const extra = Object.keys(value).find((key) => !KEYS.has(key))
  if (extra !== undefined) throw refuse(`unexpected key ${JSON.stringify(extra.slice(0, LONGEST_ID))}`, id)
  return { id, method, params: params as Readonly<Record<string, JsonValue>> }
}

function parse(text: Uint8Array | string): JsonValue {
  try {
    return parseJson(text, LIMITS)
  } catch (error) {
    if (!(error instanceof ContractError)) throw error
    const code: ControlErrorCode = error.code === 'limit' ? 'limit' : 'malformed'
    throw new RequestRefusal(null, new ControlError(code, error.message))
  }
}

function isId(value: unknown): value is RequestId {
  if (typeof value === 'string') return value.length <= LONGEST_ID
  return Number.isSafeInteger(value)
}

export function formatRequest(id: RequestId, method: string, params: object): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method, params })
}

export function formatResult(id: RequestId, result: unknown): string {
  return JSON.stringify({ jsonrpc: '2.0', id, result: result ?? null })
}

export function formatError(id: RequestId | null, error: ControlError): string {
  const { code, message, place, causeCode, problems } = error
  const data = {
    code,
    ...(place === '' ? {} : { place }),
    ...(causeCode === undefined ? {} : { cause: causeCode }),
    ...(problems.length === 0 ? {} : { problems }),
  }
  return JSON.stringify({ jsonrpc: '2.0', id, error: { code: CONTROL_ERRORS[code], message, data } })
}

export function formatNotification(method: string, params: object): string {
  return JSON.stringify({ jsonrpc: '2.0', method, params })
}

/**
 * What a router sent.
 * @throws ControlError `invalid-request` for anything that no router says
 */
export function parseIncoming(text: string): Incoming {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new ControlError('invalid-request', 'the router sent something that is not JSON')
  }
  const { jsonrpc, id, method, params, result, error } = (value ?? {}) as Readonly<Record<string, unknown>>
  if (jsonrpc === '2.0' && typeof method === 'string' && id === undefined)
    return { kind: 'update', method, params: (params ?? null) as JsonValue }
  if (jsonrpc === '2.0' && error !== undefined && (id === null || isId(id)))
    return { kind: 'error', id, error: errorOf(error) }
  if (jsonrpc === '2.0' && result !== undefined && isId(id))
    return { kind: 'result', id, result: result as JsonValue }
  throw new ControlError('invalid-request', 'the router sent something that is no answer')
}

function errorOf(value: unknown): ControlError {
  const { message, data } = (value ?? {}) as { message?: unknown; data?: unknown }
  const { code, place, cause, problems } = (data ?? {}) as Readonly<Record<string, unknown>>
  const known = Object.keys(CONTROL_ERRORS).find((each) => each === code) as ControlErrorCode | undefined
  return new ControlError(known ?? 'internal', typeof message === 'string' ? message : 'refused', {
    ...(typeof place === 'string' ? { place } : {}),
    ...(typeof cause === 'string' ? { cause } : {}),
    ...(Array.isArray(problems) ? { problems: problems as ControlProblem[] } : {}),
  })
}
