/** A router's addresses and routes by themselves: each usable, given once, every next hop a neighbour. */
import {
  addressOf,
  contains,
  formatSubnet,
  type KeyPath,
  notAHost,
  overlap,
  type Resolver,
  type Subnet,
  subnetOf,
  unusable,
} from '../../document/index.ts'
import { type Interface, type RawRoute, type RouterRoute, RouterView } from '../policy/index.ts'

const DEFAULT_COST = 1

/** An address with its place in the file. */
interface Placed {
  readonly port: string
  readonly address: string
  readonly subnet: Subnet
  readonly path: KeyPath
}

/** Notes addresses that no port can have, and networks that two ports would share. */
export function checkInterfaces(interfaces: readonly Interface[], resolver: Resolver): void {
  const all = interfaces.flatMap(({ name, addresses }) =>
    addresses.map(({ address, prefixLength }, index): Placed => {
      const subnet = subnetOf(`${address}/${prefixLength}`)
      return { port: name, address, subnet, path: ['addresses', name, index] }
    }),
  )
  for (const { address, subnet, path } of all) {
    const number = addressOf(address)
    const why = unusable(number) ?? notAHost(number, subnet)
    if (why !== undefined)
      resolver.fault('invalid', path, `expected an address of a host, but ${address} ${why}`)
  }
  checkOverlaps(all, resolver)
}

/** One pass over the subnets by their first address (checkOwnNetworks sees to those of one port). */
function checkOverlaps(all: readonly Placed[], resolver: Resolver): void {
  const sorted = [...all].sort((a, b) => a.subnet.first - b.subnet.first || b.subnet.last - a.subnet.last)
  let widest: Placed | undefined
  for (const each of sorted) {
    if (widest !== undefined && widest.port !== each.port && overlap(widest.subnet, each.subnet))
      resolver.fault(
        'conflict',
        each.path,
        `${formatSubnet(each.subnet)} overlaps ${formatSubnet(widest.subnet)} of ${widest.port}`,
      )
    if (widest === undefined || each.subnet.last > widest.subnet.last) widest = each
  }
}

/** The routes of the file; faults go to `resolver`. */
export function resolveRoutes(
  raw: readonly RawRoute[],
  interfaces: readonly Interface[],
  resolver: Resolver,
): RouterRoute[] {
  const seen = new Set<string>()
  const routes = raw.map((route, index): RouterRoute => {
    const path: KeyPath = ['routes', index]
    const prefix = formatSubnet(subnetOf(route.to))
    if (seen.has(prefix)) resolver.fault('duplicate', [...path, 'to'], `${prefix} is already given`)
    seen.add(prefix)
    if ((route.via === undefined) === (route.blackhole === undefined))
      resolver.fault('invalid', path, 'expected exactly one of via and blackhole')
    const cost = route.cost ?? DEFAULT_COST
    if (route.via === undefined) return { prefix, target: { kind: 'blackhole' }, cost }
    checkNextHop(route.via, [...path, 'via'], interfaces, resolver)
    return { prefix, target: { kind: 'via', via: route.via }, cost }
  })
  const view = new RouterView(interfaces, routes)
  for (const [index, { target }] of routes.entries())
    if (target.kind === 'via' && view.isHidden(target.via))
      resolver.fault('conflict', ['routes', index, 'via'], `${target.via} is itself behind a route`)
  return routes
}

function checkNextHop(
  via: string,
  path: KeyPath,
  interfaces: readonly Interface[],
  resolver: Resolver,
): void {
  const number = addressOf(via)
  const own = interfaces.flatMap((each) => each.addresses)
  if (own.some(({ address }) => addressOf(address) === number))
    return resolver.fault('conflict', path, `expected another node, but ${via} is an own address`)
  const networks = own.map(({ address, prefixLength }) => subnetOf(`${address}/${prefixLength}`))
  const network = networks.find((each) => contains(each, number))
  const why = network === undefined ? 'is on no connected network' : notAHost(number, network)
  if (why !== undefined) resolver.fault('unknown', path, `expected a neighbour, but ${via} ${why}`)
}
