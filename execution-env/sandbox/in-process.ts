/**
 * The sandbox that is none: trusted plugins in this very process. The one idea: the same kernel, the same requests
 * and the same answers as in an isolate, without the walls; what an operator trusts runs faster, and what an author
 * tests runs under a debugger.
 *
 * It protects against nothing: no timeouts, no memory limits, the process's own globals.
 */
import { compileFunction, runInThisContext } from 'node:vm'
import type { JsonValue } from '../contract/json.ts'
import { readAnswer, ValueError } from './answer.ts'
import type { Batch } from './batch.ts'
import { createRandom } from './boot/ambient.ts'
import type { Done, Moment } from './effects.ts'
import { createKernel, type Kernel, type Runtime } from './kernel.ts'
import { PROCESS_LIMITS } from './limits.ts'
import { RequestDesk } from './request-desk.ts'
import {
  answered,
  type CallRequest,
  type DecideRequest,
  decided,
  failed,
  type LoadRequest,
  NO_EFFECTS,
  type Outcome,
  type Request,
} from './requests.ts'
import type { LoadOptions, LoadReport, Sandbox, SandboxStats } from './sandbox.ts'
import { failure } from './sandbox-error.ts'
import type { VettedCode } from './vetting.ts'

const STRICT = "'use strict';"

interface Resident {
  readonly kernel: Kernel
  readonly times: Float64Array
  readonly order: Int32Array
  readonly input: Int32Array
  readonly output: Int32Array
}

type ModuleFunction = Parameters<Kernel['start']>[0]

export interface InProcessOptions {
  /** The module that a code stands for, where it is at hand already; undefined: the code is compiled. */
  readonly moduleOf?: (code: VettedCode) => ModuleFunction | undefined
}

export class InProcessSandbox implements Sandbox {
  readonly #moduleOf: NonNullable<InProcessOptions['moduleOf']>
  readonly #desk: RequestDesk
  readonly #residents = new Map<number, Resident>()
  #queue: Request[] = []
  #closed = false

  constructor({ moduleOf = () => undefined }: InProcessOptions = {}) {
    this.#moduleOf = moduleOf
    this.#desk = new RequestDesk({
      instancesMax: PROCESS_LIMITS.instances,
      refusal: () => (this.#closed ? failure('closed', 'the sandbox was closed') : undefined),
      isQuarantined: () => false,
      isSuspect: () => false,
      accept: (request) => this.#queue.push(request),
      onEvent: () => {},
    })
  }

  load(instance: string, code: VettedCode, options: LoadOptions, at: Moment, done: Done<LoadReport>): void {
    this.#desk.load(instance, code, options, at, done)
  }

  unload(instance: string, done?: Done<null>): void {
    this.#desk.unload(instance, done)
  }

  call(instance: string, entry: string, argument: JsonValue, at: Moment, done: Done<JsonValue>): void {
    this.#desk.call(instance, entry, argument, at, done)
  }

  decide(instance: string, entry: string, batch: Batch, at: Moment, done: (batch: Batch) => void): void {
    this.#desk.decide(instance, entry, batch, at, done)
  }

  poll(): number {
    let told = 0
    while (this.#queue.length > 0 || this.#desk.hasNews) {
      const request = this.#queue.shift()
      if (request !== undefined) this.#desk.settle(this.#carryOut(request))
      told += this.#desk.tell()
    }
    return told
  }

  pollAt(): number {
    return this.#desk.hasNews || this.#queue.length > 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  }

  stats(): SandboxStats {
    return {
      kind: 'in-process',
      state: this.#closed ? 'closed' : 'serving',
      pid: undefined,
      starts: 0,
      crashes: 0,
      outstanding: this.#queue.length,
      instances: this.#desk.reports(),
      quarantined: [],
      confinement: { inForce: [], missing: ['everything: this plugin is trusted'] },
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const request of this.#queue)
      this.#desk.settle(failed(request, failure('closed', 'the sandbox was closed')))
    this.#queue = []
    this.#residents.clear()
    this.#desk.forgetAll()
    this.#desk.tell()
  }

  #carryOut(request: Request): Outcome {
    const began = performance.now()
    const spent = (): number => (performance.now() - began) * 1e6
    const { number, stats } = request.record!
    if (request.kind === 'unload') {
      this.#residents.delete(number)
      return { request, reply: { ...NO_EFFECTS, ok: true, value: null } }
    }
    const resident = this.#residents.get(number)
    if (request.kind !== 'load' && resident === undefined)
      return failed(request, failure('unknown', 'no such instance'))
    try {
      if (request.kind === 'load') return this.#open(request, spent)
      return request.kind === 'call' ? call(request, resident!, spent) : decide(request, resident!, spent)
    } catch (error) {
      if (error instanceof ValueError) return failed(request, failure('invalid', error.message))
      throw error
    } finally {
      stats.spentNs += spent()
    }
  }

  #open(request: LoadRequest, spent: () => number): Outcome {
    const { code, options, at, record } = request
    const { limits, number } = record!
    const words = Math.floor(limits.batchBytes / 4)
    const times = Float64Array.of(at.now, at.clock)
    const order = new Int32Array(2)
    const [input, output] = [new Int32Array(words), new Int32Array(words)]
    const ask = (name: string, argument: string): string =>
      record!.ask(name, () => JSON.parse(argument) as JsonValue)
    let module: ModuleFunction
    let runtime: Runtime
    try {
      module = this.#moduleOf(code) ?? compileModule(code)
      runtime = runInThisContext(`(${request.options.runtime}\n)`, { filename: 'pronto:runtime' }) as Runtime
    } catch (error) {
      return failed(request, failure('refused', error instanceof Error ? error.message : 'unknown'))
    }
    const kernel = createKernel({
      limits,
      times,
      order,
      input,
      output,
      random: createRandom(options.seed),
      ask,
    })
    const answer = readAnswer(kernel.start(module, runtime))
    if (answer.thrown === undefined) this.#residents.set(number, { kernel, times, order, input, output })
    return answered(request, answer, spent(), 0)
  }
}

function compileModule({ source, file }: VettedCode): ModuleFunction {
  const options = { filename: file, columnOffset: -STRICT.length }
  return compileFunction(STRICT + source, ['module', 'exports'], options) as ModuleFunction
}

function call(request: CallRequest, resident: Resident, spent: () => number): Outcome {
  request.record!.stats.calls++
  resident.times.set([request.at.now, request.at.clock])
  const text = resident.kernel.call(request.entry, request.argument)
  return answered(request, readAnswer(text), spent(), 0)
}

function decide(request: DecideRequest, resident: Resident, spent: () => number): Outcome {
  const { batch, at } = request
  const { kernel, times, order, input, output } = resident
  const { inputWords, outputWords } = batch.shape
  const words = batch.count * outputWords
  request.record!.stats.batches++
  times[0] = at.now
  times[1] = at.clock
  input.set(batch.input.subarray(0, batch.count * inputWords))
  output.fill(0, 0, words)
  order[0] = request.entry
  order[1] = batch.count
  const text = kernel.batch()
  batch.output.set(output.subarray(0, words))
  return decided(request, text === 0 ? undefined : readAnswer(text), spent())
}
