/** Agents of hosts: who they tell of themselves, and what they may speak for. */
import type { Bounds, KeyPath, Resolver } from '../../../document/index.ts'
import { addressOf, DURATION } from '../../../document/index.ts'
import type { AgentSpec } from '../lab.ts'
import { MAX_AGENT_INTERVAL_NS, MAX_AGENT_VIRTUAL_HOSTS, MIN_AGENT_INTERVAL_NS } from '../limits.ts'
import type { RawAgent } from '../raw.ts'
import type { Topology } from './topology.ts'

const INTERVAL: Bounds = {
  min: MIN_AGENT_INTERVAL_NS,
  max: MAX_AGENT_INTERVAL_NS,
  expected: 'a duration from 200ms to 60s',
}
const DEFAULT_INTERVAL_NS = 1e9

/** The agent with its defaults; each router must be one of the lab, by one of its own addresses. */
export function resolveAgent(
  raw: RawAgent,
  virtualHosts: readonly string[],
  path: KeyPath,
  topology: Topology,
  resolver: Resolver,
): AgentSpec {
  if (virtualHosts.length === 0 || virtualHosts.length > MAX_AGENT_VIRTUAL_HOSTS)
    resolver.fault('conflict', path, `expected 1 to ${MAX_AGENT_VIRTUAL_HOSTS} virtualHosts to speak for`)
  for (const [index, router] of raw.routers.entries()) {
    if (raw.routers.indexOf(router) < index)
      resolver.fault('duplicate', [...path, 'routers', index], `${router} is already given`)
    else if (!isRouter(router, topology))
      resolver.fault('unknown', [...path, 'routers', index], `no router has the address ${router}`)
  }
  const given = resolver.optional(DURATION, raw.interval, [...path, 'interval'], INTERVAL)
  return { routers: raw.routers, intervalNs: given ?? DEFAULT_INTERVAL_NS, load: raw.load ?? 0 }
}

function isRouter(text: string, topology: Topology): boolean {
  const wanted = addressOf(text)
  for (const { kind, addresses } of topology.nodes.values())
    if (
      kind === 'router' &&
      Object.values(addresses)
        .flat()
        .some((each) => addressOf(each) === wanted)
    )
      return true
  return false
}
