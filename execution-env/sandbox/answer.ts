/**
 * What the kernel answered, read on the router's side. The one idea: the text comes from a process that may have
 * been taken over, so its form is checked value by value; what has another form is a broken process, not a plugin's
 * failure.
 */
import type { JsonValue } from '../contract/json.ts'
import type { Fault } from './batch.ts'
import { LOG_LEVELS, type LogLine } from './effects.ts'
import { isSandboxErrorCode, type SandboxFailure } from './sandbox-error.ts'

/** Nesting of values from a plugin. */
const DEPTH_MAX = 64
const MESSAGE_LENGTH = 2_000
const STACK_LENGTH = 4_000

/** The other side does not keep to the form of answers. */
export class AnswerError extends Error {
  override readonly name = 'AnswerError'
}

/** A value that a plugin made is not acceptable; the process is not to blame. */
export class ValueError extends Error {
  override readonly name = 'ValueError'
  readonly code = 'invalid'
}

/** The kernel's answer, all parts present. */
export interface Answer {
  readonly value: JsonValue
  readonly thrown: { readonly message: string; readonly stack: string } | undefined
  readonly requests: readonly JsonValue[]
  readonly logs: readonly LogLine[]
  readonly dropped: number
  readonly faults: readonly Fault[]
  readonly faulty: number
}

type Fields = Readonly<Record<string, JsonValue | undefined>>

/** Refuses values that are too deep to walk, and keys that could reach a prototype where they are copied. */
function checkValue(value: JsonValue, depth: number): void {
  if (typeof value !== 'object' || value === null) return
  if (depth > DEPTH_MAX) throw new ValueError(`nested deeper than ${DEPTH_MAX} levels`)
  if (Array.isArray(value)) {
    for (const each of value as readonly JsonValue[]) checkValue(each, depth + 1)
    return
  }
  const fields = value as Fields
  for (const key of Object.keys(fields)) {
    if (key === '__proto__') throw new ValueError('a key may not be called __proto__')
    checkValue(fields[key]!, depth + 1)
  }
}

/**
 * A JSON value from the other side.
 * @throws AnswerError when it is not JSON; ValueError when it is too deep or has a key `__proto__`
 */
export function readValue(text: string): JsonValue {
  let value: JsonValue
  try {
    value = JSON.parse(text) as JsonValue
  } catch {
    throw new AnswerError('not JSON')
  }
  checkValue(value, 0)
  return value
}

function fieldsOf(value: JsonValue | undefined): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new AnswerError('expected an object')
  return value as Fields
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) throw new AnswerError('expected a list')
  return value as readonly JsonValue[]
}

function textOf(value: JsonValue | undefined, length: number): string {
  if (typeof value !== 'string') throw new AnswerError('expected a text')
  return value.slice(0, length)
}

function countOf(value: JsonValue | undefined): number {
  if (value === undefined) return 0
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new AnswerError('expected a count')
  return value as number
}

function logOf(value: JsonValue): LogLine {
  const [level, text] = listOf(value)
  const known = LOG_LEVELS.find((each) => each === level)
  if (known === undefined) throw new AnswerError('expected a log level')
  return { level: known, text: textOf(text, MESSAGE_LENGTH) }
}

function thrownOf(fields: Fields): { message: string; stack: string } {
  return { message: textOf(fields['message'], MESSAGE_LENGTH), stack: textOf(fields['stack'], STACK_LENGTH) }
}

/** @throws AnswerError, ValueError */
export function readAnswer(text: string): Answer {
  const fields = fieldsOf(readValue(text))
  const { value, thrown, requests, logs, dropped, faults, faulty } = fields
  return {
    value: value ?? null,
    thrown: thrown === undefined ? undefined : thrownOf(fieldsOf(thrown)),
    requests: listOf(requests),
    logs: listOf(logs).map(logOf),
    dropped: countOf(dropped),
    faults: listOf(faults).map((each) => {
      const fault = fieldsOf(each)
      return { record: countOf(fault['record']), ...thrownOf(fault) }
    }),
    faulty: countOf(faulty),
  }
}

/** The failure `{ code, message }` that the process tells instead of an answer. @throws AnswerError */
export function readFailure(text: string): SandboxFailure {
  const { code, message } = fieldsOf(readValue(text))
  if (!isSandboxErrorCode(code)) throw new AnswerError('expected an error code')
  return { code, message: textOf(message, MESSAGE_LENGTH), stack: '', blamed: false }
}

/** The names of entries that a load tells. @throws AnswerError */
export function readNames(value: JsonValue): { calls: readonly string[]; batches: readonly string[] } {
  const { calls, batches } = fieldsOf(value)
  const names = (list: JsonValue | undefined): string[] => listOf(list).map((each) => textOf(each, 100))
  return { calls: names(calls), batches: names(batches) }
}
