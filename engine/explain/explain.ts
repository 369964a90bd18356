/**
 * What the router would do with a flow, and why. The one idea: a packet that stands for the flow is taken through the
 * same tables and the same applier as real ones, and everything that decides about it is written down; it is never
 * sent, counted or pinned, so that asking changes nothing.
 *
 * Order as in ingress.ts: own source, flow table, filters, routing.
 */
import {
  type Applier,
  VERDICT_DECAPSULATE,
  VERDICT_DECIDE,
  VERDICT_DROP,
  VERDICT_PIN,
  VERDICT_REPLICATE,
  VERDICT_ROUTE,
  VERDICT_SEND,
  VERDICT_TUNNEL,
} from '../actions/apply.ts'
import { describeAction } from '../actions/describe-action.ts'
import type { Nanoseconds } from '../clock.ts'
import { dropReason } from '../drop-reason.ts'
import { EngineError } from '../errors.ts'
import { FLAG_MULTICAST, FLAGS, META_SHIFT, NONE } from '../packet.ts'
import type { QuerySource } from '../query/tables.ts'
import type { Stages } from '../stages.ts'
import { formatFlowKey } from '../wire/index.ts'
import { type FlowQuestion, type FlowWords, flowWords, packetOf } from './question.ts'
import { explainNeighbour, explainRoute } from './route.ts'
import type { ExplanationStep } from './step.ts'

export interface Explanation {
  /** `tcp 10.0.0.1:4000 > 10.0.0.2:80` */
  readonly flow: string
  /** Where the decision comes from. */
  readonly decidedBy: 'admission' | 'flow' | 'filter' | 'routing'
  /** Whose decision it is; null: nobody's but the routing table's. */
  readonly owner: string | null
  readonly steps: readonly ExplanationStep[]
}

/** Filters that are named although another one decides. */
const MOST_OTHERS = 8
/** Branches that are followed, in all. */
const MOST_BRANCHES = 32

/**
 * What would happen to a flow's first packet, or to its next one where it is pinned.
 * @throws EngineError `invalid`, `unknown` port, `limit` when no frame is free
 */
export function explainFlow(source: QuerySource, question: FlowQuestion, now: Nanoseconds): Explanation {
  const { stages } = source
  const words = flowWords(question, (name) => stages.ports.find((port) => port.name === name)?.index)
  const packet = packetOf(words, stages.slab)
  if (packet === NONE) throw new EngineError('limit', 'no frame is free')
  try {
    return new Explainer(source, packet, now).explain(words)
  } finally {
    stages.slab.release(packet)
  }
}

class Explainer {
  readonly #source: QuerySource
  readonly #stages: Stages
  readonly #packet: number
  readonly #now: Nanoseconds
  readonly #tunnelNames = new Map<number, string>()
  #branches = MOST_BRANCHES

  constructor(source: QuerySource, packet: number, now: Nanoseconds) {
    this.#source = source
    this.#stages = source.stages
    this.#packet = packet
    this.#now = now
    for (const { kind, name, number, owner } of source.names.all())
      if (kind === 'tunnel') this.#tunnelNames.set(number, `${owner}/${name}`)
  }

