/**
 * The policy of a virtual host: one server among those that may get a flow (step x500). The one idea: the tunnel
 * routing table says who and at what cost; each policy is one way to choose.
 *
 * - `least-load`: lowest m_kj; equals by the flow's hash.
 * - `weighted`: in turn, by weight.
 * - `maglev`: by the flow's hash, the same on every router of the same seed and servers.
 */
import {
  type FlowTuple,
  hashFlow,
  leastLoad,
  Maglev,
  Rendezvous,
  RoundRobin,
} from 'pronto-router/sdk/policies'
import { isWithin, type Prefix } from './prefix.ts'
import { type Server, stateOf } from './server.ts'
import type { Candidate } from './tunnel-routing-table.ts'

export type PolicyName = 'least-load' | 'weighted' | 'maglev'

/** Chooses among at least one. */
export type SitePolicy = (flow: FlowTuple, candidates: readonly Candidate[]) => Candidate | undefined

/** What policies need of everything around them. */
export interface PolicySurroundings {
  readonly prefix: Prefix
  readonly seed: number
  readonly costOf: (candidate: Candidate) => number | undefined
  readonly servers: () => Iterable<Server>
  /** Changes whenever hashing tables must be made anew. */
  readonly version: () => number
}

/** Entries of a Maglev table: a prime, a hundred for each of 160 servers. */
const TABLE_SIZE = 16_381

export function sitePolicy(name: PolicyName, surroundings: PolicySurroundings): SitePolicy {
  switch (name) {
    case 'least-load':
      return lowestCost(surroundings)
    case 'weighted':
      return inTurn()
    case 'maglev':
      return hashed(surroundings)
  }
}

function lowestCost({ costOf, seed }: PolicySurroundings): SitePolicy {
  return (flow, candidates) => {
    const costed = candidates.map((candidate) => {
      return { candidate, load: costOf(candidate) ?? Number.POSITIVE_INFINITY }
    })
    return leastLoad(costed, hashFlow(flow, seed))?.candidate
  }
}

function inTurn(): SitePolicy {
  const turns = new RoundRobin<Server>()
  return (_flow, candidates) => {
    const server = turns.pick(candidates.map((each) => each.server))
    return candidates.find((each) => each.server === server)
  }
}

function hashed({ prefix, seed, servers, version }: PolicySurroundings): SitePolicy {
  interface Member {
    readonly name: string
    readonly weight: number
  }
  const table = new Maglev<Member>([], { size: TABLE_SIZE, seed })
  const second = new Rendezvous<Member & { readonly candidate: Candidate }>({ seed })
  let made = -1
  return (flow, candidates) => {
    if (made !== version()) {
      made = version()
      table.update([...servers()].filter((each) => hasPlace(each, prefix)).map(memberOf))
    }
    const name = table.pick(flow)?.name
    const first = candidates.find((each) => each.server.address === name)
    if (first !== undefined) return first
    // Its place is kept while it drains or cannot be reached: its new flows are spread over the others.
    const others = candidates.map((candidate) => ({ ...memberOf(candidate.server), candidate }))
    return second.pick(others, flow)?.candidate
  }
}

const memberOf = ({ address, weight }: Server) => ({ name: address, weight })

/** Whether a server has places in the hashing table of a virtual host. */
function hasPlace(server: Server, prefix: Prefix): boolean {
  if (server.presence === 'silent' || stateOf(server) === 'maintenance') return false
  return server.services.some((each) => isWithin(each.prefix, prefix) || isWithin(prefix, each.prefix))
}
