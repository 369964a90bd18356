/**
 * What a sandbox process does all day: reads a request, runs it in the isolate that it is for, answers. The one idea:
 * one at a time, so that whatever happens happens to the request under way.
 */
import { Channel } from './channel.ts'
import type { FifoEnds } from './descriptor.ts'
import {
  ANSWER,
  ASK,
  BATCH,
  CALL,
  copyFrame,
  type FrameView,
  LOAD,
  READY,
  readText,
  textFrame,
  UNLOAD,
} from './frame.ts'
import type { Heartbeat } from './heartbeat.ts'
import { type Ask, Instances } from './instances.ts'
import { FRAME_BYTES_MAX } from './limits.ts'
import { Line } from './line.ts'
import { askHead } from './messages.ts'

/** The end, without the exit handlers that crash where an isolate is busy. */
function end(): never {
  for (;;) process.kill(process.pid, 'SIGKILL')
}

export class RequestLoop {
  readonly #channel: Channel
  readonly #heartbeat: Heartbeat
  readonly #instances: Instances
  /** Requests that came while a question was open. */
  readonly #waiting = new Line<FrameView>()
  #sequence = 0

  constructor(ends: FifoEnds, heartbeat: Heartbeat) {
    this.#channel = new Channel(ends, FRAME_BYTES_MAX)
    this.#heartbeat = heartbeat
    this.#instances = new Instances(this.#channel, heartbeat, this.#ask)
  }

  async run(): Promise<never> {
    this.#channel.send(textFrame(READY, 0, process.version))
    for (;;) {
      const type = this.#serve()
      // What isolated-vm puts off to the event loop happens between loads, never between decisions.
      if (type === LOAD || type === UNLOAD) await new Promise(setImmediate)
    }
  }

  /** One request, from its reading to its answer. @returns its type */
  #serve(): number {
    const frame = this.#waiting.take() ?? this.#receive()
    const { type } = frame
    this.#sequence = frame.sequence
    this.#carryOut(frame)
    return type
  }

  #carryOut(frame: FrameView): void {
    switch (frame.type) {
      case BATCH:
        return this.#instances.batch(frame)
      case CALL:
        return this.#instances.call(frame)
      case LOAD:
        return this.#instances.load(frame)
      case UNLOAD:
        return this.#instances.unload(frame)
      default:
        throw new Error(`a frame of type ${frame.type}`)
    }
  }

  #receive(): FrameView {
    if (this.#channel.receive() !== 'frame') end()
    return this.#channel.frame
  }

  /** The time that the router takes to answer is not the plugin's. */
  readonly #ask: Ask = (instance, name, argument) => {
    this.#heartbeat.end()
    this.#channel.send(textFrame(ASK, this.#sequence, argument, askHead(instance, name)))
    for (;;) {
      const frame = this.#receive()
      if (frame.type === ANSWER) {
        this.#heartbeat.resume()
        return readText(frame.bytes, frame.start, frame.length)
      }
      this.#waiting.push(copyFrame(frame))
    }
  }
}
