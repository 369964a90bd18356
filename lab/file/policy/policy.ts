/**
 * A router's static policy as one transaction of the engine: tunnels, then classes, then filters. The one idea:
 * what the file says in words is checked in full here, so that the engine never refuses a lab at run time.
 */
import {
  type Change,
  compileFilter,
  type Filter,
  type PortMatch,
  type ProtocolMatch,
} from '../../../engine/index.ts'
import type { Interface } from '../lab.ts'
import type { KeyPath } from '../problem.ts'
import type { RawFilter, RawPolicy } from '../raw.ts'
import type { Resolver } from '../resolver.ts'
import { type PolicyNames, resolveAction } from './action.ts'
import { parentNames, resolveClasses } from './classes.ts'

/** Filters that end tunnels come before all others. */
const DECAPSULATE_PRIORITY = 1_000_001

/** The changes that make up the policy, in an order that can be committed; faults go to `resolver`. */
export function resolvePolicy(
  raw: RawPolicy,
  path: KeyPath,
  interfaces: readonly Interface[],
  resolver: Resolver,
): Change[] {
  const own = interfaces.flatMap((each) => each.addresses.map(({ address }) => address))
  const ports = new Set(interfaces.map(({ name }) => name))
  const classes = raw.classes ?? []
  const names: PolicyNames = {
    tunnels: new Set(Object.keys(raw.tunnels ?? {})),
    classes: new Set(classes.map(({ name }) => name)),
    parents: parentNames(classes),
    resolver,
  }
  return [
    ...resolveTunnels(raw, [...path, 'tunnels'], own, resolver),
    ...resolveClasses(classes, { path: [...path, 'classes'], ports, resolver }),
    ...resolveDecapsulate(raw, [...path, 'decapsulate'], own, resolver),
    ...resolveFilters(raw.filters ?? [], [...path, 'filters'], ports, names),
  ]
}

function resolveTunnels(raw: RawPolicy, path: KeyPath, own: readonly string[], resolver: Resolver): Change[] {
  return Object.entries(raw.tunnels ?? {}).map(([name, given]) => {
    const tunnel = typeof given === 'string' ? { to: given } : given
    const at = typeof given === 'string' ? [...path, name] : [...path, name, 'to']
    if (own.includes(tunnel.to))
      resolver.fault('conflict', at, `expected another node, but ${tunnel.to} is an own address`)
    if (tunnel.from !== undefined && !own.includes(tunnel.from))
      resolver.fault('unknown', [...path, name, 'from'], `expected an own address, got ${tunnel.from}`)
    return { do: 'open-tunnel', name, tunnel }
  })
}

function resolveDecapsulate(
  raw: RawPolicy,
  path: KeyPath,
  own: readonly string[],
  resolver: Resolver,
): Change[] {
  const given = raw.decapsulate ?? false
  const addresses = typeof given === 'boolean' ? (given ? own : []) : given
  return addresses.map((address, index) => {
    if (!own.includes(address))
      resolver.fault(
        'unknown',
        [...path, index],
        `expected an own address (${own.slice(0, 8).join(', ')}), got ${address}`,
      )
    return {
      do: 'install-filter',
      name: `decapsulate-${address}`,
      filter: { to: address, protocol: 'ip-in-ip' },
      action: { kind: 'decapsulate' },
      priority: DECAPSULATE_PRIORITY,
    }
  })
}

function resolveFilters(
  filters: readonly RawFilter[],
  path: KeyPath,
  ports: ReadonlySet<string>,
  names: PolicyNames,
): Change[] {
  const seen = new Set<string>()
  const { resolver } = names
  return filters.map((raw, index) => {
    const at = [...path, index]
    const name = raw.name ?? `filter-${index}`
    if (seen.has(name)) resolver.fault('duplicate', [...at, 'name'], `there is another filter ${name}`)
    seen.add(name)
    const filter = filterOf(raw)
    resolver.engineCheck(at, () => compileFilter(filter, (port) => (ports.has(port) ? 0 : undefined)))
    const action = resolveAction(raw.action, [...at, 'action'], names)
    return { do: 'install-filter', name, filter, action, priority: raw.priority ?? 0 }
  })
}

function filterOf(raw: RawFilter): Filter {
  return {
    ...(raw.from !== undefined && { from: raw.from }),
    ...(raw.to !== undefined && { to: raw.to }),
    ...(raw.protocol !== undefined && { protocol: raw.protocol as ProtocolMatch }),
    ...(raw.fromPort !== undefined && { fromPort: portMatch(raw.fromPort) }),
    ...(raw.toPort !== undefined && { toPort: portMatch(raw.toPort) }),
    ...(raw.inPort !== undefined && { inPort: raw.inPort }),
  }
}

/** `1024-65535` as bounds; the engine checks them. */
function portMatch(given: string | number): PortMatch {
  if (typeof given === 'number') return given
  const [from, to] = given.split('-').map(Number) as [number, number]
  return { from, to }
}
