/** Schemas that several messages share. */
import type { JsonSchema } from '../schema.ts'
import { addressSchema, portSchema } from './wire-action.ts'

const addressMatch: JsonSchema = {
  if: { type: 'object' },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: {
    type: 'object',
    properties: { value: addressSchema, mask: addressSchema },
    required: ['value', 'mask'],
    additionalProperties: false,
    description: 'a pair { value, mask }',
  },
  else: {
    type: 'string',
    maxLength: 18,
    description: 'an IPv4 address, a prefix, or a pair { value, mask }',
  },
}

const portMatch: JsonSchema = {
  if: { type: 'object' },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: {
    type: 'object',
    properties: { from: portSchema, to: portSchema },
    required: ['from', 'to'],
    additionalProperties: false,
    description: 'ports { from, to }',
  },
  else: portSchema,
}

const protocol: JsonSchema = {
  if: { type: 'string' },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { enum: ['tcp', 'udp', 'icmp', 'igmp', 'ip-in-ip'], description: 'tcp, udp, icmp, igmp or ip-in-ip' },
  else: { type: 'integer', minimum: 0, maximum: 255, description: 'a protocol 0..255' },
}

/** The engine's filter; what its values mean, `compileFilter` checks. */
export const filterSchema: JsonSchema = {
  type: 'object',
  properties: {
    from: addressMatch,
    to: addressMatch,
    protocol,
    fromPort: portMatch,
    toPort: portMatch,
    inPort: { type: 'string', maxLength: 64, description: 'a port’s name' },
  },
  additionalProperties: false,
  description: 'a filter',
}

export const flowKeySchema: JsonSchema = {
  type: 'object',
  properties: {
    from: addressSchema,
    to: addressSchema,
    protocol: { type: 'integer', minimum: 0, maximum: 255, description: 'a protocol 0..255' },
    fromPort: portSchema,
    toPort: portSchema,
  },
  required: ['from', 'to', 'protocol', 'fromPort', 'toPort'],
  additionalProperties: false,
  description: 'a flow key',
}

export const querySchema: JsonSchema = {
  type: 'object',
  properties: {
    table: { type: 'string', maxLength: 64, description: 'a table’s name' },
    where: {
      type: 'object',
      maxProperties: 16,
      additionalProperties: {
        type: ['string', 'number', 'boolean', 'null'],
        description: 'a text, number, boolean or null',
      },
      description: 'columns and their values',
    },
    limit: { type: 'integer', minimum: 1, maximum: 10_000, description: '1..10000 rows' },
  },
  required: ['table'],
  additionalProperties: false,
  description: 'a query',
}
