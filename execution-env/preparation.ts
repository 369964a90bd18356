/**
 * Preparing a program: loading its code and running its setup, while whatever served before goes on serving. The one
 * idea: nothing of it is in the engine until `takeOver`, which is one transaction; until then it can be abandoned at
 * any moment and was never there.
 */
import { EngineError } from '../engine/index.ts'
import {
  checkResult,
  type ExportedState,
  type SetupArgument,
  type SetupResult,
} from './contract/api/index.ts'
import { formatProblem, type JsonValue } from './contract/index.ts'
import { hostFunctions } from './dispatch/ask.ts'
import type { Dispatcher } from './dispatch/dispatcher.ts'
import { Grants } from './dispatch/grants.ts'
import type { Plan } from './dispatch/plan.ts'
import { Program } from './dispatch/program.ts'
import type { Tenant } from './dispatch/tenant.ts'
import type { EnvironmentErrorCode, EnvironmentFailure } from './errors.ts'
import { GUEST_RUNTIME } from './guest/runtime.ts'
import type { Installation } from './installation.ts'
import { DONE, type Done, type Outcome, refusal } from './outcome.ts'
import type { InstanceLimits, LoadOptions, Sandbox } from './sandbox/index.ts'

export interface PreparationOptions {
  readonly dispatcher: Dispatcher
  readonly tenant: Tenant
  readonly installation: Installation
  readonly sandbox: Sandbox
  /** Name of the instance in its sandbox. */
  readonly name: string
  /** State that its randomness starts from. */
  readonly seed: LoadOptions['seed']
}

/** Room for the rest of a result around a state. */
const RESULT_BYTES = 65_536

export class Preparation {
  readonly program: Program
  readonly #options: PreparationOptions
  /** Everything that setup and importState have asked for. */
  #requests: JsonValue[] = []
  #abandoned = false

  constructor(options: PreparationOptions) {
    const { name, sandbox, installation, dispatcher } = options
    this.#options = options
    this.program = new Program({
      name,
      version: installation.bundle.manifest.version,
      sandbox,
      grants: new Grants(installation.granted),
      limits: installation.limits,
      settings: installation.settings,
      decisions: dispatcher.engine.decisions,
    })
  }

  /** Loads the code and runs setup. */
  begin(now: number, done: Done): void {
    const { dispatcher, tenant, installation, sandbox, name, seed } = this.#options
    const options: LoadOptions = {
      runtime: GUEST_RUNTIME,
      seed,
      limits: instanceLimits(installation),
      host: hostFunctions({
        engine: dispatcher.engine,
        tenant,
        program: () => this.program,
        now: () => dispatcher.now,
      }),
    }
    dispatcher.request(tenant, sandbox, { kind: 'load' }, now, (reply) =>
      sandbox.load(name, installation.code, options, dispatcher.moment(now), (loaded) =>
        reply(loaded.spentNs, (at) => {
          tenant.log.take(loaded.logs, loaded.logsDropped, at)
          if (this.#abandoned) return
          if (loaded.ok) this.#setup(at, done)
          else done(refusal(loaded.failure), at)
        }),
      ),
    )
  }

  /** Brings a state into the program. */
  importState(state: ExportedState, now: number, done: Done): void {
    this.#call('importState', state as unknown as JsonValue, now, (outcome, at) =>
      done(stateOutcome(outcome), at),
    )
  }

  /**
   * What the program would change in the engine by taking over.
   * @throws EngineError for what it may not have
   */
  plan(now: number): Plan {
    const { dispatcher, tenant } = this.#options
    const draft = dispatcher.transactions.propose(tenant, this.program, this.#requests, now)
    return dispatcher.transactions.plan(tenant, this.program, draft, now)
  }

  /** Puts the program in its place: one transaction, and from then on it serves. What it replaced is returned. */
  takeOver(now: number): Outcome<Program | undefined> {
    const { dispatcher, tenant } = this.#options
    const { transactions } = dispatcher
    try {
      const draft = transactions.propose(tenant, this.program, this.#requests, now)
      const plan = transactions.plan(tenant, this.program, draft, now)
      dispatcher.processors.admit(tenant, this.program, now)
      transactions.commit(tenant, this.program, draft, plan, now)
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      this.#takeBackAdmission(now)
      return { ok: false, failure: { code: codeOf(error), reason: error.message } }
    }
    return { ok: true, value: dispatcher.serve(tenant, this.program) }
  }

  /** The share of the processor is the serving program's again. */
  #takeBackAdmission(now: number): void {
    const { dispatcher, tenant } = this.#options
    if (tenant.program?.sandbox !== this.program.sandbox) dispatcher.processors.dismiss(tenant, this.program)
    else dispatcher.processors.admit(tenant, tenant.program, now)
  }

  /** Forgets the program, whatever is still under way. */
  abandon(): void {
    this.#abandoned = true
    this.program.sandbox.unload(this.program.name)
  }

  #setup(now: number, done: Done): void {
    const { tenant, installation, dispatcher } = this.#options
    const argument: SetupArgument = {
      id: tenant.id,
      config: installation.config,
      capabilities: installation.granted,
      ports: dispatcher.engine.portNames,
    }
    this.#call('setup', argument as unknown as JsonValue, now, (outcome, at) => {
      if (!outcome.ok) return done(outcome, at)
      this.program.hooks = outcome.value as unknown as SetupResult
      const refused = this.#refusalOfRequests(at)
      done(refused === undefined ? DONE : { ok: false, failure: refused }, at)
    })
  }

  /** Whether what setup asked for would be granted: better now than at the switch. */
  #refusalOfRequests(now: number): EnvironmentFailure | undefined {
    try {
      this.plan(now)
      return undefined
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      return { code: codeOf(error), reason: error.message }
    }
  }

  #call(entry: 'setup' | 'importState', argument: JsonValue, now: number, done: Done<JsonValue>): void {
    const { dispatcher, tenant, sandbox, name } = this.#options
    dispatcher.request(tenant, sandbox, { kind: 'load' }, now, (reply) =>
      sandbox.call(name, entry, argument, dispatcher.moment(now), (called) =>
        reply(called.spentNs, (at) => {
          tenant.log.take(called.logs, called.logsDropped, at)
          if (this.#abandoned) return
          if (!called.ok) return done(refusal(called.failure), at)
          const [problem] = checkResult[entry](called.value)
          if (problem !== undefined)
            return done(
              { ok: false, failure: { code: 'refused', reason: `${entry}: ${formatProblem(problem)}` } },
              at,
            )
          this.#requests = [...this.#requests, ...called.requests]
          done({ ok: true, value: called.value }, at)
        }),
      ),
    )
  }
}

function stateOutcome(outcome: Outcome<JsonValue>): Outcome {
  if (outcome.ok) return DONE
  const { failure, cause } = outcome
  const reason = `importState: ${failure.reason}`
  return {
    ok: false,
    failure: { code: failure.code === 'refused' ? 'state' : failure.code, reason },
    ...(cause === undefined ? {} : { cause }),
  }
}

function codeOf(error: EngineError): EnvironmentErrorCode {
  if (error.code === 'forbidden' || error.code === 'conflict' || error.code === 'limit') return error.code
  return 'refused'
}

function instanceLimits({ limits }: Installation): Partial<InstanceLimits> {
  const { memoryBytes, setupMs, batchMs, stateBytes } = limits
  return { memoryBytes, loadMs: setupMs, callMs: setupMs, batchMs, resultBytes: stateBytes + RESULT_BYTES }
}
