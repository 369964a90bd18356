/** Expectations of a lab file: well-formed, and about hosts, clients, routers and reasons that exist. */

import type { KeyPath, Resolver } from '../../../document/index.ts'
import { hint, listed } from '../../../document/index.ts'
import { DROP_REASONS } from '../../../engine/index.ts'
import { ConditionError } from '../../condition.ts'
import { type Expectation, parseExpectation } from '../../expectation.ts'
import { type ReportPath, ReportPathError } from '../../report-path.ts'
import type { RawExpectation, RawNode } from '../raw.ts'

const ROOTS = ['clients', 'routers', 'conservation', 'virtualSeconds', 'lab', 'backend', 'seed', 'wall']
const CLIENT_KEYS = [
  'attempted',
  'completed',
  'failed',
  'bytesIn',
  'bytesOut',
  'latencyMs',
  'servers',
  'corrupted',
]
const ROUTER_KEYS = ['packets', 'flows', 'tunnels', 'classes', 'plugins']
const PACKET_KEYS = [
  'in',
  'originated',
  'copies',
  'out',
  'delivered',
  'merged',
  'parked',
  'queued',
  'inProgram',
  'dropped',
]

/** The expectations that can be parsed; faults go to `resolver`. */
export function resolveExpectations(
  raw: readonly RawExpectation[],
  nodes: ReadonlyMap<string, RawNode>,
  resolver: Resolver,
): Expectation[] {
  return raw.flatMap((each, index) => {
    try {
      const expectation = parseExpectation(each.path, each.is)
      const why = wrongPath(expectation.steps, nodes)
      if (why !== undefined) resolver.fault('unknown', ['expect', index, 'path'], why)
      return [expectation]
    } catch (error) {
      const path: KeyPath = ['expect', index]
      if (error instanceof ReportPathError) resolver.fault('invalid', [...path, 'path'], error.message)
      else if (error instanceof ConditionError) resolver.fault('invalid', [...path, 'is'], error.message)
      else throw error
      return []
    }
  })
}

/** Why no report of this lab can have such a path, or undefined when one may. */
function wrongPath(path: ReportPath, nodes: ReadonlyMap<string, RawNode>): string | undefined {
  const [root, name] = path
  const unknownRoot = oneOf(root, ROOTS)
  if (unknownRoot !== undefined) return unknownRoot
  if (root === 'clients' && path.length > 1) return wrongClient(path, nodes)
  if (root === 'routers' && path.length > 1) {
    const routers = [...nodes].filter(([, node]) => node.kind === 'router').map(([each]) => each)
    return named('router', name, routers) ?? wrongRouterKey(path)
  }
  return undefined
}

function wrongClient(path: ReportPath, nodes: ReadonlyMap<string, RawNode>): string | undefined {
  const [, name, index, key, server] = path
  const hosts = [...nodes].filter(([, node]) => node.kind === 'host' && node.clients !== undefined)
  const unknown = named(
    'host with clients',
    name,
    hosts.map(([each]) => each),
  )
  if (unknown !== undefined || index === undefined) return unknown
  const node = nodes.get(String(name))
  const count = node?.kind === 'host' ? (node.clients?.length ?? 0) : 0
  if (typeof index !== 'number' || index >= count)
    return `${name} has ${count} client${count === 1 ? '' : 's'}: expected an index such as clients.${name}[0]`
  if (key === undefined) return undefined
  if (key === 'servers' && server !== undefined) return named('node', server, [...nodes.keys()])
  return oneOf(key, CLIENT_KEYS)
}

function wrongRouterKey(path: ReportPath): string | undefined {
  const [, , key, counter, reason] = path
  if (key === undefined) return undefined
  const wrong = oneOf(key, ROUTER_KEYS)
  if (wrong !== undefined || key !== 'packets' || counter === undefined) return wrong
  if (counter !== 'dropped' || reason === undefined) return oneOf(counter, PACKET_KEYS)
  const reasons = DROP_REASONS.slice(1)
  return reasons.some((each) => each === reason)
    ? undefined
    : `no drop reason ${reason}${hint(String(reason), reasons)}`
}

function named(
  what: string,
  name: string | number | undefined,
  known: readonly string[],
): string | undefined {
  if (known.includes(String(name))) return undefined
  return `no ${what} ${name}${hint(String(name), known)}`
}

function oneOf(key: string | number | undefined, known: readonly string[]): string | undefined {
  if (known.includes(String(key))) return undefined
  return `a report has no ${key} there: expected ${listed(known)}`
}
