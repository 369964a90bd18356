/**
 * Messages that are heard: their forms, and who may say them. The one idea: the schema bounds what is said before it
 * arrives, and a host speaks for its own address only (R-SLR-17; its certificate was verified by the router).
 */
import type { JsonSchema, Sender } from 'pronto-router/sdk'
import { SERVER_STATES, type ServerState } from './server.ts'

export interface Hello {
  readonly host: string
  readonly address: string
  readonly virtualHosts: readonly string[]
}

export interface Report {
  readonly host: string
  readonly address: string
  readonly state: ServerState
  readonly services: readonly { readonly prefix: string; readonly load: number }[]
  readonly connections: number
}

export interface Gone {
  readonly host: string
  readonly address: string
  readonly reason: 'silent' | 'bye' | 'replaced'
}

/** Prefixes that one server may serve. */
const SERVICES_MOST = 64

const name = { type: 'string', maxLength: 64, description: 'a host’s name' }
const address = { type: 'string', maxLength: 15, description: 'an address such as 10.0.2.2' }
const prefix = { type: 'string', format: 'ipv4-prefix', description: 'a prefix such as 198.18.0.0/15' }
const list = (items: JsonSchema): JsonSchema => ({ type: 'array', maxItems: SERVICES_MOST, items })
const object = (
  properties: Readonly<Record<string, JsonSchema>>,
  optional: readonly string[] = [],
): JsonSchema => ({
  type: 'object',
  required: Object.keys(properties).filter((key) => !optional.includes(key)),
  properties,
})

const load = { type: 'number', minimum: 0, maximum: 1_000_000, description: 'a load of at least 0' }

export const HELLO_SCHEMA = object({ host: name, address, virtualHosts: list(prefix) })

export const STATE_SCHEMA = object({
  host: name,
  address,
  state: { type: 'string', enum: SERVER_STATES, description: SERVER_STATES.join(', ') },
  services: list(object({ prefix, load })),
  connections: {
    type: 'integer',
    minimum: 0,
    maximum: 4_294_967_295,
    description: 'a number of connections',
  },
})

export const GONE_SCHEMA = object({
  host: name,
  address,
  reason: { type: 'string', enum: ['silent', 'bye', 'replaced'], description: 'silent, bye or replaced' },
})

export const DRAIN_SCHEMA = object(
  {
    address,
    state: { type: 'string', enum: ['draining', 'maintenance'], description: 'draining or maintenance' },
  },
  ['state'],
)

export const RESUME_SCHEMA = object({ address })

/** Why a sender may not speak for an address; undefined when it may. Operators may speak for anyone. */
export function refusalOf(from: Sender, subject: string): string | undefined {
  if (from.kind === 'operator') return undefined
  if (from.kind === 'neighbour' && from.name === subject) return undefined
  return `${from.kind} ${from.name} cannot speak for ${subject}`
}

/** Hosts give no orders; a plugin does where its capabilities let it send them. */
export function orderRefusalOf(from: Sender): string | undefined {
  return from.kind === 'neighbour' ? `${from.kind} ${from.name} may give no orders` : undefined
}
