/**
 * The JSON schema (draft 2020-12) of a lab file: what `pronto lab schema` prints and what every file is checked
 * against. The one idea: it states the form of every value; what values mean together is checked after it.
 */

import {
  bitRate,
  duration,
  endpoint,
  integer,
  list,
  mapping,
  name,
  number,
  resourceName,
  type Schema,
  share,
  size,
  table,
  text,
  word,
} from '../../../document/index.ts'
import { policyDefinitions } from '../../../router/policy/index.ts'
import {
  MAX_EVENTS,
  MAX_EXPECTATIONS,
  MAX_LINKS,
  MAX_LOAD,
  MAX_MTU,
  MAX_NODES,
  MAX_QUEUE_PACKETS,
  MAX_SEED,
  MIN_MTU,
} from '../limits.ts'
import { nodeDefinitions, PLUGIN_KEYS } from './node-schema.ts'

const link: Schema = {
  ...mapping(
    {
      name,
      endpoints: { ...list(endpoint, 2, 'two endpoints such as [ "c1:eth0", "r1:eth0" ]', 2) },
      rate: bitRate,
      delay: duration,
      jitter: duration,
      loss: share,
      reorder: share,
      duplicate: share,
      corrupt: share,
      mtu: integer(MIN_MTU, MAX_MTU),
      queue: mapping({ packets: integer(1, MAX_QUEUE_PACKETS), bytes: size }),
    },
    ['endpoints'],
  ),
  description: 'a link with two endpoints',
}

const linkName: Schema = {
  ...text,
  description: 'the name of a link or one of its endpoints such as "c1:eth0"',
}

const EVENTS: Readonly<Record<string, Schema>> = {
  fail: name,
  recover: name,
  cut: linkName,
  heal: linkName,
  set: mapping({ host: name, load: number(0, MAX_LOAD) }, ['host', 'load']),
  load: mapping({ router: name, ...PLUGIN_KEYS }, ['router']),
  upgrade: mapping({ router: name, ...PLUGIN_KEYS }, ['router', 'id']),
  unload: mapping({ router: name, id: resourceName, flows: word('drain', 'purge') }, ['router', 'id']),
  kill: mapping({ router: name, part: word('sandbox', 'process') }, ['router', 'part']),
}

/** What can happen in a lab. */
export const EVENT_VERBS: readonly string[] = Object.keys(EVENTS)

const event: Schema = {
  ...mapping({ at: duration, ...EVENTS }, ['at']),
  minProperties: 2,
  maxProperties: 2,
  description: `an event: at and exactly one of ${EVENT_VERBS.join(', ')}`,
}

const expectation: Schema = {
  ...mapping(
    {
      path: text,
      is: {
        type: ['string', 'number', 'boolean'],
        description: 'a condition such as "== 0", ">= 100", "between 1 and 3" or "approx 100 +- 5%"',
      },
    },
    ['path', 'is'],
  ),
  description: 'an expectation: a path into the report and a condition',
}

/** The schema of a lab file. Frozen data: print it, or compile it. */
export const labSchema: Schema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'pronto lab file',
  ...mapping(
    {
      name,
      seed: integer(0, MAX_SEED),
      rootseed: integer(0, MAX_SEED),
      epoch: { ...text, description: 'a calendar time such as 2026-01-01T00:00:00Z' },
      duration,
      nodes: { ...table(name, { $ref: '#/$defs/node' }, MAX_NODES, 'nodes by name'), minProperties: 1 },
      links: list(link, MAX_LINKS, 'a list of links'),
      events: list(event, MAX_EVENTS, 'a list of events'),
      expect: list(expectation, MAX_EXPECTATIONS, 'a list of expectations'),
    },
    ['name', 'nodes'],
  ),
  description: 'a lab: a mapping with name and nodes',
  $defs: { ...nodeDefinitions, ...policyDefinitions },
}
