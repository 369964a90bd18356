/**
 * The near end of a checked byte stream (see stream-service.ts). The one idea: both directions at once, every byte
 * of the answer compared with the known pattern, and the service's checksum of what it received compared with ours.
 */
import { crc32 } from 'node:zlib'
import type { ConnectRequest } from '../tcp/open-request.ts'
import { type Attempt, Campaign, type CampaignOptions, type ClientReport } from './campaign.ts'
import { LineReader } from './line-reader.ts'
import { matchesPattern, patternChunk } from './pattern.ts'
import type { Sockets, StreamSocket } from './sockets.ts'

const CHUNK_BYTES = 32_768

export interface StreamClientOptions extends CampaignOptions {
  readonly to: number
  readonly port: number
  /** Bytes sent and received by each attempt. */
  readonly up: number
  readonly down: number
  readonly connect?: Partial<ConnectRequest>
}

interface Stream {
  readonly connection: StreamSocket
  readonly attempt: Attempt
  readonly reader: LineReader
  /** What is left of the first line to hand to TCP. */
  opening: Uint8Array
  sent: number
  /** CRC-32 of what was sent. */
  checksum: number
  server: string
  received: number
}

export class StreamClient {
  readonly #stack: Sockets
  readonly #options: StreamClientOptions
  readonly #campaign: Campaign
  /** Streams under way. */
  readonly #streams = new Set<Stream>()

  /** @throws StackError `invalid` */
  constructor(stack: Sockets, options: StreamClientOptions) {
    this.#stack = stack
    this.#options = options
    this.#campaign = new Campaign(stack, options, (attempt) => this.#start(attempt))
  }

  get report(): ClientReport {
    return this.#campaign.report
  }

  get done(): boolean {
    return this.#campaign.done
  }

  /** Connections of the attempts under way. */
  get connections(): readonly StreamSocket[] {
    return [...this.#streams].map(({ connection }) => connection)
  }

  /** Starts the first attempts, from within the next poll. */
  begin(): void {
    this.#campaign.begin()
  }

  /** Starts no more attempts. */
  stop(): void {
    this.#campaign.stop()
  }

  #start(attempt: Attempt): void {
    const { to, port, up, down, connect = {} } = this.#options
    const connection = this.#stack.tcp.connect({ to, port, ...connect })
    const stream: Stream = {
      connection,
      attempt,
      reader: new LineReader(),
      opening: Buffer.from(`STREAM ${up} ${down}\n`, 'latin1'),
      sent: 0,
      checksum: 0,
      server: '',
      received: 0,
    }
    this.#streams.add(stream)
    attempt.abandon = () => connection.abort()
    connection.onEstablished = () => this.#pump(stream)
    connection.onWritable = () => this.#pump(stream)
    connection.onData = (bytes) => this.#read(stream, bytes)
    connection.onEnd = () => {
      attempt.fail('closed')
      connection.close()
    }
    connection.onClosed = (reason) => {
      this.#streams.delete(stream)
      attempt.fail(reason)
    }
  }

  #pump(stream: Stream): void {
    const { connection } = stream
    const { up } = this.#options
    stream.opening = stream.opening.subarray(connection.send(stream.opening))
    if (stream.opening.length > 0) return
    while (stream.sent < up) {
      const chunk = patternChunk(stream.sent, Math.min(CHUNK_BYTES, up - stream.sent))
      const taken = connection.send(chunk)
      stream.checksum = crc32(chunk.subarray(0, taken), stream.checksum)
      stream.sent += taken
      this.#campaign.bytesOut += taken
      if (taken < chunk.length) return
    }
  }

  #read(stream: Stream, bytes: Uint8Array): void {
    const { down } = this.#options
    let rest = bytes
    if (stream.server === '') {
      const line = this.#line(stream, rest, /^SERVED-BY (\S+)$/)
      if (line === undefined) return
      stream.server = line.match[1]
      rest = line.rest
    }
    const body = rest.subarray(0, Math.min(rest.length, down - stream.received))
    if (!matchesPattern(body, stream.received)) {
      stream.attempt.corrupt()
      return
    }
    stream.received += body.length
    this.#campaign.bytesIn += body.length
    rest = rest.subarray(body.length)
    if (stream.received === down && rest.length > 0) this.#check(stream, rest)
  }

  #check(stream: Stream, bytes: Uint8Array): void {
    const line = this.#line(stream, bytes, /^CHECK ([0-9a-f]{8}) (\d+)$/)
    if (line === undefined) return
    const right =
      Number.parseInt(line.match[1], 16) === stream.checksum && Number(line.match[2]) === stream.sent
    if (!right || line.rest.length > 0) {
      stream.attempt.corrupt()
      return
    }
    stream.connection.close()
    stream.attempt.succeed(stream.server)
  }

  /** Collects a line and matches it; undefined while it is incomplete or when it ended the attempt. */
  #line(
    stream: Stream,
    bytes: Uint8Array,
    form: RegExp,
  ): { match: RegExpExecArray; rest: Uint8Array } | undefined {
    const collected = stream.reader.add(bytes)
    if (collected === undefined) return undefined
    const match = collected === 'too-long' ? null : form.exec(collected.line)
    if (match === null || collected === 'too-long') {
      stream.attempt.fail('malformed')
      return undefined
    }
    return { match, rest: collected.rest }
  }
}
