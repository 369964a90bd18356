/**
 * Transactions: the commands of one call, carried out together. The one idea: schema, authorization, draft, plan and
 * commit, in this order; whatever refuses leaves everything as it was, and a refusal is for the plugin's log.
 *
 * Definitions of actions are no part of it: decisions hold whether or not the commands beside them do.
 */
import { type Engine, EngineError, ROUTER_OWNER } from '../../engine/index.ts'
import { type ActionCommand, type Command, checkCommands } from '../contract/api/index.ts'
import { formatProblem, type JsonValue } from '../contract/index.ts'
import { Authorizer, type RouterView } from './authorizer.ts'
import type { StandingClaim } from './claims.ts'
import { Draft, type DraftBase, overlayOnto, type ProgramNumbers, type Sending } from './draft.ts'
import { Holdings } from './holdings.ts'
import { requireLinkShare } from './link-share.ts'
import { type Plan, planChanges } from './plan.ts'
import type { Program } from './program.ts'
import type { Subscription } from './subscription.ts'
import type { Tenant } from './tenant.ts'
import { toEngineAction } from './translate.ts'

/** What follows a commit, carried out by the dispatcher. */
export interface CommitSink {
  /** Something was subscribed to. */
  subscribed(tenant: Tenant, program: Program, number: number, subscription: Subscription, now: number): void
  send(tenant: Tenant, program: Program, sending: Sending, now: number): void
}

const CLASS_ROWS = 100_000

export class Transactions {
  readonly #engine: Engine
  readonly #tenants: Iterable<Tenant>
  readonly #sink: CommitSink

  constructor(engine: Engine, tenants: Iterable<Tenant>, sink: CommitSink) {
    this.#engine = engine
    this.#tenants = tenants
    this.#sink = sink
  }

  /**
   * Carries out what a call of the serving program has asked for.
   * @param requests untrusted
   * @returns false when the transaction was refused; the log says why
   */
  carryOut(tenant: Tenant, program: Program, requests: readonly JsonValue[], now: number): boolean {
    const isAction = (each: JsonValue) => ACTION_COMMANDS.includes((each as { do?: unknown } | null)?.do)
    const commands = requests.filter((each) => !isAction(each))
    const actions = requests.filter(isAction)
    const done = commands.length === 0 || this.#carryOut(tenant, program, commands, now)
    if (actions.length > 0) this.#define(tenant, program, actions, now)
    return done
  }

