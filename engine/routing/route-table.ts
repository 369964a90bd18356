/**
 * The routing table: prefixes to next hops, longest match first. The one idea: the data path sees an integer per
 * prefix and three parallel arrays; owners, costs and alternatives live beside it. Several owners may hold a route
 * for one prefix: the lowest cost wins, then the older. What the router's own addresses bring (themselves, their
 * networks, the broadcast addresses, RFC 1812 5.2.3) are routes too, with an owner of their own, and nothing beats
 * them.
 */
import { EngineError } from '../errors.ts'
import { formatIpv4Address, parseIpv4Prefix, prefixMask } from '../wire/address.ts'
import { PrefixTable } from './prefix-table.ts'

/** Kinds of a route on the data path. */
export const ROUTE_VIA = 0
export const ROUTE_CONNECTED = 1
export const ROUTE_LOCAL = 2
export const ROUTE_BLACKHOLE = 3
export const ROUTE_BROADCAST = 4

/** Owner of the routes that the router's own addresses bring. */
export const ADDRESS_OWNER = -1

/** Most routes of one engine. */
export const ROUTE_LIMIT = 1_000_000

/** A route as a query shows it. */
export interface RouteRow {
  readonly prefix: string
  readonly kind: 'via' | 'connected' | 'local' | 'blackhole' | 'broadcast'
  readonly via: string | undefined
  readonly port: number
  readonly cost: number
  readonly owner: number
}

const KIND_NAMES = ['via', 'connected', 'local', 'blackhole', 'broadcast'] as const

interface Candidate {
  readonly route: number
  readonly owner: number
  readonly cost: number
  /** Negative for those of ADDRESS_OWNER, of which a prefix has one at most. */
  readonly order: number
}

interface Prefix {
  readonly address: number
  readonly length: number
}

/** A route that was taken away, as it can be put back. */
export interface RemovedRoute {
  readonly prefix: Prefix
  readonly kind: number
  readonly port: number
  readonly gateway: number
  readonly candidate: Candidate
  /** Place among the candidates of its prefix. */
  readonly index: number
}

/** Look-ups remembered, less one: a power of two. */
const RECENT_MASK = 63

export class RouteTable {
  /** Kind, port and gateway of route numbers; `table.lookup(address)` yields a route number or -1. */
  readonly table = new PrefixTable()
  kind: Uint8Array = new Uint8Array(64)
  port: Int32Array = new Int32Array(64)
  gateway: Uint32Array = new Uint32Array(64)
  /** Grows with every change, so that others may cache what they looked up. */
  generation = 1
  /** What was looked up last, by a few bits of the address: tunnels lead to few exits. Good for one generation. */
  readonly #recentAddress = new Int32Array(RECENT_MASK + 1)
  readonly #recentGeneration = new Int32Array(RECENT_MASK + 1)
  readonly #recentRoute = new Int32Array(RECENT_MASK + 1)
  readonly #candidates = new Map<string, { prefix: Prefix; list: Candidate[] }>()
  readonly #free: number[] = []
  #used = 0
  #order = 0

  /** The route number for an address, or -1. */
  lookup(address: number): number {
    const slot = (address ^ (address >>> 9)) & RECENT_MASK
    if (this.#recentAddress[slot] === (address | 0) && this.#recentGeneration[slot] === this.generation)
      return this.#recentRoute[slot]
    return this.#lookUp(slot, address)
  }

  #lookUp(slot: number, address: number): number {
    const route = this.table.lookup(address)
    this.#recentAddress[slot] = address
    this.#recentGeneration[slot] = this.generation
    this.#recentRoute[slot] = route
    return route
  }

