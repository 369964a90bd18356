/**
 * The YAML tree written out as plain values. The one idea: bounded before believed: every value is counted with its
 * aliases written out, anchors are followed in the order of the text, and keys are plain texts, each once.
 */
import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  type LineCounter,
  type Node,
  type Pair,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'
import { MAX_DEPTH, MAX_VALUES } from './limits.ts'
import type { KeyPath, ProblemCode } from './problem.ts'

/** A value of the document: no dates, no binary, no undefined. Mappings have no inherited keys. */
export type Value = string | number | boolean | null | readonly Value[] | { readonly [key: string]: Value }

const FORBIDDEN_KEYS = new Set(['__proto__'])

/** Text of a pair's key, or undefined where the key is not a plain text, number or boolean. */
export function keyText(pair: Pair): string | undefined {
  const key = pair.key
  if (!isScalar(key) || key.value === null || typeof key.value === 'object') return undefined
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value))
}

/** A place that was refused while the tree was built; `offset` stands in for a path that may not be unique. */
export interface Fault {
  readonly code: ProblemCode
  readonly offset: number
  readonly path: KeyPath
  readonly message: string
}

/** Builds one tree; what is wrong with it is in `faults`, what its aliases stand for in `targets`. */
export class TreeBuilder {
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
export class Bound extends Error {
  readonly fault: Fault
  constructor(fault: Fault) {
    super(fault.message)
    this.fault = fault
  }
}
