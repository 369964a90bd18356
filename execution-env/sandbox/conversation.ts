/**
 * The requests of a sandbox on their way: which wait, which are under way, and how long the oldest has been. The one
 * idea: one step at a time (send, receive, look at the deadline), so that whoever drives it decides what follows.
 */
import { AnswerError } from './answer.ts'
import { DeadlineGuard } from './deadline-guard.ts'
import { Exchange, type Heard } from './exchange.ts'
import { FrameError } from './frame.ts'
import type { Launched } from './launch.ts'
import type { ProcessLimits } from './limits.ts'
import { Line } from './line.ts'
import { limitMs, type Outcome, type Request } from './requests.ts'
import type { SandboxState } from './sandbox.ts'
import type { CrashReason } from './sandbox-event.ts'

/** What a step came to: an outcome, a start, a death and its reason, another step at once, or nothing to do. */
export type Step = Outcome | 'ready' | 'again' | 'nothing' | CrashReason

/** Requests that may be in the pipe of a polled sandbox. */
const WINDOW = 16

export class Conversation {
  readonly #blocking: boolean
  readonly #limits: ProcessLimits
  #queue = new Line<Request>()
  #exchange: Exchange | undefined
  #headSince = 0

  constructor(blocking: boolean, limits: ProcessLimits) {
    this.#blocking = blocking
    this.#limits = limits
  }

  /** Requests that are not answered yet. */
  get outstanding(): number {
    return this.#queue.length + (this.#exchange?.sent.length ?? 0)
  }

  /** The request under way. */
  get head(): Request | undefined {
    return this.#exchange?.sent.first
  }

  post(request: Request): void {
    this.#queue.push(request)
  }

  /** Ends the conversation with a process. @returns all requests that are not answered, oldest first */
  end(): Request[] {
    const all = [...(this.#exchange?.sent.list() ?? []), ...this.#queue.list()]
    this.#queue = new Line()
    this.#exchange = undefined
    return all
  }

  /** One step with a process that is starting or serving. */
  advance(process: Launched, state: SandboxState, now: number): Step {
    this.#exchange ??= new Exchange(process.channel)
    const exchange = this.#exchange
    if (state === 'serving' && this.outstanding === 0) return process.exited ? 'died' : 'nothing'
    const heard = this.#blocking
      ? this.#guarded(exchange, process, state, now)
      : this.#exchangeOnce(exchange, state, now)
    if (heard === 'closed') return exchange.lastWords ?? 'died'
    if (typeof heard === 'object') this.#headSince = now
    if (heard !== 'nothing') return heard
    if (this.#blocking) return 'again'
    return state === 'serving' && now - this.#headSince > this.#deadlineMs() * 1e6 ? 'deadline' : 'nothing'
  }

  /** Sends what waits and takes what has come; in the blocking mode, either may take its time. */
  #exchangeOnce(exchange: Exchange, state: SandboxState, now: number): Heard | 'protocol' {
    try {
      if (state === 'serving' && !this.#sendWaiting(exchange, now)) return 'closed'
      return exchange.receive()
    } catch (error) {
      if (error instanceof FrameError || error instanceof AnswerError) return 'protocol'
      throw error
    }
  }

  /** The same under the eyes of the guard. */
  #guarded(exchange: Exchange, process: Launched, state: SandboxState, now: number): Heard | 'protocol' {
    const guard = DeadlineGuard.ofThread()
    guard.begin(this.#deadlineMs(), process.pid ?? 0)
    try {
      return this.#exchangeOnce(exchange, state, now)
    } finally {
      if (guard.end()) exchange.lastWords = 'deadline'
    }
  }

  /** Sends what may be under way. @returns false when the process is gone */
  #sendWaiting(exchange: Exchange, now: number): boolean {
    const window = this.#blocking ? 1 : WINDOW
    while (this.#queue.length > 0 && exchange.sent.length < window) {
      if (exchange.sent.length === 0) this.#headSince = now
      if (!exchange.send(this.#queue.first!)) return false
      this.#queue.take()
    }
    return exchange.channel.flush()
  }

  /** Time after which the router itself gives up: for the request under way, or for the start. */
  #deadlineMs(): number {
    const { graceMs, deadlineMs, bootMs } = this.#limits
    const head = this.head ?? this.#queue.first
    return head === undefined ? bootMs : limitMs(head) + graceMs + deadlineMs
  }
}
