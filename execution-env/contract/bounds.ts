/**
 * Bounds: the values that limit what a capability may be applied to. The one idea: every kind of bound is a small
 * lattice with an empty bottom ("nothing"), so that asking, granting and bounding again are the same two operations
 * everywhere: `excess` (what is asked beyond what is granted) and `intersect` (what both allow).
 *
 * A bound is a set of texts (prefixes, topics, names, origins) or a ceiling (a number). Sets are trees: two items
 * nest or are apart.
 */
import { PrefixSet, parsePrefix } from './prefix-set.ts'

/** A set of texts, or a ceiling. An absent bound is the bottom: nothing. */
export type BoundValue = readonly string[] | number

/** One kind of bound. Values are of the kind's schema. */
export interface BoundKind {
  /** JSON schema of a value; its `description` says what is expected. */
  readonly schema: Readonly<Record<string, unknown>>
  /** The one form of a value; undefined for the bottom. */
  normalise(value: BoundValue): BoundValue | undefined
  /** The parts of `requested` that `granted` does not cover; empty when it covers all. */
  excess(requested: BoundValue, granted: BoundValue | undefined): readonly (string | number)[]
  intersect(one: BoundValue, other: BoundValue): BoundValue | undefined
}

const MAX_ITEMS = 256
const MAX_ITEM_LENGTH = 256

interface SetRules {
  /** Name of the items' ajv format, see `BOUND_FORMATS`. */
  readonly format?: string
  readonly names?: readonly string[]
  /** What one item is, for messages. */
  readonly description: string
  normalise(items: readonly string[]): readonly string[]
  /** Whether `outer` covers `inner`; both normalised. */
  covers(outer: string, inner: string): boolean
}

/** What is asked must be a list; the schema has seen to it. */
function items(value: BoundValue | undefined): readonly string[] {
  if (typeof value === 'number') throw new TypeError('a number where a set is expected')
  return value ?? []
}

function setOf(rules: SetRules): BoundKind {
  const normalise = (value: BoundValue): readonly string[] | undefined => {
    const list = rules.normalise(items(value))
    return list.length === 0 ? undefined : list
  }
  const item = {
    type: 'string',
    maxLength: MAX_ITEM_LENGTH,
    description: rules.description,
    ...(rules.format === undefined ? {} : { format: rules.format }),
    ...(rules.names === undefined ? {} : { enum: rules.names }),
  }
  return {
    schema: {
      type: 'array',
      maxItems: MAX_ITEMS,
      items: item,
      description: `a list of: ${rules.description}`,
    },
    normalise,
    excess(requested, granted) {
      const allowed = normalise(granted ?? []) ?? []
      return (normalise(requested) ?? []).filter((each) => !allowed.some((one) => rules.covers(one, each)))
    },
    intersect(one, other) {
      const theirs = normalise(other) ?? []
      const common = (normalise(one) ?? []).flatMap((mine) =>
        theirs.flatMap((each) =>
          rules.covers(mine, each) ? [each] : rules.covers(each, mine) ? [mine] : [],
        ),
      )
      return normalise(common)
    },
  }
}

/** Drops what another item covers, sorts by code unit. */
function maximal(list: readonly string[], covers: (outer: string, inner: string) => boolean): string[] {
  const unique = [...new Set(list)]
  return unique.filter((each) => !unique.some((one) => one !== each && covers(one, each))).sort()
}

const prefixCoversText = (outer: string, inner: string): boolean =>
  PrefixSet.parse([outer]).covers(PrefixSet.parse([inner]).prefixes[0]!)

/** IPv4 prefixes; a bare address is that address alone. */
export const prefixes: BoundKind = setOf({
  format: 'ipv4-prefix',
  description: 'an IPv4 address or prefix such as 198.18.0.0/15, without bits beyond its length',
  normalise: (list) => PrefixSet.parse(list).format(),
  covers: prefixCoversText,
})

/** Prefixes within 224.0.0.0/4. */
export const multicastPrefixes: BoundKind = setOf({
  format: 'multicast-prefix',
  description: 'a multicast address or prefix such as 239.192.0.0/14, within 224.0.0.0/4',
  normalise: (list) => PrefixSet.parse(list).format(),
  covers: prefixCoversText,
})

/** Whether a pattern (`*`, or ending in `/*`, or exact) covers a name or a narrower pattern. */
export function patternCovers(pattern: string, name: string): boolean {
  if (pattern === '*' || pattern === name) return true
  return pattern.endsWith('/*') && name.length >= pattern.length && name.startsWith(pattern.slice(0, -1))
}

/** Names in a hierarchy: `host/state`, everything below `host/*`, everything `*`. */
export const patterns: BoundKind = setOf({
  format: 'name-pattern',
  description: 'a name such as host/state, or a pattern: host/* or *',
  normalise: (list) => maximal(list, patternCovers),
  covers: patternCovers,
})

const originCovers = (outer: string, inner: string): boolean => outer === '*' || outer === inner

/** Web origins, exact; `*` is every origin. */
export const origins: BoundKind = setOf({
  format: 'http-origin',
  description: 'an origin such as https://example.net or http://10.0.0.5:8080, or *',
  normalise: (list) => maximal(list, originCovers),
  covers: originCovers,
})

/** Some of a closed list of names. */
export function namesOf(list: readonly string[]): BoundKind {
  return setOf({
    names: list,
    description: `one of ${list.join(', ')}`,
    normalise: (given) => maximal(given, (outer, inner) => outer === inner),
    covers: (outer, inner) => outer === inner,
  })
}

function ceiling(schema: Readonly<Record<string, unknown>>): BoundKind {
  const number = (value: BoundValue | undefined): number => {
    if (value !== undefined && typeof value !== 'number')
      throw new TypeError('a set where a number is expected')
    return value ?? 0
  }
  const normalise = (value: BoundValue) => (number(value) > 0 ? number(value) : undefined)
  return {
    schema,
    normalise,
    excess: (requested, granted) => (number(requested) > number(granted) ? [number(requested)] : []),
    intersect: (one, other) => normalise(Math.min(number(one), number(other))),
  }
}

/** A fraction of something shared: 0..1. */
export const share: BoundKind = ceiling({
  type: 'number',
  minimum: 0,
  maximum: 1,
  description: 'a share between 0 and 1',
})

/** How many, 0..max. */
export function count(max: number, unit: string): BoundKind {
  return ceiling({ type: 'integer', minimum: 0, maximum: max, description: `0..${max} ${unit}` })
}

/** How often or how fast, 0..max, fractions allowed. */
export function rate(max: number, unit: string): BoundKind {
  return ceiling({ type: 'number', minimum: 0, maximum: max, description: `0..${max} ${unit}` })
}

const MULTICAST = { address: 0xe0000000, length: 4 }
const NAME_PATTERN = /^(?:\*|[a-z0-9][a-z0-9._-]*(?:\/[a-z0-9][a-z0-9._-]*)*(?:\/\*)?)$/

function isOrigin(text: string): boolean {
  if (text === '*') return true
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) return false
  return new URL(text).origin === text
}

/** The checks behind the schemas' `format`s. Each takes attacker-controlled text of bounded length. */
export const BOUND_FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  'ipv4-prefix': (text) => parsePrefix(text) !== undefined,
  'multicast-prefix': (text) => {
    const prefix = parsePrefix(text)
    return prefix !== undefined && new PrefixSet([MULTICAST]).covers(prefix)
  },
  'name-pattern': (text) => NAME_PATTERN.test(text),
  'http-origin': isOrigin,
}
