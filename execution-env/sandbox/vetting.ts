/**
 * What plugin code may be made of, checked on its syntax tree before any of it runs. The one idea: exactly the text
 * that the virtual machine will compile is parsed, so that nothing can look different here and there.
 *
 * Guarantees of accepted code: it has no way to run outside the calls into it (no async functions, no promises'
 * syntax, no dynamic import), no code from strings, no BigInt (whose operators cannot be interrupted), no
 * enormous regular expression, and is small and flat enough for parsers and compilers.
 */
import { type Node, Parser } from 'acorn'
import { WRAP_COLUMNS, wrapModule } from './module-text.ts'
import { REGEXP_COST_MAX, REGEXP_LENGTH_MAX, regexpCost } from './regexp-cost.ts'
import { failure, SandboxError } from './sandbox-error.ts'
import { formatPosition, type SourcePosition, SourcePositions } from './source-positions.ts'

export const CODE_LENGTH_MAX = 2_000_000
const NODES_MAX = 1_000_000
const DEPTH_MAX = 500
const PROBLEMS_MAX = 10

/** Code that has passed `vet`; plain data that may cross threads. */
export interface VettedCode {
  readonly vetted: true
  /** A CommonJS module's text: it assigns `module.exports`. */
  readonly source: string
  /** Its name in stacks. */
  readonly file: string
  readonly sourceMap?: string
}

/** Something that is not accepted. */
export interface CodeProblem {
  /** In the author's sources, if the map tells; otherwise in the bundle. */
  readonly position: SourcePosition
  readonly reason: string
}

type AnyNode = Node & Readonly<Record<string, unknown>>

const isNode = (value: unknown): value is AnyNode =>
  typeof value === 'object' && value !== null && typeof (value as AnyNode).type === 'string'

/** Why a node is not accepted, or undefined. */
function refusalOf(node: AnyNode): string | undefined {
  switch (node.type) {
    case 'FunctionExpression':
    case 'FunctionDeclaration':
    case 'ArrowFunctionExpression':
      return node['async'] === true ? 'async functions cannot be used: handlers are synchronous' : undefined
    case 'AwaitExpression':
    case 'ForOfStatement':
      return node.type === 'AwaitExpression' || node['await'] === true
        ? 'await cannot be used: handlers are synchronous'
        : undefined
    case 'VariableDeclaration':
      return node['kind'] === 'await using' ? 'await using cannot be used' : undefined
    case 'ImportExpression':
    case 'MetaProperty':
      return node.type === 'ImportExpression' || isNamed(node['meta'], 'import')
        ? 'import() and import.meta cannot be used: a bundle holds all of its code'
        : undefined
    case 'Identifier':
      return isNamed(node, 'eval') ? 'eval cannot be used' : undefined
    case 'Literal':
      return refusalOfLiteral(node)
    default:
      return undefined
  }
}

const isNamed = (node: unknown, name: string): boolean => isNode(node) && node['name'] === name

function refusalOfLiteral(node: AnyNode): string | undefined {
  if (node['bigint'] !== undefined && node['bigint'] !== null) return 'BigInt cannot be used'
  const pattern = (node['regex'] as { pattern?: unknown } | undefined)?.pattern
  if (typeof pattern !== 'string') return undefined
  if (pattern.length > REGEXP_LENGTH_MAX)
    return `a regular expression of ${pattern.length} characters, expected at most ${REGEXP_LENGTH_MAX}`
  return regexpCost(pattern) > REGEXP_COST_MAX ? 'a regular expression with too many repetitions' : undefined
}

/** Visits a tree in reading order; recursion is bounded by the depth that is accepted. */
class Inspection {
  readonly problems: CodeProblem[] = []
  readonly #at: (offset: number) => SourcePosition
  #nodes = 0

  constructor(at: (offset: number) => SourcePosition) {
    this.#at = at
  }

