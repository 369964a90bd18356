/**
 * A router's static policy as one transaction of the engine: tunnels, then classes, then filters. The one idea:
 * what the file says in words is checked in full here, so that the engine never refuses a lab at run time.
 */

import type { KeyPath, Resolver } from '../../document/index.ts'
import {
  type Change,
  compileFilter,
  type Filter,
  type PortMatch,
  type ProtocolMatch,
} from '../../engine/index.ts'
import { type PolicyNames, resolveAction } from './action.ts'
import { parentNames, resolveClasses } from './classes.ts'
import type { RawFilter, RawPolicy } from './raw.ts'
import type { RouterView } from './router-view.ts'
import { resolveTunnels } from './tunnels.ts'

/** Filters that end tunnels come before all others. */
const DECAPSULATE_NAME = 'decapsulate-'
const DECAPSULATE_PRIORITY = 1_000_000

/** The names that actions of this policy may use. */
export function policyNames(raw: RawPolicy, router: RouterView, resolver: Resolver): PolicyNames {
  const classes = raw.classes ?? []
  return {
    tunnels: new Set(Object.keys(raw.tunnels ?? {})),
    classes: new Set(classes.map(({ name }) => name)),
    parents: parentNames(classes),
    router,
    resolver,
  }
}

/** The changes that make up the policy, in an order that can be committed; faults go to `resolver`. */
export function resolvePolicy(
  raw: RawPolicy,
  path: KeyPath,
  router: RouterView,
  resolver: Resolver,
): Change[] {
  const names = policyNames(raw, router, resolver)
  const { ports } = router
  const filters = [
    ...resolveDecapsulate(raw, [...path, 'decapsulate'], router.own, resolver),
    ...resolveFilters(raw.filters ?? [], [...path, 'filters'], ports, names),
  ]
  return [
    ...resolveTunnels(raw.tunnels ?? {}, [...path, 'tunnels'], router, resolver),
    ...resolveClasses(raw.classes ?? [], { path: [...path, 'classes'], ports, resolver }),
    ...filters,
  ]
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
    if (addresses.indexOf(address) < index)
      resolver.fault('duplicate', [...path, index], `${address} is already given`)
    if (!own.includes(address))
      resolver.fault(
        'unknown',
        [...path, index],
        `expected an own address (${own.slice(0, 8).join(', ')}), got ${address}`,
      )
    return {
      do: 'install-filter',
      name: `${DECAPSULATE_NAME}${address}`,
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
    if (name.startsWith(DECAPSULATE_NAME))
      resolver.fault('conflict', [...at, 'name'], `names that begin with ${DECAPSULATE_NAME} are taken`)
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
