/**
 * The host's routes. The one idea: a short list, longest prefix first; a host has a handful, and the last answer is
 * remembered.
 */
import { type Ipv4Prefix, prefixMask } from '../../engine/wire/index.ts'
import { inPrefix } from './addresses.ts'
import { StackError } from './errors.ts'

/** Where packets of a prefix go: to the gateway `via`, or straight to the destination where it is 0. */
export interface Route {
  readonly prefix: Ipv4Prefix
  readonly device: number
  readonly via: number
}

const LIMIT = 4096

export class RouteTable {
  #routes: readonly Route[] = []
  #lastDestination = -1
  #last: Route | undefined

  get routes(): readonly Route[] {
    return this.#routes
  }

  /** Adds a route, replacing the one of the same prefix. @throws StackError `limit` */
  add(route: Route): void {
    const others = this.#without(route.prefix)
    if (others.length >= LIMIT) throw new StackError('limit', `more than ${LIMIT} routes`)
    this.#routes = [...others, route].sort((one, other) => other.prefix.length - one.prefix.length)
    this.#lastDestination = -1
  }

  /** Removes the route of a prefix. @throws StackError `unknown` */
  remove(prefix: Ipv4Prefix): void {
    const others = this.#without(prefix)
    if (others.length === this.#routes.length) throw new StackError('unknown', 'no such route')
    this.#routes = others
    this.#lastDestination = -1
  }

  /** The route of the longest prefix that holds `destination`. */
  find(destination: number): Route | undefined {
    if (destination === this.#lastDestination) return this.#last
    this.#last = this.#routes.find((route) => inPrefix(destination, route.prefix))
    this.#lastDestination = destination
    return this.#last
  }

  #without(prefix: Ipv4Prefix): readonly Route[] {
    const mask = prefixMask(prefix.length)
    const base = (prefix.address & mask) >>> 0
    return this.#routes.filter(
      (each) => each.prefix.length !== prefix.length || (each.prefix.address & mask) >>> 0 !== base,
    )
  }
}
