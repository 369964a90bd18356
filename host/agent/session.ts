/**
 * A host's session with one router (R-SLR-17), the host's side. The one idea: a state machine without input and output
 * of its own: `now`, randomness and the way out are given, and the same calls give the same bytes.
 *
 * seeking: hello, until a challenge comes; introducing: who I am, until a welcome comes; open: reports at the router's
 * interval; leaving: bye, until it is heard; ended. What is not answered is repeated with back-off. A router that has
 * not acknowledged a report for SILENCE_INTERVALS, or says that it does not know the session, is greeted anew.
 *
 * What routers send is not signed: an answer counts only when it bears the nonce of the present attempt or the
 * session's id, which nobody knows but who can read the messages.
 */
import { type Message, NONCE_BYTES, parseMessage } from '../../engine/signaling/message.ts'
import { write32 } from '../../engine/wire/index.ts'
import { BackOff } from './back-off.ts'
import type { Voice } from './voice.ts'

export type SessionPhase = 'idle' | 'seeking' | 'introducing' | 'open' | 'leaving' | 'ended'

export interface SessionCounters {
  /** Reports sent, and those that the router heard. */
  reports: number
  acknowledged: number
  /** Messages that were none, or that answered nothing that was asked. */
  ignored: number
  /** How often the router was greeted anew after a session. */
  restarts: number
}

export interface SessionOptions {
  /** What is said; made once for a host and shared by its sessions. */
  readonly voice: Voice
  /** The router's address, unsigned. */
  readonly router: number
  /** Uniform unsigned 32-bit numbers; from a secure source wherever strangers are on the network. */
  readonly random: () => number
  readonly send: (bytes: Uint8Array) => void
  /** Hears of every change of phase; `reason` says why a router does not take this host in. */
  readonly onPhase?: (phase: SessionPhase, reason: string | undefined, now: number) => void
}

const MILLISECOND = 1e6
const NOTHING = new Uint8Array(0)
const NEVER = Number.POSITIVE_INFINITY
/** An introduction whose cookie is too old is never answered: then a hello is due. */
const INTRODUCTIONS = 3
const BYES = 3
const SILENCE_INTERVALS = 3.5
/** A router may ask for a new hello as often as this. */
const RESTART_PAUSE_NS = 1e9
const LEAST_INTERVAL_MS = 100
const MOST_INTERVAL_MS = 60_000

export class RouterSession {
  readonly counters: SessionCounters = { reports: 0, acknowledged: 0, ignored: 0, restarts: 0 }
  readonly #options: SessionOptions
  readonly #backOff: BackOff
  #phase: SessionPhase = 'idle'
  #nonce = new Uint8Array(NONCE_BYTES)
  #cookie: Uint8Array = NOTHING
  #session: Uint8Array = NOTHING
  #sequence = 0
  #intervalNs = 0
  #heardAt = 0
  #greetedAt = Number.NEGATIVE_INFINITY
  #attempts = 0
  #dueAt = NEVER
  #refusal: string | undefined

  constructor(options: SessionOptions) {
    this.#options = options
    this.#backOff = new BackOff(options.random)
  }

  get router(): number {
    return this.#options.router
  }

  get phase(): SessionPhase {
    return this.#phase
  }

  /** Why the router does not take this host in; undefined when it did not say so. */
  get refusal(): string | undefined {
    return this.#refusal
  }

  /** When `poll` is due. */
  get pollAt(): number {
    return this.#dueAt
  }

