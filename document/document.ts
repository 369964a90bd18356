/**
 * A text as plain values that remember where they stood. The one idea: the text is hostile until it has
 * become a bounded tree of mappings, lists, texts, numbers and booleans; whoever finds fault later asks for the
 * position of a key path. YAML 1.2 (core schema), one document, aliases written out within the bounds.
 */
import { type Alias, isAlias, isMap, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml'
import { MAX_DEPTH, MAX_FILE_BYTES } from './limits.ts'
import {
  DocumentError,
  type Finding,
  formatPath,
  type KeyPath,
  type Position,
  type Problem,
} from './problem.ts'
import { Bound, type Fault, keyText, TreeBuilder, type Value } from './tree.ts'

/** The tree of one document; made by `readDocument`. */
export class SourceDocument {
  readonly file: string
  readonly value: Value
  readonly #root: Node | null
  readonly #lines: LineCounter
  readonly #targets: ReadonlyMap<Alias, Node>

  constructor(file: string, value: Value, root: Node | null, lines: LineCounter, targets: Map<Alias, Node>) {
    this.file = file
    this.value = value
    this.#root = root
    this.#lines = lines
    this.#targets = targets
  }

  /** Where the value (or the key) at a path stands; the nearest enclosing place when there is no such path. */
  position(path: KeyPath, at: 'key' | 'value' = 'value'): Position {
    let node = this.#follow(this.#root)
    let offset = node?.range?.[0] ?? 0
    for (const [index, step] of path.entries()) {
      const pair: Pair | undefined = isMap(node)
        ? node.items.find((each) => keyText(each) === step)
        : undefined
      const child = pair !== undefined ? pair.value : isSeq(node) ? node.items[Number(step)] : undefined
      const key = pair?.key as Node | null | undefined
      if (key === undefined && child === undefined) break
      if (index === path.length - 1 && at === 'key' && key?.range) return this.#at(key.range[0])
      offset = (child as Node | null)?.range?.[0] ?? key?.range?.[0] ?? offset
      node = this.#follow(child as Node | null)
    }
    return this.#at(offset)
  }

  /** A finding with its file, line and column. */
  problem(finding: Finding): Problem {
    const { code, path, message, at } = finding
    return { code, file: this.file, ...this.position(path, at), path: formatPath(path), message }
  }

  /** @throws DocumentError with all of them, unless there are none */
  refuse(findings: readonly Finding[]): void {
    if (findings.length > 0) throw new DocumentError(findings.map((each) => this.problem(each)))
  }

  #follow(node: Node | null): Node | null {
    for (let hops = 0; isAlias(node) && hops < MAX_DEPTH; hops++) node = this.#targets.get(node) ?? null
    return node
  }

  #at(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset)
    return line === 0 ? { line: 1, column: 1 } : { line, column: col }
  }
}

/** Messages of the parser that are of no use here, in our words. */
const MESSAGES: Readonly<Record<string, string>> = {
  RESOURCE_EXHAUSTION: `nested deeper than ${MAX_DEPTH} levels`,
  MULTIPLE_DOCS: 'expected one document',
}

const ADVICE: Readonly<Record<string, string>> = {
  TAG_RESOLVE_FAILED: '; put the text in quotes when it begins with !',
  UNEXPECTED_TOKEN: '; texts with special characters need quotes',
}

/**
 * The document of a text.
 * @param text hostile
 * @param file name for messages
 * @throws DocumentError `syntax`, `duplicate` or `limit` with all problems that the text shows
 */
export function readDocument(text: string, file: string): SourceDocument {
  const lines = new LineCounter()
  const problem = (fault: Fault): Problem => {
    const { line, col } = lines.linePos(fault.offset)
    const position = line === 0 ? { line: 1, column: 1 } : { line, column: col }
    return { code: fault.code, file, ...position, path: formatPath(fault.path), message: fault.message }
  }
  if (Buffer.byteLength(text) > MAX_FILE_BYTES)
    throw new DocumentError([
      problem({
        code: 'limit',
        offset: 0,
        path: [],
        message: `too large: expected at most ${MAX_FILE_BYTES} bytes`,
      }),
    ])

  const options = { lineCounter: lines, prettyErrors: false, uniqueKeys: false } as const
  const document = parseDocument(text, options)
  const faults: Fault[] = [...document.errors, ...document.warnings].map((error) => {
    const deep = error.code === 'RESOURCE_EXHAUSTION'
    const message = MESSAGES[error.code] ?? `${error.message}${ADVICE[error.code] ?? ''}`
    return { code: deep ? 'limit' : 'syntax', offset: error.pos[0], path: [], message }
  })
  if (faults.length > 0) throw new DocumentError(faults.map(problem))

  const builder = new TreeBuilder(lines)
  const root = document.contents as Node | null
  let value: Value = null
  try {
    value = builder.build(root, [])
  } catch (error) {
    if (!(error instanceof Bound)) throw error
    builder.faults.push(error.fault)
  }
  if (builder.faults.length > 0) throw new DocumentError(builder.faults.map(problem))
  return new SourceDocument(file, value, root, lines, builder.targets)
}
