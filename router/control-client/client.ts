/**
 * A router's other end: asks, uploads, watches. The one idea: one promise for each request; when the connection ends,
 * whatever waits is refused as `unreachable`, and nothing waits for ever.
 */
import { createHash } from 'node:crypto'
import type { WebSocket } from 'ws'
import type { JsonValue } from '../../execution-env/contract/index.ts'
import { ControlError } from '../control/errors.ts'
import { formatRequest, type Incoming, parseIncoming, type RequestId } from '../control/json-rpc.ts'
import { UPLOAD_CHUNK_BYTES } from '../control/limits.ts'
import type { MethodName } from '../control/methods.ts'

/** News of a watch; `ended` when there will be no more. */
export interface Update {
  readonly kind: 'update' | 'ended'
  readonly params: Readonly<Record<string, JsonValue>>
}

interface Waiting {
  readonly settle: (result: JsonValue) => void
  readonly refuse: (error: ControlError) => void
}

/** Bytes that may wait in the socket while an upload goes out. */
const UPLOAD_AHEAD_BYTES = 4 * UPLOAD_CHUNK_BYTES

export class ControlClient {
  /** Resolves when the connection is gone, with the reason that the router gave, if any. */
  readonly ended: Promise<string>
  readonly #socket: WebSocket
  readonly #waiting = new Map<RequestId, Waiting>()
  readonly #watches = new Map<number, (update: Update) => void>()
  /** Updates that came before their watch was known. */
  readonly #early: Update[] = []
  #next = 1

  /** @param socket open */
  constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data, isBinary) => this.#receive(String(data), isBinary))
    socket.on('error', () => {})
    this.ended = new Promise((settle) => {
      socket.on('close', (_code, reason) => {
        const why = reason.length === 0 ? '' : `: ${reason.toString('utf8').slice(0, 123)}`
        this.#refuseAll(new ControlError('unreachable', `the router closed the connection${why}`))
        settle(reason.toString('utf8'))
      })
    })
  }

  /** Asks for a method. Rejects with ControlError. */
  call(method: MethodName, params: object = {}): Promise<JsonValue> {
    if (this.#socket.readyState !== this.#socket.OPEN)
      return Promise.reject(new ControlError('unreachable', 'the connection to the router is closed'))
    const id = this.#next++
    return new Promise((settle, refuse) => {
      this.#waiting.set(id, { settle, refuse })
      this.#socket.send(formatRequest(id, method, params))
    })
  }

  /** Sends the bytes of a bundle; answers with the number of the upload. */
  async upload(bundle: Uint8Array): Promise<number> {
    const sha256 = createHash('sha256').update(bundle).digest('hex')
    const { upload } = (await this.call('upload', { bytes: bundle.length, sha256 })) as { upload: number }
    for (let from = 0; from < bundle.length; from += UPLOAD_CHUNK_BYTES) {
      const part = bundle.subarray(from, from + UPLOAD_CHUNK_BYTES)
      const message = Buffer.allocUnsafe(4 + part.length)
      message.writeUInt32BE(upload, 0)
      message.set(part, 4)
      const sent = new Promise<void>((settle, reject) =>
        this.#socket.send(message, (error) => (error == null ? settle() : reject(gone()))),
      )
      if (this.#socket.bufferedAmount > UPLOAD_AHEAD_BYTES) await sent
      else sent.catch(() => {})
    }
    return upload
  }

  /** Watches; `sink` gets each update until the watch ends. Answers with how to end it. */
  async watch(
    params: object,
    sink: (update: Update) => void,
    method: 'watch' | 'capture' = 'watch',
  ): Promise<() => Promise<void>> {
    const { watch } = (await this.call(method, params)) as { watch: number }
    this.#watches.set(watch, sink)
    for (const each of this.#early.splice(0)) this.#deliver(each)
    return async () => {
      this.#watches.delete(watch)
      await this.call('unwatch', { watch })
    }
  }

  /** Ends the connection. */
  close(): void {
    this.#socket.close(1_000)
    setTimeout(() => this.#socket.terminate(), 500).unref()
  }

  #receive(text: string, isBinary: boolean): void {
    let incoming: Incoming
    try {
      if (isBinary) throw new ControlError('invalid-request', 'the router sent something that is no answer')
      incoming = parseIncoming(text)
    } catch (error) {
      this.#refuseAll(error as ControlError)
      this.#socket.terminate()
      return
    }
    if (incoming.kind === 'update') {
      const kind = incoming.method === 'ended' ? 'ended' : 'update'
      return this.#deliver({ kind, params: incoming.params as Update['params'] })
    }
    if (incoming.id === null) return this.#refuseAll((incoming as { error: ControlError }).error)
    const waiting = this.#waiting.get(incoming.id)
    this.#waiting.delete(incoming.id)
    if (incoming.kind === 'result') waiting?.settle(incoming.result)
    else waiting?.refuse(incoming.error)
  }

  #deliver(update: Update): void {
    const sink = this.#watches.get(Number(update.params['watch']))
    if (sink !== undefined) sink(update)
    else if (this.#early.length < 16) this.#early.push(update)
  }

  #refuseAll(error: ControlError): void {
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const each of waiting) each.refuse(error)
  }
}

function gone(): ControlError {
  return new ControlError('unreachable', 'the router closed the connection during the upload')
}
