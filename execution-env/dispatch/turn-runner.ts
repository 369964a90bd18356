/**
 * Turns: what a program is called for next, and what becomes of its reply. The one idea: kinds of work take turns
 * (questions, letters, flows that are over), so that none starves another; and whatever comes back is treated in one
 * order: log, commands, definitions, decisions, and whoever waits for the answer last.
 */
import type { Engine } from '../../engine/index.ts'
import { checkArgument, type GuestEvent } from '../contract/api/index.ts'
import { formatProblem, type JsonValue } from '../contract/index.ts'
import type { Batch, Moment, Reply, SandboxErrorCode, SandboxFailure } from '../sandbox/index.ts'
import type { Letter } from './mailbox.ts'
import type { Program } from './program.ts'
import type { Tenant } from './tenant.ts'
import type { Work } from './timing.ts'
import type { Transactions } from './transactions.ts'
import { applyDecisions, fillEnds, fillQuestions, giveUpQuestions } from './turns.ts'

export interface TurnContext {
  moment(now: number): Moment
  /** The instance is gone. */
  lost(tenant: Tenant, program: Program, failure: SandboxFailure, now: number): void
}

/** A turn that may begin. */
export interface Turn {
  readonly work: Work
  /** Sends it; `done` gets the time that it took and what carries out the reply. */
  begin(done: (spentNs: number, apply: (now: number) => void) => void): void
}

/** Failures after which there is no instance any more. */
const LOST: ReadonlySet<SandboxErrorCode> = new Set<SandboxErrorCode>([
  'timeout',
  'memory',
  'refused',
  'unknown',
  'crashed',
  'unavailable',
  'closed',
  'quarantined',
])

/** Whether a failure means that the instance is gone. */
export function isLoss(failure: SandboxFailure): boolean {
  return LOST.has(failure.code)
}

const KINDS = 3
const FORGET: GuestEvent = { event: 'forget-actions' }

export class TurnRunner {
  readonly #engine: Engine
  readonly #transactions: Transactions
  readonly #context: TurnContext

  constructor(engine: Engine, transactions: Transactions, context: TurnContext) {
    this.#engine = engine
    this.#transactions = transactions
    this.#context = context
  }

  /** The next turn of a program, or undefined when nothing is left to do. */
  next(tenant: Tenant, program: Program, now: number): Turn | undefined {
    if (program.mustForget) return this.#callTurn(tenant, program, { toEvent: () => FORGET }, FORGET, now)
    for (let tried = 0; tried < KINDS; tried++) {
      const kind = tenant.nextKind
      tenant.nextKind = (kind + 1) % KINDS
      const turn =
        kind === 0
          ? this.#questionTurn(tenant, program, now)
          : kind === 1
            ? this.#letterTurn(tenant, program, now)
            : this.#endTurn(tenant, program, now)
      if (turn !== undefined) return turn
    }
    return undefined
  }

  #questionTurn(tenant: Tenant, program: Program, now: number): Turn | undefined {
    if (tenant.upcalls.size === 0) return undefined
    const records = fillQuestions(this.#engine, tenant, program, now)
    if (records === 0) return undefined
    return this.#batchTurn(tenant, program, 'decide', program.questions, now)
  }

  #endTurn(tenant: Tenant, program: Program, now: number): Turn | undefined {
    if (tenant.ends.size === 0 || fillEnds(tenant, program) === 0) return undefined
    return this.#batchTurn(tenant, program, 'ended', program.ends, now)
  }

  #letterTurn(tenant: Tenant, program: Program, now: number): Turn | undefined {
    for (let letter = tenant.mailbox.take(); letter !== undefined; letter = tenant.mailbox.take()) {
      const event = letter.toEvent(program)
      if (event !== undefined) return this.#callTurn(tenant, program, letter, event, now)
      letter.done?.({ ok: false, code: 'unknown', reason: 'nobody waits for this any more' })
    }
    return undefined
  }

  #batchTurn(tenant: Tenant, program: Program, entry: 'decide' | 'ended', batch: Batch, now: number): Turn {
    return {
      work: { kind: 'batch', records: batch.count },
      begin: (done) =>
        program.sandbox.decide(program.name, entry, batch, this.#context.moment(now), () =>
          done(batch.spentNs, (at) => this.#applyBatch(tenant, program, entry, batch, at)),
        ),
    }
  }

  #callTurn(tenant: Tenant, program: Program, letter: Letter, event: GuestEvent, now: number): Turn {
    const argument = event as unknown as JsonValue
    const [problem] = checkArgument.deliver(argument)
    if (problem !== undefined) throw new Error(`an event of another form: ${formatProblem(problem)}`)
    return {
      work: { kind: 'call' },
      begin: (done) =>
        program.sandbox.call(program.name, 'deliver', argument, this.#context.moment(now), (reply) =>
          done(reply.spentNs, (at) => this.#applyCall(tenant, program, letter, reply, at)),
        ),
    }
  }

  #applyCall(tenant: Tenant, program: Program, letter: Letter, reply: Reply<JsonValue>, now: number): void {
    tenant.counters.calls++
    tenant.log.take(reply.logs, reply.logsDropped, now)
    if (!reply.ok) tenant.counters.faults++
    program.isDirty = true
    // It was lost since it answered: nothing of it takes effect any more.
    if (tenant.program !== program) {
      letter.done?.({ ok: false, code: 'unavailable', reason: `${tenant.id} was lost` })
      return
    }
    if (!reply.ok) {
      letter.done?.({ ok: false, code: reply.failure.code, reason: reply.failure.message })
      this.#failed(tenant, program, reply.failure, now)
      return
    }
    program.mustForget = false
    const done = this.#transactions.carryOut(tenant, program, reply.requests, now)
    if (done) letter.done?.({ ok: true, value: reply.value })
    else letter.done?.({ ok: false, code: 'refused', reason: 'what it asked for was refused: see its log' })
  }

  #applyBatch(tenant: Tenant, program: Program, entry: 'decide' | 'ended', batch: Batch, now: number): void {
    const { failure, faults, faulty, requests } = batch
    tenant.counters.batches++
    tenant.log.take(batch.logs, batch.logsDropped, now)
    if (failure !== undefined) tenant.counters.faults++
    program.isDirty = true
    if (tenant.program !== program) {
      if (entry === 'decide') giveUpQuestions(this.#engine, tenant, program, now)
      return
    }
    if (failure !== undefined) {
      if (entry === 'decide') giveUpQuestions(this.#engine, tenant, program, now)
      // What it has defined in this batch was lost with it.
      program.actions.clear()
      program.mustForget = true
      this.#failed(tenant, program, failure, now)
      return
    }
    tenant.counters.faults += faulty
    for (const { message, stack } of faults) tenant.log.note('error', describe(message, stack), now)
    if (requests.length > 0) this.#transactions.carryOut(tenant, program, requests, now)
    if (entry === 'decide') applyDecisions(this.#engine, tenant, program, now)
  }

  #failed(tenant: Tenant, program: Program, failure: SandboxFailure, now: number): void {
    tenant.log.note('error', `${failure.code}: ${describe(failure.message, failure.stack)}`, now)
    if (isLoss(failure)) this.#context.lost(tenant, program, failure, now)
  }
}

/** A message with the first place of a stack. */
export function describe(message: string, stack: string): string {
  const place = stack.split('\n').find((line) => line.startsWith('    at '))
  return place === undefined ? message : `${message} (${place.trim()})`
}
