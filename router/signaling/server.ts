/**
 * The router's side of signaling with hosts (R-SLR-17). The one idea: cheap questions first. A stranger costs one keyed
 * hash and no memory until it has shown that it hears us; signatures are verified at a bounded rate; what a session
 * says is looked at by id, address and sequence number before its signature is.
 *
 * Datagrams come by `receive` and go by `send`; time, randomness, trust and calendar are given: it runs beside the
 * engine in virtual time as well as in another thread than the engine. It never throws on what it receives.
 */

import type { SignalingView } from '../../engine/index.ts'
import {
  emitMessage,
  type MessageOf,
  type ParsedMessage,
  type PlainMessage,
  parseMessage,
  type Refusal,
  SESSION_BYTES,
  SIGNALING_PROTOCOL,
} from '../../engine/signaling/message.ts'
import { formatIpv4Address } from '../../engine/wire/index.ts'
import { type Certificate, type TrustStore, verifyMessage } from '../../execution-env/certificates/index.ts'
import { Admission } from './admission.ts'
import { createCounters, type Ignored, type SignalingCounters } from './counters.ts'
import type { SignalingDatagram } from './datagram.ts'
import { type HostIdentity, isStillBelieved } from './host-identity.ts'
import { takeFrom } from './pace.ts'
import { counterRows, hostRows } from './rows.ts'
import { expiryOf, type HostSession, openSession, SessionTable } from './session-table.ts'
import { type GoneReason, goneOf, helloOf, stateOf, type Tidings } from './tidings.ts'

/** What becomes of a host, for a log. */
export interface HostNotice {
  readonly level: 'info' | 'warn'
  readonly text: string
}

export interface SignalingOptions {
  /** Whom to believe at this moment. */
  readonly trust: () => TrustStore
  /** Calendar milliseconds since 1970 at a monotonic time. */
  readonly calendarMs: (now: number) => number
  /** From a secure source, but in a simulation. */
  readonly randomBytes: (count: number) => Uint8Array
  /** Sends a datagram from an address of the router. */
  readonly send: (datagram: SignalingDatagram, now: number) => void
  /** Hears what plugins are to hear. */
  readonly deliver: (tidings: Tidings, now: number) => void
  readonly notice?: (notice: HostNotice, now: number) => void
  /** Most sessions at a time. Default 1024. */
  readonly sessions?: number
}

const DEFAULT_SESSIONS = 1_024
/** How long a judgement of certificates holds for what a session says. */
const BELIEF_NS = 60e9
/** Longest reason in a notice. */
const NOTICE_TEXT = 200

export class SignalingServer {
  readonly counters: SignalingCounters = createCounters()
  readonly #options: SignalingOptions
  readonly #admission: Admission
  readonly #sessions = new SessionTable()

  constructor(options: SignalingOptions) {
    this.#options = options
    this.#admission = new Admission(options.randomBytes)
  }

  /** What it shows of itself: to be given to the engine's queries. */
  get view(): SignalingView {
    return { hosts: () => hostRows(this.#sessions.values()), counters: () => counterRows(this.counters) }
  }

  /** What a host with a session has shown, its own certificate first. */
  certificatesOf(host: string): readonly Certificate[] | undefined {
    return this.#sessions.ofHost(host)?.identity.certificates
  }

  /** When `poll` is due, perhaps too early; infinity while there are no sessions. */
  get pollAt(): number {
    return this.#sessions.pollAt
  }

  /** Ends the sessions that have been silent. */
  poll(now: number): void {
    for (const session of this.#sessions.expired(now)) {
      this.counters.expired++
      this.#end(session, 'silent', now)
    }
  }

  /** Takes a datagram for the signaling port; attacker-controlled. */
  receive(datagram: SignalingDatagram, now: number): void {
    this.poll(now)
    this.counters.received++
    const parsed = parseMessage(datagram.payload)
    const ignored = parsed === undefined ? 'malformed' : this.#take(parsed, datagram, now)
    if (ignored !== undefined) this.counters.ignored[ignored]++
  }

  #take(parsed: ParsedMessage, datagram: SignalingDatagram, now: number): Ignored | undefined {
    const { message } = parsed
    switch (message.type) {
      case 'hello':
        return this.#challenge(message, datagram, now)
      case 'introduction':
        return this.#introduce(parsed, message, datagram, now)
      case 'state':
      case 'bye':
        return this.#hear(parsed, message, datagram, now)
      default:
        return 'unexpected'
    }
  }

  #challenge({ nonce }: MessageOf<'hello'>, datagram: SignalingDatagram, now: number): Ignored | undefined {
    if (!this.#admission.mayAsk(datagram.from, now)) return 'rate'
    this.counters.challenges++
    const cookie = this.#admission.cookie(nonce, datagram, now)
    this.#answer(datagram, { type: 'challenge', nonce, cookie }, now)
    return undefined
  }

  #introduce(
    parsed: ParsedMessage,
    message: MessageOf<'introduction'>,
    datagram: SignalingDatagram,
    now: number,
  ): Ignored | undefined {
    const { trust, calendarMs } = this.#options
    const store = trust()
    const examination = this.#admission.examine(parsed, message, datagram, store, calendarMs(now), now)
    switch (examination.is) {
      case 'ignored':
        return examination.ignored
      case 'repeated':
        return this.#welcomeAgain(message, datagram, now)
      case 'refused':
        return this.#refuse(message, examination.refusal, examination.reason, datagram, now)
      case 'admitted':
        return this.#admit(examination.identity, message, datagram, store, now)
    }
  }

