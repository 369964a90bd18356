/**
 * The far end of a checked byte stream. The one idea: the client says in one line how much each side sends
 * (`STREAM up down`); the service names itself (`SERVED-BY name`), sends `down` bytes of the known pattern while it
 * receives `up`, and closes with what it saw: `CHECK crc32 count`. A session is a few numbers that can move.
 */
import { crc32 } from 'node:zlib'
import { StackError } from '../errors.ts'
import type { HostStack } from '../host-stack.ts'
import type { TcpConnection } from '../tcp/connection.ts'
import type { ListenOptions, TcpListener } from '../tcp/listener.ts'
import { LineReader } from './line-reader.ts'
import { patternChunk } from './pattern.ts'

const CHUNK_BYTES = 32_768

export interface StreamServiceOptions {
  readonly port: number
  /** A local address, or 0 (the default) for any. */
  readonly address?: number
  /** Printable ASCII without spaces. Default: the stack's name. */
  readonly name?: string
  /** Most bytes of either direction. Default 10^12. */
  readonly maximumBytes?: number
  readonly listen?: ListenOptions
}

/** Where one stream stands: plain data that moves with its connection. */
export interface StreamSession {
  /** The unfinished first line; `up` is -1 until it is complete. */
  readonly line: string
  readonly up: number
  readonly down: number
  readonly received: number
  /** CRC-32 of what was received. */
  readonly checksum: number
  readonly sent: number
  /** Text that is due before (the name) or after (the check) the pattern and not yet handed to TCP. */
  readonly text: string
  readonly checked: boolean
}

interface Stream {
  readonly connection: TcpConnection
  readonly reader: LineReader
  up: number
  down: number
  received: number
  checksum: number
  sent: number
  text: string
  checked: boolean
}

export class StreamService {
  readonly name: string
  /** Monotonic. */
  readonly counters = { connections: 0, finished: 0, refused: 0, bytesIn: 0, bytesOut: 0 }
  readonly #maximumBytes: number
  readonly #listener: TcpListener
  readonly #streams = new Map<TcpConnection, Stream>()

  /** @throws StackError `exists`, `invalid` */
  constructor(stack: HostStack, options: StreamServiceOptions) {
    const { port, address = 0, name = stack.name, maximumBytes = 1e12, listen = {} } = options
    if (!/^[\x21-\x7e]{1,100}$/.test(name)) throw new StackError('invalid', `${name} cannot name a service`)
    this.name = name
    this.#maximumBytes = maximumBytes
    this.#listener = stack.tcp.listen(port, address, (connection) => this.#take(connection), listen)
  }

  /** Connections open now. */
  get connections(): readonly TcpConnection[] {
    return [...this.#streams.keys()]
  }

  /** Takes no new connections. */
  close(): void {
    this.#listener.close()
  }

  /** The session of a connection, to move with `stack.tcp.exportConnection`; the service forgets it. */
  exportSession(connection: TcpConnection): StreamSession {
    const stream = this.#streams.get(connection)
    if (stream === undefined) throw new StackError('unknown', 'not a connection of this service')
    this.#streams.delete(connection)
    const { up, down, received, checksum, sent, text, checked } = stream
    return { line: stream.reader.pending, up, down, received, checksum, sent, text, checked }
  }

  /** Serves an imported connection from where its session stood, and resumes it. */
  adopt(connection: TcpConnection, moved: StreamSession): void {
    const stream = this.#take(connection)
    const { line, ...numbers } = moved
    Object.assign(stream, numbers)
    stream.reader.add(Buffer.from(line, 'latin1'))
    this.#pump(stream)
    if (connection.ended && !stream.checked) connection.close()
    connection.resume()
  }

  #take(connection: TcpConnection): Stream {
    const stream: Stream = {
      connection,
      reader: new LineReader(),
      up: -1,
      down: 0,
      received: 0,
      checksum: 0,
      sent: 0,
      text: '',
      checked: false,
    }
    this.counters.connections++
    this.#streams.set(connection, stream)
    connection.onData = (bytes) => this.#read(stream, bytes)
    connection.onWritable = () => this.#pump(stream)
    connection.onEnd = () => {
      if (!stream.checked) connection.close()
    }
    connection.onClosed = () => this.#streams.delete(connection)
    return stream
  }

  #read(stream: Stream, bytes: Uint8Array): void {
    this.counters.bytesIn += bytes.length
    let rest = bytes
    if (stream.up < 0) {
      const collected = stream.reader.add(rest)
      if (collected === undefined) return
      if (collected === 'too-long' || !this.#begin(stream, collected.line)) {
        this.counters.refused++
        stream.connection.abort()
        return
      }
      rest = collected.rest
    }
    stream.checksum = crc32(rest, stream.checksum)
    stream.received += rest.length
    this.#pump(stream)
  }

  #begin(stream: Stream, line: string): boolean {
    const asked = /^STREAM (\d{1,15}) (\d{1,15})$/.exec(line)
    if (asked === null) return false
    const [up, down] = [Number(asked[1]), Number(asked[2])]
    if (up > this.#maximumBytes || down > this.#maximumBytes) return false
    stream.up = up
    stream.down = down
    stream.text = `SERVED-BY ${this.name}\n`
    return true
  }

  #pump(stream: Stream): void {
    const { connection } = stream
    if (!this.#sendText(stream) || stream.up < 0) return
    while (stream.sent < stream.down) {
      const chunk = patternChunk(stream.sent, Math.min(CHUNK_BYTES, stream.down - stream.sent))
      const taken = connection.send(chunk)
      stream.sent += taken
      this.counters.bytesOut += taken
      if (taken < chunk.length) return
    }
    if (stream.received < stream.up || stream.checked) return
    stream.checked = true
    this.counters.finished++
    stream.text = `CHECK ${stream.checksum.toString(16).padStart(8, '0')} ${stream.received}\n`
    if (this.#sendText(stream)) connection.close()
  }

  /** Hands the text that is due to TCP; false while some of it is left. */
  #sendText(stream: Stream): boolean {
    if (stream.text === '') return true
    const taken = stream.connection.send(Buffer.from(stream.text, 'latin1'))
    stream.text = stream.text.slice(taken)
    return stream.text === ''
  }
}
