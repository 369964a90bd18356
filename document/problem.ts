/**
 * What is wrong with a document. The one idea: a problem always says where (file, line, column, key path) and what
 * was expected, and all problems that can be found are reported together.
 */

/** Why a document was refused. Closed: every consumer may switch over it. */
export type ProblemCode =
  | 'unreadable' // the file cannot be read or is not text
  | 'syntax' // not YAML, or YAML that is not used here
  | 'limit' // too large, too deep, too many
  | 'unknown-key' // a key that does not exist there
  | 'missing' // a key that must be there
  | 'invalid' // a value of the wrong form or out of its bounds
  | 'duplicate' // something given twice
  | 'unknown' // names something that does not exist
  | 'conflict' // contradicts something else in the file
  | 'unsupported' // cannot be done here

/** Keys and indices from the document's root to a value. */
export type KeyPath = readonly (string | number)[]

/** A line and a column, both from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** A problem before its place in the text is looked up. */
export interface Finding {
  readonly code: ProblemCode
  readonly path: KeyPath
  /** What is wrong and what was expected, in one line. */
  readonly message: string
  /** Whether the key itself or its value is at fault. Default `value`. */
  readonly at?: 'key' | 'value'
}

/** One thing that is wrong. `line` and `column` are 0 where the file has no such place. */
export interface Problem extends Position {
  readonly code: ProblemCode
  readonly file: string
  /** As `formatPath` writes it; empty for the whole document. */
  readonly path: string
  readonly message: string
}

/** More problems than this are counted, not listed. */
export const MAX_PROBLEMS = 100

const SIMPLE_KEY = /^[A-Za-z_][\w-]*$/
const LONGEST_SHOWN = 60

/** `nodes.c1.clients[0].rate`; keys of other characters are quoted: `nodes["a b"]`. */
export function formatPath(path: KeyPath): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else if (!SIMPLE_KEY.test(step)) text += `[${showValue(step)}]`
    else text += text === '' ? step : `.${step}`
  }
  return text
}

/** A value as a message shows it: JSON, shortened, on one line. */
export function showValue(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'object' && value !== null) return 'a mapping'
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value))
  return text.length <= LONGEST_SHOWN ? text : `${text.slice(0, LONGEST_SHOWN)}...`
}

/** `file:line:column: path: message`, leaving out what is not known. */
export function formatProblem(problem: Problem): string {
  const place = problem.line === 0 ? problem.file : `${problem.file}:${problem.line}:${problem.column}`
  return problem.path === ''
    ? `${place}: ${problem.message}`
    : `${place}: ${problem.path}: ${problem.message}`
}

/** A refused document: `code` of the first problem, `problems` in the order of the text, at most MAX_PROBLEMS. */
export class DocumentError extends Error {
  override readonly name = 'DocumentError'
  readonly code: ProblemCode
  readonly problems: readonly Problem[]
  /** Problems found beyond those listed. */
  readonly omitted: number

  constructor(problems: readonly Problem[]) {
    const sorted = [...problems].sort((a, b) => a.line - b.line || a.column - b.column)
    const listed = sorted.slice(0, MAX_PROBLEMS)
    const omitted = sorted.length - listed.length
    const lines = listed.map(formatProblem)
    if (omitted > 0) lines.push(`... and ${omitted} more problems`)
    super(lines.join('\n'))
    this.code = listed[0]?.code ?? 'invalid'
    this.problems = listed
    this.omitted = omitted
  }
}
