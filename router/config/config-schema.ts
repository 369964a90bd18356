/**
 * The JSON schema (draft 2020-12) of a router's configuration file. The one idea: addresses, routes, policy and
 * plugins are said in the words of a lab file's router; around them stands what only a real router needs.
 */
import {
  address,
  boolean,
  integer,
  interfaceName,
  list,
  mapping,
  name,
  number,
  resourceName,
  type Schema,
  table,
  text,
} from '../../document/index.ts'
import { BOUND_FORMATS, capabilitiesSchema, limitsSchema } from '../../execution-env/contract/index.ts'
import { ROLES } from '../control/roles.ts'
import {
  action,
  addresses,
  MAX_INTERFACES,
  MAX_MTU,
  MAX_PLUGINS,
  MAX_ROUTES,
  MIN_MTU,
  policyDefinitions,
  routerRoute,
} from '../policy/index.ts'

/** Keys that plugins may sign with. */
const MAX_KEYS = 64

const share = number(0, 1)
const delay = number(0, 1e12)

/** The keys are those of engine/ports/impairment.ts. */
const impairment: Schema = {
  ...mapping({
    rateBps: integer(1, 1_000_000_000_000),
    delayNs: delay,
    jitterNs: delay,
    loss: share,
    reorder: {
      ...mapping({ probability: share, delayNs: delay }, ['probability']),
      description: 'reordering: probability, delayNs',
    },
    duplicate: share,
    corrupt: share,
    queueBytes: integer(1, 2_147_483_647),
  }),
  description:
    'a faulty link, for laboratories: rateBps, delayNs, jitterNs, loss, reorder, duplicate, corrupt',
}

const device: Schema = {
  ...text,
  maxLength: 15,
  pattern: '^[^/\\s]+$',
  description: "a network device of this machine such as 'enp1s0' (1..15)",
}

const port: Schema = {
  ...mapping({
    device,
    mtu: integer(MIN_MTU, MAX_MTU),
    driver: { enum: ['af-packet', 'tap'], description: 'af-packet or tap' },
    takeUplink: boolean,
    impairment,
  }),
  description: 'a port: device, mtu, driver, takeUplink, impairment, all optional',
}

const cpu: Schema = {
  ...mapping({ weight: number(0.001, 1e6), guarantee: share, ceiling: share }),
  description: 'shares of the processor: weight, guarantee, ceiling',
}

const plugin: Schema = {
  ...mapping(
    {
      bundle: { ...text, description: 'the path of a bundle' },
      id: resourceName,
      config: { type: 'object', description: "a mapping that the plugin's configSchema accepts" },
      priority: integer(-1_000, 1_000),
      capabilities: capabilitiesSchema as Schema,
      limits: limitsSchema as Schema,
      trusted: boolean,
      cpu,
    },
    ['bundle'],
  ),
  description: 'a plugin with `bundle: FILE`',
}

const fallback: Schema = {
  ...action,
  pattern: '^(open|closed)$',
  description: 'open (forward), closed (drop), or an action such as { tunnel: NAME }',
}

const group: Schema = {
  type: ['string', 'integer'],
  minLength: 1,
  maxLength: 32,
  minimum: 0,
  maximum: 0xffff_fffe,
  description: 'a group of this machine, by name or number',
}

const remote: Schema = {
  ...mapping(
    {
      address,
      port: integer(1, 65_535),
      certificate: { ...text, description: "the path of the router's certificate" },
      key: { ...text, description: "the path of the router's private key" },
    },
    ['port', 'certificate', 'key'],
  ),
  description: 'where operators of other machines come in: address, port, certificate, key',
}

const control: Schema = {
  ...mapping({
    local: {
      ...mapping(Object.fromEntries(ROLES.map((role) => [role, group]))),
      description: 'groups by role, such as { read: adm }',
    },
    remote,
  }),
  description: 'who may speak to this router: local, remote',
}

/** The schema of a router's configuration. */
export const configSchema: Schema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'pronto router',
  ...mapping(
    {
      name,
      ports: table(interfaceName, port, MAX_INTERFACES, 'ports by name such as { eth0: { mtu: 1500 } }'),
      addresses,
      routes: list(routerRoute, MAX_ROUTES, 'a list of routes'),
      policy: { $ref: '#/$defs/policy' },
      fallback,
      plugins: list(plugin, MAX_PLUGINS, 'a list of plugins'),
      trust: { ...text, description: 'the path of a folder with ca.crt and crl.pem' },
      keys: table(
        resourceName,
        { ...text, description: 'the path of an Ed25519 private key' },
        MAX_KEYS,
        'keys of plugins by name, such as { moves: moves.key }',
      ),
      state: { ...text, description: 'the path of a folder' },
      signaling: {
        ...mapping({ port: integer(1, 65_535) }),
        description: 'where hosts tell of themselves: port, optional',
      },
      punt: { ...device, description: "a name for a new device such as 'pronto0' (1..15)" },
      control,
    },
    ['name', 'addresses'],
  ),
  description: 'a router: a mapping with name and addresses',
  $defs: { ...policyDefinitions },
}

/** Checks behind the schema's `format`s. */
export const CONFIG_FORMATS = BOUND_FORMATS
