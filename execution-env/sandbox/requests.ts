/**
 * The requests of a sandbox and their outcomes. The one idea: an outcome is made where it is known and handed over
 * later, from the one place that calls back, so that nothing a caller does happens in the middle of the protocol.
 */
import type { JsonValue } from '../contract/json.ts'
import { type Answer, readNames } from './answer.ts'
import { Batch } from './batch.ts'
import type { Done, Effects, Moment, Reply } from './effects.ts'
import type { InstanceRecord } from './instance-record.ts'
import type { LoadOptions, LoadReport } from './sandbox.ts'
import type { SandboxFailure } from './sandbox-error.ts'
import type { VettedCode } from './vetting.ts'

const NO_BATCH = new Batch({ capacity: 0, inputWords: 0, outputWords: 0 })
const NO_MOMENT: Moment = { now: 0, clock: 0 }
const NOBODY = (): void => {}

interface Common {
  readonly sequence: number
  /** Unknown instances have none; such requests are refused at once. */
  readonly record: InstanceRecord | undefined
}

export interface LoadRequest extends Common {
  readonly kind: 'load'
  readonly code: VettedCode
  readonly options: LoadOptions
  readonly at: Moment
  readonly done: Done<LoadReport>
}

export interface UnloadRequest extends Common {
  readonly kind: 'unload'
  readonly done: Done<null> | undefined
}

export interface CallRequest extends Common {
  readonly kind: 'call'
  readonly entry: string
  /** JSON. */
  readonly argument: string
  readonly at: Moment
  readonly done: Done<JsonValue>
}

/** What a batch is asked with; used again for another once its outcome was handed over. */
export class DecideRequest implements Common {
  readonly kind = 'decide'
  readonly outcome: Outcome = { request: this, reply: undefined }
  sequence = 0
  record: InstanceRecord | undefined = undefined
  /** Place among the batch entries. */
  entry = -1
  batch: Batch = NO_BATCH
  at: Moment = NO_MOMENT
  done: (batch: Batch) => void = NOBODY

  /** Lets go of what it was about. */
  release(): void {
    this.record = undefined
    this.batch = NO_BATCH
    this.done = NOBODY
  }
}

export type Request = LoadRequest | UnloadRequest | CallRequest | DecideRequest

/** A request and its reply; a batch holds its own outcome. */
export interface Outcome {
  readonly request: Request
  readonly reply: Reply<unknown> | undefined
}

/** Time that the instance itself may take for a request. */
export function limitMs(request: Request): number {
  const limits = request.record?.limits
  if (limits === undefined || request.kind === 'unload') return 0
  if (request.kind === 'load') return limits.loadMs
  return request.kind === 'call' ? limits.callMs : limits.batchMs
}

export const NO_EFFECTS: Effects = { requests: [], logs: [], logsDropped: 0, spentNs: 0 }

/** The outcome of a request that failed. */
export function failed(request: Request, failure: SandboxFailure, effects: Effects = NO_EFFECTS): Outcome {
  if (request.record !== undefined) request.record.stats.failures++
  const reply = { ...effects, requests: [], ok: false, failure } as const
  if (request.kind !== 'decide') return { request, reply }
  const { batch } = request
  batch.fail(failure)
  batch.logs = reply.logs
  batch.logsDropped = reply.logsDropped
  batch.spentNs = reply.spentNs
  return { request, reply: undefined }
}

/** The outcome of a request, other than a batch, that the kernel answered. @throws AnswerError */
export function answered(request: Request, answer: Answer, spentNs: number, heapBytes: number): Outcome {
  const record = request.record!
  const effects = { requests: answer.requests, logs: answer.logs, logsDropped: answer.dropped, spentNs }
  if (answer.thrown !== undefined) return failed(request, record.located('thrown', answer.thrown), effects)
  record.stats.heapBytes = heapBytes
  if (request.kind !== 'load') return { request, reply: { ...effects, ok: true, value: answer.value } }
  const value = record.opened(readNames(answer.value), heapBytes)
  return { request, reply: { ...effects, ok: true, value } }
}

/** The outcome of a batch whose records are in place; `answer` where there is more to tell than decisions. */
export function decided(request: DecideRequest, answer: Answer | undefined, spentNs: number): Outcome {
  const { batch } = request
  const record = request.record!
  batch.clear()
  batch.spentNs = spentNs
  if (answer !== undefined) {
    const { requests, logs, dropped, faults, faulty, thrown } = answer
    const effects = { requests, logs, logsDropped: dropped, spentNs }
    if (thrown !== undefined) return failed(request, record.located('thrown', thrown), effects)
    batch.requests = requests
    batch.logs = logs
    batch.logsDropped = dropped
    batch.faulty = faulty
    batch.faults = faults.map((fault) => ({ record: fault.record, ...record.mapped(fault) }))
  }
  record.stats.decisions += batch.count
  return request.outcome
}

/** Calls whoever waits for an outcome. */
export function handOver(outcome: Outcome): void {
  const { request, reply } = outcome
  if (request.kind === 'decide') request.done(request.batch)
  else (request.done as Done<unknown> | undefined)?.(reply!)
}
