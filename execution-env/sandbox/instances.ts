/**
 * The instances of a sandbox process and what is asked of them. The one idea: one request at a time becomes one
 * answer; a failure that leaves an isolate unusable ends that isolate and no other.
 */
import { performance } from 'node:perf_hooks'
import type { Channel } from './channel.ts'
import {
  BATCH_DONE,
  DONE,
  type FrameView,
  frameBytes,
  HEADER_BYTES,
  readText,
  textFrame,
  writeHeader,
} from './frame.ts'
import type { Heartbeat } from './heartbeat.ts'
import { HardenedIsolate, IsolateFailure } from './isolate.ts'
import {
  ANSWERED,
  BATCH_DONE_HEAD_BYTES,
  CALL_HEAD_BYTES,
  doneHead,
  FAILED,
  type LoadMessage,
} from './messages.ts'
import { clearWords, copyWords } from './words.ts'

/** Answers a host function for an instance; gets and gives text. */
export type Ask = (instance: number, name: string, argument: string) => string

const describe = (error: unknown): string => {
  const code = error instanceof IsolateFailure ? error.code : 'crashed'
  const message = error instanceof Error ? error.message : 'unknown'
  return JSON.stringify({ code, message: message.slice(0, 1_000) })
}

export class Instances {
  readonly #channel: Channel
  readonly #heartbeat: Heartbeat
  readonly #ask: Ask
  readonly #isolates = new Map<number, HardenedIsolate>()
  #answer = new Uint8Array(HEADER_BYTES + BATCH_DONE_HEAD_BYTES)
  #answerView = new DataView(this.#answer.buffer)
  #answerWords = new Int32Array(this.#answer.buffer)

  constructor(channel: Channel, heartbeat: Heartbeat, ask: Ask) {
    this.#channel = channel
    this.#heartbeat = heartbeat
    this.#ask = ask
  }

  load(frame: FrameView): void {
    const { instance, spec } = JSON.parse(readText(frame.bytes, frame.start, frame.length)) as LoadMessage
    this.#respond(frame.sequence, instance, spec.limits.loadMs, () => {
      const isolate = new HardenedIsolate(spec, (name, argument) => this.#ask(instance, name, argument))
      if (isolate.started.startsWith('{"value":')) this.#isolates.set(instance, isolate)
      else isolate.dispose()
      return isolate.started
    })
  }

  unload(frame: FrameView): void {
    const instance = frame.view.getUint32(frame.start, true)
    this.#end(instance)
    this.#channel.send(textFrame(DONE, frame.sequence, '{"value":null}', doneHead(ANSWERED, 0, 0)))
  }

  call(frame: FrameView): void {
    const { bytes, view, start, length } = frame
    const instance = view.getUint32(start + 16, true)
    const nameBytes = view.getUint32(start + 20, true)
    const isolate = this.#isolates.get(instance)
    const entry = readText(bytes, start + CALL_HEAD_BYTES, nameBytes)
    const from = start + CALL_HEAD_BYTES + nameBytes
    const argument = readText(bytes, from, start + length - from)
    isolate?.shared.set(bytes.subarray(start, start + 16))
    this.#respond(frame.sequence, instance, isolate?.limits.callMs ?? 0, () => {
      if (isolate === undefined) throw new IsolateFailure('unknown', 'no such instance')
      return isolate.call(entry, argument)
    })
  }

  batch(frame: FrameView): void {
    // A question during the batch moves the reader on: the frame is not looked at after it.
    const { words, start, length, sequence } = frame
    const head = start >> 2
    const instance = words[head + 4]! >>> 0
    const outputBytes = words[head + 6]! * (words[head + 7]! >>> 16) * 4
    const isolate = this.#isolates.get(instance)
    const began = performance.now()
    let text: string | 0 = 0
    let status = ANSWERED
    if (isolate === undefined) {
      status = FAILED
      text = describe(new IsolateFailure('unknown', 'no such instance'))
    } else {
      copyWords(isolate.words, 0, words, head, length >> 2)
      clearWords(isolate.words, isolate.outputAt >> 2, outputBytes >> 2)
      this.#heartbeat.begin(isolate.limits.batchMs)
      try {
        text = isolate.batch()
      } catch (error) {
        status = FAILED
        text = describe(error)
        this.#end(instance)
      }
      this.#heartbeat.end()
    }
    const spentNs = (performance.now() - began) * 1e6
    this.#respondBatch(sequence, status, spentNs, isolate, outputBytes, text)
  }

  #respondBatch(
    sequence: number,
    status: number,
    spentNs: number,
    isolate: HardenedIsolate | undefined,
    outputBytes: number,
    text: string | 0,
  ): void {
    const given = status === ANSWERED ? outputBytes : 0
    const payloadBytes = BATCH_DONE_HEAD_BYTES + given + (text === 0 ? 0 : Buffer.byteLength(text))
    const total = frameBytes(payloadBytes)
    if (total > this.#answer.length) {
      this.#answer = new Uint8Array(total)
      this.#answerView = new DataView(this.#answer.buffer)
      this.#answerWords = new Int32Array(this.#answer.buffer)
    }
    const view = this.#answerView
    writeHeader(view, BATCH_DONE, sequence, payloadBytes)
    view.setUint32(HEADER_BYTES, status, true)
    view.setUint32(HEADER_BYTES + 4, given, true)
    view.setFloat64(HEADER_BYTES + 8, spentNs, true)
    const records = HEADER_BYTES + BATCH_DONE_HEAD_BYTES
    if (isolate !== undefined)
      copyWords(this.#answerWords, records >> 2, isolate.words, isolate.outputAt >> 2, given >> 2)
    if (text !== 0) Buffer.from(this.#answer.buffer).write(text, records + given)
    this.#channel.send(this.#answer, total)
  }

  /** Runs a request for an instance and sends its answer; a failure ends the instance. */
  #respond(sequence: number, instance: number, limitMs: number, run: () => string): void {
    const began = performance.now()
    let status = ANSWERED
    let text: string
    this.#heartbeat.begin(limitMs)
    try {
      text = run()
    } catch (error) {
      status = FAILED
      text = describe(error)
      this.#end(instance)
    }
    this.#heartbeat.end()
    const spentNs = (performance.now() - began) * 1e6
    const heapBytes = this.#isolates.get(instance)?.heapBytes() ?? 0
    this.#channel.send(textFrame(DONE, sequence, text, doneHead(status, spentNs, heapBytes)))
  }

  #end(instance: number): void {
    this.#isolates.get(instance)?.dispose()
    this.#isolates.delete(instance)
  }
}
