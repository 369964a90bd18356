/**
 * Who is connected to whom. The one idea: an interface is exactly one end of exactly one link, so that an endpoint
 * names its link, and every later question (neighbours, subnets, events) is a look-up here.
 */

import type { Bounds, KeyPath, Resolver } from '../../../document/index.ts'
import { BIT_RATE, DURATION, hint, SHARE, SIZE } from '../../../document/index.ts'
import type { Endpoint, Link } from '../lab.ts'
import { MAX_DURATION_NS, MAX_QUEUE_BYTES, MAX_RATE_BPS, MIN_RATE_BPS } from '../limits.ts'
import type { RawLab, RawLink, RawNode, RawQuantity } from '../raw.ts'

const RATE: Bounds = { min: MIN_RATE_BPS, max: MAX_RATE_BPS, expected: 'a rate from 1kbps to 1Tbps' }
const DELAY: Bounds = { min: 0, max: MAX_DURATION_NS, expected: 'a duration of at most 100 days' }
const CHANCE: Bounds = { min: 0, max: 1, expected: 'a percentage from 0% to 100%' }
const QUEUE: Bounds = { min: 1, max: MAX_QUEUE_BYTES, expected: 'a size from 1 to 1G' }
const DEFAULT_MTU = 1500

/** One link of the file, however faulty, with its place in it. */
export interface PlacedLink {
  readonly link: Link
  readonly path: KeyPath
}

export class Topology {
  readonly nodes: ReadonlyMap<string, RawNode>
  readonly links: readonly PlacedLink[]
  readonly #byEndpoint = new Map<string, PlacedLink>()
  readonly #byName = new Map<string, PlacedLink>()

  /** Reads nodes and links; what is wrong with links is noted in `resolver`. */
  constructor(raw: RawLab, resolver: Resolver) {
    this.nodes = new Map(Object.entries(raw.nodes))
    const rawLinks = raw.links ?? []
    this.links = rawLinks.map((link, index) => this.#place(link, ['links', index], resolver))
    this.#checkInterfaces(resolver)
  }

  /** The link at an endpoint such as `c1:eth0`. */
  linkAt(node: string, interfaceName: string): PlacedLink | undefined {
    return this.#byEndpoint.get(`${node}:${interfaceName}`)
  }

  /** The link of that name, or with that endpoint. */
  linkNamed(name: string): Link | undefined {
    return (this.#byName.get(name) ?? this.#byEndpoint.get(name))?.link
  }

  /** Every text that `linkNamed` understands. */
  *linkNames(): Iterable<string> {
    yield* this.#byName.keys()
    yield* this.#byEndpoint.keys()
  }

  /** The other end of the link at an endpoint. */
  peer(node: string, interfaceName: string): Endpoint | undefined {
    const [a, b] = this.linkAt(node, interfaceName)?.link.endpoints ?? []
    if (a === undefined || b === undefined) return undefined
    return a.node === node && a.interface === interfaceName ? b : a
  }

  /** Addresses with lengths of an interface, as the file has them; empty where there is no such interface. */
  addresses(endpoint: Endpoint): readonly string[] {
    const given = this.nodes.get(endpoint.node)?.addresses
    if (given === undefined || !Object.hasOwn(given, endpoint.interface)) return []
    const value = given[endpoint.interface]!
    return typeof value === 'string' ? [value] : value
  }

  #place(raw: RawLink, path: KeyPath, resolver: Resolver): PlacedLink {
    const [a, b] = raw.endpoints.map(endpointOf) as [Endpoint, Endpoint]
    const placed = { link: resolveLink(raw, [a, b], path, resolver), path }
    for (const [index, endpoint] of [a, b].entries())
      this.#attach(placed, endpoint, [...path, 'endpoints', index], resolver)
    if (a.node === b.node && a.interface !== b.interface)
      resolver.fault('conflict', [...path, 'endpoints'], `expected two nodes, got ${a.node} at both ends`)
    const { name } = placed.link
    if (this.#byName.has(name) && raw.name !== undefined)
      resolver.fault('duplicate', [...path, 'name'], `there is another link ${name}`)
    else this.#byName.set(name, placed)
    return placed
  }

  #attach(placed: PlacedLink, endpoint: Endpoint, path: KeyPath, resolver: Resolver): void {
    const node = this.nodes.get(endpoint.node)
    const key = `${endpoint.node}:${endpoint.interface}`
    if (node === undefined)
      resolver.fault('unknown', path, `no node ${endpoint.node}${hint(endpoint.node, this.nodes.keys())}`)
    else if (!Object.hasOwn(node.addresses, endpoint.interface)) {
      const near = hint(endpoint.interface, Object.keys(node.addresses))
      const expected = `expected an address in nodes.${endpoint.node}.addresses.${endpoint.interface}`
      resolver.fault('unknown', path, `no interface ${endpoint.interface}: ${expected}${near}`)
    }
    const other = this.#byEndpoint.get(key)
    if (other === undefined) this.#byEndpoint.set(key, placed)
    else resolver.fault('duplicate', path, `${key} is already an end of ${other.link.name}`)
  }

  #checkInterfaces(resolver: Resolver): void {
    for (const [name, node] of this.nodes)
      for (const each of Object.keys(node.addresses))
        if (!this.#byEndpoint.has(`${name}:${each}`))
          resolver.fault(
            'missing',
            ['nodes', name, 'addresses', each],
            `no link: expected ${name}:${each} among the endpoints of a link`,
            'key',
          )
  }
}

function endpointOf(text: string): Endpoint {
  const [node, name] = text.split(':') as [string, string]
  return { node, interface: name }
}

function resolveLink(
  raw: RawLink,
  endpoints: readonly [Endpoint, Endpoint],
  path: KeyPath,
  resolver: Resolver,
): Link {
  const chance = (key: 'loss' | 'reorder' | 'duplicate' | 'corrupt') =>
    resolver.quantity(SHARE, raw[key] ?? 0, [...path, key], CHANCE)
  const delay = (key: 'delay' | 'jitter') => resolver.quantity(DURATION, raw[key] ?? 0, [...path, key], DELAY)
  const queueBytes: RawQuantity | undefined = raw.queue?.bytes
  return {
    name: raw.name ?? raw.endpoints.join('-'),
    endpoints,
    rateBps: resolver.optional(BIT_RATE, raw.rate, [...path, 'rate'], RATE),
    delayNs: delay('delay'),
    jitterNs: delay('jitter'),
    loss: chance('loss'),
    reorder: chance('reorder'),
    duplicate: chance('duplicate'),
    corrupt: chance('corrupt'),
    mtu: raw.mtu ?? DEFAULT_MTU,
    queuePackets: raw.queue?.packets,
    queueBytes: resolver.optional(SIZE, queueBytes, [...path, 'queue', 'bytes'], QUEUE),
  }
}
