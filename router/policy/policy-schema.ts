/**
 * Schema of a router's addresses, routes and static policy: tunnels, traffic classes and filters with their actions. The one idea: an
 * action is one verb and what it needs, so that a policy reads as a sentence. Which verbs exclude each other, and
 * whether names exist, is checked in ../policy/.
 */

import {
  address,
  bitRate,
  duration,
  integer,
  interfaceAddress,
  interfaceName,
  list,
  mapping,
  number,
  prefix,
  resourceName,
  type Schema,
  size,
  table,
  word,
} from '../../document/index.ts'
import {
  MAX_ADDRESSES_PER_INTERFACE,
  MAX_CLASSES,
  MAX_COPIES,
  MAX_FILTERS,
  MAX_INTERFACES,
  MAX_MTU,
  MAX_QUEUE_PACKETS,
  MAX_SPREAD,
  MAX_TUNNELS,
  MIN_TUNNEL_MTU,
} from './limits.ts'

export const addresses = table(
  interfaceName,
  {
    ...list(interfaceAddress, MAX_ADDRESSES_PER_INTERFACE, 'a list of addresses with prefix lengths', 1),
    ...interfaceAddress,
    type: ['string', 'array'],
  },
  MAX_INTERFACES,
  'addresses by interface such as { eth0: 10.0.1.2/24 }',
)

export const routerRoute: Schema = {
  ...mapping(
    { to: prefix, via: address, blackhole: { const: true, description: 'true' }, cost: integer(1, 65_535) },
    ['to'],
  ),
  description: 'a route such as { to: 10.9.0.0/16, via: 10.0.1.1 } or { to: 10.9.0.0/16, blackhole: true }',
}

const port = integer(0, 65_535)

/** A port, or an inclusive range as text. */
const portMatch: Schema = {
  type: ['integer', 'string'],
  minimum: 0,
  maximum: 65_535,
  pattern: '^\\d{1,5}-\\d{1,5}$',
  description: 'a port from 0 to 65535 or a range such as "1024-65535"',
}

/** An address, a prefix, or a (value, mask) pair. */
const addressMatch: Schema = {
  ...prefix,
  ...mapping({ value: address, mask: address }, ['value', 'mask']),
  type: ['string', 'object'],
  description: 'an IPv4 address, a prefix such as 10.0.0.0/8, or { value, mask }',
}

const protocolMatch: Schema = {
  type: ['string', 'integer'],
  pattern: '^(tcp|udp|icmp|igmp|ip-in-ip)$',
  minimum: 0,
  maximum: 255,
  description: 'tcp, udp, icmp, igmp, ip-in-ip or a protocol number from 0 to 255',
}

const VERBS: Readonly<Record<string, Schema>> = {
  forward: mapping({ via: address }),
  drop: { type: 'string', description: 'the name of a drop reason such as policy or no-server' },
  tunnel: resourceName,
  decapsulate: mapping({}),
  rewrite: { ...mapping({ from: address, to: address, fromPort: port, toPort: port }), minProperties: 1 },
  class: resourceName,
  replicate: list({ $ref: '#/$defs/action' }, MAX_COPIES, 'a list of actions, one for each copy', 1),
  spread: list({ $ref: '#/$defs/choice' }, MAX_SPREAD, 'a list of actions with their weights', 1),
  // biome-ignore lint/suspicious/noThenProperty: the action's own word for what follows; never awaited
  then: { $ref: '#/$defs/action' },
  idle: duration,
}

const actionShape: Schema = {
  type: ['string', 'object'],
  pattern: '^(forward|drop|decapsulate)$',
  minProperties: 1,
  additionalProperties: false,
}

/** One of `forward`, `drop`, `tunnel`, `decapsulate`, `rewrite`, `class`, `replicate`, `spread`. */
export const action: Schema = {
  ...actionShape,
  properties: VERBS,
  description: 'an action: forward, drop, decapsulate, or a mapping such as { tunnel: NAME }',
}

/** An action within a spread. */
export const choice: Schema = {
  ...actionShape,
  properties: { ...VERBS, weight: integer(1, 65_535) },
  description: 'an action with an optional weight such as { tunnel: NAME, weight: 2 }',
}

const tunnel: Schema = {
  ...address,
  ...mapping(
    {
      to: address,
      from: address,
      kind: word('ip-in-ip', 'mac-rewrite'),
      ttl: integer(1, 255),
      mtu: integer(MIN_TUNNEL_MTU, MAX_MTU),
    },
    ['to'],
  ),
  type: ['string', 'object'],
  description: 'the address of the tunnel exit, or a mapping with `to`',
}

const trafficClass = mapping(
  {
    name: resourceName,
    port: interfaceName,
    parent: resourceName,
    weight: number(0.001, 1e6),
    ceiling: bitRate,
    burst: size,
    limit: mapping({ packets: integer(1, MAX_QUEUE_PACKETS), bytes: size }),
    discard: word('tail', 'codel'),
  },
  ['name', 'weight'],
)

const filter = mapping(
  {
    name: resourceName,
    priority: integer(-999_999, 999_999),
    from: addressMatch,
    to: addressMatch,
    protocol: protocolMatch,
    fromPort: portMatch,
    toPort: portMatch,
    inPort: interfaceName,
    action: { $ref: '#/$defs/action' },
  },
  ['action'],
)

const decapsulate: Schema = {
  ...list(address, MAX_INTERFACES, 'true, or a list of own addresses that end tunnels', 1),
  type: ['boolean', 'array'],
  description: 'true, or a list of own addresses that end tunnels',
}

export const policy: Schema = {
  ...mapping({
    tunnels: table(resourceName, { $ref: '#/$defs/tunnel' }, MAX_TUNNELS, 'tunnels by name'),
    classes: list({ $ref: '#/$defs/class' }, MAX_CLASSES, 'a list of traffic classes'),
    filters: list({ $ref: '#/$defs/filter' }, MAX_FILTERS, 'a list of filters'),
    decapsulate,
  }),
  description: 'a policy: tunnels, classes, filters, decapsulate',
}

/** The definitions that the fragments above refer to. */
export const policyDefinitions: Readonly<Record<string, Schema>> = {
  action,
  choice,
  tunnel,
  class: { ...trafficClass, description: 'a traffic class with name and weight' },
  filter: { ...filter, description: 'a filter with an action' },
  policy,
}

/** The keys that name what an action does; `then` and `idle` only modify. */
export const ACTION_VERBS = Object.keys(VERBS).filter((key) => key !== 'then' && key !== 'idle')