  /**
   * Adds a route.
   * @throws EngineError `exists` when this owner has one for the prefix, `invalid`, `limit`; nothing has changed then
   */
  add(
    text: string,
    kind: number,
    port: number,
    gateway: number,
    cost: number,
    owner: number,
    place = 'prefix',
  ): void {
    const prefix = canonicalPrefix(text, place)
    const key = prefixKey(prefix)
    if (this.#candidates.get(key)?.list.some((each) => each.owner === owner))
      throw new EngineError('exists', `a route for ${key} exists already`, place)
    const route = this.#take(kind, port, gateway, place)
    const order = owner === ADDRESS_OWNER ? -1 : this.#order++
    this.#insert(prefix, { route, owner, cost, order }, Number.MAX_SAFE_INTEGER, place)
  }

  /** Removes an owner's route. Returns what `restore` needs. @throws EngineError `unknown` */
  remove(text: string, owner: number, place = 'prefix'): RemovedRoute {
    const prefix = canonicalPrefix(text, place)
    const key = prefixKey(prefix)
    const entry = this.#candidates.get(key)
    const index = entry?.list.findIndex((each) => each.owner === owner) ?? -1
    if (entry === undefined || index < 0) throw new EngineError('unknown', `no route for ${key}`, place)
    const [candidate] = entry.list.splice(index, 1)
    const { route } = candidate
    this.#free.push(route)
    this.#elect(key, entry)
    const { kind, port, gateway } = this
    return { prefix, kind: kind[route], port: port[route], gateway: gateway[route], candidate, index }
  }

  /** Puts back a route as `remove` returned it, with its age. */
  restore(gone: RemovedRoute): void {
    const { prefix, kind, port, gateway, candidate, index } = gone
    this.#insert(prefix, { ...candidate, route: this.#take(kind, port, gateway, '') }, index, '')
  }

  /** Gives the routes of one owner to another; where both hold one for a prefix, the other keeps its own. */
  setOwner(from: number, to: number): void {
    if (from === to) return
    for (const [key, { list }] of [...this.#candidates]) {
      const index = list.findIndex((each) => each.owner === from)
      if (index < 0) continue
      if (list.some((each) => each.owner === to)) this.remove(key, from)
      else list[index] = { ...list[index], owner: to }
    }
  }

  /** Removes all routes of an owner. */
  removeOwner(owner: number): void {
    for (const [key, { list }] of [...this.#candidates])
      if (list.some((each) => each.owner === owner)) this.remove(key, owner)
  }

  /** All routes, every candidate of a prefix, in order of insertion. */
  rows(): RouteRow[] {
    return [...this.#candidates].flatMap(([key, entry]) => entry.list.map((each) => this.#row(key, each)))
  }

  /** The route that an address follows, as a query shows it. Allocates. */
  view(address: number): RouteRow | undefined {
    const route = this.lookup(address)
    for (let length = 32; route >= 0 && length >= 0; length--) {
      const key = prefixKey({ address: (address & prefixMask(length)) >>> 0, length })
      const candidate = this.#candidates.get(key)?.list.find((each) => each.route === route)
      if (candidate !== undefined) return this.#row(key, candidate)
    }
    return undefined
  }

  /** The port whose connected network holds `address`, or -1. */
  connectedPort(address: number): number {
    const route = this.lookup(address)
    return route >= 0 && this.kind[route] === ROUTE_CONNECTED ? this.port[route] : -1
  }

  #row(key: string, each: Candidate): RouteRow {
    const kind = this.kind[each.route]
    const via = kind === ROUTE_VIA ? formatIpv4Address(this.gateway[each.route]) : undefined
    const { owner, cost } = each
    return { prefix: key, kind: KIND_NAMES[kind], via, port: this.port[each.route], cost, owner }
  }

  #take(kind: number, port: number, gateway: number, place: string): number {
    const route = this.#free.pop() ?? this.#used++
    if (route >= ROUTE_LIMIT) {
      this.#used--
      throw new EngineError('limit', `more than ${ROUTE_LIMIT} routes`, place)
    }
    if (route >= this.kind.length) this.#grow()
    this.kind[route] = kind
    this.port[route] = port
    this.gateway[route] = gateway
    return route
  }

  #grow(): void {
    const size = this.kind.length * 2
    const kind = new Uint8Array(size)
    const port = new Int32Array(size)
    const gateway = new Uint32Array(size)
    kind.set(this.kind)
    port.set(this.port)
    gateway.set(this.gateway)
    this.kind = kind
    this.port = port
    this.gateway = gateway
  }

  #insert(prefix: Prefix, candidate: Candidate, index: number, place: string): void {
    const key = prefixKey(prefix)
    const entry = this.#candidates.get(key) ?? { prefix, list: [] }
    entry.list.splice(index, 0, candidate)
    try {
      this.#elect(key, entry)
    } catch (error) {
      // The trie has no room: the prefix had no other candidate.
      this.#free.push(candidate.route)
      throw error instanceof EngineError ? new EngineError(error.code, error.reason, place) : error
    }
    this.#candidates.set(key, entry)
  }

  /** Puts the best candidate of a prefix on the data path. */
  #elect(key: string, { prefix, list }: { prefix: Prefix; list: Candidate[] }): void {
    if (list.length === 0) {
      this.#candidates.delete(key)
      this.table.remove(prefix.address, prefix.length)
    } else {
      const best = list.reduce((a, b) => (isBetter(b, a) ? b : a))
      this.table.insert(prefix.address, prefix.length, best.route)
    }
    this.generation++
  }
}

function isBetter(a: Candidate, b: Candidate): boolean {
  return a.cost < b.cost || (a.cost === b.cost && a.order < b.order)
}

function prefixKey(prefix: Prefix): string {
  return `${formatIpv4Address(prefix.address)}/${prefix.length}`
}

/** A prefix without host bits. @throws EngineError `invalid` */
export function canonicalPrefix(text: string, place: string): Prefix {
  const prefix = parseIpv4Prefix(text)
  if (prefix === undefined)
    throw new EngineError('invalid', `expected an IPv4 prefix, got ${JSON.stringify(text)}`, place)
  return { address: (prefix.address & prefixMask(prefix.length)) >>> 0, length: prefix.length }
}
