/**
 * A batch of decisions: records of 32-bit words in, records of 32-bit words out. The one idea: the records are
 * written where they will be sent from, and a batch is used again and again, so that deciding allocates nothing.
 */
import type { JsonValue } from '../contract/json.ts'
import type { LogLine, Moment } from './effects.ts'
import { BATCH, frameBytes, HEADER_BYTES, writeHeader } from './frame.ts'
import { BATCH_HEAD_BYTES } from './messages.ts'
import type { SandboxFailure } from './sandbox-error.ts'

/** What one record's decision threw. Untrusted text. */
export interface Fault {
  readonly record: number
  readonly message: string
  readonly stack: string
}

export interface BatchShape {
  /** Most records. */
  readonly capacity: number
  /** Words of a record, at most 65,535. */
  readonly inputWords: number
  readonly outputWords: number
}

const NOTHING: readonly never[] = []

export class Batch {
  readonly shape: BatchShape
  /** Records to decide: `count` times `inputWords`. Written by the caller before `decide`. */
  readonly input: Int32Array
  /** Decisions: `count` times `outputWords`; all 0 where the plugin decided nothing or failed. */
  readonly output: Int32Array
  count = 0

  /** The outcome, from `done` on. Whether the whole batch failed, and why. */
  failure: SandboxFailure | undefined
  /** Untrusted. */
  requests: readonly JsonValue[] = NOTHING
  logs: readonly LogLine[] = NOTHING
  logsDropped = 0
  /** The first few records whose decision threw, and how many there were. */
  faults: readonly Fault[] = NOTHING
  faulty = 0
  spentNs = 0

  readonly #frame: Uint8Array
  readonly #view: DataView

  constructor(shape: BatchShape) {
    const { capacity, inputWords, outputWords } = shape
    const head = HEADER_BYTES + BATCH_HEAD_BYTES
    this.shape = shape
    this.#frame = new Uint8Array(head + ((capacity * inputWords * 4 + 7) & ~7))
    this.#view = new DataView(this.#frame.buffer)
    this.input = new Int32Array(this.#frame.buffer, head, capacity * inputWords)
    this.output = new Int32Array(capacity * outputWords)
  }

  /** Bytes of the records in each direction: the larger of the two. */
  get recordBytes(): number {
    return this.count * Math.max(this.shape.inputWords, this.shape.outputWords) * 4
  }

  /** Forgets the last outcome. */
  clear(): void {
    this.failure = undefined
    this.requests = this.logs = this.faults = NOTHING
    this.logsDropped = this.faulty = this.spentNs = 0
  }

  /** Fails as a whole: decides nothing. */
  fail(failure: SandboxFailure): void {
    this.clear()
    this.output.fill(0)
    this.failure = failure
  }

  /** The frame that asks for these decisions; valid until the batch is changed. Its length: `frameLength`. */
  frame(sequence: number, instance: number, entry: number, at: Moment): Uint8Array {
    const view = this.#view
    const { inputWords, outputWords } = this.shape
    writeHeader(view, BATCH, sequence, BATCH_HEAD_BYTES + this.count * inputWords * 4)
    view.setFloat64(HEADER_BYTES, at.now, true)
    view.setFloat64(HEADER_BYTES + 8, at.clock, true)
    view.setUint32(HEADER_BYTES + 16, instance, true)
    view.setUint32(HEADER_BYTES + 20, entry, true)
    view.setUint32(HEADER_BYTES + 24, this.count, true)
    view.setUint32(HEADER_BYTES + 28, inputWords | (outputWords << 16), true)
    return this.#frame
  }

  get frameLength(): number {
    return frameBytes(BATCH_HEAD_BYTES + this.count * this.shape.inputWords * 4)
  }
}
