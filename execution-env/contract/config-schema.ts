/**
 * The schema of a plugin's configuration, written by a stranger and run by the router. The one idea: only those
 * keywords of JSON Schema 2020-12 that take time in proportion to schema and value. References, patterns and
 * uniqueness are left out: they can loop, backtrack or compare everything with everything.
 */
import type { ContractProblem } from './errors.ts'
import type { JsonValue } from './json.ts'
import { checkOf, type JsonSchema } from './schema.ts'

/** Properties of an object, entries of an `enum`, alternatives: no list in a schema is longer. */
const MAX_ENTRIES = 128

const wholeNumber = { type: 'integer', minimum: 0, maximum: 1_000_000, description: 'a whole number' }
const number = { type: 'number', description: 'a number' }
const text = { type: 'string', maxLength: 1_000, description: 'a text' }
const nested = { $ref: '#' }
const scalar = {
  type: ['string', 'number', 'boolean', 'null'],
  description: 'a text, number, boolean or null',
}
const TYPES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null']

/** JSON schema of a configuration schema. */
const META_SCHEMA: JsonSchema = {
  type: 'object',
  description: 'a schema of the allowed keywords',
  additionalProperties: false,
  required: ['type'],
  properties: {
    type: { enum: TYPES, description: `one of ${TYPES.join(', ')}` },
    title: text,
    description: text,
    default: true,
    enum: {
      type: 'array',
      minItems: 1,
      maxItems: MAX_ENTRIES,
      items: scalar,
      description: 'a list of values',
    },
    properties: {
      type: 'object',
      maxProperties: MAX_ENTRIES,
      additionalProperties: nested,
      description: 'an object of schemas',
    },
    required: { type: 'array', maxItems: MAX_ENTRIES, items: text, description: 'a list of keys' },
    additionalProperties: {
      if: { type: 'object' },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: nested,
      else: { type: 'boolean', description: 'true, false or a schema' },
    },
    maxProperties: wholeNumber,
    items: nested,
    minItems: wholeNumber,
    maxItems: wholeNumber,
    minLength: wholeNumber,
    maxLength: wholeNumber,
    format: { enum: ['ipv4-prefix', 'multicast-prefix', 'http-origin'], description: 'a format known here' },
    minimum: number,
    maximum: number,
    exclusiveMinimum: number,
    exclusiveMaximum: number,
  },
}

const checkMeta = checkOf(META_SCHEMA)

/** All that is wrong with a configuration schema, attacker-controlled but parsed by `parseJson`. */
export function checkConfigSchema(schema: JsonValue): readonly ContractProblem[] {
  return checkMeta(schema)
}

/** A configuration with its defaults filled in, or what is wrong with it. */
export type ConfigResult =
  | { readonly ok: true; readonly config: JsonValue }
  | { readonly ok: false; readonly problems: readonly ContractProblem[] }

/**
 * Checks an operator's configuration against a manifest's `configSchema` (without one, only an empty object is
 * right). The given value stays as it is.
 */
export function checkConfig(schema: JsonSchema | undefined, config: JsonValue): ConfigResult {
  const copy = structuredClone(config) as JsonValue
  const none = { type: 'object', additionalProperties: false, description: 'no configuration' }
  const check = checkOf(schema ?? none, {}, { useDefaults: true, strict: false, validateSchema: false })
  const problems = check(copy)
  return problems.length === 0 ? { ok: true, config: copy } : { ok: false, problems }
}
