/**
 * Where a configuration sends what goes to an address. The one idea: the engine looks up ports and own addresses when
 * a route or tunnel is made, so that one whose words stay the same is another one all the same when the addresses or
 * routes that it leans on have changed.
 */
import { addressOf, contains, type Subnet, subnetOf } from '../../document/index.ts'
import type { Change } from '../../engine/index.ts'
import type { RouterConfig } from './config.ts'
import { textOf } from './plan-text.ts'

export type AddRoute = Extract<Change, { do: 'add-route' }>
export type OpenTunnel = Extract<Change, { do: 'open-tunnel' }>

interface Exit {
  readonly subnet: Subnet
  /** Port and own addresses, next hop. */
  readonly text: string
}

export class Exits {
  readonly #connected: readonly Exit[]
  readonly #routed: readonly Exit[]

  constructor({ interfaces, routes }: RouterConfig) {
    this.#connected = interfaces.flatMap((port) =>
      port.addresses.map(({ address, prefixLength }) => ({
        subnet: subnetOf(`${address}/${prefixLength}`),
        text: textOf(port),
      })),
    )
    this.#routed = routes.map(({ prefix, target }) => ({
      subnet: subnetOf(prefix),
      text: target.kind === 'via' ? `${target.via} ${this.#portOf(target.via)}` : target.kind,
    }))
  }

  /** A route's words and the port that it leaves by. */
  readonly ofRoute = (route: AddRoute): string => {
    const { target } = route
    return `${textOf(route)} ${target.kind === 'via' ? this.#portOf(target.via) : ''}`
  }

  /** A tunnel's words and the way to its far end. */
  readonly ofTunnel = (change: OpenTunnel): string =>
    `${textOf(change)} ${longest([...this.#connected, ...this.#routed], change.tunnel.to)}`

  #portOf(address: string): string {
    return longest(this.#connected, address)
  }
}

/** The text of the longest subnet that holds an address; among equals the first. */
function longest(exits: readonly Exit[], text: string): string {
  const address = addressOf(text)
  let found: Exit | undefined
  for (const each of exits)
    if (contains(each.subnet, address) && (found === undefined || each.subnet.length > found.subnet.length))
      found = each
  return found?.text ?? ''
}