  explain(words: FlowWords): Explanation {
    const { source, destination, ports, protocol } = words
    const flow = formatFlowKey(source, destination, ports, protocol)
    const steps: ExplanationStep[] = []
    const answer = (decidedBy: Explanation['decidedBy'], owner: string | null): Explanation => ({
      flow,
      decidedBy,
      owner,
      steps,
    })
    if (this.#stages.own.has(source)) {
      steps.push({
        stage: 'drop',
        text: 'its source is an address of this router',
        facts: { reason: 'own-source' },
      })
      return answer('admission', null)
    }
    const pinned = this.#pinned(words, steps)
    if (pinned !== undefined) return answer('flow', pinned)
    const chosen = this.#filtered(words, steps)
    if (chosen !== undefined) return answer('filter', chosen)
    steps.push(...this.#route(destination))
    return answer('routing', null)
  }

  /** The owner of the flow that matches, whose action is followed; undefined without one. */
  #pinned({ source, destination, ports, protocol }: FlowWords, steps: ExplanationStep[]): string | undefined {
    const { flows } = this.#stages
    const flow = flows.lookup(source, destination, ports, protocol)
    if (flow < 0) {
      steps.push({ stage: 'flow-table', text: 'no flow is pinned', facts: { pinned: false } })
      return undefined
    }
    const owner = this.#source.owners.nameOf(flows.ownerOf(flow))
    const action = this.#describe(flows.actionOf(flow))
    const facts = { pinned: true, id: flows.handleOf(flow), owner, action }
    steps.push({ stage: 'flow-table', text: `pinned by ${owner}: ${action}`, facts })
    steps.push(...this.#follow(flows.actionOf(flow)))
    return owner
  }

  /** The owner of the filter that decides, whose action is followed; undefined without one. */
  #filtered(words: FlowWords, steps: ExplanationStep[]): string | undefined {
    const { filters } = this.#stages
    const { source, destination, ports, protocol, inPort, flags } = words
    const [first, ...others] = filters.candidates(source, destination, ports, protocol, inPort, flags)
    if (first === undefined) {
      steps.push({ stage: 'filters', text: 'no filter matches', facts: { matched: false } })
      return undefined
    }
    const owner = this.#source.owners.nameOf(filters.ownerOf(first))
    const action = this.#describe(filters.payloadOf(first))
    const name = this.#filterName(first)
    const { packets: _, bytes: __, ...fields } = filters.describe(first)
    const later = others.slice(0, MOST_OTHERS).map((each) => {
      const why =
        filters.describe(each).priority < fields.priority ? 'lower priority' : 'less specific or younger'
      return `${this.#filterName(each)} (${why})`
    })
    const facts = { matched: true, name, owner, action, ...fields, others: later.join(', ') }
    const text = `filter ${name} of priority ${fields.priority}: ${action}${reasonOf(later)}`
    steps.push({ stage: 'filters', text, facts }, ...this.#follow(filters.payloadOf(first)))
    return owner
  }

  /** `owner/name` of a filter. */
  #filterName(filter: number): string {
    for (const { kind, name, number, owner } of this.#source.names.all())
      if (kind === 'filter' && number === filter) return `${owner}/${name}`
    return `${filter}`
  }

  /** What an action row does to the packet, up to where it comes to rest. */
  #follow(row: number): ExplanationStep[] {
    const { applier } = this.#stages
    const steps: ExplanationStep[] = []
    for (;;) {
      const verdict = applier.apply(this.#packet, row)
      if (verdict !== VERDICT_PIN) return [...steps, ...this.#conclude(verdict, applier)]
      row = applier.row
      const action = this.#describe(row)
      steps.push({
        stage: 'choice',
        text: `the hash of the flow chooses ${action}; later packets follow it`,
        facts: { action },
      })
    }
  }

  #conclude(verdict: number, applier: Applier): ExplanationStep[] {
    switch (verdict) {
      case VERDICT_DROP:
        return [dropStep(dropReason(applier.code)!)]
      case VERDICT_ROUTE:
        return this.#route(applier.nextHop)
      case VERDICT_SEND:
        return explainNeighbour(this.#stages, this.#packet, applier.nextHop)
      case VERDICT_TUNNEL:
        return this.#tunnel(applier.tunnel)
      case VERDICT_DECAPSULATE:
        return [
          {
            stage: 'decapsulate',
            text: 'the outer header is taken off, and what is inside is decided about by itself',
            facts: {},
          },
        ]
      case VERDICT_DECIDE:
        return [this.#decision(applier)]
      case VERDICT_REPLICATE:
        return [this.#copies(applier.rows)]
      default:
        throw new Error('apply gave an unknown verdict')
    }
  }

  #decision({ owner: number, row, waitNs }: Applier): ExplanationStep {
    const owner = this.#source.owners.nameOf(number)
    const action = this.#describe(row)
    const text = `${owner} is asked and has ${waitNs / 1e6} ms; without an answer: ${action}`
    return {
      stage: 'decision',
      text,
      facts: { owner, waitNs, otherwise: action },
      branches: this.#branch([row]),
    }
  }

  #copies(rows: Int32Array): ExplanationStep {
    return {
      stage: 'copies',
      text: `one copy for each of ${rows.length} actions`,
      facts: { copies: rows.length },
      branches: this.#branch(Array.from(rows)),
    }
  }

  /** Each row from here on, on a packet of its own. */
  #branch(rows: readonly number[]): ExplanationStep[][] {
    const { slab } = this.#stages
    const followed: ExplanationStep[][] = []
    for (const row of rows) {
      const copy = this.#branches-- > 0 ? slab.copy(this.#packet) : NONE
      if (copy === NONE) break
      const branch = new Explainer(this.#source, copy, this.#now)
      branch.#branches = this.#branches
      followed.push(branch.#follow(row))
      this.#branches = branch.#branches
      slab.release(copy)
    }
    return followed
  }

  #tunnel(tunnel: number): ExplanationStep[] {
    const { tunnels } = this.#stages
    const { packets: _, bytes: __, users: ___, ...row } = tunnels.describe(tunnel, this.#now)
    const name = this.#tunnelNames.get(tunnel) ?? `${tunnel}`
    const trouble = row.reachable ? '' : ', which reports say cannot be reached'
    const text = `tunnel ${name} (${row.kind}) to ${row.to}${trouble}`
    return [{ stage: 'tunnel', text, facts: { name, ...row } }, ...this.#route(tunnels.nextHopOf(tunnel))]
  }

  #route(address: number): ExplanationStep[] {
    const multicast = (this.#stages.slab.meta[(this.#packet << META_SHIFT) + FLAGS] & FLAG_MULTICAST) !== 0
    return multicast ? [dropStep('multicast-unwanted')] : explainRoute(this.#source, this.#packet, address)
  }

  /** An action row in words, tunnels by their names. */
  #describe(row: number): string {
    const { actions, labels } = this.#stages
    const text = describeAction(actions, row, (label) => labels.nameOf(label))
    return text.replace(
      /\btunnel (\d+)/g,
      (whole, number) => `tunnel ${this.#tunnelNames.get(Number(number)) ?? whole.slice(7)}`,
    )
  }
}

function reasonOf(later: readonly string[]): string {
  if (later.length === 0) return ''
  return `; it goes before ${later.join(', ')}`
}

/** A packet that is dropped. */
function dropStep(reason: string): ExplanationStep {
  return { stage: 'drop', text: `dropped: ${reason}`, facts: { reason } }
}
