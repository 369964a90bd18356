/**
 * Where requests come in and outcomes go out, for every kind of sandbox. The one idea: a request is checked against
 * what is loaded before it goes anywhere, and every outcome leaves through `tell`.
 */
import type { JsonValue } from '../contract/json.ts'
import type { Batch } from './batch.ts'
import type { Done, Moment } from './effects.ts'
import { InstanceRecord } from './instance-record.ts'
import { Line } from './line.ts'
import { DecideRequest, failed, handOver, NO_EFFECTS, type Outcome, type Request } from './requests.ts'
import type { InstanceStats, LoadOptions, LoadReport } from './sandbox.ts'
import { failure, type SandboxFailure } from './sandbox-error.ts'
import type { SandboxEvent } from './sandbox-event.ts'
import type { VettedCode } from './vetting.ts'

export interface DeskOptions {
  readonly instancesMax: number
  /** Why no request can be taken now, if so. */
  readonly refusal: () => SandboxFailure | undefined
  readonly isQuarantined: (instance: string) => boolean
  /** Whether an instance has brought the process down lately. */
  readonly isSuspect: (instance: string) => boolean
  /** Takes a request on its way. */
  readonly accept: (request: Request) => void
  readonly onEvent: (event: SandboxEvent) => void
}

export class RequestDesk {
  readonly #options: DeskOptions
  readonly #records = new Map<string, InstanceRecord>()
  readonly #outbox = new Line<Outcome | SandboxEvent>()
  /** Requests to be used again. */
  readonly #spare: DecideRequest[] = []
  #sequence = 0
  #numbers = 0

  constructor(options: DeskOptions) {
    this.#options = options
  }

  /** Whether `tell` has something to tell. */
  get hasNews(): boolean {
    return this.#outbox.length > 0
  }

  load(instance: string, code: VettedCode, options: LoadOptions, at: Moment, done: Done<LoadReport>): void {
    const refusal = this.#refusalOfLoad(instance)
    const record = new InstanceRecord(
      instance,
      ++this.#numbers,
      code,
      options,
      this.#options.isSuspect(instance),
    )
    if (refusal === undefined) this.#records.set(instance, record)
    this.#take({ kind: 'load', sequence: this.#next(), record, code, options, at, done }, refusal)
  }

  unload(instance: string, done: Done<null> | undefined): void {
    const record = this.#records.get(instance)
    const request: Request = { kind: 'unload', sequence: this.#next(), record, done }
    this.#records.delete(instance)
    if (record !== undefined) this.#options.accept(request)
    else this.#outbox.push({ request, reply: { ...NO_EFFECTS, ok: true, value: null } })
  }

  call(instance: string, entry: string, argument: JsonValue, at: Moment, done: Done<JsonValue>): void {
    const record = this.#records.get(instance)
    const refusal = this.#refusalOfCall(instance, entry, record?.hasCall(entry) === true)
    const text = JSON.stringify(argument)
    this.#take({ kind: 'call', sequence: this.#next(), record, entry, argument: text, at, done }, refusal)
  }

  decide(instance: string, entry: string, batch: Batch, at: Moment, done: (batch: Batch) => void): void {
    const record = this.#records.get(instance)
    const place = record?.placeOfBatch(entry) ?? -1
    let refusal = this.#refusalOfCall(instance, entry, place >= 0)
    if (refusal === undefined && batch.recordBytes > record!.limits.batchBytes)
      refusal = failure('limit', `${batch.recordBytes} bytes of records`)
    const request = this.#spare.pop() ?? new DecideRequest()
    request.sequence = this.#next()
    request.record = record
    request.entry = place
    request.batch = batch
    request.at = at
    request.done = done
    this.#take(request, refusal)
  }

  /** Notes an outcome to be told. An instance that cannot be used any more is forgotten. */
  settle(outcome: Outcome): void {
    const { request, reply } = outcome
    const { record } = request
    const replied = reply?.ok === false ? reply.failure : undefined
    const end = request.kind === 'decide' ? request.batch.failure : replied
    const gone = end !== undefined && (request.kind === 'load' || ENDS.includes(end.code))
    if (gone && record !== undefined && this.#records.get(record.name) === record)
      this.#records.delete(record.name)
    this.#outbox.push(outcome)
  }

  note(event: SandboxEvent): void {
    this.#outbox.push(event)
  }

  /** Forgets all instances. @returns the names of those that were loaded */
  forgetAll(): string[] {
    const loaded = [...this.#records.values()].filter((each) => each.loaded).map((each) => each.name)
    this.#records.clear()
    return loaded
  }

  /** Calls back for all that is to be told. What a throwing callback leaves is told next time. @returns replies told */
  tell(): number {
    const outbox = this.#outbox
    let replies = 0
    // What comes in meanwhile is told next time as well.
    for (let left = outbox.length; left > 0; left--) {
      const each = outbox.take()
      if (each === undefined) break
      if ('request' in each) {
        const { request } = each
        replies++
        handOver(each)
        if (request.kind !== 'decide') continue
        request.release()
        this.#spare.push(request)
      } else this.#options.onEvent(each)
    }
    return replies
  }

  reports(): Record<string, InstanceStats> {
    return Object.fromEntries([...this.#records].map(([name, record]) => [name, record.report()]))
  }

  #take(request: Request, refusal: SandboxFailure | undefined): void {
    if (refusal === undefined) this.#options.accept(request)
    else this.#outbox.push(failed(request, refusal))
  }

  #refusalOfLoad(instance: string): SandboxFailure | undefined {
    const { instancesMax, refusal, isQuarantined } = this.#options
    if (this.#records.has(instance)) return failure('exists', `${instance} is loaded already`)
    if (isQuarantined(instance)) return failure('quarantined', `${instance} is quarantined`)
    if (this.#records.size >= instancesMax) return failure('limit', `more than ${instancesMax} instances`)
    return refusal()
  }

  #refusalOfCall(instance: string, entry: string, known: boolean): SandboxFailure | undefined {
    const refusal = this.#options.refusal()
    if (refusal !== undefined || known) return refusal
    const loaded = this.#records.get(instance)?.loaded === true
    return failure('unknown', loaded ? `${instance} has no entry ${entry}` : `${instance} is not loaded`)
  }

  #next(): number {
    this.#sequence = (this.#sequence + 1) >>> 0
    return this.#sequence
  }
}

/** Failures after which there is no instance any more. */
const ENDS: readonly string[] = ['timeout', 'memory', 'refused', 'unknown', 'crashed']
