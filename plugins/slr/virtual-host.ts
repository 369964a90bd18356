/**
 * A virtual host (R-SLR-01) or virtual subnet as this router serves it: its tunnel routing table, its rules and its
 * policy, all of which the client of the service may have chosen. The one idea: the steps of Fig 6 that are policy are
 * here, in one function; the others are the engine's.
 */
import type { FlowTuple } from 'pronto-router/sdk/policies'
import { aggregateCost, type CostConfig, type CostFunction, costFunction } from './cost.ts'
import type { HostSite } from './host-site.ts'
import { type Prefix, parsePrefix } from './prefix.ts'
import { type Server, serviceOf } from './server.ts'
import { type PolicyName, type SitePolicy, sitePolicy } from './site-policy.ts'
import { type RuleConfig, SiteRules } from './site-rules.ts'
import { TunnelRoutingTable } from './tunnel-routing-table.ts'

export interface VirtualHostConfig {
  readonly to: string
  readonly policy: PolicyName
  readonly cost: CostConfig
  readonly flowLoad: number
  readonly seed: number
  readonly idleMs?: number
  readonly rules: readonly RuleConfig[]
}

/** A line of the tunnel routing table for people. */
export interface TableLine {
  readonly virtualHost: string
  readonly subnet: string
  readonly server: string
  readonly load: number
  readonly routing: number
  readonly cost: number | null
}

export class VirtualHost {
  readonly prefix: Prefix
  readonly table: TunnelRoutingTable
  readonly policy: PolicyName
  /** F. */
  readonly cost: CostFunction
  readonly idleMs: number | undefined
  readonly #rules: SiteRules
  readonly #choose: SitePolicy

  /** @throws Error for a configuration that says something impossible */
  constructor(config: VirtualHostConfig, site: HostSite) {
    const { to, policy, cost, flowLoad, seed, idleMs, rules } = config
    const prefix = parsePrefix(to)
    const around = { prefix, servers: () => site.servers, version: () => site.version }
    this.prefix = prefix
    this.policy = policy
    this.cost = costFunction(cost)
    this.idleMs = idleMs
    this.table = new TunnelRoutingTable({ ...around, cost: this.cost, flowLoad })
    this.#rules = new SiteRules(rules)
    this.#choose = sitePolicy(policy, { ...around, seed, costOf: (each) => this.table.costOf(each) })
  }

  /**
   * The server of a new flow, or undefined when nobody can serve it. What is chosen is counted as begun.
   * @param clockMs calendar time
   */
  route(flow: FlowTuple, clockMs: number): Server | undefined {
    // x400: the flow has no label yet, or no path is pinned. The label is the engine's entry for the flow, which it
    // makes of the answer; packets that come before are kept back and follow it.
    const reachable = this.table.lookup(flow.destination)
    const candidates = this.#rules.narrow(reachable, flow.source, clockMs)
    if (candidates.length === 0) return undefined
    // x500: choose the server by cost, or by whatever policy this virtual host has.
    const chosen = this.#choose(flow, candidates)
    if (chosen === undefined) return undefined
    const { server } = chosen
    chosen.begun++
    server.open++
    const service = serviceOf(server, flow.destination)
    if (service !== undefined) service.begun++
    return server
  }

  lines(): TableLine[] {
    return this.table.rows().flatMap(({ prefix, candidates }) =>
      candidates.map((candidate) => ({
        virtualHost: this.prefix.text,
        subnet: prefix.text,
        server: candidate.server.address,
        load: candidate.load,
        routing: candidate.routing,
        cost: this.table.costOf(candidate) ?? null,
      })),
    )
  }

  /** M_k by virtual subnet: what a next level would be told (9310). */
  aggregates(): { subnet: string; cost: number | null }[] {
    return this.table.rows().map(({ prefix, candidates }) => ({
      subnet: prefix.text,
      cost: aggregateCost(candidates.map((each) => this.table.costOf(each))) ?? null,
    }))
  }
}
