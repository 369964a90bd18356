/**
 * Actions on their way out of a plugin. The one idea: the engine's own form without `decide`, names of tunnels and
 * classes being keys of the plugin's, so that what has passed the schema and the authorizer needs no translation but
 * of those names. `spread` stands only where the router acts alone: it pins by itself and must not be pinned.
 */
import type { JsonSchema } from '../schema.ts'

/** Most nested actions, and most branches of a list. */
export const WIRE_DEPTH_MAX = 4
const REPLICATE_MAX = 64
const SPREAD_MAX = 256

export type WireAction =
  | { readonly kind: 'forward'; readonly via?: string }
  | { readonly kind: 'drop'; readonly reason?: 'policy' | 'no-server' }
  | { readonly kind: 'tunnel'; readonly tunnel: string }
  | { readonly kind: 'decapsulate' }
  | {
      readonly kind: 'rewrite'
      readonly from?: string
      readonly to?: string
      readonly fromPort?: number
      readonly toPort?: number
      readonly then: WireAction
    }
  | { readonly kind: 'replicate'; readonly to: readonly WireAction[] }
  | { readonly kind: 'class'; readonly class: string; readonly then: WireAction }

export type WireFallback =
  | WireAction
  | {
      readonly kind: 'spread'
      readonly to: readonly { readonly action: WireAction; readonly weight: number }[]
    }

/** Keys of tunnels and classes. */
export const keySchema: JsonSchema = {
  type: 'string',
  minLength: 1,
  maxLength: 64,
  format: 'key',
  description: 'a key of letters, digits and ._:- (1..64)',
}

export const addressSchema: JsonSchema = {
  type: 'string',
  maxLength: 15,
  format: 'ipv4',
  description: 'an IPv4 address',
}

export const portSchema: JsonSchema = {
  type: 'integer',
  minimum: 0,
  maximum: 65535,
  description: 'a port 0..65535',
}

const kindOf = (kind: string, properties: JsonSchema, required: readonly string[] = []): JsonSchema => ({
  type: 'object',
  properties: { kind: { const: kind }, ...properties },
  required: ['kind', ...required],
  additionalProperties: false,
  description: `an action of kind ${kind}`,
})

/** One schema per depth: what nests is finite by construction. */
function actionSchemaAt(depth: number): JsonSchema {
  const leaves: Record<string, JsonSchema> = {
    forward: kindOf('forward', { via: addressSchema }),
    drop: kindOf('drop', { reason: { enum: ['policy', 'no-server'], description: 'policy or no-server' } }),
    tunnel: kindOf('tunnel', { tunnel: keySchema }, ['tunnel']),
    decapsulate: kindOf('decapsulate', {}),
  }
  if (depth === 1) return choice(leaves)
  const then = { $ref: `#/$defs/action${depth - 1}` }
  return choice({
    ...leaves,
    rewrite: kindOf(
      'rewrite',
      { from: addressSchema, to: addressSchema, fromPort: portSchema, toPort: portSchema, then },
      ['then'],
    ),
    class: kindOf('class', { class: keySchema, ...{ then } }, ['class', 'then']),
    replicate: kindOf(
      'replicate',
      {
        to: {
          type: 'array',
          minItems: 1,
          maxItems: REPLICATE_MAX,
          items: then,
          description: 'a list of actions',
        },
      },
      ['to'],
    ),
  })
}

/** By `kind`, so that a message speaks of the right alternative. */
function choice(kinds: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return {
    type: 'object',
    required: ['kind'],
    discriminator: { propertyName: 'kind' },
    oneOf: Object.values(kinds),
    description: `an action of kind ${Object.keys(kinds).join(', ')}`,
  }
}

/** `$defs` that `actionSchema` and `fallbackSchema` refer to. */
export const actionDefinitions: Readonly<Record<string, JsonSchema>> = Object.fromEntries(
  Array.from({ length: WIRE_DEPTH_MAX }, (_, i) => [`action${i + 1}`, actionSchemaAt(i + 1)]),
)

export const actionSchema: JsonSchema = { $ref: `#/$defs/action${WIRE_DEPTH_MAX}` }

const branchSchema: JsonSchema = {
  type: 'object',
  properties: {
    action: { $ref: `#/$defs/action${WIRE_DEPTH_MAX}` },
    weight: { type: 'integer', minimum: 1, maximum: 65535, description: 'a whole weight 1..65535' },
  },
  required: ['action', 'weight'],
  additionalProperties: false,
  description: 'an action and its weight',
}

/** An action, or a spread of actions. */
export const fallbackSchema: JsonSchema = {
  type: 'object',
  required: ['kind'],
  if: { properties: { kind: { const: 'spread' } } },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: {
    type: 'object',
    properties: {
      kind: { const: 'spread' },
      to: {
        type: 'array',
        minItems: 1,
        maxItems: SPREAD_MAX,
        items: branchSchema,
        description: 'a list of branches',
      },
    },
    required: ['kind', 'to'],
    additionalProperties: false,
    description: 'a spread',
  },
  else: { $ref: `#/$defs/action${WIRE_DEPTH_MAX}` },
  description: 'an action or a spread',
}
