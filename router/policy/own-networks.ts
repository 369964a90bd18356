/** What a router knows by its own addresses: no two of them in one network, and no route for what it knows already. */

import type { KeyPath, Resolver } from '../../document/index.ts'
import { formatSubnet, overlap, type Subnet, subnetOf } from '../../document/index.ts'
import type { Interface, RouterRoute } from './router-view.ts'

/** Notes addresses that share a network on one interface (check-addresses sees to different ones) and such routes. */
export function checkOwnNetworks(
  interfaces: readonly Interface[],
  routes: readonly RouterRoute[],
  path: KeyPath,
  resolver: Resolver,
): void {
  const known = new Set<string>()
  for (const { name, addresses } of interfaces) {
    const subnets: Subnet[] = []
    for (const [index, { address, prefixLength }] of addresses.entries()) {
      const subnet = subnetOf(`${address}/${prefixLength}`)
      if (subnets.some((other) => overlap(other, subnet)))
        resolver.fault(
          'conflict',
          [...path, 'addresses', name, index],
          `expected another network: the router has an address in ${formatSubnet(subnet)} already`,
        )
      subnets.push(subnet)
      for (const each of [subnet, alone(subnet.first), alone(subnet.last), subnetOf(address)])
        known.add(formatSubnet(each))
    }
  }
  for (const [index, { prefix }] of routes.entries())
    if (known.has(prefix))
      resolver.fault(
        'conflict',
        [...path, 'routes', index, 'to'],
        `the router reaches ${prefix} already: it has an address there`,
      )
}

function alone(address: number): Subnet {
  return { first: address, last: address, length: 32 }
}
