/**
 * A host site: its servers, learnt by what they say, or given by the operator, or both. The one idea: each thing that
 * can be heard is one verb, which answers what it has changed, so that whoever opens tunnels and writes logs need not
 * compare. Times are given; nothing here knows a router.
 *
 * What is heard comes from strangers: no more servers than allowed, from nowhere but the networks allowed, and no
 * service outside of the virtual hosts.
 */
import type { Hello, Report } from './messages.ts'
import { common, holds, type Prefix, parseAddress, parsePrefix } from './prefix.ts'
import type { Server, ServerState } from './server.ts'

export interface ConfiguredServer {
  readonly address: string
  readonly weight: number
  readonly backup: boolean
  readonly serves?: readonly string[]
}

export interface HostSiteOptions {
  /** Virtual hosts that are routed here. */
  readonly virtualHosts: readonly Prefix[]
  readonly servers: readonly ConfiguredServer[]
  /** Networks whose hosts are believed, besides the servers of the configuration. */
  readonly from: readonly Prefix[]
  /** Most servers in all. */
  readonly most: number
  readonly silenceNs: number
}

/** What became of something heard. `left` servers are no longer in the site, `silent` ones are. */
export type Change =
  | { readonly kind: 'appeared' | 'changed' | 'same' | 'left' | 'silent'; readonly server: Server }
  /** Nobody is there; it will be remembered. */
  | { readonly kind: 'noted'; readonly address: string }
  | { readonly kind: 'refused'; readonly reason: string }

/** Most orders that are remembered. */
const ORDERS_MOST = 512

const refused = (reason: string): Change => ({ kind: 'refused', reason })

export class HostSite {
  /** Changes with whatever hashing tables depend on. */
  version = 0
  readonly #options: HostSiteOptions
  readonly #servers = new Map<string, Server>()
  readonly #orders = new Map<string, ServerState>()

  /** @throws Error for a server of the configuration that is none, or is given twice */
  constructor(options: HostSiteOptions) {
    this.#options = options
    for (const server of options.servers) {
      if (this.#servers.has(server.address)) throw new Error(`the server ${server.address} is given twice`)
      this.#servers.set(server.address, this.#configured(server))
    }
    if (this.#servers.size > options.most) throw new Error(`more than ${options.most} servers`)
  }

  get servers(): Iterable<Server> {
    return this.#servers.values()
  }

  get size(): number {
    return this.#servers.size
  }

  find(address: string): Server | undefined {
    return this.#servers.get(address)
  }

  /** A server says what it serves. */
  hello({ host, address, virtualHosts }: Hello, now: number): Change {
    return this.#hear(address, host, virtualHosts, now, () => false)
  }

  /** A server says how it is. It may be the first that is heard of it: the hello may have come before this router. */
  report({ host, address, state, services, connections }: Report, now: number): Change {
    const prefixes = services.map(({ prefix }) => prefix)
    return this.#hear(address, host, prefixes, now, (server) => {
      for (const { prefix, load } of services)
        for (const each of server.services)
          if (each.prefix.text === prefix) {
            each.load = load
            each.begun = 0
          }
      server.hasReported = true
      server.connections = connections
      const changed = server.reported !== state
      server.reported = state
      return changed
    })
  }

