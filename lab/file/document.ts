/**
 * A lab file's text as plain values that remember where they stood. The one idea: the text is hostile until it has
 * become a bounded tree of mappings, lists, texts, numbers and booleans; whoever finds fault later asks for the
 * position of a key path. YAML 1.2 (core schema), one document, aliases written out within the bounds.
 */
import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'
import { MAX_DEPTH, MAX_FILE_BYTES, MAX_VALUES } from './limits.ts'
import {
  type Finding,
  formatPath,
  type KeyPath,
  LabFileError,
  type Position,
  type Problem,
} from './problem.ts'

/** A value of the document: no dates, no binary, no undefined. Mappings have no inherited keys. */
export type Value = string | number | boolean | null | readonly Value[] | { readonly [key: string]: Value }

const FORBIDDEN_KEYS = new Set(['__proto__'])

/** The tree of one document; made by `readDocument`. */
export class LabDocument {
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

  /** @throws LabFileError with all of them, unless there are none */
  refuse(findings: readonly Finding[]): void {
    if (findings.length > 0) throw new LabFileError(findings.map((each) => this.problem(each)))
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

/** Text of a pair's key, or undefined where the key is not a plain text, number or boolean. */
function keyText(pair: Pair): string | undefined {
  const key = pair.key
  if (!isScalar(key) || key.value === null || typeof key.value === 'object') return undefined
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value))
}

/** A place that was refused while the tree was built; `offset` stands in for a path that may not be unique. */
interface Fault {
  readonly code: Problem['code']
  readonly offset: number
  readonly path: KeyPath
  readonly message: string
}

/** Writes the YAML tree out as plain values, within bounds, following anchors in the order of the text. */
class Builder {
  readonly faults: Fault[] = []
  readonly targets = new Map<Alias, Node>()
  readonly #lines: LineCounter
  readonly #anchors = new Map<string, Node>()
  readonly #open = new Set<Node>()
  #values = 0

  constructor(lines: LineCounter) {
    this.#lines = lines
  }

  build(node: Node | null, path: KeyPath): Value {
    if (node === null) return null
    if (++this.#values > MAX_VALUES || path.length > MAX_DEPTH) {
      const bound =
        path.length > MAX_DEPTH ? `${MAX_DEPTH} levels` : `${MAX_VALUES} values, aliases written out`
      throw new Bound(this.#fault('limit', node, path, `too much: expected at most ${bound}`))
    }
    if (isAlias(node)) return this.#alias(node, path)
    if (isScalar(node)) {
      if (node.anchor !== undefined) this.#anchors.set(node.anchor, node)
      return this.#scalar(node, node.value, path)
    }
    const collection = node as YAMLMap | YAMLSeq
    if (collection.anchor !== undefined) this.#anchors.set(collection.anchor, collection)
    this.#open.add(collection)
    const value = isMap(collection) ? this.#map(collection, path) : this.#list(collection as YAMLSeq, path)
    this.#open.delete(collection)
    return value
  }

  #alias(node: Alias, path: KeyPath): Value {
    const target = this.#anchors.get(node.source)
    if (target === undefined || this.#open.has(target)) {
      const what = target === undefined ? 'unknown anchor' : 'anchor that contains itself:'
      this.#report('syntax', node, path, `${what} ${node.source}`)
      return null
    }
    this.targets.set(node, target)
    return this.build(target, path)
  }

  #scalar(node: Node, value: unknown, path: KeyPath): Value {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
    if (value !== null) this.#report('syntax', node, path, 'expected a text, a number, true or false')
    return null
  }

  #list(list: YAMLSeq, path: KeyPath): Value[] {
    return list.items.map((item, index) => this.build(item as Node | null, [...path, index]))
  }

  #map(map: YAMLMap, path: KeyPath): Value {
    const value: Record<string, Value> = {}
    const seen = new Map<string, number>()
    for (const pair of map.items) {
      const key = keyText(pair)
      const keyNode = (pair.key ?? map) as Node
      if (key === undefined || FORBIDDEN_KEYS.has(key)) {
        this.#report(
          'syntax',
          keyNode,
          path,
          `expected a plain text as key${key === undefined ? '' : `, not ${key}`}`,
        )
        continue
      }
      const first = seen.get(key)
      if (first !== undefined) {
        const { line } = this.#lines.linePos(first)
        this.#report('duplicate', keyNode, [...path, key], `duplicate key, first given on line ${line}`)
        continue
      }
      seen.set(key, keyNode.range?.[0] ?? 0)
      value[key] = this.build(pair.value as Node | null, [...path, key])
    }
    return value
  }

  #report(code: Fault['code'], node: Node, path: KeyPath, message: string): void {
    this.faults.push(this.#fault(code, node, path, message))
  }

  #fault(code: Fault['code'], node: Node, path: KeyPath, message: string): Fault {
    return { code, offset: node.range?.[0] ?? 0, path, message }
  }
}

/** A bound of the document was passed: nothing more is read. */
class Bound extends Error {
  readonly fault: Fault
  constructor(fault: Fault) {
    super(fault.message)
    this.fault = fault
  }
}

const ADVICE: Readonly<Record<string, string>> = {
  TAG_RESOLVE_FAILED: '; put the text in quotes when it begins with !',
  UNEXPECTED_TOKEN: '; texts with special characters need quotes',
}

/**
 * The document of a text.
 * @param text hostile
 * @param file name for messages
 * @throws LabFileError `syntax`, `duplicate` or `limit` with all problems that the text shows
 */
export function readDocument(text: string, file: string): LabDocument {
  const lines = new LineCounter()
  const problem = (fault: Fault): Problem => {
    const { line, col } = lines.linePos(fault.offset)
    const position = line === 0 ? { line: 1, column: 1 } : { line, column: col }
    return { code: fault.code, file, ...position, path: formatPath(fault.path), message: fault.message }
  }
  if (Buffer.byteLength(text) > MAX_FILE_BYTES)
    throw new LabFileError([
      problem({
        code: 'limit',
        offset: 0,
        path: [],
        message: `too large: expected at most ${MAX_FILE_BYTES} bytes`,
      }),
    ])

  const options = { lineCounter: lines, prettyErrors: false, uniqueKeys: false, logLevel: 'silent' } as const
  const document = parseDocument(text, options)
  const faults: Fault[] = [...document.errors, ...document.warnings].map((error) => {
    const deep = error.code === 'RESOURCE_EXHAUSTION'
    const message = deep
      ? `nested deeper than ${MAX_DEPTH} levels`
      : `${error.message}${ADVICE[error.code] ?? ''}`
    return { code: deep ? 'limit' : 'syntax', offset: error.pos[0], path: [], message }
  })
  if (faults.length > 0) throw new LabFileError(faults.map(problem))

  const builder = new Builder(lines)
  const root = document.contents as Node | null
  let value: Value = null
  try {
    value = builder.build(root, [])
  } catch (error) {
    if (!(error instanceof Bound)) throw error
    builder.faults.push(error.fault)
  }
  if (builder.faults.length > 0) throw new LabFileError(builder.faults.map(problem))
  return new LabDocument(file, value, root, lines, builder.targets)
}
