/**
 * One connection of an operator: messages in, answers and updates out. The one idea: a session that asks for too much
 * is read more slowly, and one that reads too slowly is ended; so neither costs more than its own bounded share, and
 * nobody else notices.
 */
import type { RawData, WebSocket } from 'ws'
import { ControlError } from '../control/errors.ts'
import {
  formatError,
  parseRequest,
  type Request,
  type RequestId,
  RequestRefusal,
} from '../control/json-rpc.ts'
import {
  MAX_IN_FLIGHT,
  MAX_OUTGOING_BYTES,
  MESSAGE_BURST,
  MESSAGES_PER_SECOND,
  WATCH_PAUSE_BYTES,
} from '../control/limits.ts'
import { METHODS } from '../control/methods.ts'
import type { Router } from '../router.ts'
import { answer } from './answer.ts'
import type { AuditGate } from './audit-gate.ts'
import type { ServerCounters } from './counters.ts'
import type { Context } from './handlers.ts'
import { Pace } from './pace.ts'
import type { Peer } from './peer.ts'
import { SessionUpload, type UploadSpace } from './uploads.ts'
import { Watches } from './watches.ts'

/** What the sessions of a server share. */
export interface SessionHouse {
  readonly router: Router
  readonly uploads: UploadSpace
  readonly audit: AuditGate
  readonly counters: ServerCounters
  /** Monotonic milliseconds. */
  readonly clock: () => number
}

interface Message {
  readonly data: Buffer
  readonly isBinary: boolean
}

/** Messages that are no requests, after which a session is ended. */
const MAX_MALFORMED = 16
/** How long an answer to a goodbye may take. */
const GOODBYE_MS = 1_000
/** Close codes of RFC 6455. */
const GOING_AWAY = 1_001
const PROTOCOL_ERROR = 1_002
const POLICY_VIOLATION = 1_008

export class Session {
  readonly peer: Peer
  /** Resolves when the connection is gone and nothing of it runs any more. */
  readonly ended: Promise<void>
  readonly #socket: WebSocket
  readonly #house: SessionHouse
  readonly #context: Context
  readonly #pace: Pace
  readonly #running = new Map<RequestId, Promise<void>>()
  #inbox: Message[] = []
  #wake: NodeJS.Timeout | undefined
  #malformed = 0
  #isAlive = true
  /** Messages handed to the socket, and those that it has passed on. */
  #sent = 0
  #passed = 0
  /** Both as they were at the last look. */
  #sentBefore = 0
  #passedBefore = 0

  constructor(socket: WebSocket, peer: Peer, house: SessionHouse) {
    this.peer = peer
    this.#socket = socket
    this.#house = house
    this.#pace = new Pace(MESSAGES_PER_SECOND, MESSAGE_BURST, house.clock())
    const { router, counters, uploads } = house
    const watches = new Watches({
      isReady: () => socket.bufferedAmount < WATCH_PAUSE_BYTES,
      send: (text) => {
        counters.updates++
        this.#send(text)
      },
      skipped: () => counters.updatesSkipped++,
    })
    this.#context = { router, peer, counters, watches, upload: new SessionUpload(uploads) }
    socket.on('message', (data: RawData, isBinary) => this.#receive({ data: data as Buffer, isBinary }))
    socket.on('pong', () => (this.#isAlive = true))
    socket.on('error', () => socket.terminate())
    this.ended = new Promise((settle) => {
      socket.on('close', () => {
        this.#release()
        void Promise.all(this.#running.values()).then(() => settle())
      })
    })
  }

  /** Looks after the session: a peer that is gone, a reader that takes nothing. */
  beat(): void {
    const { counters } = this.#house
    const isStuck = this.#passed < this.#sentBefore && this.#passed === this.#passedBefore
    this.#passedBefore = this.#passed
    this.#sentBefore = this.#sent
    if (isStuck) return this.#end('slowReaders')
    // While we do not read, no answer to a ping can come.
    if (this.#socket.isPaused) return
    if (!this.#isAlive) {
      counters.silent++
      return this.#socket.terminate()
    }
    this.#isAlive = false
    this.#socket.ping()
  }

  /** Ends the session if its peer may not speak any more. */
  recheck(thorough: boolean): boolean {
    if (this.peer.isValid(thorough)) return true
    this.#house.counters.expired++
    // What comes after the goodbye is not handled any more.
    this.#socket.close(POLICY_VIOLATION, 'the certificate is not valid any more')
    setTimeout(() => this.#socket.terminate(), GOODBYE_MS).unref()
    return false
  }

  /** Says goodbye; `terminate` ends what does not go by itself. */
  close(): void {
    this.#context.watches.close()
    this.#socket.close(GOING_AWAY, 'the router is going down')
  }

  terminate(): void {
    this.#socket.terminate()
  }

  #receive(message: Message): void {
    this.#inbox.push(message)
    this.#pump()
  }

  /** Handles what may be handled now, and reads on only when nothing is left over. */
  #pump(): void {
    const { clock } = this.#house
    while (this.#inbox.length > 0 && this.#running.size < MAX_IN_FLIGHT && this.#pace.take(clock()))
      this.#handle(this.#inbox.shift()!)
    if (this.#inbox.length === 0) {
      if (this.#socket.isPaused) this.#socket.resume()
      return
    }
    this.#socket.pause()
    const waitMs = this.#pace.waitMs(clock())
    if (waitMs === 0 || this.#wake !== undefined) return
    this.#wake = setTimeout(() => {
      this.#wake = undefined
      this.#pump()
    }, waitMs)
  }

  #handle({ data, isBinary }: Message): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    if (isBinary) {
      if (this.peer.roles.has(METHODS.upload.role)) this.#context.upload.append(data)
      else this.#refuse(null, new ControlError('forbidden', 'uploads need the role install'))
      return
    }
    let request: Request
    try {
      request = parseRequest(data)
    } catch (error) {
      if (!(error instanceof RequestRefusal)) throw error
      this.#house.counters.malformed++
      this.#refuse(error.id, error.error)
      if (++this.#malformed >= MAX_MALFORMED) this.#socket.close(PROTOCOL_ERROR, 'no requests')
      return
    }
    if (this.#running.has(request.id))
      return this.#refuse(
        request.id,
        new ControlError('invalid-request', 'this id is in use by another request'),
      )
    const answered = this.#answer(request).finally(() => {
      this.#running.delete(request.id)
      this.#pump()
    })
    this.#running.set(request.id, answered)
  }

  async #answer(request: Request): Promise<void> {
    this.#house.counters.requests++
    if (this.recheck(false)) this.#send(await answer(request, this.#context, this.#house.audit))
  }

  #refuse(id: RequestId | null, error: ControlError): void {
    this.#house.counters.refused++
    this.#send(formatError(id, error))
  }

  /** Sends, unless the reader is so slow that it must go. */
  #send(text: string): void {
    const socket = this.#socket
    if (socket.readyState !== socket.OPEN) return
    if (socket.bufferedAmount + text.length > MAX_OUTGOING_BYTES) return this.#end('slowReaders')
    this.#sent++
    socket.send(text, () => this.#passed++)
  }

  #end(counter: 'slowReaders'): void {
    this.#house.counters[counter]++
    this.#socket.terminate()
  }

  #release(): void {
    clearTimeout(this.#wake)
    this.#inbox = []
    this.#context.watches.close()
    this.#context.upload.close()
  }
}
