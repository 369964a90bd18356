/**
 * What all clients have in common: attempts at a rate or one after the other, and the books of how they ended. The
 * one idea: an attempt ends exactly once, by success, failure or its timeout; the numbers always add up to
 * attempted = completed + failed + running.
 */
import { StackError } from '../errors.ts'
import type { StackTimer } from '../host-stack.ts'
import { type Nanoseconds, SECOND } from '../time.ts'
import type { Sockets } from './sockets.ts'

/** Latencies kept; of more, a uniform sample. */
const LATENCY_LIMIT = 65_536
const SERVER_LIMIT = 1024
const DEFAULT_CONCURRENCY = 1024

/** What came of a client's attempts so far. */
export interface ClientReport {
  readonly attempted: number
  readonly completed: number
  readonly failed: number
  /** Attempts (failed ones) in which bytes were not what they should be. */
  readonly corrupted: number
  /** Application bytes received and sent. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** From start to last byte of completed attempts, in ns; a uniform sample of 65536 when there are more. */
  readonly latencies: readonly Nanoseconds[]
  /** Completed attempts by the name the server gave. */
  readonly servers: Readonly<Record<string, number>>
  /** Failed attempts by reason. */
  readonly failures: Readonly<Record<string, number>>
}

export interface CampaignOptions {
  /** Attempts in all, 1..2^31. */
  readonly count: number
  /** Time from one attempt's start to the next one's; 0 (the default) starts one when another ends. */
  readonly intervalNs?: Nanoseconds
  /** Attempts at once: with an interval, more than that fail with `overload`. Default 1024, without interval 1. */
  readonly concurrency?: number
  /** How long one attempt may take. Default 30 s. */
  readonly timeoutNs?: Nanoseconds
  /** Called when the last attempt has ended. */
  readonly onDone?: () => void
}

/** One attempt. After its end nothing it is told counts. */
export class Attempt {
  readonly index: number
  readonly startedAt: Nanoseconds
  over = false
  /** What it took, where the application knows better than from the time of its end. */
  latencyNs: Nanoseconds | undefined = undefined
  /** Gives up what the attempt holds; called at its end when it failed. */
  abandon: () => void = () => {}
  readonly #end: (attempt: Attempt, server: string | null, failure: string, corrupted: boolean) => void

  constructor(
    index: number,
    startedAt: Nanoseconds,
    end: (attempt: Attempt, server: string | null, failure: string, corrupted: boolean) => void,
  ) {
    this.index = index
    this.startedAt = startedAt
    this.#end = end
  }

  /** It worked, and `server` is the name of who answered, empty when nobody said. */
  succeed(server: string): void {
    this.#end(this, server, '', false)
  }

  /** It did not. */
  fail(reason: string): void {
    this.#end(this, null, reason, false)
  }

  /** It brought bytes that should not be. */
  corrupt(): void {
    this.#end(this, null, 'corrupted', true)
  }
}

export class Campaign {
  readonly #stack: Sockets
  readonly #options: Required<CampaignOptions>
  readonly #start: (attempt: Attempt) => void
  readonly #timeouts = new Map<Attempt, StackTimer>()
  readonly #latencies: number[] = []
  readonly #servers = new Map<string, number>()
  readonly #failures = new Map<string, number>()
  #next: StackTimer | null = null
  #startedAt: Nanoseconds = 0
  #attempted = 0
  #completed = 0
  #corrupted = 0
  bytesIn = 0
  bytesOut = 0
  #stopped = false

  /** @throws StackError `invalid` for numbers out of bounds */
  constructor(stack: Sockets, options: CampaignOptions, start: (attempt: Attempt) => void) {
    const { count, intervalNs = 0, timeoutNs = 30 * SECOND, onDone = () => {} } = options
    const concurrency = options.concurrency ?? (intervalNs > 0 ? DEFAULT_CONCURRENCY : 1)
    if (!(count >= 1 && count <= 2 ** 31 && intervalNs >= 0 && timeoutNs > 0 && concurrency >= 1))
      throw new StackError('invalid', 'count, interval, timeout or concurrency is out of bounds')
    this.#stack = stack
    this.#options = { count, intervalNs, timeoutNs, concurrency, onDone }
    this.#start = start
  }

  /** Starts the first attempts, from within the next poll. */
  begin(): void {
    this.#startedAt = this.#stack.clock.now
    this.#next = this.#stack.after(0, () => this.#tick())
  }

  /** Starts no more attempts; those running go on. */
  stop(): void {
    this.#stopped = true
    this.#next?.cancel()
  }

  get done(): boolean {
    return (this.#stopped || this.#attempted >= this.#options.count) && this.#timeouts.size === 0
  }

  get report(): ClientReport {
    const failures = Object.fromEntries(this.#failures)
    const failed = [...this.#failures.values()].reduce((sum, each) => sum + each, 0)
    return {
      attempted: this.#attempted,
      completed: this.#completed,
      failed,
      corrupted: this.#corrupted,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      latencies: this.#latencies,
      servers: Object.fromEntries(this.#servers),
      failures,
    }
  }

  #tick(): void {
    const { count, intervalNs, concurrency } = this.#options
    if (intervalNs > 0) {
      this.#launch()
      if (this.#attempted >= count || this.#stopped) return
      // Counted from the beginning, so that a late poll does not lower the rate.
      const due = this.#startedAt + this.#attempted * intervalNs
      this.#next = this.#stack.after(due - this.#stack.clock.now, () => this.#tick())
      return
    }
    while (!this.#stopped && this.#attempted < count && this.#timeouts.size < concurrency) this.#launch()
  }

  #launch(): void {
    const attempt = new Attempt(this.#attempted++, this.#stack.clock.now, (...end) => this.#end(...end))
    if (this.#timeouts.size >= this.#options.concurrency) {
      attempt.fail('overload')
      return
    }
    this.#timeouts.set(
      attempt,
      this.#stack.after(this.#options.timeoutNs, () => attempt.fail('timeout')),
    )
    try {
      this.#start(attempt)
    } catch (error) {
      if (!(error instanceof StackError)) throw error
      attempt.fail(error.code)
    }
  }

  #end(attempt: Attempt, server: string | null, failure: string, corrupted: boolean): void {
    if (attempt.over) return
    attempt.over = true
    this.#timeouts.get(attempt)?.cancel()
    this.#timeouts.delete(attempt)
    if (server !== null) this.#complete(attempt, server)
    else {
      this.#failures.set(failure, (this.#failures.get(failure) ?? 0) + 1)
      if (corrupted) this.#corrupted++
      attempt.abandon()
    }
    if (this.done) this.#options.onDone()
    else if (this.#options.intervalNs === 0 && !this.#stopped) {
      this.#next?.cancel()
      this.#next = this.#stack.after(0, () => this.#tick())
    }
  }

  #complete(attempt: Attempt, server: string): void {
    this.#completed++
    if (server !== '' && (this.#servers.size < SERVER_LIMIT || this.#servers.has(server)))
      this.#servers.set(server, (this.#servers.get(server) ?? 0) + 1)
    const latency = attempt.latencyNs ?? this.#stack.clock.now - attempt.startedAt
    if (this.#latencies.length < LATENCY_LIMIT) this.#latencies.push(latency)
    else {
      const slot = this.#stack.random() % this.#completed
      if (slot < LATENCY_LIMIT) this.#latencies[slot] = latency
    }
  }
}
