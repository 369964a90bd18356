/**
 * The sessions of a router with its hosts. The one idea: soft state, found by an id that only the host knows and ended
 * by silence; one session to a host's name.
 */
import type { HostState, MessageOf, ServiceLoad } from '../../engine/signaling/message.ts'
import type { TrustStore } from '../../execution-env/certificates/index.ts'
import type { SignalingDatagram } from './datagram.ts'
import type { HostIdentity } from './host-identity.ts'
import type { Pace } from './pace.ts'

export interface HostSession {
  readonly identity: HostIdentity
  readonly id: Uint8Array
  /** The introduction that began it, to answer it again if the answer was lost. */
  readonly cookie: Uint8Array
  /** Where the host speaks from, and the router's address that it speaks to. */
  readonly address: number
  readonly port: number
  readonly router: number
  readonly intervalMs: number
  readonly pace: Pace
  paceFullAt: number
  /** Highest sequence number heard. */
  sequence: number
  heardAt: number
  expiresAt: number
  /** By which store and when its certificates were judged. */
  judgedBy: TrustStore
  judgedAt: number
  reports: number
  state: HostState | undefined
  services: readonly ServiceLoad[]
  connections: number
}

/** What begins a session. */
export interface SessionRequest {
  readonly identity: HostIdentity
  readonly id: Uint8Array
  readonly message: MessageOf<'introduction'>
  readonly datagram: SignalingDatagram
  readonly judgedBy: TrustStore
  readonly now: number
}

const SILENCE_INTERVALS = 3.5
const LEAST_INTERVAL_MS = 200
const MOST_INTERVAL_MS = 60_000
/** Reports of a session for each that is due. */
const REPORTS_PER_INTERVAL = 4
const MILLISECOND = 1e6
const NEVER = Number.POSITIVE_INFINITY

/** A session in which nothing was reported yet. */
export function openSession({ identity, id, message, datagram, judgedBy, now }: SessionRequest): HostSession {
  const intervalMs = Math.min(Math.max(message.intervalMs, LEAST_INTERVAL_MS), MOST_INTERVAL_MS)
  return {
    identity,
    id,
    cookie: message.cookie,
    address: datagram.from,
    port: datagram.fromPort,
    router: datagram.to,
    intervalMs,
    pace: { periodNs: (intervalMs * MILLISECOND) / REPORTS_PER_INTERVAL, burst: REPORTS_PER_INTERVAL },
    paceFullAt: 0,
    sequence: 0,
    heardAt: now,
    expiresAt: expiryOf(intervalMs, now),
    judgedBy,
    judgedAt: now,
    reports: 0,
    state: undefined,
    services: [],
    connections: 0,
  }
}

export class SessionTable {
  readonly #byId = new Map<string, HostSession>()
  readonly #byHost = new Map<string, HostSession>()
  #lookAt = NEVER

  get size(): number {
    return this.#byId.size
  }

  /** When `expired` may find something: not too late, but perhaps too early. */
  get pollAt(): number {
    return this.#lookAt
  }

  values(): Iterable<HostSession> {
    return this.#byHost.values()
  }

  find(id: Uint8Array): HostSession | undefined {
    return this.#byId.get(nameOf(id))
  }

  ofHost(host: string): HostSession | undefined {
    return this.#byHost.get(host)
  }

  /** Adds a session; there is no other one of its host. */
  add(session: HostSession): void {
    this.#byId.set(nameOf(session.id), session)
    this.#byHost.set(session.identity.host, session)
    this.#lookAt = Math.min(this.#lookAt, session.expiresAt)
  }

  remove(session: HostSession): void {
    this.#byId.delete(nameOf(session.id))
    this.#byHost.delete(session.identity.host)
  }

  /** Sessions that have been silent too long, in the order in which they began; they are still in the table. */
  expired(now: number): HostSession[] {
    if (now < this.#lookAt) return []
    let next = NEVER
    const silent: HostSession[] = []
    for (const session of this.#byHost.values())
      if (session.expiresAt <= now) silent.push(session)
      else next = Math.min(next, session.expiresAt)
    this.#lookAt = next
    return silent
  }
}

/** When a session ends that is not heard again. */
export function expiryOf(intervalMs: number, now: number): number {
  return now + Math.round(intervalMs * SILENCE_INTERVALS * MILLISECOND)
}

const nameOf = (id: Uint8Array): string => Buffer.from(id).toString('hex')
