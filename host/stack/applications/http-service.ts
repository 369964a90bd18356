/**
 * An HTTP/1.1 service for labs: GET (and HEAD) of `/`, or of `/bytes/N` for N bytes of the known pattern, with
 * Content-Length, keep-alive and close; POST and PUT take a body first and answer the same. The one idea: a session
 * is a few numbers, so that it can move to another host with its connection. It names itself in `X-Served-By`.
 * Heads, requests and idle time are bounded.
 */
import { StackError } from '../errors.ts'
import type { HostStack, StackTimer } from '../host-stack.ts'
import type { TcpConnection } from '../tcp/connection.ts'
import type { ListenOptions, TcpListener } from '../tcp/listener.ts'
import { type Nanoseconds, SECOND } from '../time.ts'
import { contentLength, HeadCollector, type HttpHead, parseHead } from './http-message.ts'
import { patternChunk } from './pattern.ts'

const CHUNK_BYTES = 32_768
const NOTHING = new Uint8Array(0)

export interface HttpServiceOptions {
  readonly port: number
  /** A local address, or 0 (the default) for any. */
  readonly address?: number
  /** How the service calls itself: printable ASCII without spaces. Default: the stack's name. */
  readonly name?: string
  /** Size of `/`. Default 1000. */
  readonly bytes?: number
  /** Largest N of `/bytes/N`. Default 10^10. */
  readonly maximumBytes?: number
  /** A connection without a complete request for so long is closed. Default 60 s. */
  readonly idleNs?: Nanoseconds
  readonly listen?: ListenOptions
}

/** Where one connection stands: plain data that moves with it. */
export interface HttpSession {
  /** Bytes of an incomplete request head, and what came in behind it. */
  readonly head: Uint8Array
  /** Bytes of a request body still to be skipped. */
  readonly skip: number
  /** What is left to hand to TCP of the head of the response under way. */
  readonly prefix: Uint8Array
  /** The response body under way: its size and how much has been handed to TCP. */
  readonly total: number
  readonly sent: number
  /** The connection closes after the response. */
  readonly closing: boolean
  /** Size of the response that waits for the end of the request's body; -1: none waits. */
  readonly answer: number
}

interface Session {
  readonly connection: TcpConnection
  readonly head: HeadCollector
  skip: number
  prefix: Uint8Array
  total: number
  sent: number
  closing: boolean
  answer: number
  idle: StackTimer | null
  /** Bytes received and not looked at, oldest first. */
  readonly waiting: Uint8Array[]
  /** The client sends no more. */
  ended: boolean
  /** `#advance` is at work. */
  busy: boolean
}

