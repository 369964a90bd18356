/**
 * Words and their bounds: the shape that capabilities and grants share. The one idea: a table says which words there
 * are and which kind of bound each field has; everything else (schema, normal form, comparison, intersection, text)
 * follows from the table, so that a new word is one entry.
 */
import type { BoundKind, BoundValue } from './bounds.ts'

/** Word -> field -> kind of bound. */
export type WordTable = Readonly<Record<string, Readonly<Record<string, BoundKind>>>>

/** Word -> field -> bound. An absent word or field is the bottom: nothing. */
export type BoundedWords = Readonly<
  Record<string, Readonly<Record<string, BoundValue | undefined>> | undefined>
>

/** Something asked for beyond what is granted. */
export interface Violation {
  /** `word.field`, e.g. `flows.to`. */
  readonly place: string
  /** The part that is not granted. */
  readonly requested: string | number
  /** What is granted there; absent when nothing is. */
  readonly granted?: BoundValue
}

/** `flows.to: 10.0.0.0/8 is beyond the grant of 198.18.0.0/15`. */
export function formatViolation(violation: Violation): string {
  const { place, requested, granted } = violation
  if (granted === undefined) return `${place}: ${requested} is asked for, nothing is granted`
  return `${place}: ${requested} is beyond the grant of ${formatBound(granted)}`
}

/** The JSON schema of a table: every word and field optional, nothing else allowed. */
export function wordsSchema(table: WordTable, description: string): Readonly<Record<string, unknown>> {
  const words = Object.entries(table).map(([word, fields]) => {
    const properties = Object.fromEntries(Object.entries(fields).map(([name, kind]) => [name, kind.schema]))
    return [
      word,
      { type: 'object', properties, additionalProperties: false, description: `bounds of ${word}` },
    ]
  })
  return { type: 'object', properties: Object.fromEntries(words), additionalProperties: false, description }
}

/** Calls `visit` for every field of the table, in its order, and gathers what it answers that is not undefined. */
function build(
  table: WordTable,
  visit: (kind: BoundKind, word: string, field: string) => BoundValue | undefined,
): BoundedWords {
  const result: Record<string, Record<string, BoundValue>> = {}
  for (const [word, fields] of Object.entries(table))
    for (const [field, kind] of Object.entries(fields)) {
      const bound = visit(kind, word, field)
      if (bound === undefined) continue
      result[word] ??= {}
      result[word][field] = bound
    }
  return result
}

/** The one form: sorted minimal sets, nothing that allows nothing. */
export function normaliseWords(table: WordTable, words: BoundedWords): BoundedWords {
  return build(table, (kind, word, field) => {
    const bound = words[word]?.[field]
    return bound === undefined ? undefined : kind.normalise(bound)
  })
}

/** What both allow. */
export function intersectWords(table: WordTable, one: BoundedWords, other: BoundedWords): BoundedWords {
  return build(table, (kind, word, field) => {
    const [mine, theirs] = [one[word]?.[field], other[word]?.[field]]
    return mine === undefined || theirs === undefined ? undefined : kind.intersect(mine, theirs)
  })
}

/** Everything in `requested` that `granted` does not cover. Empty: it is within. */
export function excessOfWords(
  table: WordTable,
  requested: BoundedWords,
  granted: BoundedWords,
): readonly Violation[] {
  const allowed = normaliseWords(table, granted)
  return Object.entries(table).flatMap(([word, fields]) =>
    Object.entries(fields).flatMap(([field, kind]) => {
      const asked = requested[word]?.[field]
      if (asked === undefined) return []
      const grant = allowed[word]?.[field]
      const place = `${word}.${field}`
      return kind
        .excess(asked, grant)
        .map((each) => ({ place, requested: each, ...(grant === undefined ? {} : { granted: grant }) }))
    }),
  )
}

/** One line per word for people, e.g. `flows: to 198.18.0.0/15; actions drop, tunnel`. */
export function describeWords(table: WordTable, words: BoundedWords): readonly string[] {
  return Object.entries(normaliseWords(table, words)).map(([word, fields]) => {
    const bounds = Object.entries(fields ?? {}).map(([field, bound]) => `${field} ${formatBound(bound ?? 0)}`)
    return `${word}: ${bounds.join('; ')}`
  })
}

function formatBound(bound: BoundValue): string {
  return typeof bound === 'number' ? String(bound) : bound.join(', ')
}
