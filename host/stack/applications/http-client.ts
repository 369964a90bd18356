/**
 * An HTTP/1.1 client for labs: asks for N bytes, one request a connection or many, and checks status, length and
 * every byte of the known pattern. The one idea: a connection is used by one attempt at a time; idle ones are kept
 * for the next where keep-alive is wanted.
 */

import type { ConnectRequest } from '../tcp/open-request.ts'
import { type Attempt, Campaign, type CampaignOptions, type ClientReport } from './campaign.ts'
import { contentLength, HeadCollector, parseHead } from './http-message.ts'
import { matchesPattern, patternChunk } from './pattern.ts'
import type { Sockets, StreamSocket } from './sockets.ts'

const CHUNK_BYTES = 32_768

export interface HttpClientOptions extends CampaignOptions {
  /** Unsigned address and port. */
  readonly to: number
  readonly port: number
  /** The Host header. Default `lab`. */
  readonly host?: string
  /** Size to ask for and to expect; without it `path` is asked for and any length is right. */
  readonly bytes?: number
  /** Default `/`. */
  readonly path?: string
  /** Bytes of the known pattern sent as the body of a POST; 0, the default, sends a GET. */
  readonly upload?: number
  /** Many requests over one connection. Default false: each has its own. */
  readonly keepAlive?: boolean
  /** Whether the body must be the known pattern. Default true; false for servers that are not ours. */
  readonly verify?: boolean
  /** How connections are opened beyond that. */
  readonly connect?: Partial<ConnectRequest>
}

/** A connection and the response it is receiving. */
interface Channel {
  readonly connection: StreamSocket
  attempt: Attempt | null
  head: HeadCollector
  /** Body bytes of the request handed to TCP. */
  uploaded: number
  /** Body bytes expected, -1 while the head is incomplete. */
  length: number
  received: number
  server: string
  /** The server will close. */
  last: boolean
}

export class HttpClient {
  readonly #stack: Sockets
  readonly #options: HttpClientOptions
  readonly #campaign: Campaign
  readonly #request: Uint8Array
  readonly #idle: Channel[] = []

  /** @throws StackError `invalid` */
  constructor(stack: Sockets, options: HttpClientOptions) {
    const { host = 'lab', bytes, path = '/', keepAlive = false, upload = 0 } = options
    this.#stack = stack
    this.#options = options
    const lines = [
      `${upload > 0 ? 'POST' : 'GET'} ${bytes === undefined ? path : `/bytes/${bytes}`} HTTP/1.1`,
      `Host: ${host}`,
      'User-Agent: pronto',
      `Connection: ${keepAlive ? 'keep-alive' : 'close'}`,
      ...(upload > 0 ? [`Content-Length: ${upload}`, 'Content-Type: application/octet-stream'] : []),
    ]
    this.#request = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
    this.#campaign = new Campaign(stack, options, (attempt) => this.#start(attempt))
  }

  get report(): ClientReport {
    return this.#campaign.report
  }

  get done(): boolean {
    return this.#campaign.done
  }

  /** Starts the first attempts, from within the next poll. */
  begin(): void {
    this.#campaign.begin()
  }

  /** Starts no more attempts. */
  stop(): void {
    this.#campaign.stop()
    for (const { connection } of this.#idle.splice(0)) connection.close()
  }

  #start(attempt: Attempt): void {
    const channel = this.#idle.pop() ?? this.#open()
    channel.attempt = attempt
    channel.length = -1
    channel.received = 0
    channel.uploaded = 0
    attempt.abandon = () => {
      channel.attempt = null
      channel.connection.abort()
    }
    this.#campaign.bytesOut += channel.connection.send(this.#request.slice())
    this.#upload(channel)
  }

  /** Hands as much of the request's body to TCP as it takes. */
  #upload(channel: Channel): void {
    const { upload = 0 } = this.#options
    while (channel.attempt !== null && channel.uploaded < upload) {
      const chunk = patternChunk(channel.uploaded, Math.min(CHUNK_BYTES, upload - channel.uploaded))
      const taken = channel.connection.send(chunk)
      channel.uploaded += taken
      this.#campaign.bytesOut += taken
      if (taken < chunk.length) return
    }
  }

  #open(): Channel {
    const { to, port, connect = {} } = this.#options
    const connection = this.#stack.tcp.connect({ to, port, ...connect })
    const channel: Channel = {
      connection,
      attempt: null,
      head: new HeadCollector(),
      uploaded: 0,
      length: -1,
      received: 0,
      server: '',
      last: true,
    }
    connection.onData = (bytes) => this.#read(channel, bytes)
    connection.onWritable = () => this.#upload(channel)
    connection.onEnd = () => {
      this.#drop(channel)
      channel.attempt?.fail('closed')
      connection.close()
    }
    connection.onClosed = (reason) => {
      this.#drop(channel)
      channel.attempt?.fail(reason)
    }
    return channel
  }

  #drop(channel: Channel): void {
    const index = this.#idle.indexOf(channel)
    if (index >= 0) this.#idle.splice(index, 1)
  }

  #read(channel: Channel, bytes: Uint8Array): void {
    this.#campaign.bytesIn += bytes.length
    let rest = bytes
    if (channel.attempt === null) return
    if (channel.length < 0) {
      const collected = channel.head.add(rest)
      if (collected === undefined) return
      if (collected === 'too-long') {
        channel.attempt.fail('malformed')
        return
      }
      if (!this.#readHead(channel, collected.text)) return
      rest = collected.rest
    }
    const { verify = true } = this.#options
    const beyond = channel.received + rest.length > channel.length
    if (beyond || (verify && !matchesPattern(rest, channel.received))) {
      channel.attempt.corrupt()
      return
    }
    channel.received += rest.length
    if (channel.received === channel.length) this.#finish(channel)
  }

  /** Takes the response's head. False when the attempt has failed over it. */
  #readHead(channel: Channel, text: string): boolean {
    const head = parseHead(text)
    const length = head === undefined ? undefined : contentLength(head)
    const { attempt } = channel
    const { bytes } = this.#options
    if (head === undefined || length === undefined || !head.first.startsWith('HTTP/1.'))
      attempt?.fail('malformed')
    else if (head.second !== '200')
      attempt?.fail(`status-${/^\d{3}$/.test(head.second) ? head.second : 'other'}`)
    else if (length < 0 || (bytes !== undefined && length !== bytes)) attempt?.fail('length')
    else {
      channel.length = length
      channel.server = head.headers.get('x-served-by') ?? head.headers.get('server') ?? ''
      channel.last = head.headers.get('connection')?.toLowerCase() === 'close'
      return true
    }
    return false
  }

  #finish(channel: Channel): void {
    const { attempt, connection } = channel
    channel.attempt = null
    if (this.#options.keepAlive === true && !channel.last) this.#idle.push(channel)
    else connection.close()
    attempt?.succeed(channel.server)
    if (this.#campaign.done) this.stop()
  }
}
