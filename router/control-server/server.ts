/**
 * The control server: everyone who may speak to a router, and nobody else. The one idea: one house of sessions with
 * several doors (a Unix socket for each role, TLS where the configuration says so); what happens inside a session is
 * the same whichever door it came by.
 */
import { join } from 'node:path'
import type { LocalControl, RemoteControl } from '../config/index.ts'
import { controlErrorOf } from '../control/errors.ts'
import type { Router } from '../router.ts'
import { AuditGate } from './audit-gate.ts'
import { createCounters, type ServerCounters } from './counters.ts'
import { LocalListener } from './local-listener.ts'
import type { Peer } from './peer.ts'
import { RemoteListener } from './remote-listener.ts'
import type { Session, SessionHouse } from './session.ts'
import { SERVER_TIMING, type ServerTiming } from './timing.ts'
import type { Gate } from './upgrade.ts'
import { UploadSpace } from './uploads.ts'

export interface ControlServerOptions {
  readonly router: Router
  /** Folder of the sockets; see `makeRouterFolder`. */
  readonly folder: string
  readonly local?: LocalControl
  readonly remote?: RemoteControl | undefined
  /** Folder for uploads under way; private. */
  readonly uploads?: string
  readonly timing?: Partial<ServerTiming>
  /** Monotonic milliseconds. Default: the machine's. */
  readonly clock?: () => number
  /** Calendar milliseconds. Default: the machine's. */
  readonly calendar?: () => number
}

export class ControlServer {
  readonly counters: ServerCounters = createCounters()
  readonly #sessions = new Set<Session>()
  readonly #timing: ServerTiming
  readonly #house: SessionHouse
  readonly #options: ControlServerOptions
  #local: LocalListener | undefined
  #remote: RemoteListener | undefined
  #heartbeat: NodeJS.Timeout | undefined
  #stopListening: () => void = () => {}
  #closed = false

  private constructor(options: ControlServerOptions) {
    const { router, clock = () => performance.now(), uploads = join(options.folder, '.uploads') } = options
    this.#options = options
    this.#timing = { ...SERVER_TIMING, ...options.timing }
    this.#house = {
      router,
      counters: this.counters,
      uploads: new UploadSpace(uploads),
      audit: new AuditGate(router.audit, clock),
      clock,
    }
  }

  /**
   * Opens all doors, or none.
   * @throws ControlError `exists` when another router is at work there, `failed`; CertificateError for its own
   */
  static async open(options: ControlServerOptions): Promise<ControlServer> {
    const server = new ControlServer(options)
    try {
      await server.#open()
    } catch (error) {
      await server.close()
      throw error
    }
    return server
  }

  /** Port of the remote door; undefined without one. */
  get remotePort(): number | undefined {
    return this.#remote?.port
  }

  /** Uploads under way. */
  get uploads(): number {
    return this.#house.uploads.open
  }

  /** Lets nobody in, says goodbye, and waits a bounded time for what was asked before. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#heartbeat)
    this.#stopListening()
    const sessions = [...this.#sessions]
    for (const each of sessions) each.close()
    const doors = Promise.all([this.#local?.close(), this.#remote?.close()])
    const ended = Promise.all(sessions.map((each) => each.ended))
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((settle) => {
      timer = setTimeout(settle, this.#timing.closeMs)
    })
    await Promise.race([ended, late])
    clearTimeout(timer)
    for (const each of sessions) each.terminate()
    await doors
  }

  async #open(): Promise<void> {
    const { folder, local = {}, remote, router, calendar = Date.now } = this.#options
    const { handshakeMs, heartbeatMs } = this.#timing
    this.#local = await LocalListener.open(folder, local, handshakeMs, (identify) => this.#gate(identify))
    if (remote !== undefined)
      this.#remote = await RemoteListener.open(
        {
          ...remote,
          trust: router.trust,
          calendar,
          handshakeMs,
          onRefused: (name, address, error) => this.#refused(name, address, error),
          onStranger: () => this.counters.notAuthenticated++,
        },
        (identify) => this.#gate(identify),
      )
    this.#stopListening = router.trust.onChange(() => {
      for (const each of this.#sessions) each.recheck(true)
    })
    this.#heartbeat = setInterval(() => {
      for (const each of this.#sessions) if (each.recheck(false)) each.beat()
    }, heartbeatMs)
    this.#heartbeat.unref()
  }

  /** A door: who comes in by it is counted by itself, so that a crowd at one does not close the others. */
  #gate(identify: Gate['identify']): Gate {
    const own = new Set<Session>()
    return {
      house: this.#house,
      counters: this.counters,
      identify: (request) => (this.#closed ? 503 : identify(request)),
      sessions: () => own,
      admit: (session) => {
        own.add(session)
        this.#sessions.add(session)
        this.counters.sessions++
        void session.ended.then(() => {
          own.delete(session)
          this.#sessions.delete(session)
          this.counters.sessions--
        })
      },
    }
  }

  #refused(name: string, address: string, error: unknown): void {
    const { code, causeCode } = controlErrorOf(error)
    const actor: Pick<Peer, 'via' | 'name' | 'address'> = { via: 'remote', name, address }
    this.#house.audit.write({ actor, what: 'connect', outcome: 'refused', code: causeCode ?? code })
  }
}
