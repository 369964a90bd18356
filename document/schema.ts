/**
 * Schema fragments for single values. The one idea: every fragment carries a `description` that completes the
 * sentence "expected ...", so that one text serves the printed schema and the error message.
 */
import { BIT_RATE, DURATION, FREQUENCY, type Quantity, SHARE, SIZE } from './units.ts'

/** A JSON schema (draft 2020-12) as plain data. */
export interface Schema {
  readonly [keyword: string]: unknown
}

/** Part of a node's name: also a capture's file name and a step of a report path. */
export const NAME_PATTERN = '^[a-z][a-z0-9-]{0,30}$'
/** An interface name that Linux accepts too. */
export const INTERFACE_PATTERN = '^[a-z][a-z0-9]{0,14}$'

function quantitySchema(quantity: Quantity): Schema {
  const description = quantity.expected
  const text = { pattern: quantity.pattern, description }
  if (quantity.bareUpTo === undefined) return { type: 'string', ...text }
  return { type: ['string', 'integer'], ...text, minimum: 0, maximum: quantity.bareUpTo }
}

export const duration = quantitySchema(DURATION)
export const bitRate = quantitySchema(BIT_RATE)
export const size = quantitySchema(SIZE)
export const share = quantitySchema(SHARE)
export const frequency = quantitySchema(FREQUENCY)

const OCTET = '(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const ADDRESS = `${OCTET}(\\.${OCTET}){3}`
const LENGTH = '(3[0-2]|[12]?\\d)'

export const name: Schema = {
  type: 'string',
  pattern: NAME_PATTERN,
  description: 'a name of lower-case letters, digits and hyphens, at most 31, beginning with a letter',
}
export const resourceName: Schema = {
  type: 'string',
  pattern: '^[A-Za-z][\\w.-]{0,62}$',
  description:
    'a name of letters, digits, dots, hyphens and underscores, at most 63, beginning with a letter',
}
export const interfaceName: Schema = {
  type: 'string',
  pattern: INTERFACE_PATTERN,
  description: 'an interface name such as eth0: lower-case letters and digits, at most 15',
}
export const address: Schema = {
  type: 'string',
  pattern: `^${ADDRESS}$`,
  description: 'an IPv4 address such as 10.0.1.2',
}
export const prefix: Schema = {
  type: 'string',
  pattern: `^${ADDRESS}(/${LENGTH})?$`,
  description: 'an IPv4 address or prefix such as 10.0.0.0/8',
}
export const interfaceAddress: Schema = {
  type: 'string',
  pattern: `^${ADDRESS}/${LENGTH}$`,
  description: 'an IPv4 address with its prefix length such as 10.0.1.2/24',
}
export const socketAddress: Schema = {
  type: 'string',
  pattern: `^${ADDRESS}:\\d{1,5}$`,
  description: 'an IPv4 address and port such as "198.18.0.80:80"',
}
export const endpoint: Schema = {
  type: 'string',
  pattern: '^[a-z][a-z0-9-]*:[a-z][a-z0-9]*$',
  description: 'a node and its interface such as "c1:eth0"',
}
export const boolean: Schema = { type: 'boolean', description: 'true or false' }
export const text: Schema = { type: 'string', minLength: 1, maxLength: 1024, description: 'a text' }

/** Whole numbers within bounds. */
export function integer(minimum: number, maximum: number): Schema {
  return { type: 'integer', minimum, maximum, description: `a whole number from ${minimum} to ${maximum}` }
}

/** Numbers within bounds. */
export function number(minimum: number, maximum: number): Schema {
  return { type: 'number', minimum, maximum, description: `a number from ${minimum} to ${maximum}` }
}

/** One of some words. */
export function word(...words: readonly string[]): Schema {
  return { type: 'string', enum: words, description: listed(words) }
}

/** `a`, `a or b`, `a, b or c`. */
export function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}

/** A mapping with exactly these keys, those in `required` mandatory. */
export function mapping(
  properties: Readonly<Record<string, Schema>>,
  required: readonly string[] = [],
): Schema {
  return { type: 'object', properties, required, additionalProperties: false }
}

/** A mapping from names of one form to values of one form. */
export function table(names: Schema, values: Schema, maxProperties: number, description: string): Schema {
  return { type: 'object', propertyNames: names, additionalProperties: values, maxProperties, description }
}

/** A list of at most `maxItems` values. */
export function list(items: Schema, maxItems: number, description: string, minItems = 0): Schema {
  return { type: 'array', items, minItems, maxItems, description }
}
