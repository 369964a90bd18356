/**
 * Conditions of expectations: `== 0`, `>= 100`, `between 1 and 3`, `approx 100 +- 5%`, `== running`. The one idea:
 * a small closed language, parsed when the lab is loaded, so that a typing error is never a passed expectation.
 */

export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>='

/** What a condition compares with. */
export type Operand = number | string | boolean

export type Condition =
  | { readonly kind: 'compare'; readonly comparison: Comparison; readonly operand: Operand }
  /** Both bounds included. */
  | { readonly kind: 'between'; readonly low: number; readonly high: number }
  /** At most `tolerance` away from `target`. */
  | { readonly kind: 'approx'; readonly target: number; readonly tolerance: number }

/** A text that is no condition. */
export class ConditionError extends Error {
  override readonly name = 'ConditionError'
}

const NUMBER = '[-+]?(?:\\d+(?:\\.\\d+)?|\\.\\d+)(?:[eE][-+]?\\d{1,3})?'
const COMPARE = /^(==|!=|<=|>=|<|>)\s*(.+)$/s
const BETWEEN = new RegExp(`^between\\s+(${NUMBER})\\s+and\\s+(${NUMBER})$`)
const APPROX = new RegExp(`^approx\\s+(${NUMBER})\\s*(?:\\+-|±)\\s*(${NUMBER})(%?)$`)
const WHOLE_NUMBER = new RegExp(`^${NUMBER}$`)
const WORD = /^[\p{L}_][\p{L}\p{N}_./:-]*$/u
const EXPECTED = 'expected == X, != X, < N, <= N, > N, >= N, between N and N, or approx N +- N (or N%)'

/**
 * The condition of a text; a bare number or boolean means `==`.
 * @throws ConditionError saying what was expected
 */
export function parseCondition(given: string | number | boolean): Condition {
  if (typeof given !== 'string') return { kind: 'compare', comparison: '==', operand: given }
  const text = given.trim()
  const compare = COMPARE.exec(text)
  if (compare !== null) return comparison(compare[1] as Comparison, compare[2]!.trim(), text)
  const between = BETWEEN.exec(text)
  if (between !== null) {
    const [low, high] = [Number(between[1]), Number(between[2])]
    if (low > high) throw new ConditionError(`expected the smaller bound first in ${JSON.stringify(text)}`)
    return { kind: 'between', low, high }
  }
  const approx = APPROX.exec(text)
  if (approx !== null) {
    const target = Number(approx[1])
    const given = Number(approx[2])
    if (given < 0) throw new ConditionError(`expected a tolerance of at least 0 in ${JSON.stringify(text)}`)
    return { kind: 'approx', target, tolerance: approx[3] === '%' ? (Math.abs(target) * given) / 100 : given }
  }
  throw new ConditionError(`${EXPECTED}; got ${JSON.stringify(text)}`)
}

function comparison(sign: Comparison, rest: string, text: string): Condition {
  const operand = parseOperand(rest)
  if (operand === undefined)
    throw new ConditionError(
      `expected a number, true, false, a word or a quoted text after ${sign}; got ${text}`,
    )
  if (sign !== '==' && sign !== '!=' && typeof operand !== 'number')
    throw new ConditionError(`expected a number after ${sign}; got ${text}`)
  return { kind: 'compare', comparison: sign, operand }
}

function parseOperand(text: string): Operand | undefined {
  if (WHOLE_NUMBER.test(text)) return Number(text)
  if (text === 'true' || text === 'false') return text === 'true'
  if (text.length >= 2 && (text[0] === '"' || text[0] === "'") && text.at(-1) === text[0]) {
    const inner = text.slice(1, -1)
    return inner.includes(text[0]) || inner.includes('\\') ? undefined : inner
  }
  return WORD.test(text) ? text : undefined
}

/** Whether a value meets a condition. Values of another type than the operand never do. */
export function meets(condition: Condition, value: unknown): boolean {
  if (condition.kind === 'between')
    return typeof value === 'number' && value >= condition.low && value <= condition.high
  if (condition.kind === 'approx')
    return typeof value === 'number' && Math.abs(value - condition.target) <= condition.tolerance
  const { comparison, operand } = condition
  if (comparison === '==') return value === operand
  if (comparison === '!=') return typeof value === typeof operand && value !== operand
  if (typeof value !== 'number' || typeof operand !== 'number') return false
  if (comparison === '<') return value < operand
  if (comparison === '<=') return value <= operand
  if (comparison === '>') return value > operand
  return value >= operand
}
