/**
 * What the router tells a plugin and asks of it, and what a plugin asks and waits for. The one idea: four entries
 * (`setup`, `deliver`, `exportState`, `importState`), each with a schema for its argument and one for its result;
 * and questions with a schema each. Frequent things are not here but in records.ts.
 */
import type { Answer } from '../../../engine/index.ts'
import type { Capabilities } from '../capabilities.ts'
import { capabilitiesSchema } from '../capabilities.ts'
import type { JsonValue } from '../json.ts'
import type { JsonSchema, SchemaCheck } from '../schema.ts'
import { messageCheck, type WireQuery } from './commands.ts'
import type { ExportedState } from './plugin.ts'
import type { RouteView, Sender } from './router.ts'
import { querySchema } from './schemas.ts'
import { serviceAnswerSchema } from './service-commands.ts'
import type { ServiceAnswer } from './services.ts'
import { addressSchema } from './wire-action.ts'

/** Names of the entries of a guest. */
export const ENTRIES = ['setup', 'deliver', 'exportState', 'importState'] as const
export type EntryName = (typeof ENTRIES)[number]
/** Names of its batch entries. */
export const BATCH_ENTRIES = ['decide', 'ended'] as const

export interface SetupArgument {
  readonly id: string
  readonly config: JsonValue
  /** What is granted; the guest only answers sooner what the router would refuse. */
  readonly capabilities: Capabilities
  /** The router's ports, by index. */
  readonly ports: readonly string[]
}

export interface SetupResult {
  readonly exportsState: boolean
  readonly importsState: boolean
  readonly stateVersions?: readonly number[]
}

export type GuestEvent =
  | { readonly event: 'timer'; readonly subscription: number }
  | {
      readonly event: 'message'
      readonly subscription: number
      readonly topic: string
      readonly from: Sender
      readonly body: JsonValue
    }
  | { readonly event: 'query'; readonly subscription: number; readonly argument: JsonValue }
  | { readonly event: 'answer'; readonly subscription: number; readonly answer: Answer }
  | { readonly event: 'route'; readonly subscription: number; readonly route: RouteView | null }
  | { readonly event: 'service'; readonly subscription: number; readonly answer: ServiceAnswer }
  /** What the guest defined was lost: it must define it again. */
  | { readonly event: 'forget-actions' }

/** Question -> argument and answer. */
export interface Questions {
  readonly query: { readonly argument: WireQuery; readonly answer: Answer }
  readonly route: { readonly argument: { readonly address: string }; readonly answer: RouteView | null }
  readonly flows: { readonly argument: { readonly after: number }; readonly answer: FlowPage }
}

/** Some of a plugin's flows; `next` is where to go on, 0 at the end. */
export interface FlowPage {
  /** Source, destination, ports, protocol, tunnel (0: none), packets, bytes, created, last seen. */
  readonly rows: readonly (readonly number[])[]
  readonly next: number
}

const object = (properties: Record<string, JsonSchema | true>, required: readonly string[]): JsonSchema => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
  description: `an object of ${Object.keys(properties).join(', ')}`,
})
const text = (maxLength: number): JsonSchema => ({
  type: 'string',
  maxLength,
  description: `a text of at most ${maxLength} characters`,
})
const number: JsonSchema = { type: 'integer', minimum: 1, description: 'a whole number above 0' }
const boolean: JsonSchema = { type: 'boolean', description: 'true or false' }
const version: JsonSchema = {
  type: 'integer',
  minimum: 0,
  maximum: 2 ** 31 - 1,
  description: 'a whole number of at least 0',
}

const route: JsonSchema = {
  ...object(
    {
      kind: { enum: ['via', 'connected', 'local', 'blackhole', 'broadcast'], description: 'a kind of route' },
      nextHop: text(15),
      port: text(64),
      cost: { type: 'number', minimum: 0, description: 'a cost' },
    },
    ['kind', 'cost'],
  ),
  type: ['object', 'null'],
}

const answer: JsonSchema = object(
  {
    table: text(64),
    atNs: { type: 'number', description: 'nanoseconds' },
    rows: { type: 'array', items: { type: 'object', description: 'a row' }, description: 'a list of rows' },
    truncated: boolean,
  },
  ['table', 'atNs', 'rows', 'truncated'],
)

const sender = object(
  {
    kind: { enum: ['plugin', 'operator', 'neighbour'], description: 'plugin, operator or neighbour' },
    name: text(128),
  },
  ['kind', 'name'],
)

const state: JsonSchema = {
  type: 'object',
  properties: { version },
  required: ['version'],
  description: 'a state: an object with its version',
}

const event = (name: GuestEvent['event'], properties: Record<string, JsonSchema | true>): JsonSchema =>
  object({ event: { const: name }, ...properties }, ['event', ...Object.keys(properties)])

const eventSchema: JsonSchema = {
  type: 'object',
  required: ['event'],
  discriminator: { propertyName: 'event' },
  oneOf: [
    event('timer', { subscription: number }),
    event('message', { subscription: number, topic: text(128), from: sender, body: true }),
    event('query', { subscription: number, argument: true }),
    event('answer', { subscription: number, answer }),
    event('route', { subscription: number, route }),
    event('service', { subscription: number, answer: serviceAnswerSchema }),
    event('forget-actions', {}),
  ],
  description: 'an event',
}

interface EntrySchemas {
  readonly argument: JsonSchema
  readonly result: JsonSchema
}

const anything: JsonSchema = {}
const nothing: JsonSchema = { type: 'null', description: 'nothing' }

/** Argument and result of every entry. */
export const ENTRY_SCHEMAS: Readonly<Record<EntryName, EntrySchemas>> = {
  setup: {
    argument: object(
      {
        id: text(64),
        config: true,
        capabilities: capabilitiesSchema,
        ports: { type: 'array', items: text(64), description: 'names of ports' },
      },
      ['id', 'config', 'capabilities', 'ports'],
    ),
    result: object(
      {
        exportsState: boolean,
        importsState: boolean,
        stateVersions: { type: 'array', maxItems: 64, items: version, description: 'a list of versions' },
      },
      ['exportsState', 'importsState'],
    ),
  },
  deliver: { argument: eventSchema, result: anything },
  exportState: { argument: nothing, result: state },
  importState: { argument: state, result: nothing },
}

/** Argument of every question. */
export const QUESTION_SCHEMAS: Readonly<Record<keyof Questions, JsonSchema>> = {
  query: querySchema,
  route: object({ address: addressSchema }, ['address']),
  flows: object(
    {
      after: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'where to go on' },
    },
    ['after'],
  ),
}

type Checks<Names extends string> = Readonly<Record<Names, SchemaCheck>>

const checks = <Names extends string>(
  names: readonly Names[],
  schema: (name: Names) => JsonSchema,
): Checks<Names> =>
  Object.fromEntries(names.map((name) => [name, messageCheck(schema(name))])) as unknown as Checks<Names>

/** Checks of what goes into entries. */
export const checkArgument = checks(ENTRIES, (name) => ENTRY_SCHEMAS[name].argument)
/** Checks of what entries answer; untrusted. */
export const checkResult = checks(ENTRIES, (name) => ENTRY_SCHEMAS[name].result)
/** Checks of what a guest asks; untrusted. */
export const checkQuestion = checks(
  Object.keys(QUESTION_SCHEMAS) as (keyof Questions)[],
  (name) => QUESTION_SCHEMAS[name],
)

export type { ExportedState }
