/**
 * The contract's one error: something that was to cross interface 1130 is not of the agreed form. The one idea: a
 * problem always says where and what was expected, and all that can be found are reported together.
 */

/** Why it was refused. Closed: every consumer may switch over it. */
export type ContractErrorCode =
  | 'malformed' // not the text it claims to be: not UTF-8, not JSON, keys given twice
  | 'limit' // too large, too deep, too many
  | 'missing' // a key that must be there
  | 'unknown' // a key that does not exist there
  | 'invalid' // a value of the wrong form or out of its bounds
  | 'unsupported' // of a version that this router does not speak

/** One thing that is wrong. */
export interface ContractProblem {
  readonly code: ContractErrorCode
  /** Keys and indices from the root, e.g. `capabilities.flows.to[0]`; empty for the whole. */
  readonly place: string
  /** What is wrong and what was expected, without the place. */
  readonly reason: string
}

/** `place: reason`, or the reason alone. */
export function formatProblem(problem: ContractProblem): string {
  return problem.place === '' ? problem.reason : `${problem.place}: ${problem.reason}`
}

/** A refused document: code, place and reason of its first problem, and all `problems`. */
export class ContractError extends Error {
  override readonly name = 'ContractError'
  readonly code: ContractErrorCode
  readonly place: string
  readonly reason: string
  readonly problems: readonly ContractProblem[]

  /** @param problems at least one */
  constructor(problems: readonly ContractProblem[]) {
    super(problems.map(formatProblem).join('\n'))
    const first = problems[0]!
    this.code = first.code
    this.place = first.place
    this.reason = first.reason
    this.problems = problems
  }
}

/** The error of a single problem. */
export function refusal(code: ContractErrorCode, reason: string, place = ''): ContractError {
  return new ContractError([{ code, place, reason }])
}
