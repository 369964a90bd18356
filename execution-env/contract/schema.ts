/**
 * Schemas: the form of everything that crosses the contract. The one idea: a schema's `description` is what the
 * message says was expected; the validator only finds. JSON Schema 2020-12 through ajv, compiled at first use.
 */
import { Ajv2020, type ErrorObject, type Options, type ValidateFunction } from 'ajv/dist/2020.js'
import { BOUND_FORMATS } from './bounds.ts'
import type { ContractProblem } from './errors.ts'

export type JsonSchema = Readonly<Record<string, unknown>>

/** Finds all that is wrong with a value; empty when it is of the form. With defaults, it fills them in. */
export type SchemaCheck = (value: unknown) => readonly ContractProblem[]

/** More problems than this are not listed. */
const MAX_PROBLEMS = 50
const LONGEST_SHOWN = 60

const OPTIONS: Options = {
  strict: true,
  allErrors: true,
  verbose: true,
  messages: false,
  ownProperties: true,
  allowUnionTypes: true,
}

/** A check of one schema, compiled when first called. @param formats checks of texts, beside those of bounds */
export function checkOf(
  schema: JsonSchema,
  formats: Readonly<Record<string, (text: string) => boolean>> = {},
  options: Options = {},
): SchemaCheck {
  let validate: ValidateFunction | undefined
  return (value) => {
    validate ??= new Ajv2020({
      ...OPTIONS,
      ...options,
      formats: { ...BOUND_FORMATS, ...formats },
    }).compile(schema)
    if (validate(value)) return []
    return (validate.errors ?? [])
      .filter((each) => !isEcho(each))
      .slice(0, MAX_PROBLEMS)
      .map(explain)
  }
}

/** Errors that only repeat a more precise one. */
function isEcho(error: ErrorObject): boolean {
  return error.keyword === 'if' || error.keyword === 'propertyNames'
}

function explain(error: ErrorObject): ContractProblem {
  const place = placeOf(error.instancePath)
  const schema = error.parentSchema as { description?: string; properties?: Record<string, JsonSchema> }
  const expected = schema.description ?? `${error.keyword} ${show(error.schema)}`
  switch (error.keyword) {
    case 'required': {
      const key = String(error.params['missingProperty'])
      const description = schema.properties?.[key]?.['description']
      const hint = description === undefined ? '' : `, expected ${description}`
      return { code: 'missing', place: join(place, key), reason: `missing key${hint}` }
    }
    case 'additionalProperties': {
      const key = String(error.params['additionalProperty'])
      const known = Object.keys(schema.properties ?? {})
      const reason = `unknown key, expected one of ${known.join(', ')}`
      return { code: 'unknown', place: join(place, key), reason: known.length === 0 ? 'unknown key' : reason }
    }
    case 'maxItems':
    case 'maxProperties':
    case 'maxLength':
      return { code: 'limit', place, reason: `too long, expected at most ${error.params['limit']}` }
  }
  return { code: 'invalid', place, reason: `expected ${expected}, got ${show(error.data)}` }
}

/** `/a/b/0` as `a.b[0]`. */
function placeOf(pointer: string): string {
  return pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce(join, '')
}

function join(place: string, step: string): string {
  if (/^\d+$/.test(step)) return `${place}[${step}]`
  if (!/^[A-Za-z_][\w-]{0,63}$/.test(step)) return `${place}[${show(step)}]`
  return place === '' ? step : `${place}.${step}`
}

/** A value as a message shows it: one line, shortened. */
function show(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'an object'
  const text = JSON.stringify(value) ?? String(value)
  return text.length <= LONGEST_SHOWN ? text : `${text.slice(0, LONGEST_SHOWN)}...`
}
