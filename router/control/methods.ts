/**
 * The methods of the control protocol. The one idea: a table says of each which role it needs, whether it stands in
 * the audit log, and the schema of its parameters; what it does stands in control-server/handlers.ts under the same
 * name.
 *
 * Roles: `read` sees, `operate` changes how what is installed behaves or takes it away, `install` lets new code in.
 */
import { TABLE_NAMES } from '../../engine/index.ts'
import { MAX_BUNDLE_BYTES } from '../../execution-env/bundle/index.ts'
import {
  capabilitiesSchema,
  checkOf,
  type JsonSchema,
  limitsSchema,
  type SchemaCheck,
} from '../../execution-env/contract/index.ts'
import { LEAST_WATCH_MS, MAX_LOG_LINES, MAX_ROWS } from './limits.ts'
import type { Role } from './roles.ts'

export interface MethodSpec {
  readonly role: Role
  /** Whether it changes something, and therefore stands in the audit log. */
  readonly audited: boolean
  readonly summary: string
  readonly params: JsonSchema
}

const text = (maxLength: number, description: string): JsonSchema => ({
  type: 'string',
  minLength: 1,
  maxLength,
  description,
})
const whole = (minimum: number, maximum: number, description: string): JsonSchema => ({
  type: 'integer',
  minimum,
  maximum,
  description,
})

function params(
  properties: Readonly<Record<string, JsonSchema>> = {},
  required: readonly string[] = [],
): JsonSchema {
  return { type: 'object', properties, required, additionalProperties: false, description: 'parameters' }
}

const id: JsonSchema = {
  type: 'string',
  pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$',
  description: 'an id: letters, digits and ._- (1..64)',
}
const yes: JsonSchema = { type: 'boolean', description: 'true or false' }
const config: JsonSchema = { type: 'object', description: 'an object' }
const upload = whole(1, Number.MAX_SAFE_INTEGER, 'the number of an upload')
const priority = whole(-1_000, 1_000, 'a whole number, -1000..1000')
const port = whole(0, 65_535, 'a port, 0..65535')
const where: JsonSchema = {
  type: 'object',
  maxProperties: 16,
  additionalProperties: {
    type: ['string', 'number', 'boolean', 'null'],
    maxLength: 256,
    description: 'a text, number, boolean or null',
  },
  description: 'an object of columns and the values that they must have',
}
const limit = whole(1, MAX_ROWS, `a number of rows, 1..${MAX_ROWS}`)
const table: JsonSchema = {
  type: 'string',
  enum: TABLE_NAMES,
  description: `one of ${TABLE_NAMES.join(', ')}`,
}
const rows = params({ where, limit })

const read = (summary: string, schema: JsonSchema = params()): MethodSpec => ({
  role: 'read',
  audited: false,
  summary,
  params: schema,
})
const change = (role: Role, summary: string, schema: JsonSchema): MethodSpec => ({
  role,
  audited: true,
  summary,
  params: schema,
})

export const METHODS = {
  health: read('whether all is well, and who asks'),
  list: read('the plugins'),
  logs: read(
    'the last lines of one plugin or of all',
    params({ id, limit: whole(1, MAX_LOG_LINES, `a number of lines, 1..${MAX_LOG_LINES}`) }),
  ),
  flows: read('flows in the table', rows),
  tunnels: read('tunnels', rows),
  classes: read('traffic classes', rows),
  queues: read('queues', rows),
  stats: read('counters, limits and ports'),
  query: read(
    'a table of the router, or ID/NAME: what a plugin answers',
    params({ name: text(200, 'a table, or ID/NAME'), where, limit, argument: {} }, ['name']),
  ),
  explain: read(
    'what the router would do with a flow, and why',
    params(
      {
        from: text(15, 'an IPv4 address'),
        to: text(15, 'an IPv4 address'),
        protocol: {
          type: ['string', 'integer'],
          maxLength: 16,
          minimum: 0,
          maximum: 255,
          description: 'tcp, udp, icmp, igmp, ip-in-ip or 0..255',
        },
        fromPort: port,
        toPort: port,
        inPort: text(64, 'the name of a port of the router'),
      },
      ['from', 'to', 'protocol'],
    ),
  ),
  watch: read(
    'news of a table, of logs or of the plugins, now and then',
    params({
      query: params({ table, where, limit }, ['table']),
      logs: params({ id }),
      plugins: { const: true, description: 'true' },
      everyMs: whole(LEAST_WATCH_MS, 3_600_000, `milliseconds, ${LEAST_WATCH_MS}..3600000`),
    }),
  ),
  capture: change(
    'operate',
    'the frames of a port as parts of a pcapng file, until the watch is ended',
    params(
      {
        port: text(64, 'the name of a port of the router'),
        snapBytes: whole(0, 65_535, 'bytes kept of a frame, 0: all'),
      },
      ['port'],
    ),
  ),
  unwatch: read('ends a watch', params({ watch: whole(1, Number.MAX_SAFE_INTEGER, 'a watch') }, ['watch'])),
  call: change(
    'operate',
    'sends a message to a plugin and gives its answer',
    params({ id, name: text(128, 'the topic of a message'), argument: {} }, ['id', 'name']),
  ),
  reload: change('operate', 'reads the configuration again and applies what is new', params({ dryRun: yes })),
  rollback: change('operate', 'goes back to the version before the last upgrade', params({ id }, ['id'])),
  unload: change(
    'operate',
    'ends a plugin',
    params({ id, flows: { type: 'string', enum: ['drain', 'purge'], description: 'drain or purge' } }, [
      'id',
    ]),
  ),
  upload: change(
    'install',
    'announces the bytes of a bundle',
    params(
      {
        bytes: whole(1, MAX_BUNDLE_BYTES, `a number of bytes, 1..${MAX_BUNDLE_BYTES}`),
        sha256: { type: 'string', pattern: '^[0-9a-f]{64}$', description: 'a SHA-256, hexadecimal' },
      },
      ['bytes', 'sha256'],
    ),
  ),
  load: change(
    'install',
    'starts a plugin from an upload',
    params(
      { upload, id, config, priority, capabilities: capabilitiesSchema, limits: limitsSchema, dryRun: yes },
      ['upload'],
    ),
  ),
  upgrade: change(
    'install',
    'puts another version in the place of a plugin',
    params(
      {
        upload,
        id,
        config,
        state: { type: 'string', enum: ['move', 'discard'], description: 'move or discard' },
        dryRun: yes,
      },
      ['upload', 'id'],
    ),
  ),
} satisfies Record<string, MethodSpec>

export type MethodName = keyof typeof METHODS
export const METHOD_NAMES = Object.keys(METHODS) as MethodName[]

const checks = new Map<MethodName, SchemaCheck>()

/** The method of a name, or undefined. */
export function methodNamed(name: string): MethodName | undefined {
  return METHOD_NAMES.find((each) => each === name)
}

/** Finds what is wrong with the parameters of a method. */
export function checkParams(name: MethodName): SchemaCheck {
  let check = checks.get(name)
  if (check === undefined) checks.set(name, (check = checkOf(METHODS[name].params)))
  return check
}
