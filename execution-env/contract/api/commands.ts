/**
 * Commands: what a plugin asks of the router during a call, collected in order and carried out as one transaction
 * when the call has returned. The one idea: a closed union of plain data, each alternative with its schema; numbers
 * in them are the guest's own (claims, timers, subscriptions, actions) and mean nothing outside the instance.
 *
 * Everything here is untrusted until `checkCommands` has found nothing.
 */
import { isIPv4 } from 'node:net'
import type { Filter } from '../../../engine/index.ts'
import type { ContractProblem } from '../errors.ts'
import { parseHttpUrl } from '../http-url.ts'
import type { JsonValue } from '../json.ts'
import { checkOf, type JsonSchema, type SchemaCheck } from '../schema.ts'
import type { ClassCommand } from './class-commands.ts'
import { classSchemas } from './class-commands.ts'
import type { FlowKey } from './flow.ts'
import { filterSchema, flowKeySchema, querySchema } from './schemas.ts'
import { type ServiceCommand, serviceSchemas } from './service-commands.ts'
import {
  actionDefinitions,
  actionSchema,
  addressSchema,
  fallbackSchema,
  keySchema,
  type WireAction,
  type WireFallback,
} from './wire-action.ts'

/** Times in a command are at most this. */
export const DURATION_NS_MAX = 30 * 86_400e9
/** Longest wait for a decision, and longest parking. */
export const WAIT_NS_MAX = 10e9

export interface WireQuery {
  readonly table: string
  readonly where?: Readonly<Record<string, string | number | boolean | null>>
  readonly limit?: number
}

export type FlowCommand =
  | {
      readonly do: 'claim'
      readonly claim: number
      readonly filter: Filter
      readonly waitNs: number
      readonly otherwise?: WireFallback
    }
  | { readonly do: 'unclaim'; readonly claim: number }
  | { readonly do: 'pin'; readonly key: FlowKey; readonly action: WireAction; readonly idleNs?: number }
  | { readonly do: 'unpin'; readonly key: FlowKey }
  | { readonly do: 'follow'; readonly subscription: number; readonly filter: Filter }

export type TunnelCommand =
  | {
      readonly do: 'open-tunnel'
      /** Number by which records name it, 1 and above. */
      readonly tunnel: number
      readonly key: string
      readonly to: string
      readonly kind?: 'ip-in-ip' | 'mac-rewrite'
      readonly ttl?: number
      readonly mtu?: number
    }
  | { readonly do: 'close-tunnel'; readonly key: string }

export type TalkCommand =
  | {
      readonly do: 'listen'
      readonly subscription: number
      readonly topic: string
      readonly schema?: JsonSchema
    }
  | { readonly do: 'send'; readonly topic: string; readonly to?: string; readonly body: JsonValue }
  | { readonly do: 'answer'; readonly subscription: number; readonly name: string }
  | {
      readonly do: 'watch'
      readonly subscription: number
      readonly query: WireQuery
      readonly everyNs: number
    }
  | { readonly do: 'watch-route'; readonly subscription: number; readonly address: string }
  | {
      readonly do: 'timer'
      readonly subscription: number
      readonly afterNs: number
      readonly repeat: boolean
    }
  | { readonly do: 'cancel'; readonly subscription: number }

export type ActionCommand =
  | { readonly do: 'define-action'; readonly number: number; readonly action: WireAction }
  | { readonly do: 'define-fallback'; readonly number: number; readonly action: WireFallback }
  | { readonly do: 'forget-actions' }

export type Command =
  | FlowCommand
  | TunnelCommand
  | ClassCommand
  | TalkCommand
  | ServiceCommand
  | ActionCommand
export type CommandName = Command['do']

const number: JsonSchema = {
  type: 'integer',
  minimum: 1,
  maximum: 2 ** 31 - 1,
  description: 'a whole number above 0',
}
const duration = (most: number): JsonSchema => ({
  type: 'number',
  exclusiveMinimum: 0,
  maximum: most,
  description: `nanoseconds above 0, at most ${most}`,
})
const topic: JsonSchema = {
  type: 'string',
  maxLength: 128,
  format: 'topic',
  description: 'a topic such as host/state',
}
const name: JsonSchema = {
  type: 'string',
  maxLength: 128,
  format: 'name-pattern',
  description: 'a name such as host/state, or a pattern: host/* or *',
}

