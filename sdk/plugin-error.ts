/**
 * The error of the author's tools: what is wrong with a plugin's sources. The one idea: every problem says where in
 * the author's own files, and all that can be found are reported together.
 */
import type { ContractProblem } from '../execution-env/contract/index.ts'

/** Why a plugin was not built or made. Closed: every consumer may switch over it. */
export type PluginErrorCode =
  | 'unreadable' // a file is not there or cannot be read or written
  | 'manifest' // pronto.json is not a manifest
  | 'source' // the sources cannot be bundled, or use what a plugin does not have
  | 'refused' // the bundled code is not accepted by routers
  | 'limit' // the result is too large
  | 'exists' // would overwrite something
  | 'invalid' // a value is of the wrong form

/** One thing that is wrong. */
export interface PluginProblem {
  readonly file: string
  /** From 1; absent where a problem has no place in the text. */
  readonly line?: number
  readonly column?: number
  /** Keys from the root of the manifest. */
  readonly key?: string
  /** What is wrong and what was expected. */
  readonly message: string
}

/** `file:line:column: message`, `file: key: message`. */
export function formatPluginProblem({ file, line, column, key, message }: PluginProblem): string {
  const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`
  return [place, ...(key === undefined || key === '' ? [] : [key]), message].join(': ')
}

/** Refused: `code` for programs, `message` with a line a problem for people. */
export class PluginError extends Error {
  override readonly name = 'PluginError'
  readonly code: PluginErrorCode
  readonly problems: readonly PluginProblem[]

  /** @param problems at least one */
  constructor(code: PluginErrorCode, problems: readonly PluginProblem[]) {
    super(problems.map(formatPluginProblem).join('\n'))
    this.code = code
    this.problems = problems
  }
}

/** Problems of a contract's document as problems of a file. */
export function fileProblems(file: string, problems: readonly ContractProblem[]): PluginProblem[] {
  return problems.map(({ place, reason }) => ({ file, key: place, message: reason }))
}
