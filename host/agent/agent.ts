/**
 * The agent of a host: sessions with all of its routers (R-SLR-17). The one idea: it speaks through what it is given
 * (`send`, `receive`, `poll`), so that the same agent runs in a simulated host and in a process of a real one.
 */
import type { HostState } from '../../engine/signaling/message.ts'
import type { Credential } from '../../execution-env/certificates/index.ts'
import type { LoadSource } from './load.ts'
import { RouterSession, type SessionCounters, type SessionPhase } from './session.ts'
import { Voice } from './voice.ts'

export interface HostAgentOptions {
  /** Certificate of type host with the authorities above it, and its Ed25519 key. */
  readonly credential: Credential
  /** The host's own address, unsigned: tunnels lead to it, and messages must leave from it. */
  readonly address: number
  /** Addresses of the routers, unsigned; at most MAX_ROUTERS. */
  readonly routers: readonly number[]
  /** Prefixes of virtual hosts, as text; at most 64, within the certificate's grant. */
  readonly virtualHosts: readonly string[]
  /** How often the host would like to report, in ms; the router decides. */
  readonly intervalMs: number
  readonly load: LoadSource
  /** Uniform unsigned 32-bit numbers; from a secure source wherever strangers are on the network. */
  readonly random: () => number
  /** Sends a UDP payload from `address` to the signaling port of a router. */
  readonly send: (router: number, payload: Uint8Array) => void
  /** Hears of every change of a session; `reason` says why a router does not take this host in. */
  readonly onPhase?: (router: number, phase: SessionPhase, reason: string | undefined, now: number) => void
}

/** A session as it is shown. */
export interface SessionView {
  readonly router: number
  readonly phase: SessionPhase
  readonly refusal: string | undefined
  readonly counters: Readonly<SessionCounters>
}

export const MAX_ROUTERS = 16

export class HostAgent {
  readonly #voice: Voice
  readonly #sessions: ReadonlyMap<number, RouterSession>

  /** @throws RangeError when there are too many routers, a prefix is none, or the introduction is too long */
  constructor(options: HostAgentOptions) {
    const { routers, random, send, onPhase } = options
    if (routers.length > MAX_ROUTERS) throw new RangeError(`more than ${MAX_ROUTERS} routers`)
    const voice = new Voice(options)
    this.#voice = voice
    const sessionWith = (router: number): RouterSession =>
      new RouterSession({
        voice,
        router,
        random,
        send: (bytes) => send(router, bytes),
        onPhase: (phase, reason, now) => onPhase?.(router, phase, reason, now),
      })
    this.#sessions = new Map(routers.map((router) => [router, sessionWith(router)]))
  }

  /** What the host says of itself. */
  get state(): HostState {
    return this.#voice.state
  }

  get sessions(): readonly SessionView[] {
    return [...this.#sessions.values()]
  }

  /** Whether every session has ended. */
  get isEnded(): boolean {
    return this.sessions.every(({ phase }) => phase === 'ended')
  }

  /** When `poll` is due; infinity while only datagrams can cause work. */
  get pollAt(): number {
    let at = Number.POSITIVE_INFINITY
    for (const session of this.#sessions.values()) at = Math.min(at, session.pollAt)
    return at
  }

  start(now: number): void {
    for (const session of this.#sessions.values()) session.start(now)
  }

  /** Takes the payload of a datagram from the signaling port of `from`; attacker-controlled. */
  receive(from: number, payload: Uint8Array, now: number): void {
    this.#sessions.get(from)?.receive(payload, now)
  }

  poll(now: number): void {
    for (const session of this.#sessions.values()) session.poll(now)
  }

  /** Changes what the host says of itself, and says it at once. */
  setState(state: HostState, now: number): void {
    if (state === this.#voice.state) return
    this.#voice.state = state
    this.report(now)
  }

  /** Reports at once: something has changed. */
  report(now: number): void {
    for (const session of this.#sessions.values()) session.report(now)
  }

  /** Says bye to every router. Go on polling until `isEnded`. */
  stop(now: number): void {
    for (const session of this.#sessions.values()) session.stop(now)
  }
}
