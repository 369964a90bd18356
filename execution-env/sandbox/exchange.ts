/**
 * The router's side of the conversation with one sandbox process. The one idea: every frame must be the expected
 * answer to the oldest request or a question that belongs to it; anything else is a broken process.
 */
import { type Answer, readAnswer, readFailure, readValue, ValueError } from './answer.ts'
import type { Channel } from './channel.ts'
import { ANSWER, ASK, BATCH_DONE, DONE, FrameError, LAST_WORDS, READY, readText, textFrame } from './frame.ts'
import { Line } from './line.ts'
import {
  ANSWERED,
  BATCH_DONE_HEAD_BYTES,
  callFrame,
  loadFrame,
  measure,
  readAsk,
  readDone,
  unloadFrame,
} from './messages.ts'
import {
  answered,
  type DecideRequest,
  decided,
  failed,
  NO_EFFECTS,
  type Outcome,
  type Request,
} from './requests.ts'
import { failure, type SandboxFailure } from './sandbox-error.ts'
import { copyWords } from './words.ts'

/** What `receive` found: the process is ready, a request has its outcome, nothing is there, the process is gone. */
export type Heard = 'ready' | Outcome | 'nothing' | 'closed'

/** A request other than a batch as a frame. */
function encode(request: Exclude<Request, DecideRequest>): Uint8Array {
  const { sequence } = request
  const instance = request.record!.number
  if (request.kind === 'unload') return unloadFrame(sequence, instance)
  if (request.kind === 'call')
    return callFrame(sequence, instance, request.entry, request.argument, request.at)
  const { source, file } = request.code
  const { runtime, seed } = request.options
  const { limits, suspect } = request.record!
  const spec = { source, file, runtime, seed, limits, timed: suspect, at: request.at }
  return loadFrame(sequence, { instance, spec })
}

export class Exchange {
  readonly channel: Channel
  /** Requests that were sent and are not answered, oldest first. */
  readonly sent = new Line<Request>()
  /** Why the process is about to die, as its watchdog or the router's guard says. */
  lastWords: 'timeout' | 'memory' | 'deadline' | undefined

  constructor(channel: Channel) {
    this.channel = channel
  }

  /** @returns false when the process is gone @throws FrameError */
  send(request: Request): boolean {
    const { channel } = this
    if (request.kind === 'decide') {
      const { batch, record, entry, at, sequence } = request
      if (!channel.send(batch.frame(sequence, record!.number, entry, at), batch.frameLength)) return false
    } else if (!channel.send(encode(request))) return false
    this.sent.push(request)
    return true
  }

  /** Takes the next thing that the process says. @throws FrameError, AnswerError when it says nonsense */
  receive(): Heard {
    const { channel } = this
    for (;;) {
      const received = channel.receive()
      if (received !== 'frame') return received
      switch (channel.frame.type) {
        case READY:
          return 'ready'
        case DONE:
          return this.#finish(this.#finishCall(this.#head()))
        case BATCH_DONE:
          return this.#finish(this.#finishBatch(this.#head()))
        case ASK:
          if (!this.#answer()) return 'closed'
          break
        case LAST_WORDS:
          this.lastWords = this.#words()
          break
        default:
          throw new FrameError(`a frame of type ${channel.frame.type}`)
      }
    }
  }

  /** The request that the current frame is about. It stays the one to blame until its answer is understood. */
  #head(): Request {
    const head = this.sent.first
    if (head === undefined || head.sequence !== this.channel.frame.sequence)
      throw new FrameError('an answer to nothing')
    return head
  }

  #finish(outcome: Outcome): Outcome {
    this.sent.take()
    return outcome
  }

  #words(): 'timeout' | 'memory' | undefined {
    const { bytes, start, length } = this.channel.frame
    const text = readText(bytes, start, Math.min(length, 20))
    return text === 'timeout' || text === 'memory' ? text : undefined
  }

  #finishCall(request: Request): Outcome {
    if (request.kind === 'decide') throw new FrameError('an answer of another kind')
    const message = readDone(this.channel.frame)
    const { spentNs, heapBytes, text } = message
    const { stats } = request.record!
    stats.spentNs += spentNs
    if (request.kind === 'call') stats.calls++
    if (message.failed) return failed(request, readFailure(text), { ...NO_EFFECTS, spentNs })
    const answer = readAcceptable(text)
    return 'code' in answer ? failed(request, answer) : answered(request, answer, spentNs, heapBytes)
  }

  #finishBatch(request: Request): Outcome {
    const { bytes, words, view, start, length } = this.channel.frame
    if (request.kind !== 'decide') throw new FrameError('an answer of another kind')
    if (length < BATCH_DONE_HEAD_BYTES) throw new FrameError('an answer without its head')
    const { batch } = request
    const isAnswered = view.getUint32(start, true) === ANSWERED
    const outputBytes = view.getUint32(start + 4, true)
    const spentNs = measure(view.getFloat64(start + 8, true))
    const textBytes = length - BATCH_DONE_HEAD_BYTES - outputBytes
    if (outputBytes !== (isAnswered ? batch.count * batch.shape.outputWords * 4 : 0) || textBytes < 0)
      throw new FrameError('decisions of another length')
    const { stats } = request.record!
    stats.batches++
    stats.spentNs += spentNs
    const from = start + BATCH_DONE_HEAD_BYTES
    const text = textBytes === 0 ? '' : readText(bytes, from + outputBytes, textBytes)
    if (!isAnswered) return failed(request, readFailure(text), { ...NO_EFFECTS, spentNs })
    const answer = text === '' ? undefined : readAcceptable(text)
    if (answer !== undefined && 'code' in answer) return failed(request, answer)
    copyWords(batch.output, 0, words, from >> 2, outputBytes >> 2)
    return decided(request, answer, spentNs)
  }

  /** Answers a question of the request under way. */
  #answer(): boolean {
    const { frame } = this.channel
    const { instance, name, argument } = readAsk(frame)
    const head = this.sent.first
    if (head?.record?.number !== instance || frame.sequence !== head.sequence)
      throw new FrameError('a question of nobody')
    return this.channel.send(
      textFrame(
        ANSWER,
        head.sequence,
        head.record.ask(name, () => readValue(argument)),
      ),
    )
  }
}

/** The kernel's answer, or the failure of a plugin whose values are not acceptable. @throws AnswerError */
function readAcceptable(text: string): Answer | SandboxFailure {
  try {
    return readAnswer(text)
  } catch (error) {
    if (error instanceof ValueError) return failure('invalid', error.message)
    throw error
  }
}