  /**
   * The draft of a program's first commands: everything that it wants to hold, as if nothing were there.
   * @throws EngineError
   */
  propose(tenant: Tenant, program: Program, requests: readonly JsonValue[], now: number): Draft {
    requireSchema(requests)
    const draft = new Draft(this.#base(tenant, new Holdings(), program, now))
    this.#fill(draft, program, requests as unknown as readonly Command[])
    return draft
  }

  /**
   * The changes that would let a program take over all that its tenant holds: what it does not want goes.
   * @throws EngineError
   */
  plan(tenant: Tenant, program: Program, draft: Draft, now: number): Plan {
    for (const kind of ['claims', 'tunnels', 'classes'] as const)
      for (const key of tenant.holdings[kind].keys()) if (!draft[kind].has(key)) draft[kind].set(key, null)
    return this.#plan(tenant, program, draft, now)
  }

  /** Carries out a plan. @throws EngineError; nothing has changed then */
  commit(tenant: Tenant, program: Program, draft: Draft, plan: Plan, now: number): void {
    const { changes } = plan
    if (changes.length > 0) this.#engine.control.commit(tenant.id, changes, now)
    for (const [key, held] of plan.claims) tenant.holdings.claims.set(key, held)
    for (const [key, spec] of draft.claims) if (spec === null) tenant.holdings.claims.delete(key)
    overlayOnto(draft.tunnels, tenant.holdings.tunnels)
    overlayOnto(draft.classes, tenant.holdings.classes)
    overlayOnto(draft.claimNumbers, program.claims)
    overlayOnto(draft.tunnelNumbers, program.tunnels)
    overlayOnto(draft.subscriptions, program.subscriptions)
    this.number(tenant, program)
    for (const [number, subscription] of draft.subscriptions)
      if (subscription !== null) this.#sink.subscribed(tenant, program, number, subscription, now)
    for (const sending of draft.sendings) this.#sink.send(tenant, program, sending, now)
  }

  /** Notes which numbers of the engine stand for which of the program's. */
  number(tenant: Tenant, program: Program): void {
    const { names } = this.#engine
    program.claimOfFilter.clear()
    program.tunnelOfEngine.clear()
    for (const [number, key] of program.claims) {
      const filter = names.find(tenant.owner, 'filter', tenant.holdings.claims.get(key)!.name)
      program.claimOfFilter.set(filter!, number)
    }
    for (const [key, number] of program.tunnels) {
      const tunnel = names.find(tenant.owner, 'tunnel', key)
      if (tunnel !== undefined) program.tunnelOfEngine.set(tunnel, number)
    }
  }

  #carryOut(tenant: Tenant, program: Program, requests: readonly JsonValue[], now: number): boolean {
    try {
      requireSchema(requests)
      const draft = new Draft(this.#base(tenant, tenant.holdings, program, now))
      this.#fill(draft, program, requests as unknown as readonly Command[])
      this.commit(tenant, program, draft, this.#plan(tenant, program, draft, now), now)
      tenant.counters.transactions++
      return true
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      tenant.counters.refusedTransactions++
      tenant.log.note('error', `refused (${error.code}): ${error.message}`, now)
      return false
    }
  }

  #fill(draft: Draft, program: Program, commands: readonly Command[]): void {
    const authorizer = new Authorizer(program.grants, this.#view(draft))
    for (const command of commands) {
      authorizer.authorize(command, command.do)
      draft.add(command, command.do)
    }
  }

  #plan(tenant: Tenant, program: Program, draft: Draft, now: number): Plan {
    this.#resumeParked(tenant, draft)
    if (draft.classes.size > 0)
      requireLinkShare(draft, program.grants.linkShare, {
        holdings: tenant.holdings,
        ports: this.#engine.portNames,
        rows: this.#engine.query.get({ table: 'classes', limit: CLASS_ROWS }, now).rows,
        isOwn: (name) => name.startsWith(tenant.className('')),
      })
    const { id: owner, holdings } = tenant
    const { priority, fallback } = program.settings
    return planChanges(draft, {
      owner,
      priority,
      fallback,
      holdings,
      others: this.#claimsOfOthers(tenant),
      className: (key) => tenant.className(key),
      filterName: () => tenant.filterName(),
    })
  }

  /** A flow that is parked is pinned by letting it go on. */
  #resumeParked(tenant: Tenant, draft: Draft): void {
    if (tenant.parked.size === 0) return
    for (const [i, change] of draft.flows.entries()) {
      if (change.do !== 'install-flow') continue
      const upcall = tenant.parked.get(flowText(change.key))
      if (upcall === undefined || this.#engine.askedBy(upcall) !== tenant.owner) continue
      const { action, idleNs } = change
      draft.flows[i] = { do: 'resume', upcall, action, ...(idleNs === undefined ? {} : { idleNs }) }
    }
  }

  #define(tenant: Tenant, program: Program, requests: readonly JsonValue[], now: number): void {
    const draft = new Draft(this.#base(tenant, tenant.holdings, program, now))
    const authorizer = new Authorizer(program.grants, this.#view(draft))
    const className = (key: string) => (tenant.holdings.classes.has(key) ? tenant.className(key) : key)
    for (const request of requests)
      try {
        requireSchema([request])
        const command = request as unknown as ActionCommand
        if (command.do === 'forget-actions') {
          program.actions.clear()
          continue
        }
        const prepare = () => {
          authorizer.authorize(command, 'decision')
          const action = toEngineAction(command.action, className)
          return this.#engine.decisions.prepare(tenant.id, action, 'decision')
        }
        program.actions.define(command.number, command.do === 'define-fallback', prepare, 'decision')
      } catch (error) {
        if (!(error instanceof EngineError)) throw error
        tenant.log.note('error', `refused (${error.code}): ${error.message}`, now)
      }
  }

  #base(tenant: Tenant, holdings: Holdings, numbers: ProgramNumbers, now: number): DraftBase {
    return {
      holdings,
      numbers,
      className: (key) => tenant.className(key),
      portIndex: (name) => indexOf(this.#engine.portNames, name),
      tryQuery: (query) => void this.#engine.query.get({ ...query, limit: 1 }, now),
    }
  }

  #view(draft: Draft): RouterView {
    const { portNames, names, owners } = this.#engine
    const operator = owners.numberOf(ROUTER_OWNER)
    return {
      ports: portNames,
      compile: (command, place) => draft.compile(command, place),
      hasClass: (name) =>
        draft.class(name) !== undefined ||
        portNames.some((port) => names.find(operator, 'class', `${name}@${port}`) !== undefined),
    }
  }

  *#claimsOfOthers(tenant: Tenant): Iterable<StandingClaim> {
    for (const { id: owner, holdings } of this.#tenants)
      if (owner !== tenant.id)
        for (const { priority, compiled } of holdings.claims.values()) yield { owner, priority, compiled }
  }
}

const ACTION_COMMANDS: readonly unknown[] = ['define-action', 'define-fallback', 'forget-actions']

/** @throws EngineError `invalid` */
function requireSchema(requests: readonly JsonValue[]): void {
  const [problem] = checkCommands(requests)
  if (problem !== undefined) throw new EngineError('invalid', formatProblem(problem))
}

function indexOf(names: readonly string[], name: string): number | undefined {
  const index = names.indexOf(name)
  return index < 0 ? undefined : index
}

/** A flow key as one text. */
export function flowText(key: {
  readonly from: string
  readonly to: string
  readonly protocol: number
  readonly fromPort: number
  readonly toPort: number
}): string {
  const { from, to, protocol, fromPort, toPort } = key
  return `${from} ${to} ${protocol} ${fromPort} ${toPort}`
}
