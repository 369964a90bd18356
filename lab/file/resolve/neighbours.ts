/** Whether next hops are there: a gateway or `via` must be an address at the other end of one of the node's links. */
import type { KeyPath, Resolver } from '../../../document/index.ts'
import { addressOf, contains, subnetOf } from '../../../document/index.ts'
import type { Topology } from './topology.ts'

/** Notes why `nextHop` cannot be reached from `node` in one hop; nothing when it can. */
export function checkNextHop(
  node: string,
  nextHop: string,
  path: KeyPath,
  topology: Topology,
  resolver: Resolver,
): void {
  const wanted = addressOf(nextHop)
  const names = Object.keys(topology.nodes.get(node)?.addresses ?? {})
  let connected = false
  for (const name of names) {
    const own = topology.addresses({ node, interface: name })
    if (own.some((text) => addressOf(text) === wanted)) {
      resolver.fault('conflict', path, `expected a neighbour, but ${nextHop} is an address of ${node} itself`)
      return
    }
    if (!own.some((text) => contains(subnetOf(text), wanted))) continue
    connected = true
    const peer = topology.peer(node, name)
    if (peer !== undefined && topology.addresses(peer).some((text) => addressOf(text) === wanted)) return
  }
  const subnets = names.flatMap((name) => topology.addresses({ node, interface: name }))
  const message = connected
    ? `not reachable: no neighbour of ${node} has the address ${nextHop}`
    : `not reachable: expected an address in a subnet of ${node} (${subnets.join(', ')}), got ${nextHop}`
  resolver.fault('unknown', path, message)
}
