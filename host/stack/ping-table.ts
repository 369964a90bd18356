/**
 * Echo requests of this host that wait for their reply. The one idea: a reply counts when it comes from the address
 * asked, to the address that asked, with its identifier and sequence; the table is bounded and every entry times out.
 */
import { StackError } from './errors.ts'
import { type Nanoseconds, SECOND, type StackClock } from './time.ts'
import { Timer, type TimerQueue } from './timers.ts'

const LIMIT = 65_536

export interface PingRequest {
  readonly to: number
  /** A local address; by default the one the route implies. */
  readonly from?: number
  /** 16 bits each; by default chosen by the stack. */
  readonly identifier?: number
  readonly sequence?: number
  /** Echoed bytes, 0..65507. Default 56 bytes. Given away. */
  readonly payload?: Uint8Array
  readonly timeoutNs?: Nanoseconds
  /** 1..255, default 64. */
  readonly ttl?: number
}

export type PingResult =
  | { readonly outcome: 'reply'; readonly roundTripNs: Nanoseconds; readonly payload: Uint8Array }
  | { readonly outcome: 'timeout' }
  | { readonly outcome: 'unreachable' }

/** An echo request about to be sent. */
export interface EchoRequest {
  readonly from: number
  readonly to: number
  readonly identifier: number
  readonly sequence: number
  readonly payload: Uint8Array
  readonly ttl: number
}

export interface PingContext {
  readonly clock: StackClock
  readonly timers: TimerQueue
  readonly random: () => number
  /** Sends the request; false when it cannot be sent. */
  send(request: EchoRequest): boolean
}

interface Waiting {
  readonly to: number
  readonly from: number
  readonly sentAt: Nanoseconds
  readonly timer: Timer
  readonly done: (result: PingResult) => void
}

const DEFAULT_PAYLOAD = Uint8Array.from({ length: 56 }, (_, i) => i)

export class PingTable {
  readonly #context: PingContext
  /** By identifier << 16 | sequence. */
  readonly #waiting = new Map<number, Waiting>()
  #identifier = -1
  #sequence = 0

  constructor(context: PingContext) {
    this.#context = context
  }

  get size(): number {
    return this.#waiting.size
  }

  /**
   * Sends an echo request; `done` is called exactly once, never before this returns.
   * @throws StackError `limit` with 65536 outstanding, `exists` when identifier and sequence are
   */
  ping(request: PingRequest, done: (result: PingResult) => void): void {
    const { clock, timers, random } = this.#context
    if (this.#identifier < 0) this.#identifier = random() & 0xffff
    const { identifier = this.#identifier, sequence = this.#nextSequence() } = request
    const { to, from = 0, payload = DEFAULT_PAYLOAD, timeoutNs = SECOND, ttl = 64 } = request
    const key = (identifier << 16) | sequence
    if (this.#waiting.has(key)) throw new StackError('exists', 'such an echo request is outstanding')
    if (this.#waiting.size >= LIMIT) throw new StackError('limit', 'too many echo requests outstanding')
    const sent = this.#context.send({ from, to, identifier, sequence, payload, ttl })
    const timer = new Timer(() => {
      this.#waiting.delete(key)
      done({ outcome: sent ? 'timeout' : 'unreachable' })
    })
    this.#waiting.set(key, { to, from, sentAt: clock.now, timer, done })
    timers.arm(timer, sent ? clock.now + timeoutNs : clock.now)
  }

  /** Takes a reply. False when nothing waits for it. Attacker-controlled. */
  reply(
    source: number,
    destination: number,
    identifier: number,
    sequence: number,
    payload: Uint8Array,
  ): boolean {
    const key = (identifier << 16) | sequence
    const waiting = this.#waiting.get(key)
    if (waiting === undefined || waiting.to !== source) return false
    if (waiting.from !== 0 && waiting.from !== destination) return false
    this.#waiting.delete(key)
    this.#context.timers.cancel(waiting.timer)
    waiting.done({ outcome: 'reply', roundTripNs: this.#context.clock.now - waiting.sentAt, payload })
    return true
  }

  /** A router or the host itself says that a request cannot be delivered. Attacker-controlled. */
  unreachable(destination: number, identifier: number, sequence: number): void {
    const key = (identifier << 16) | sequence
    const waiting = this.#waiting.get(key)
    if (waiting === undefined || waiting.to !== destination) return
    this.#waiting.delete(key)
    this.#context.timers.cancel(waiting.timer)
    waiting.done({ outcome: 'unreachable' })
  }

  #nextSequence(): number {
    this.#sequence = (this.#sequence + 1) & 0xffff
    return this.#sequence
  }
}
