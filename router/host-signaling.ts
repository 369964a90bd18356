/**
 * Signaling with hosts on a real router (R-SLR-17): the server of router/signaling on the main thread. The one idea:
 * datagrams come from the engine's thread one by one; what the server wants sent and told goes back with the word that
 * this one is done, and now and then a picture of its sessions, for the tables of the engine's queries.
 */
import { randomBytes } from 'node:crypto'
import type { Certificate } from '../execution-env/certificates/index.ts'
import type { EngineThread } from './engine-thread/engine-thread.ts'
import type { SignalingPicture } from './engine-thread/messages.ts'
import { type SignalingDatagram, SignalingServer, type Tidings } from './signaling/index.ts'
import type { Trust } from './trust.ts'

/** How often it is looked whether a host has fallen silent, and at most how often its picture is sent. */
const POLL_MS = 100

export class HostSignaling {
  readonly #server: SignalingServer
  readonly #thread: EngineThread
  readonly #timer: NodeJS.Timeout
  #send: SignalingDatagram[] = []
  #tell: Tidings[] = []
  #isChanged = true
  #shownAt = Number.NEGATIVE_INFINITY

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
      this.#isChanged = true
      this.#server.receive(datagram, performance.now() * 1e6)
      this.#pass(1)
    }
    this.#timer = setInterval(() => {
      this.#server.poll(performance.now() * 1e6)
      if (this.#tell.length > 0) this.#isChanged = true
      if (this.#isChanged || this.#send.length > 0) this.#pass(0)
    }, POLL_MS).unref()
  }

  /** What a host with a session has shown, its own certificate first. */
  certificatesOf(host: string): readonly Certificate[] | undefined {
    return this.#server.certificatesOf(host)
  }

  close(): void {
    clearInterval(this.#timer)
    this.#thread.onSignal = undefined
  }

  #pass(judged: number): void {
    const picture = this.#picture()
    this.#thread.signal({ judged, send: this.#send, tell: this.#tell, ...(picture && { picture }) })
    this.#send = []
    this.#tell = []
  }

  /** What has changed, unless it was shown a moment ago: then the timer will. */
  #picture(): SignalingPicture | undefined {
    const now = performance.now()
    if (!this.#isChanged || now - this.#shownAt < POLL_MS) return undefined
    this.#isChanged = false
    this.#shownAt = now
    const { hosts, counters } = this.#server.view
    return { hosts: [...hosts()], counters: [...counters()], originMs: performance.timeOrigin }
  }
}
