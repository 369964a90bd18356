/** Commands about traffic classes. Names are keys of the plugin's; the router puts the plugin's id before them. */
import type { JsonSchema } from '../schema.ts'

interface WireCeiling {
  readonly rateBps: number
  readonly burstBytes?: number
}

export type ClassCommand =
  | {
      readonly do: 'create-class'
      readonly name: string
      readonly port?: string
      /** A key of the plugin's. */
      readonly parent?: string
      readonly weight: number
      readonly ceiling?: WireCeiling
      readonly limitPackets?: number
      readonly limitBytes?: number
      readonly dropPolicy?: 'tail' | 'codel'
    }
  | {
      readonly do: 'set-class'
      readonly name: string
      readonly weight?: number
      readonly ceiling?: WireCeiling | null
      readonly limitPackets?: number
      readonly limitBytes?: number
    }
  | { readonly do: 'remove-class'; readonly name: string }

const name: JsonSchema = {
  type: 'string',
  minLength: 1,
  maxLength: 32,
  format: 'key',
  description: 'a name of letters, digits and ._:- (1..32)',
}
const weight: JsonSchema = {
  type: 'number',
  exclusiveMinimum: 0,
  maximum: 1e6,
  description: 'a weight above 0, at most 1e6',
}
const limit: JsonSchema = {
  type: 'integer',
  minimum: 1,
  maximum: 2 ** 31 - 1,
  description: 'a whole number above 0',
}
const ceiling: JsonSchema = {
  type: 'object',
  properties: {
    rateBps: { type: 'number', minimum: 1, maximum: 1e12, description: 'bits per second, 1..1e12' },
    burstBytes: {
      type: 'integer',
      minimum: 1,
      maximum: 2 ** 31 - 1,
      description: 'a whole number of bytes above 0',
    },
  },
  required: ['rateBps'],
  additionalProperties: false,
  description: 'a ceiling { rateBps, burstBytes }',
}
const noCeiling: JsonSchema = {
  ...ceiling,
  type: ['object', 'null'],
  description: 'a ceiling { rateBps, burstBytes } or null',
}
const limits = { 'limitPackets?': limit, 'limitBytes?': limit }

export const classSchemas = {
  'create-class': {
    name,
    'port?': { type: 'string', maxLength: 64, description: 'a port’s name' },
    'parent?': name,
    weight,
    'ceiling?': ceiling,
    'dropPolicy?': { enum: ['tail', 'codel'], description: 'tail or codel' },
    ...limits,
  },
  'set-class': { name, 'weight?': weight, 'ceiling?': noCeiling, ...limits },
  'remove-class': { name },
} as const
