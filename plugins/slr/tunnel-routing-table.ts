/**
 * The tunnel routing table (R-SLR-15, Fig 9): virtual subnet -> servers that serve it, with what each costs. The one
 * idea: the same rows, made of the site as it is at a new connection, or made at intervals and used until the next.
 *
 * 9100 list the loads per virtual subnet; 9200 combine them with routing information; 9300 the best server per subnet.
 */
import type { CostFunction } from './cost.ts'
import { common, longest, type Prefix } from './prefix.ts'
import { isAvailable, loadOf, type Server, serviceOf } from './server.ts'

/** A way that a new flow may take. */
export interface Candidate {
  readonly server: Server
  /** s_kj when the row was made. */
  readonly load: number
  /** r_j when the row was made. */
  readonly routing: number
  /** Flows sent this way since. */
  begun: number
}

export interface Row {
  readonly prefix: Prefix
  readonly candidates: readonly Candidate[]
}

/** What a table needs of the virtual host that it is for. */
export interface TableOptions {
  readonly prefix: Prefix
  readonly cost: CostFunction
  readonly flowLoad: number
  readonly servers: () => Iterable<Server>
  /** Changes whenever a server comes, goes, or changes its state or services. */
  readonly version: () => number
}

export class TunnelRoutingTable {
  readonly #options: TableOptions
  /** Undefined: made anew at every look. */
  #rows: readonly Row[] | undefined
  #version = 0

  constructor(options: TableOptions) {
    this.#options = options
  }

  /** From now on the rows of this moment are used, until they are made again or servers come or go. */
  compute(): void {
    this.#rows = this.rows()
    this.#version = this.#options.version()
  }

  /** All rows as the site is now, in the order of their prefixes. */
  rows(): Row[] {
    const servers = [...this.#options.servers()]
    const subnets = new Map<string, Prefix>()
    for (const { services } of servers)
      for (const { prefix } of services) {
        const subnet = common(prefix, this.#options.prefix)
        if (subnet !== undefined) subnets.set(subnet.text, subnet)
      }
    return [...subnets.values()]
      .sort((one, other) => one.value - other.value || one.length - other.length)
      .map((prefix) => ({ prefix, candidates: this.#candidates(prefix.value, prefix.length, servers) }))
  }

  /** Who may get a new flow to an address. */
  lookup(address: number): readonly Candidate[] {
    const { servers, version } = this.#options
    if (this.#rows === undefined) return this.#candidates(address, 32, servers())
    // Loads may be old; a server that has gone may not be in it.
    if (this.#version !== version()) this.compute()
    return longest(this.#rows, address)?.candidates ?? []
  }

  /** m_kj, what was sent this way since the row was made included. */
  costOf(candidate: Candidate): number | undefined {
    const { cost, flowLoad } = this.#options
    const { server, load, routing, begun } = candidate
    return cost(load + (begun * flowLoad) / server.weight, routing)
  }

  #candidates(address: number, length: number, servers: Iterable<Server>): Candidate[] {
    const { cost, flowLoad } = this.#options
    const candidates: Candidate[] = []
    for (const server of servers) {
      const service = serviceOf(server, address)
      // A part of a subnet that is served is not the subnet.
      if (service === undefined || service.prefix.length > length || !isAvailable(server)) continue
      const load = loadOf(server, service, flowLoad)
      const { routing } = server
      if (routing === undefined || cost(load, routing) === undefined) continue
      candidates.push({ server, load, routing, begun: 0 })
    }
    return candidates
  }
}
