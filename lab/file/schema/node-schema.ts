/** Schema of nodes: hosts with their clients and services, routers with their policy and plugins. */

import {
  address,
  boolean,
  duration,
  frequency,
  integer,
  list,
  listed,
  mapping,
  number,
  prefix,
  resourceName,
  type Schema,
  size,
  socketAddress,
  text,
} from '../../../document/index.ts'
import { addresses, routerRoute } from '../../../router/policy/index.ts'
import {
  MAX_AGENT_ROUTERS,
  MAX_CLIENT_COUNT,
  MAX_CLIENTS_PER_HOST,
  MAX_CONCURRENCY,
  MAX_LOAD,
  MAX_PLUGINS,
  MAX_ROUTES,
  MAX_SERVICES_PER_HOST,
  MAX_VIRTUAL_HOSTS,
} from '../limits.ts'

const CLIENT = {
  from: address,
  rate: frequency,
  count: integer(1, MAX_CLIENT_COUNT),
  concurrency: integer(1, MAX_CONCURRENCY),
  bytes: size,
  start: duration,
  timeout: duration,
}

/** What a client of each protocol may say. */
export const CLIENT_SCHEMAS: Readonly<Record<string, Schema>> = {
  http: mapping({ protocol: { const: 'http' }, to: socketAddress, ...CLIENT, keepAlive: boolean }, ['to']),
  tcp: mapping({ protocol: { const: 'tcp' }, to: socketAddress, ...CLIENT }, ['to']),
  udp: mapping({ protocol: { const: 'udp' }, to: socketAddress, ...CLIENT }, ['to']),
  ping: mapping({ protocol: { const: 'ping' }, to: address, ...CLIENT }, ['to']),
}

/** A mapping whose form follows from the word under `tag`. */
function tagged(tag: string, forms: Readonly<Record<string, Schema>>, what: string): Schema {
  return {
    type: 'object',
    discriminator: { propertyName: tag },
    required: [tag],
    oneOf: Object.values(forms),
    description: `${what} with ${tag} ${listed(Object.keys(forms))}`,
  }
}

const client = tagged('protocol', CLIENT_SCHEMAS, 'a client')

const service: Schema = {
  ...mapping(
    {
      protocol: { type: 'string', enum: ['http', 'tcp', 'udp'], description: 'http, tcp or udp' },
      port: integer(1, 65_535),
      bytes: size,
    },
    ['protocol', 'port'],
  ),
  description: 'a service with protocol and port',
}

const hostRoute: Schema = {
  ...mapping({ to: prefix, via: address }, ['to', 'via']),
  description: 'a route such as { to: 10.9.0.0/16, via: 10.0.1.1 }',
}

/** What runs a plugin: its source folder or a built bundle. */
export const PLUGIN_KEYS: Readonly<Record<string, Schema>> = {
  plugin: text,
  bundle: text,
  id: resourceName,
  config: { type: 'object', description: "a mapping that the plugin's configSchema accepts" },
}

const plugin: Schema = {
  ...mapping(PLUGIN_KEYS),
  description: 'a plugin with `plugin: FOLDER` or `bundle: FILE`',
}

const agent: Schema = {
  ...mapping(
    {
      routers: list(address, MAX_AGENT_ROUTERS, 'a list of addresses of routers', 1),
      interval: duration,
      load: number(0, MAX_LOAD),
    },
    ['routers'],
  ),
  description: 'an agent such as { routers: [10.0.2.1], interval: 1s, load: 0.2 }',
}

const host: Schema = mapping(
  {
    kind: { const: 'host' },
    addresses,
    gateway: address,
    routes: list(hostRoute, MAX_ROUTES, 'a list of routes'),
    virtualHosts: list(prefix, MAX_VIRTUAL_HOSTS, 'a list of virtual host prefixes'),
    agent,
    clients: list({ $ref: '#/$defs/client' }, MAX_CLIENTS_PER_HOST, 'a list of clients'),
    services: list({ $ref: '#/$defs/service' }, MAX_SERVICES_PER_HOST, 'a list of services'),
  },
  ['addresses'],
)

const router: Schema = mapping(
  {
    kind: { const: 'router' },
    addresses,
    routes: list(routerRoute, MAX_ROUTES, 'a list of routes'),
    policy: { $ref: '#/$defs/policy' },
    plugins: list({ $ref: '#/$defs/plugin' }, MAX_PLUGINS, 'a list of plugins'),
  },
  ['addresses'],
)

export const nodeDefinitions: Readonly<Record<string, Schema>> = {
  node: tagged('kind', { host, router }, 'a node'),
  client,
  service,
  plugin,
}