type Fields = Readonly<Record<string, JsonSchema | true>>

/** Command -> its fields; those with `?` at their end are optional. */
const COMMANDS: Readonly<Record<CommandName, Fields>> = {
  claim: { claim: number, filter: filterSchema, waitNs: duration(WAIT_NS_MAX), 'otherwise?': fallbackSchema },
  unclaim: { claim: number },
  pin: { key: flowKeySchema, action: actionSchema, 'idleNs?': duration(DURATION_NS_MAX) },
  unpin: { key: flowKeySchema },
  follow: { subscription: number, filter: filterSchema },
  'open-tunnel': {
    tunnel: number,
    key: keySchema,
    to: addressSchema,
    'kind?': { enum: ['ip-in-ip', 'mac-rewrite'], description: 'ip-in-ip or mac-rewrite' },
    'ttl?': { type: 'integer', minimum: 1, maximum: 255, description: 'a TTL 1..255' },
    'mtu?': { type: 'integer', minimum: 68, maximum: 65535, description: 'bytes, 68..65535' },
  },
  'close-tunnel': { key: keySchema },
  ...classSchemas,
  listen: {
    subscription: number,
    topic: name,
    'schema?': { type: 'object', description: 'a JSON schema' },
  },
  send: { topic, 'to?': { type: 'string', maxLength: 64, description: 'an id' }, body: true },
  answer: { subscription: number, name: topic },
  watch: { subscription: number, query: querySchema, everyNs: duration(DURATION_NS_MAX) },
  'watch-route': { subscription: number, address: addressSchema },
  timer: {
    subscription: number,
    afterNs: duration(DURATION_NS_MAX),
    repeat: { type: 'boolean', description: 'true or false' },
  },
  cancel: { subscription: number },
  ...serviceSchemas,
  'define-action': { number, action: actionSchema },
  'define-fallback': { number, action: fallbackSchema },
  'forget-actions': {},
}

export const COMMAND_NAMES = Object.keys(COMMANDS) as CommandName[]

function schemaOf(command: string, fields: Fields): JsonSchema {
  const entries = Object.entries(fields)
  return {
    type: 'object',
    properties: {
      do: { const: command },
      ...Object.fromEntries(entries.map(([key, schema]) => [key.replace('?', ''), schema])),
    },
    required: ['do', ...entries.map(([key]) => key).filter((key) => !key.endsWith('?'))],
    additionalProperties: false,
    description: `a command ${command}`,
  }
}

/** JSON schema of a list of commands. */
export const commandsSchema: JsonSchema = {
  type: 'array',
  maxItems: 1_024,
  description: 'a list of commands',
  items: {
    type: 'object',
    required: ['do'],
    discriminator: { propertyName: 'do' },
    oneOf: Object.entries(COMMANDS).map(([command, fields]) => schemaOf(command, fields)),
    description: `a command: ${COMMAND_NAMES.join(', ')}`,
  },
  $defs: actionDefinitions,
}

const TOPIC = /^[a-z0-9][a-z0-9._-]*(?:\/[a-z0-9][a-z0-9._-]*)*$/
const KEY = /^[A-Za-z0-9][A-Za-z0-9._:-]*$/

/** Texts in messages of the API. */
export const API_FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  key: (text) => KEY.test(text),
  topic: (text) => TOPIC.test(text),
  ipv4: (text) => isIPv4(text),
  'http-url': (text) => parseHttpUrl(text) !== undefined,
}

/** A check of one message of the API, which stops at the first problem: its sender gets no second chance. */
export function messageCheck(schema: JsonSchema): SchemaCheck {
  return checkOf(schema, API_FORMATS, { allErrors: false, discriminator: true, strictRequired: false })
}

const check = messageCheck(commandsSchema)

/** What is wrong with a list that claims to hold commands; empty when nothing is. */
export function checkCommands(value: unknown): readonly ContractProblem[] {
  return check(value)
}
