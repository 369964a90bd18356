/** What a router's policy is checked against: its ports, its addresses, and where its routes lead. */
import { addressOf, contains, notAHost, type Subnet, subnetOf } from '../../document/index.ts'
import type { RouteTarget } from '../../engine/index.ts'
import type { RawAddresses } from './raw.ts'

export interface InterfaceAddress {
  /** Dotted IPv4. */
  readonly address: string
  /** 0..32 */
  readonly prefixLength: number
}

/** A port with its addresses. */
export interface Interface {
  readonly name: string
  /** At least one. */
  readonly addresses: readonly InterfaceAddress[]
}

/** A route of a router. */
export interface RouterRoute {
  readonly prefix: string
  readonly target: RouteTarget
  /** 1..65535, default 1: the lower wins. */
  readonly cost: number
}

/** The interfaces of a mapping from ports to addresses, its form already checked. */
export function interfacesOf(addresses: RawAddresses): Interface[] {
  return Object.entries(addresses).map(([name, given]) => ({
    name,
    addresses: (typeof given === 'string' ? [given] : given).map((text) => {
      const [address, length] = text.split('/') as [string, string]
      return { address, prefixLength: Number(length) }
    }),
  }))
}

/** How an address is reached: at once, through a neighbour, or not at all. */
export type Reach = 'connected' | 'routed' | 'none'

export class RouterView {
  readonly ports: ReadonlySet<string>
  /** Own addresses as text. */
  readonly own: readonly string[]
  readonly #subnets: readonly Subnet[]
  readonly #routes: readonly { readonly subnet: Subnet; readonly leads: boolean }[]

  constructor(interfaces: readonly Interface[], routes: readonly RouterRoute[]) {
    const addresses = interfaces.flatMap((each) => each.addresses)
    this.ports = new Set(interfaces.map(({ name }) => name))
    this.own = addresses.map(({ address }) => address)
    this.#subnets = addresses.map(({ address, prefixLength }) => subnetOf(`${address}/${prefixLength}`))
    this.#routes = routes.map(({ prefix, target }) => ({
      subnet: subnetOf(prefix),
      leads: target.kind !== 'blackhole',
    }))
  }

  /** Whether an address on a connected network is hidden by a route of a longer prefix. */
  isHidden(text: string): boolean {
    const address = addressOf(text)
    return this.#subnets.some((subnet) => contains(subnet, address)) && this.reach(text) !== 'connected'
  }

  /** Where the longest prefix that contains an address leads; a network's own two addresses lead nowhere. */
  reach(text: string): Reach {
    const address = addressOf(text)
    let longest = -1
    let reach: Reach = 'none'
    const consider = (subnet: Subnet, answer: Reach): void => {
      if (subnet.length <= longest || !contains(subnet, address)) return
      longest = subnet.length
      reach = answer
    }
    for (const subnet of this.#subnets) {
      if (notAHost(address, subnet) !== undefined) return 'none'
      consider(subnet, 'connected')
    }
    for (const { subnet, leads } of this.#routes) consider(subnet, leads ? 'routed' : 'none')
    return reach
  }
}