  #admit(
    identity: HostIdentity,
    message: MessageOf<'introduction'>,
    datagram: SignalingDatagram,
    judgedBy: TrustStore,
    now: number,
  ): undefined {
    const { nonce, cookie } = message
    const before = this.#sessions.ofHost(identity.host)
    const isFull = this.#sessions.size >= (this.#options.sessions ?? DEFAULT_SESSIONS)
    if ((before === undefined && isFull) || !this.#admission.spend(cookie, now))
      return this.#refuse(message, 'busy', 'too many hosts', datagram, now)
    if (before !== undefined) this.#end(before, 'replaced', now)
    const id = this.#options.randomBytes(SESSION_BYTES)
    const session = openSession({ identity, id, message, datagram, judgedBy, now })
    const { intervalMs } = session
    this.#sessions.add(session)
    this.counters.welcomes++
    this.#tell('info', `${identity.host} at ${formatIpv4Address(datagram.from)} is here`, now)
    this.#options.deliver(helloOf(session), now)
    // The answer last, here and below: it may bring the next message before it returns.
    this.#answer(datagram, { type: 'welcome', nonce, session: id, intervalMs }, now)
  }

  /** The answer may have been lost: whoever repeats the introduction of a session hears it again, and nothing else. */
  #welcomeAgain(
    { cookie, nonce }: MessageOf<'introduction'>,
    datagram: SignalingDatagram,
    now: number,
  ): Ignored | undefined {
    for (const session of this.#sessions.values())
      if (Buffer.compare(session.cookie, cookie) === 0) {
        const { id, intervalMs } = session
        this.#answer(datagram, { type: 'welcome', nonce, session: id, intervalMs }, now)
        return undefined
      }
    return 'replay'
  }

  #refuse(
    { nonce }: MessageOf<'introduction'>,
    refusal: Refusal,
    reason: string,
    datagram: SignalingDatagram,
    now: number,
  ): undefined {
    this.counters.refused[refusal]!++
    // The reason may quote a certificate that nobody vouches for.
    const why = reason.replace(/[^\x20-\x7e]/g, '?').slice(0, NOTICE_TEXT)
    this.#tell('warn', `a host at ${formatIpv4Address(datagram.from)} was refused: ${why}`, now)
    this.#answer(datagram, { type: 'refused', nonce, refusal }, now)
  }

  /** A report or a bye. */
  #hear(
    parsed: ParsedMessage,
    message: MessageOf<'state'> | MessageOf<'bye'>,
    datagram: SignalingDatagram,
    now: number,
  ): Ignored | undefined {
    const session = this.#sessions.find(message.session)
    if (session === undefined) return this.#restart(message.session, datagram, now)
    const { address, port, router, identity } = session
    const { from, fromPort, to } = datagram
    if (from !== address || fromPort !== port || to !== router) return 'foreign-address'
    if (message.sequence <= session.sequence) return 'replay'
    const fullAt = takeFrom(session.pace, session.paceFullAt, now)
    if (fullAt < 0) return 'rate'
    session.paceFullAt = fullAt
    if (!this.#isBelieved(session, now)) {
      this.#end(session, 'silent', now)
      this.#answer(datagram, { type: 'restart', session: session.id }, now)
      return 'not-believed'
    }
    const [certificate] = identity.certificates
    if (!verifyMessage(certificate!, SIGNALING_PROTOCOL, parsed.signed, parsed.signature)) return 'signature'
    session.sequence = message.sequence
    if (message.type === 'bye') this.counters.byes++
    else if (message.services.some(({ prefix }) => !identity.served.covers(prefix))) return 'beyond-grant'
    if (message.type === 'bye') this.#end(session, 'bye', now)
    else this.#report(session, message, now)
    this.#answer(datagram, { type: 'ack', session: session.id, sequence: message.sequence }, now)
    return undefined
  }

  #report(session: HostSession, { state, services, connections }: MessageOf<'state'>, now: number): void {
    session.heardAt = now
    session.expiresAt = expiryOf(session.intervalMs, now)
    session.reports++
    session.state = state
    session.services = services
    session.connections = connections
    this.counters.reports++
    this.#options.deliver(stateOf(session), now)
  }

  /** Certificates expire and are revoked while sessions last. */
  #isBelieved(session: HostSession, now: number): boolean {
    const { trust, calendarMs } = this.#options
    const store = trust()
    if (session.judgedBy === store && now - session.judgedAt < BELIEF_NS) return true
    if (!isStillBelieved(session.identity, store, calendarMs(now))) return false
    session.judgedBy = store
    session.judgedAt = now
    return true
  }

  #restart(session: Uint8Array, datagram: SignalingDatagram, now: number): Ignored {
    if (!this.#admission.mayAsk(datagram.from, now)) return 'rate'
    this.counters.restarts++
    this.#answer(datagram, { type: 'restart', session }, now)
    return 'unknown-session'
  }

  #end(session: HostSession, reason: GoneReason, now: number): void {
    this.#sessions.remove(session)
    this.#tell(reason === 'silent' ? 'warn' : 'info', `${session.identity.host} is gone: ${reason}`, now)
    this.#options.deliver(goneOf(session, reason), now)
  }

  #answer({ from, fromPort, to, toPort }: SignalingDatagram, message: PlainMessage, now: number): void {
    this.counters.sent++
    const payload = emitMessage(message)
    this.#options.send({ from: to, fromPort: toPort, to: from, toPort: fromPort, payload }, now)
  }

  #tell(level: HostNotice['level'], text: string, now: number): void {
    this.#options.notice?.({ level, text }, now)
  }
}
