/**
 * A document's form against its schema. The one idea: the validator finds, this file explains: every error
 * becomes a finding with a key path and the words of the schema's own description.
 */
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'

import { hint } from './nearest.ts'
import { type Finding, type KeyPath, showValue } from './problem.ts'
import { listed, type Schema } from './schema.ts'
import type { Value } from './tree.ts'

/** Finds everything in a document that is not of a schema's form. Empty when all is. */
export type SchemaCheck = (document: Value) => Finding[]

const OPTIONS = {
  strict: true,
  strictRequired: false,
  allowUnionTypes: true,
  allErrors: true,
  verbose: true,
  discriminator: true,
  messages: false,
} as const

/** Steps of a JSON pointer, indices as numbers where the document has a list. */
function steps(pointer: string, document: Value): (string | number)[] {
  const path: (string | number)[] = []
  let value: unknown = document
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
    const step = Array.isArray(value) ? Number(key) : key
    path.push(step)
    value = (value as Record<string | number, unknown> | undefined)?.[step]
  }
  return path
}

interface Described {
  readonly description?: string
  readonly properties?: Readonly<Record<string, Described>>
  readonly maxItems?: number
  readonly minItems?: number
  readonly maxProperties?: number
  readonly minProperties?: number
}

function unknownKey(error: ErrorObject, path: KeyPath, schema: Described): Finding {
  const key = String(error.params['additionalProperty'])
  const known = Object.keys(schema.properties ?? {})
  const near = hint(key, known)
  const list = known.length === 0 ? '' : `; expected ${listed(known)}`
  return {
    code: 'unknown-key',
    path: [...path, key],
    at: 'key',
    message: `unknown key${near === '' ? list : near}`,
  }
}

function missingKey(key: string, path: KeyPath, schema: Described): Finding {
  const description = schema.properties?.[key]?.description
  const expected = description === undefined ? '' : `: expected ${description}`
  return { code: 'missing', path, message: `missing key ${key}${expected}` }
}

function wrongTag(error: ErrorObject, path: KeyPath, schema: Described): Finding {
  const tag = String(error.params['tag'])
  const expected = schema.description?.split(` with ${tag} `)[1] ?? ''
  const value: unknown = error.params['tagValue']
  if (value === undefined)
    return { code: 'missing', path, message: `missing key ${tag}: expected ${expected}` }
  const near = typeof value === 'string' ? hint(value, expected.split(/, | or /)) : ''
  return {
    code: 'invalid',
    path: [...path, tag],
    message: `expected ${expected}, got ${showValue(value)}${near}`,
  }
}

function wrongValue(error: ErrorObject, path: KeyPath, schema: Described): Finding {
  const expected = `expected ${schema.description ?? error.keyword}`
  switch (error.keyword) {
    case 'maxItems':
    case 'maxProperties':
      if (schema.minItems === schema.maxItems && schema.minProperties === schema.maxProperties) break
      return { code: 'limit', path, message: `too many: expected at most ${error.params['limit']}` }
    case 'minItems':
    case 'minProperties':
      return {
        code: 'invalid',
        path,
        message: schema.description === undefined ? 'expected at least one' : expected,
      }
    case 'enum': {
      const near = hint(String(error.data), error.params['allowedValues'] as string[])
      return { code: 'invalid', path, message: `${expected}, got ${showValue(error.data)}${near}` }
    }
  }
  return { code: 'invalid', path, message: `${expected}, got ${showValue(error.data)}` }
}

/** Errors that only repeat another one: a bad name is told by its own error, a missing tag by its discriminator. */
function isEcho(error: ErrorObject): boolean {
  if (error.keyword === 'propertyNames' || error.keyword === 'oneOf') return true
  const tag = error.parentSchema?.['discriminator']?.propertyName
  return error.keyword === 'required' && tag !== undefined && error.params['missingProperty'] === tag
}

/**
 * The check of one schema (draft 2020-12), compiled when first called.
 * @param formats checks of texts by the name that a schema's `format` gives
 */
export function schemaCheck(
  schema: Schema,
  formats: Readonly<Record<string, (text: string) => boolean>> = {},
): SchemaCheck {
  let validate: ValidateFunction | undefined
  return (document) => {
    validate ??= new Ajv2020({ ...OPTIONS, formats: { ...formats } }).compile(schema)
    return validate(document) ? [] : explain(validate.errors ?? [], document)
  }
}

function explain(errors: readonly ErrorObject[], document: Value): Finding[] {
  const findings: Finding[] = []
  for (const error of errors) {
    if (isEcho(error)) continue
    const path = steps(error.instancePath, document)
    const schema = error.parentSchema as Described
    if (error.propertyName !== undefined)
      findings.push({
        code: 'invalid',
        path: [...path, error.propertyName],
        at: 'key',
        message: `expected ${schema.description}, got ${showValue(error.propertyName)}`,
      })
    else if (error.keyword === 'additionalProperties') findings.push(unknownKey(error, path, schema))
    else if (error.keyword === 'required')
      findings.push(missingKey(String(error.params['missingProperty']), path, schema))
    else if (error.keyword === 'discriminator') findings.push(wrongTag(error, path, schema))
    else findings.push(wrongValue(error, path, schema))
  }
  return findings
}
