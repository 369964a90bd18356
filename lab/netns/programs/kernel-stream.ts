/** A TCP connection of the operating system, as the applications of hosts know one. */
import type { Socket } from 'node:net'
import type { StreamSocket } from '../../../host/stack/index.ts'

type CloseReason = Parameters<StreamSocket['onClosed']>[0]

const REASONS: Readonly<Record<string, CloseReason>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  ETIMEDOUT: 'timeout',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
}

const ignore = (): void => {}

export class KernelStream implements StreamSocket {
  onEstablished: () => void = ignore
  onData: (bytes: Uint8Array) => void = ignore
  onWritable: () => void = ignore
  onEnd: () => void = ignore
  onClosed: (reason: CloseReason) => void = ignore
  readonly #socket: Socket
  #reason: CloseReason = 'closed'

  /** @param socket one that stays half open when its peer has ended */
  constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('connect', () => this.onEstablished())
    socket.on('data', (bytes: Buffer) => this.onData(bytes))
    socket.on('drain', () => this.onWritable())
    socket.on('end', () => this.onEnd())
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#reason = REASONS[error.code ?? ''] ?? 'unreachable'
    })
    socket.on('close', () => this.onClosed(this.#reason))
  }

  send(bytes: Uint8Array): number {
    const socket = this.#socket
    if (bytes.length === 0 || !socket.writable || socket.writableNeedDrain) return 0
    socket.write(bytes)
    return bytes.length
  }

  close(): void {
    this.#socket.end()
  }

  abort(): void {
    this.#reason = 'reset'
    if (this.#socket.connecting) this.#socket.destroy()
    else this.#socket.resetAndDestroy()
  }
}
