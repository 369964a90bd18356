/**
 * The dispatcher: between the engine's questions and the plugins' answers. The one idea: a loop without waiting. What
 * is asked is gathered by tenant, a tenant's turn at its processor is one call or one batch, and a reply is validated,
 * authorized and carried out in order: commands as one transaction, definitions, decisions.
 *
 * It runs beside the engine, in the same thread. Its times come from its caller; with `modelled` timing nothing that
 * it does depends on the machine.
 */
import { type Engine, NONE, type OwnedFlow } from '../../engine/index.ts'
import type { Sender } from '../contract/api/index.ts'
import type { JsonValue } from '../contract/index.ts'
import { NO_SERVICES, type PluginServices } from '../proxies/plugin-services.ts'
import type { Moment, Sandbox, SandboxFailure } from '../sandbox/index.ts'
import { type Bell, Bells } from './bells.ts'
import { queryLetter } from './letters.ts'
import type { CallResult } from './mailbox.ts'
import { MessageBus } from './message-bus.ts'
import { PRESSING, type Processor } from './processor.ts'
import { Processors } from './processors.ts'
import type { Program } from './program.ts'
import { Replies } from './replies.ts'
import { ServiceDesk } from './service-desk.ts'
import type { Tenant, TenantOptions } from './tenant.ts'
import { Tenants } from './tenants.ts'
import { modelledNs, type Timing, type Work } from './timing.ts'
import { Transactions } from './transactions.ts'
import { TurnRunner } from './turn-runner.ts'

export interface DispatcherOptions {
  readonly engine: Engine
  /** Default `measured`. */
  readonly timing?: Timing
  /** Calendar milliseconds since 1970 at a monotonic time. */
  readonly calendar: (now: number) => number
  /** Whoever polls also waits for the sandboxes' descriptors: answers under way are no reason to poll at once. */
  readonly awaitsDescriptors?: boolean
  /** What the proxies do for plugins. Default: nothing, and say so. */
  readonly services?: PluginServices
}

/** Hears of a program that is gone. */
export type LostSink = (tenant: Tenant, program: Program, failure: SandboxFailure, now: number) => void

/** Sends a request, and calls back with the time that it took and what to do then. */
export type Issue = (done: (spentNs: number, run: (now: number) => void) => void) => void

/** Rounds of one poll: what keeps a busy plugin from keeping the engine. */
const ROUNDS = 64
/** Where time is measured, a turn costs system calls: under load a batch gathers for so long. */
const SPACING_NS = 100_000

export class Dispatcher {
  readonly engine: Engine
  readonly transactions: Transactions
  readonly tenants: Tenants
  readonly processors: Processors
  readonly timing: Timing
  onLost: LostSink = () => {}
  readonly #calendar: (now: number) => number
  readonly #spins: boolean
  readonly #replies = new Replies()
  readonly #bells: Bells
  readonly #desk: ServiceDesk
  readonly #bus: MessageBus
  readonly #turns: TurnRunner
  #now = 0
  /** Something was sent since the sandboxes were polled. */
  #hasIssued = false