/** Methods that are answered, and those of them whose body is received before the answer. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT'])
const UPLOADS = new Set(['POST', 'PUT'])

const STATUS: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  411: 'Length Required',
  431: 'Request Header Fields Too Large',
  505: 'HTTP Version Not Supported',
}

export class HttpService {
  readonly name: string
  /** Monotonic: connections taken, requests answered with 200, requests refused, body bytes handed to TCP. */
  readonly counters = { connections: 0, served: 0, refused: 0, bytesOut: 0 }
  readonly #stack: HostStack
  readonly #options: HttpServiceOptions
  readonly #listener: TcpListener
  readonly #sessions = new Map<TcpConnection, Session>()

  /** @throws StackError `exists` when the port is taken, `invalid` for a name that is no header value */
  constructor(stack: HostStack, options: HttpServiceOptions) {
    const { port, address = 0, name = stack.name, listen = {} } = options
    if (!/^[\x21-\x7e]{1,100}$/.test(name)) throw new StackError('invalid', `${name} cannot name a service`)
    this.name = name
    this.#stack = stack
    this.#options = options
    this.#listener = stack.tcp.listen(port, address, (connection) => this.#take(connection), listen)
  }

  /** Connections open now. */
  get connections(): readonly TcpConnection[] {
    return [...this.#sessions.keys()]
  }

  /** Takes no new connections. */
  close(): void {
    this.#listener.close()
  }

  /** The session of a connection, to move with `stack.tcp.exportConnection`; the service forgets it. */
  exportSession(connection: TcpConnection): HttpSession {
    const session = this.#sessions.get(connection)
    if (session === undefined) throw new StackError('unknown', 'not a connection of this service')
    this.#forget(session)
    const { head, skip, prefix, total, sent, closing, answer, waiting } = session
    const pending = new Uint8Array(Buffer.concat([head.pending, ...waiting]))
    return { head: pending, skip, prefix: prefix.slice(), total, sent, closing, answer }
  }

  /** Serves an imported connection from where its session stood, and resumes it. */
  adopt(connection: TcpConnection, moved: HttpSession): void {
    const session = this.#take(connection)
    const { head, skip, prefix, total, sent, closing, answer } = moved
    Object.assign(session, { skip, prefix, total, sent, closing, answer })
    session.waiting.push(head)
    session.ended = connection.ended
    connection.resume()
    this.#advance(session)
  }

  #take(connection: TcpConnection): Session {
    const session: Session = {
      connection,
      head: new HeadCollector(),
      skip: 0,
      prefix: NOTHING,
      total: 0,
      sent: 0,
      closing: false,
      answer: -1,
      idle: null,
      waiting: [],
      ended: false,
      busy: false,
    }
    this.counters.connections++
    this.#sessions.set(connection, session)
    connection.onData = (bytes) => {
      session.waiting.push(bytes)
      this.#advance(session)
    }
    connection.onWritable = () => this.#advance(session)
    connection.onEnd = () => {
      session.ended = true
      this.#advance(session)
    }
    connection.onClosed = () => this.#forget(session)
    this.#wait(session)
    return session
  }

  #forget(session: Session): void {
    session.idle?.cancel()
    this.#sessions.delete(session.connection)
  }

  /** Gives the client a time to come up with its next request. */
  #wait(session: Session): void {
    const { idleNs = 60 * SECOND } = this.#options
    session.idle = this.#stack.after(idleNs, () => session.connection.close())
  }

  /** Answers what has come in, one request after the other, as far as TCP takes the responses. */
  #advance(session: Session): void {
    const { connection } = session
    if (session.busy) return
    session.busy = true
    let flushed = this.#flush(session)
    while (flushed && (!session.closing || session.answer >= 0) && session.waiting.length > 0) {
      this.#consume(session)
      flushed = this.#flush(session)
    }
    session.busy = false
    if (!flushed) connection.pause()
    else if ((session.closing && session.answer < 0) || session.ended) connection.close()
    else {
      if (session.idle === null) this.#wait(session)
      connection.resume()
    }
  }

  /** Takes from what has come in up to the end of one request, and begins its response. */
  #consume(session: Session): void {
    const bytes = session.waiting.shift()!
    if (session.skip > 0) {
      const skipped = Math.min(session.skip, bytes.length)
      session.skip -= skipped
      if (skipped < bytes.length) session.waiting.unshift(bytes.subarray(skipped))
      this.#bodyArrived(session)
      return
    }
    const collected = session.head.add(bytes)
    if (collected === undefined) return
    if (collected === 'too-long') {
      this.#refuse(session, 431)
      return
    }
    if (collected.rest.length > 0) session.waiting.unshift(collected.rest)
    this.#answer(session, parseHead(collected.text))
  }

  /** Part of a request's body came: the client is alive, and at the body's end its answer is due. */
  #bodyArrived(session: Session): void {
    session.idle?.cancel()
    this.#wait(session)
    if (session.skip > 0 || session.answer < 0) return
    const size = session.answer
    session.answer = -1
    this.#respond(session, 200, size, false)
  }

  #answer(session: Session, head: HttpHead | undefined): void {
    const length = head === undefined ? undefined : contentLength(head)
    if (head === undefined || length === undefined || head.headers.has('transfer-encoding')) {
      this.#refuse(session, 400)
      return
    }
    const modern = head.third === 'HTTP/1.1'
    if (!modern && head.third !== 'HTTP/1.0')
      this.#refuse(session, /^HTTP\/\d\.\d$/.test(head.third) ? 505 : 400)
    else if (modern && !head.headers.has('host')) this.#refuse(session, 400)
    else if (!METHODS.has(head.first)) this.#refuse(session, 405)
    else if (length < 0 && UPLOADS.has(head.first)) this.#refuse(session, 411)
    else {
      const wish = (head.headers.get('connection') ?? '').toLowerCase()
      session.closing ||= modern ? wish === 'close' : wish !== 'keep-alive'
      session.skip = Math.max(0, length)
      const size = this.#sizeOf(head.second)
      if (size < 0) this.#respond(session, 404, 0, head.first === 'HEAD')
      else if (UPLOADS.has(head.first) && session.skip > 0) session.answer = size
      else this.#respond(session, 200, size, head.first === 'HEAD')
    }
  }

  /** Size of what a path names, -1 for nothing. */
  #sizeOf(path: string): number {
    const { bytes = 1000, maximumBytes = 1e10 } = this.#options
    if (path === '/') return bytes
    const wanted = /^\/bytes\/(\d{1,15})$/.exec(path)
    return wanted !== null && Number(wanted[1]) <= maximumBytes ? Number(wanted[1]) : -1
  }

  #refuse(session: Session, status: number): void {
    session.closing = true
    session.skip = 0
    this.#respond(session, status, 0, false)
  }

  #respond(session: Session, status: number, size: number, headOnly: boolean): void {
    if (status === 200) this.counters.served++
    else this.counters.refused++
    const lines = [
      `HTTP/1.1 ${status} ${STATUS[status]}`,
      'Server: pronto',
      `X-Served-By: ${this.name}`,
      `Content-Length: ${size}`,
      'Content-Type: application/octet-stream',
      `Connection: ${session.closing ? 'close' : 'keep-alive'}`,
    ]
    session.idle?.cancel()
    session.idle = null
    session.prefix = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
    session.total = headOnly ? 0 : size
    session.sent = 0
  }

  /** Hands the response under way to TCP. False while some of it is left. */
  #flush(session: Session): boolean {
    const { connection } = session
    session.prefix = session.prefix.subarray(connection.send(session.prefix))
    if (session.prefix.length > 0) return false
    while (session.sent < session.total) {
      const chunk = patternChunk(session.sent, Math.min(CHUNK_BYTES, session.total - session.sent))
      const taken = connection.send(chunk)
      session.sent += taken
      this.counters.bytesOut += taken
      if (taken < chunk.length) return false
    }
    return true
  }
}
