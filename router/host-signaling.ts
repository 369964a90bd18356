/**
 * Signaling with hosts on a real router (R-SLR-17): the server of router/signaling on the main thread. The one idea:
 * datagrams come from the engine's thread one by one; what the server wants sent and told goes back with the word that
 * this one is done.
 */
import { randomBytes } from 'node:crypto'
import type { Row } from '../engine/index.ts'
import type { EngineThread } from './engine-thread/engine-thread.ts'
import { type SignalingDatagram, SignalingServer, type Tidings } from './signaling/index.ts'
import type { Trust } from './trust.ts'

/** How often it is looked whether a host has fallen silent. */
const POLL_MS = 500

export class HostSignaling {
  readonly #server: SignalingServer
  readonly #thread: EngineThread
  readonly #timer: NodeJS.Timeout
  #send: SignalingDatagram[] = []
  #tell: Tidings[] = []

  constructor(thread: EngineThread, trust: Trust) {
    this.#thread = thread
    this.#server = new SignalingServer({
      trust: () => trust.store,
      calendarMs: () => Date.now(),
      randomBytes: (count) => randomBytes(count),
      send: (datagram) => this.#send.push(datagram),
      deliver: (tidings) => this.#tell.push(tidings),
    })
    thread.onSignal = (datagram) => {
      this.#server.receive(datagram, performance.now() * 1e6)
      this.#pass(1)
    }
    this.#timer = setInterval(() => {
      this.#server.poll(performance.now() * 1e6)
      if (this.#tell.length > 0 || this.#send.length > 0) this.#pass(0)
    }, POLL_MS).unref()
  }

  /** Hosts with a session, as rows of a table. */
  hosts(): Row[] {
    return [...this.#server.view.hosts()]
  }

  /** What is counted, as rows of a table. */
  counters(): Row[] {
    return [...this.#server.view.counters()]
  }

  close(): void {
    clearInterval(this.#timer)
    this.#thread.onSignal = undefined
  }

  #pass(judged: number): void {
    this.#thread.signal({ judged, send: this.#send, tell: this.#tell })
    this.#send = []
    this.#tell = []
  }
}