  /** Begins to look for the router. */
  start(now: number): void {
    if (this.#phase === 'idle' || this.#phase === 'ended') this.#seek(now)
  }

  /** Takes a datagram that the router's address sent; attacker-controlled. */
  receive(bytes: Uint8Array, now: number): void {
    const parsed = parseMessage(bytes)
    if (parsed === undefined || !this.#accept(parsed.message, now)) this.counters.ignored++
  }

  /** Does what is due. */
  poll(now: number): void {
    if (this.#dueAt > now) return
    if (this.#phase === 'open') this.#reportOrRestart(now)
    else if (this.#phase === 'introducing') this.#introduce(now)
    else if (this.#phase === 'leaving') this.#leave(now)
    else if (this.#phase === 'seeking') this.#seek(now)
    else this.#dueAt = NEVER
  }

  /** Tells the router at once that something has changed. */
  report(now: number): void {
    if (this.#phase === 'open') this.#report(now)
  }

  /** Says bye, a few times if need be, and ends. */
  stop(now: number): void {
    if (this.#phase === 'open') {
      this.#attempts = 0
      this.#backOff.reset()
      this.#enter('leaving', now)
      this.#leave(now)
    } else if (this.#phase !== 'leaving') this.#end(now)
  }

  /** Whether a message was one that is waited for. */
  #accept(message: Message, now: number): boolean {
    const { type } = message
    if (type === 'challenge' || type === 'welcome' || type === 'refused') {
      if (!equal(message.nonce, this.#nonce)) return false
      if (type === 'challenge') return this.#challenged(message.cookie, now)
      if (this.#phase !== 'introducing') return false
      if (type === 'welcome') this.#welcomed(message.session, message.intervalMs, now)
      else this.#refused(message.refusal, now)
      return true
    }
    if ((type !== 'ack' && type !== 'restart') || !equal(message.session, this.#session)) return false
    if (type === 'restart') return this.#restart(now)
    return this.#acknowledged(message.sequence, now)
  }

  /** Each attempt has a nonce of its own, and so a cookie that was never used. */
  #seek(now: number): void {
    this.#nonce = new Uint8Array(NONCE_BYTES)
    write32(this.#nonce, 0, this.#options.random())
    write32(this.#nonce, 4, this.#options.random())
    this.#session = NOTHING
    this.#greetedAt = now
    this.#dueAt = now + this.#backOff.next()
    this.#enter('seeking', now)
    this.#options.send(this.#options.voice.hello(this.#nonce))
  }

  #seekLater(at: number, now: number): void {
    this.#session = NOTHING
    this.#enter('seeking', now)
    this.#dueAt = at
  }

  #challenged(cookie: Uint8Array, now: number): boolean {
    if (this.#phase !== 'seeking') return false
    this.#cookie = cookie
    this.#attempts = 0
    this.#backOff.reset()
    this.#enter('introducing', now)
    this.#introduce(now)
    return true
  }

  #introduce(now: number): void {
    if (this.#attempts++ >= INTRODUCTIONS) return this.#seek(now)
    this.#dueAt = now + this.#backOff.next()
    const { voice, router, send } = this.#options
    send(voice.introduction(this.#nonce, this.#cookie, router))
  }

  #welcomed(session: Uint8Array, intervalMs: number, now: number): void {
    this.#session = session
    this.#sequence = 0
    this.#refusal = undefined
    this.#intervalNs = Math.min(Math.max(intervalMs, LEAST_INTERVAL_MS), MOST_INTERVAL_MS) * MILLISECOND
    this.#heardAt = now
    this.#backOff.reset()
    this.#enter('open', now)
    this.#report(now)
  }

  #refused(refusal: string, now: number): void {
    this.#refusal = refusal
    this.#seekLater(now + this.#backOff.longest(), now)
  }

  #acknowledged(sequence: number, now: number): boolean {
    if (sequence === 0 || sequence > this.#sequence) return false
    this.counters.acknowledged++
    this.#heardAt = now
    if (this.#phase === 'leaving' && sequence === this.#sequence) this.#end(now)
    return true
  }

  /** Begins anew, but not at once when it has just begun: whoever can forge this must not make a host rush. */
  #restart(now: number): boolean {
    if (this.#phase === 'leaving') this.#end(now)
    if (this.#phase !== 'open') return false
    this.counters.restarts++
    const pause = this.#greetedAt + RESTART_PAUSE_NS - now
    if (pause <= 0) this.#seek(now)
    else this.#seekLater(now + this.#backOff.spread(pause), now)
    return true
  }

  #reportOrRestart(now: number): void {
    if (now - this.#heardAt < SILENCE_INTERVALS * this.#intervalNs) return this.#report(now)
    this.counters.restarts++
    this.#seek(now)
  }

  #report(now: number): void {
    // Between three fifths and the whole of the interval: early rather than late, and not in step with other hosts.
    this.#dueAt = now + Math.round(this.#backOff.spread(this.#intervalNs) * 0.8)
    this.counters.reports++
    this.#options.send(this.#options.voice.report(this.#session, ++this.#sequence))
  }

  #leave(now: number): void {
    if (this.#attempts++ >= BYES) return this.#end(now)
    this.#dueAt = now + this.#backOff.next()
    this.#options.send(this.#options.voice.bye(this.#session, ++this.#sequence))
  }

  #end(now: number): void {
    this.#dueAt = NEVER
    this.#session = NOTHING
    this.#enter('ended', now)
  }

  #enter(phase: SessionPhase, now: number): void {
    if (phase === this.#phase) return
    this.#phase = phase
    this.#options.onPhase?.(phase, this.#refusal, now)
  }
}

function equal(one: Uint8Array, other: Uint8Array): boolean {
  return one.length > 0 && one.length === other.length && one.every((byte, i) => byte === other[i])
}
