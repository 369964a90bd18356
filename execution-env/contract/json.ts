/**
 * JSON from strangers. The one idea: what JSON.parse would silently forgive is refused with its line and column:
 * a key given twice, keys that reach a prototype, depth and size without end, numbers that overflow, half of a
 * surrogate pair. RFC 8259 grammar, nothing more (no comments, no byte order mark).
 */
import { refusal } from './errors.ts'

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue }

/** Bounds of a document. */
export interface JsonLimits {
  readonly maxBytes: number
  /** Nesting of objects and lists; the reader recurses once per level. */
  readonly maxDepth: number
  /** Values and keys in all. */
  readonly maxValues: number
}

/** Names through which an object's prototype can be reached. */
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

const SPACE = /[ \t\n\r]*/y
const STRING = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const WORD = /true|false|null/y

class JsonReader {
  readonly #text: string
  readonly #limits: JsonLimits
  #offset = 0
  #values = 0

  constructor(text: string, limits: JsonLimits) {
    this.#text = text
    this.#limits = limits
  }

  document(): JsonValue {
    const value = this.#value(0)
    this.#match(SPACE)
    if (this.#offset < this.#text.length) this.#fail('malformed', 'something follows the end of the document')
    return value
  }

  #value(depth: number): JsonValue {
    this.#count()
    this.#match(SPACE)
    const first = this.#text[this.#offset]
    if (first === '{') return this.#object(depth + 1)
    if (first === '[') return this.#list(depth + 1)
    if (first === '"') return this.#string()
    const word = this.#match(WORD)
    if (word !== undefined) return word === 'null' ? null : word === 'true'
    const number = this.#match(NUMBER)
    if (number === undefined) return this.#fail('malformed', 'expected a JSON value')
    const value = Number(number)
    return Number.isFinite(value) ? value : this.#fail('invalid', 'this number is too large')
  }

  #object(depth: number): JsonValue {
    this.#enter(depth)
    const result: Record<string, JsonValue> = {}
    if (this.#take('}')) return result
    for (;;) {
      this.#match(SPACE)
      const start = this.#offset
      const key = this.#string()
      if (FORBIDDEN_KEYS.has(key)) this.#fail('invalid', `a key may not be called ${key}`, start)
      if (Object.hasOwn(result, key))
        this.#fail('malformed', `key ${JSON.stringify(key)} is given twice`, start)
      this.#count()
      if (!this.#take(':')) this.#fail('malformed', 'expected ":" after the key')
      result[key] = this.#value(depth)
      if (this.#take('}')) return result
      if (!this.#take(',')) this.#fail('malformed', 'expected "," or "}"')
    }
  }

  #list(depth: number): JsonValue {
    this.#enter(depth)
    const result: JsonValue[] = []
    if (this.#take(']')) return result
    for (;;) {
      result.push(this.#value(depth))
      if (this.#take(']')) return result
      if (!this.#take(',')) this.#fail('malformed', 'expected "," or "]"')
    }
  }

  #string(): string {
    const start = this.#offset
    const raw = this.#match(STRING)
    if (raw === undefined) return this.#fail('malformed', 'expected a string in double quotes')
    const value: unknown = JSON.parse(raw)
    if (typeof value !== 'string' || !value.isWellFormed())
      return this.#fail('malformed', 'this string holds half of a surrogate pair', start)
    return value
  }

  #enter(depth: number): void {
    if (depth > this.#limits.maxDepth)
      this.#fail('limit', `nested deeper than ${this.#limits.maxDepth} levels`)
    this.#offset++
  }

  #count(): void {
    if (++this.#values > this.#limits.maxValues)
      this.#fail('limit', `more than ${this.#limits.maxValues} keys and values`)
  }

  /** Skips space and then `character`, if that is next. */
  #take(character: string): boolean {
    this.#match(SPACE)
    if (this.#text[this.#offset] !== character) return false
    this.#offset++
    return true
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#offset
    const found = pattern.exec(this.#text)?.[0]
    if (found !== undefined) this.#offset += found.length
    return found
  }

  #fail(code: 'malformed' | 'invalid' | 'limit', reason: string, offset = this.#offset): never {
    const before = this.#text.slice(0, offset).split('\n')
    throw refusal(code, `line ${before.length}, column ${before.at(-1)!.length + 1}: ${reason}`)
  }
}

/**
 * The value of a JSON text within its limits.
 * @param source UTF-8 bytes or text; attacker-controlled
 * @throws ContractError `malformed`, `invalid` or `limit`, with line and column
 */
export function parseJson(source: Uint8Array | string, limits: JsonLimits): JsonValue {
  const bytes = typeof source === 'string' ? Buffer.byteLength(source) : source.length
  if (bytes > limits.maxBytes) throw refusal('limit', `${bytes} bytes, expected at most ${limits.maxBytes}`)
  return new JsonReader(typeof source === 'string' ? source : decodeText(source), limits).document()
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw refusal('malformed', 'not UTF-8 text')
  }
}

/** The one text of a value: keys sorted by code unit, two spaces, a line feed at the end. */
export function formatJson(value: JsonValue): string {
  return `${JSON.stringify(sorted(value), undefined, 2)}\n`
}

/** The one text of a value on a single line: keys sorted by code unit, no spaces. */
export function formatJsonLine(value: JsonValue): string {
  return JSON.stringify(sorted(value))
}

function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, each]) => [key, sorted(each)]))
}