  constructor(options: DispatcherOptions) {
    const { engine, timing = { kind: 'measured' }, calendar, awaitsDescriptors = false } = options
    const { services = NO_SERVICES } = options
    this.engine = engine
    this.timing = timing
    this.processors = new Processors(timing.kind === 'measured' ? SPACING_NS : 0)
    this.tenants = new Tenants(engine)
    this.#calendar = calendar
    this.#spins = timing.kind === 'measured' && !awaitsDescriptors
    this.#bus = new MessageBus(this.tenants, (tenant) => this.wake(tenant))
    this.#bells = new Bells(engine, isLive)
    this.#desk = new ServiceDesk({ services, isLive, now: () => this.#now })
    this.transactions = new Transactions(engine, this.tenants, {
      subscribed: (tenant, program, number, subscription, now) => {
        const bell = { tenant, program, number, subscription }
        if (subscription.kind === 'service') this.#desk.ask(bell, subscription.command, now)
        else this.#bells.subscribed(bell, now)
      },
      send: (tenant, program, sending, now) => this.#bus.send(tenant, program, sending, now),
    })
    this.#turns = new TurnRunner(engine, this.transactions, {
      moment: (now) => this.moment(now),
      lost: (tenant, program, failure, now) => this.#lost(tenant, program, failure, now),
    })
    engine.owned.sink = (flow, end) => this.#ended(flow, end)
  }

  /** The time of the poll under way, or of the last one. */
  get now(): number {
    return this.#now
  }

  /** The time that a plugin sees at a moment. */
  moment(now: number): Moment {
    return { now, clock: this.#calendar(now) }
  }

  addTenant(options: TenantOptions): Tenant {
    return this.tenants.add(options)
  }

  /** Forgets a tenant that has no turn, and takes from the engine what it holds. */
  removeTenant(tenant: Tenant, flows: 'purge' | 'drain', now: number): void {
    this.withdraw(tenant, now)
    tenant.mailbox.clear('the plugin was stopped')
    this.engine.owned.follow(tenant.id, false)
    this.engine.control.removeOwner(tenant.id, flows, now)
    tenant.holdings.clear()
    this.tenants.remove(tenant)
  }

  /**
   * Puts a program in its place, between two turns; what waits is its own from now on. It must have been admitted.
   * @returns the program that served before
   */
  serve(tenant: Tenant, program: Program): Program | undefined {
    const before = tenant.program
    if (tenant.busy) throw new Error('a program is replaced between turns')
    before?.actions.clear()
    if (before !== undefined && before.sandbox !== program.sandbox) this.processors.dismiss(tenant, before)
    tenant.program = program
    tenant.takeNumbersOf(program)
    tenant.log.setRate(program.limits.logLinesPerSecond)
    this.engine.owned.limit(tenant.id, program.settings.flows)
    const follows = [...program.subscriptions.values()].some((each) => each.kind === 'ended')
    this.engine.owned.follow(tenant.id, follows)
    this.resume(tenant)
    return before
  }

  /**
   * Asks nothing of a tenant's program any more, until it is resumed: what comes waits. `run` is called when the turn
   * under way, if there is one, is over.
   */
  quiesce(tenant: Tenant, now: number, run: (now: number) => void): void {
    tenant.suspended = true
    this.wake(tenant)
    if (tenant.busy) tenant.whenIdle = run
    else run(now)
  }

  /** Ends a quiescence, also one that is only waited for. */
  resume(tenant: Tenant): void {
    tenant.suspended = false
    tenant.whenIdle = undefined
    this.wake(tenant)
  }

  /** Takes the program away: what is asked from now on goes to the fallback. Its actions are released. */
  withdraw(tenant: Tenant, now: number): void {
    const { program } = tenant
    tenant.program = undefined
    tenant.suspended = false
    tenant.whenIdle = undefined
    for (let upcall = tenant.upcalls.shift(); upcall >= 0; upcall = tenant.upcalls.shift())
      if (this.engine.decisions.giveUp(upcall, now)) tenant.counters.fallbacks++
    if (program === undefined) return
    program.actions.clear()
    this.processors.dismiss(tenant, program)
  }

  /**
   * Sends a request that is no turn (loading, setup, moving state) to a sandbox and lets its reply take effect at its
   * time and in its place among the others.
   */
  request(tenant: Tenant, sandbox: Sandbox, work: Work, now: number, issue: Issue): void {
    this.processors.of(sandbox)
    this.#issue(tenant, work, now, issue, (cost, run, at) => {
      tenant.counters.cpuNs += cost
      run(at)
    })
  }

  /** Delivers an operator's or a neighbour's message; `done` gets what the plugin's handler returns. */
  deliver(
    id: string,
    topic: string,
    body: JsonValue,
    from: Sender,
    done: ((result: CallResult) => void) | undefined,
    now: number,
  ): void {
    const tenant = this.tenants.get(id)
    if (tenant === undefined) done?.({ ok: false, code: 'unknown', reason: `no plugin ${id}` })
    else this.#bus.deliver(tenant, topic, body, from, done, now)
  }

  /** Tells a neighbour's message to every plugin that listens to its topic; each one's limits bound what it hears. */
  tell(topic: string, body: JsonValue, from: Sender, now: number): void {
    this.#bus.tell(topic, body, from, now)
  }

  /** Asks a plugin a query that it answers. */
  ask(id: string, name: string, argument: JsonValue, done: (result: CallResult) => void): void {
    const tenant = this.tenants.get(id)
    if (tenant?.program?.answers(name) === undefined)
      return done({ ok: false, code: 'unknown', reason: `${id} does not answer ${name}` })
    tenant.mailbox.put(queryLetter(name, argument, done))
    this.wake(tenant)
  }

  /** Says that something waits for a tenant, or nothing does. */
  wake(tenant: Tenant): void {
    const { program } = tenant
    if (program !== undefined) this.processors.of(program.sandbox).setRunnable(tenant.id, isReady(tenant))
  }

  readonly #wake = (tenant: Tenant): void => this.wake(tenant)

  /** Does all that can be done at `now`. Returns how much was done: something may have to be sent then. */
  poll(now: number): number {
    this.#now = now
    // Looking whether an answer has come costs a system call: once, and after something was sent.
    let done = this.processors.poll(now)
    for (let round = 0; round < ROUNDS; round++) {
      let moved = this.#gather(now) + this.#bells.ring(now, this.#wake) + this.#desk.ring(now, this.#wake)
      moved += this.#replies.release(now)
      for (const processor of this.processors) moved += this.#beginTurn(processor, now)
      if (this.#hasIssued) {
        this.#hasIssued = false
        moved += this.processors.poll(now)
      }
      if (moved === 0) break
      done += moved
    }
    return done
  }

  /** When `poll` next has something to do by itself; `now` while an answer may come at any time. */
  pollAt(now: number): number {
    if (this.#spins && this.processors.outstanding > 0) return now
    const { earliest } = this.#replies
    return Math.min(earliest, this.#bells.nextAt, this.#desk.nextAt, this.processors.nextAt(now))
  }

  /** Fetches the engine's questions. */
  #gather(now: number): number {
    const { engine, tenants } = this
    let count = 0
    for (let upcall = engine.nextUpcall(); upcall !== NONE; upcall = engine.nextUpcall()) {
      count++
      const tenant = tenants.ofOwner(engine.askedBy(upcall))
      if (tenant?.program?.decisionRate.take(now) === true && tenant.upcalls.push(upcall)) {
        if (tenant.upcalls.size === 1) this.wake(tenant)
        if (tenant.upcalls.size === PRESSING) this.processors.of(tenant.program.sandbox).press()
      } else if (engine.decisions.giveUp(upcall, now) && tenant !== undefined) tenant.counters.fallbacks++
    }
    return count
  }

  /** Begins a turn, if one may begin; returns how many did. */
  #beginTurn(processor: Processor, now: number): number {
    const id = processor.begin(now)
    if (id === undefined) return 0
    const tenant = this.tenants.get(id)
    const program = tenant?.suspended === true ? undefined : tenant?.program
    const turn = program && this.#turns.next(tenant!, program, now)
    if (turn === undefined) {
      processor.end(0, tenant !== undefined && isReady(tenant), now)
      return 1
    }
    tenant!.busy = true
    this.#issue(tenant!, turn.work, now, turn.begin, (cost, apply, at) => {
      tenant!.counters.cpuNs += cost
      tenant!.busy = false
      processor.end(cost, isReady(tenant!), at)
      apply(at)
      this.wake(tenant!)
      const { whenIdle } = tenant!
      tenant!.whenIdle = undefined
      whenIdle?.(at)
    })
    return 1
  }

  /** Sends something to a sandbox; what comes back takes effect when its time is over. */
  #issue(
    tenant: Tenant,
    work: Work,
    now: number,
    issue: Issue,
    effect: (costNs: number, run: (now: number) => void, now: number) => void,
  ): void {
    const isMeasured = this.timing.kind === 'measured'
    const modelled = modelledNs(this.timing, work)
    this.processors.outstanding++
    this.#hasIssued = true
    issue((spentNs, run) => {
      this.processors.outstanding--
      const at = isMeasured ? this.#now : now + modelled
      this.#replies.hold(at, tenant.order, (due) => effect(isMeasured ? spentNs : modelled, run, due))
    })
  }

  #ended(flow: Readonly<OwnedFlow>, end: number): void {
    const tenant = this.tenants.ofOwner(flow.owner)
    if (tenant === undefined) return
    tenant.ends.push(flow, end, tenant.last?.tunnelOfEngine.get(flow.tunnel) ?? 0)
    if (tenant.ends.size === 1) this.wake(tenant)
  }

  #lost(tenant: Tenant, program: Program, failure: SandboxFailure, now: number): void {
    if (tenant.program !== program) return
    this.withdraw(tenant, now)
    this.onLost(tenant, program, failure, now)
  }
}

function isReady(tenant: Tenant): boolean {
  return tenant.program !== undefined && !tenant.suspended && (tenant.hasWork || tenant.program.mustForget)
}

/** Whether a bell's program serves and still has the subscription. */
function isLive({ tenant, program, number, subscription }: Bell): boolean {
  return tenant.program === program && program.subscriptions.get(number) === subscription
}