  visit(node: AnyNode, depth: number): void {
    if (this.problems.length >= PROBLEMS_MAX) return
    if (++this.#nodes === NODES_MAX) this.#report(node, 'too much code')
    if (depth === DEPTH_MAX) this.#report(node, `nested deeper than ${DEPTH_MAX} levels`)
    if (this.#nodes >= NODES_MAX || depth >= DEPTH_MAX) return
    const reason = refusalOf(node)
    if (reason !== undefined) this.#report(node, reason)
    for (const key in node) {
      const value = node[key]
      if (typeof value !== 'object' || value === null || isPropertyName(node, key)) continue
      if (Array.isArray(value)) for (const each of value) isNode(each) && this.visit(each, depth + 1)
      else if (isNode(value)) this.visit(value, depth + 1)
    }
  }

  #report(node: AnyNode, reason: string): void {
    this.problems.push({ position: this.#at(node.start), reason })
  }
}

const NAMED: ReadonlySet<string> = new Set(['Property', 'MethodDefinition', 'PropertyDefinition'])

/** `x.eval` and `{ eval: 1 }` name properties, not variables. */
function isPropertyName(node: AnyNode, key: string): boolean {
  if (node['computed'] === true) return false
  return key === 'property' ? node.type === 'MemberExpression' : key === 'key' && NAMED.has(node.type)
}

/** Offsets in the wrapped text to positions of the code itself. */
function locator(source: string, positions: SourcePositions): (offset: number) => SourcePosition {
  return (offset) => {
    const before = source.slice(0, Math.max(offset - WRAP_COLUMNS, 0))
    const line = before.split('\n').length
    return positions.origin(line, before.length - before.lastIndexOf('\n'))
  }
}

/** Whether the parsed text is one wrapped function and not code that closed the wrapping early. */
function isOneModule(program: Node, length: number): boolean {
  const [statement, ...others] = (program as unknown as { body: AnyNode[] }).body
  if (statement === undefined || others.length > 0 || statement.type !== 'ExpressionStatement') return false
  const expression = statement['expression'] as AnyNode
  return expression.type === 'FunctionExpression' && expression.start === 1 && expression.end === length - 1
}

/** All that is wrong with the code, in its order, at most ten problems; empty when it is accepted. */
export function findProblems(source: string, file: string, sourceMap?: string): CodeProblem[] {
  const start = { file, line: 1, column: 1 }
  if (source.length > CODE_LENGTH_MAX)
    return [
      { position: start, reason: `${source.length} characters of code, expected at most ${CODE_LENGTH_MAX}` },
    ]
  const at = locator(source, new SourcePositions(file, sourceMap))
  const text = wrapModule(source)
  try {
    const program = Parser.parse(text, { ecmaVersion: 'latest', sourceType: 'script' })
    if (!isOneModule(program, text.length))
      return [{ position: start, reason: 'the code is not the body of one module' }]
    const inspection = new Inspection(at)
    inspection.visit(program as unknown as AnyNode, 0)
    return inspection.problems
  } catch (error) {
    if (error instanceof SyntaxError) {
      const { pos, message } = error as SyntaxError & { pos?: number }
      return [{ position: at(pos ?? 0), reason: message.replace(/ \(\d+:\d+\)$/, '') }]
    }
    if (error instanceof RangeError) return [{ position: start, reason: 'nested too deeply to be parsed' }]
    throw error
  }
}

/**
 * Accepts code or refuses it.
 * @param source a CommonJS module's text without imports; attacker-controlled
 * @param file its name in stacks, e.g. `slr-1.0.0/plugin.js`: letters, digits and `._/@-` only
 * @param sourceMap of this code; attacker-controlled
 * @throws SandboxError `refused` with all problems, one a line
 */
export function vet(source: string, file: string, sourceMap?: string): VettedCode {
  if (!/^[\w./@-]{1,200}$/.test(file)) throw new SandboxError(failure('invalid', `not a file name: ${file}`))
  const problems = findProblems(source, file, sourceMap)
  if (problems.length > 0) {
    const lines = problems.map(({ position, reason }) => `${formatPosition(position)}: ${reason}`)
    throw new SandboxError(failure('refused', lines.join('\n')))
  }
  return sourceMap === undefined ? { vetted: true, source, file } : { vetted: true, source, file, sourceMap }
}