  /**
   * A server is gone. One of the configuration stays: after a farewell as if it had never spoken. One that is replaced
   * usually says hello again at once, from here or from another address; it gets nothing until then.
   */
  gone(address: string, reason: 'silent' | 'bye' | 'replaced'): Change {
    const server = this.#servers.get(address)
    if (server === undefined) return refused(`no server ${address}`)
    this.version++
    if (server.isConfigured) {
      const { open, routing } = server
      const presence = reason === 'bye' ? 'configured' : 'silent'
      Object.assign(server, this.#configured(this.#configOf(address)!), { open, routing, presence })
      return { kind: reason === 'silent' ? 'silent' : 'changed', server }
    }
    if (reason === 'replaced') {
      server.presence = 'silent'
      return { kind: 'changed', server }
    }
    this.#servers.delete(address)
    return { kind: 'left', server }
  }

  /** Whoever was heard once and has been silent for too long is gone, and who was replaced and did not come back. */
  expire(now: number): Change[] {
    const { silenceNs } = this.#options
    const late = [...this.#servers.values()].filter(({ presence, heardNs, isConfigured }) =>
      presence === 'heard' ? now - heardNs > silenceNs : presence === 'silent' && !isConfigured,
    )
    return late.map(({ address }) => this.gone(address, 'silent'))
  }

  /** The operator takes a server out, or back in by `active`; that holds when it goes and comes back, too. */
  order(address: string, state: ServerState): Change {
    const server = this.#servers.get(address)
    if (server === undefined) return this.#orderAbsent(address, state)
    if (state === 'active') this.#orders.delete(address)
    else this.#orders.set(address, state)
    if (server.ordered === state) return { kind: 'same', server }
    server.ordered = state
    this.version++
    return { kind: 'changed', server }
  }

  /** What the operator has said, by address. */
  get orders(): ReadonlyMap<string, ServerState> {
    return this.#orders
  }

  /** Who is not there may be taken out as long as there is room, and back in. */
  #orderAbsent(address: string, state: ServerState): Change {
    if (state === 'active' && this.#orders.delete(address)) return { kind: 'noted', address }
    if (state === 'active' || this.#orders.size >= ORDERS_MOST) return refused(`no server ${address}`)
    this.#orders.set(address, state)
    return { kind: 'noted', address }
  }

  /** The way to a server costs something else, or there is none. */
  reroute(server: Server, cost: number | undefined): void {
    if ((server.routing === undefined) !== (cost === undefined)) this.version++
    server.routing = cost
  }

  #hear(
    address: string,
    host: string,
    prefixes: readonly string[],
    now: number,
    apply: (server: Server) => boolean,
  ): Change {
    const served = this.#served(prefixes)
    if (served === undefined) return refused(`${address} names something that is no prefix`)
    if (served.length === 0) return refused(`${address} serves no virtual host of this router`)
    let server = this.#servers.get(address)
    const isNew = server === undefined
    if (server === undefined) {
      const refusal = this.#refusalOf(address)
      if (refusal !== undefined) return refused(refusal)
      server = this.#blank(address, false, 1, false)
      this.#servers.set(address, server)
    }
    let changed = server.presence !== 'heard'
    server.host = host
    server.presence = 'heard'
    server.heardNs = now
    if (!sameServices(server, served)) {
      server.services = served.map(
        (prefix) =>
          server.services.find((each) => each.prefix.text === prefix.text) ?? { prefix, load: 0, begun: 0 },
      )
      changed = true
    }
    changed = apply(server) || changed
    if (isNew || changed) this.version++
    return { kind: isNew ? 'appeared' : changed ? 'changed' : 'same', server }
  }

  /** Those of the prefixes that concern this router; undefined when one is none. */
  #served(texts: readonly string[]): Prefix[] | undefined {
    try {
      const prefixes = [...new Set(texts)].map(parsePrefix)
      return prefixes.filter((each) => this.#options.virtualHosts.some((host) => common(each, host)))
    } catch {
      return undefined
    }
  }

  #refusalOf(address: string): string | undefined {
    const { from, most } = this.#options
    let value: number
    try {
      ;({ value } = parseAddress(address))
    } catch (error) {
      return (error as Error).message
    }
    if (!from.some((prefix) => holds(prefix, value))) return `${address} is not in learn.from`
    return this.#servers.size >= most ? `${address} is one server too many` : undefined
  }

  #configOf(address: string): ConfiguredServer | undefined {
    return this.#options.servers.find((each) => each.address === address)
  }

  #configured(config: ConfiguredServer): Server {
    const { address, weight, backup, serves } = config
    const prefixes = serves?.map(parsePrefix) ?? this.#options.virtualHosts
    const services = prefixes.map((prefix) => ({ prefix, load: 0, begun: 0 }))
    return { ...this.#blank(address, true, weight, backup), services }
  }

  #blank(address: string, isConfigured: boolean, weight: number, backup: boolean): Server {
    return {
      ...{ address, value: parseAddress(address).value, isConfigured, weight, backup },
      ...{ host: address, presence: 'configured', reported: 'active', services: [] },
      ordered: this.#orders.get(address) ?? 'active',
      ...{ hasReported: false, connections: 0, heardNs: 0, open: 0, routing: undefined },
    }
  }
}

function sameServices(server: Server, prefixes: readonly Prefix[]): boolean {
  const { services } = server
  return (
    services.length === prefixes.length &&
    prefixes.every(({ text }) => services.some((each) => each.prefix.text === text))
  )
}
