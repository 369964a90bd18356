/**
 * Whether the addresses of a lab can work together: each usable and given once, both ends of a link in one subnet,
 * no subnet in two places, no interface inside a virtual host. Sorted sweeps, so that a thousand hosts cost no more
 * than their sorting.
 */
import type { KeyPath, Resolver } from '../../../document/index.ts'
import {
  addressOf,
  contains,
  formatSubnet,
  notAHost,
  overlap,
  type Subnet,
  subnetOf,
  unusable,
} from '../../../document/index.ts'
import type { Topology } from './topology.ts'

/** An address of an interface with its place in the file. */
interface Placed {
  readonly node: string
  readonly interface: string
  readonly text: string
  readonly address: number
  readonly subnet: Subnet
  readonly path: KeyPath
}

function placedAddresses(topology: Topology): Placed[] {
  const all: Placed[] = []
  for (const [node, raw] of topology.nodes)
    for (const [name, given] of Object.entries(raw.addresses)) {
      const path = ['nodes', node, 'addresses', name]
      const texts = typeof given === 'string' ? [given] : given
      for (const [index, text] of texts.entries())
        all.push({
          node,
          interface: name,
          text,
          address: addressOf(text),
          subnet: subnetOf(text),
          path: typeof given === 'string' ? path : [...path, index],
        })
    }
  return all
}

function checkEach(all: readonly Placed[], resolver: Resolver): void {
  const owners = new Map<number, Placed>()
  for (const each of all) {
    const why = unusable(each.address) ?? notAHost(each.address, each.subnet)
    if (why !== undefined)
      resolver.fault(
        'invalid',
        each.path,
        `expected an address of a host, but ${each.text.split('/')[0]} ${why}`,
      )
    const owner = owners.get(each.address)
    if (owner === undefined) owners.set(each.address, each)
    else {
      const place = `${owner.node}:${owner.interface}`
      resolver.fault('duplicate', each.path, `${each.text.split('/')[0]} is already an address of ${place}`)
    }
  }
}

/** Every interface shares a subnet with the other end of its link. */
function checkLinks(all: readonly Placed[], topology: Topology, resolver: Resolver): void {
  for (const each of all) {
    const peer = topology.peer(each.node, each.interface)
    if (peer === undefined) continue
    const others = topology.addresses(peer)
    if (others.length === 0 || others.some((other) => same(subnetOf(other), each.subnet))) continue
    const there = others.map((other) => formatSubnet(subnetOf(other))).join(', ')
    const message = `not in the subnet of its link: ${peer.node}:${peer.interface} is in ${there}`
    resolver.fault('conflict', each.path, message)
  }
}

function same(a: Subnet, b: Subnet): boolean {
  return a.first === b.first && a.length === b.length
}

/** Subnets of different links do not overlap, whichever nodes they are at. */
function checkOverlaps(all: readonly Placed[], topology: Topology, resolver: Resolver): void {
  const sorted = [...all].sort((a, b) => a.subnet.first - b.subnet.first || b.subnet.last - a.subnet.last)
  let widest: Placed | undefined
  for (const each of sorted) {
    if (widest !== undefined && overlap(widest.subnet, each.subnet)) {
      const link = topology.linkAt(each.node, each.interface)
      const other = topology.linkAt(widest.node, widest.interface)
      const apart = link !== other || (each.node === widest.node && each.interface !== widest.interface)
      if (apart && link !== undefined && other !== undefined && each.address !== widest.address) {
        const place = `${formatSubnet(widest.subnet)} at ${widest.node}:${widest.interface}`
        resolver.fault(
          'conflict',
          each.path,
          `${formatSubnet(each.subnet)} overlaps ${place}, which is another link`,
        )
      }
    }
    if (widest === undefined || each.subnet.last > widest.subnet.last) widest = each
  }
}

/** No interface has an address that is also a virtual host's. */
function checkVirtualHosts(all: readonly Placed[], topology: Topology, resolver: Resolver): void {
  const sorted = [...all].sort((a, b) => a.address - b.address)
  for (const [node, raw] of topology.nodes) {
    if (raw.kind !== 'host') continue
    for (const [index, text] of (raw.virtualHosts ?? []).entries()) {
      const path = ['nodes', node, 'virtualHosts', index]
      const subnet = subnetOf(text)
      const why = unusable(subnet.first) ?? unusable(subnet.last)
      if (why !== undefined)
        resolver.fault('invalid', path, `expected addresses of hosts, but ${text} ${why}`)
      const inside = firstWithin(sorted, subnet)
      if (inside === undefined) continue
      const place = `${inside.text.split('/')[0]} of ${inside.node}:${inside.interface}`
      resolver.fault('conflict', path, `${formatSubnet(subnet)} contains the address ${place}`)
    }
  }
}

/** The first of the sorted addresses that lies in a subnet (binary search). */
function firstWithin(sorted: readonly Placed[], subnet: Subnet): Placed | undefined {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]!.address < subnet.first) low = middle + 1
    else high = middle
  }
  const found = sorted[low]
  return found !== undefined && contains(subnet, found.address) ? found : undefined
}

/** Notes everything that is wrong with the lab's addresses. */
export function checkAddresses(topology: Topology, resolver: Resolver): void {
  const all = placedAddresses(topology)
  checkEach(all, resolver)
  checkLinks(all, topology, resolver)
  checkOverlaps(all, topology, resolver)
  checkVirtualHosts(all, topology, resolver)
}
