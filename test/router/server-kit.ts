/** Control servers for tests, on sockets in a temporary folder and on loopback, and raw clients to misuse them. */
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import type { Role } from '../../execution-env/certificates/index.ts'
import { CONTROL_PATH, CONTROL_PROTOCOL } from '../../router/control/protocol.ts'
import type { ControlClient } from '../../router/control-client/client.ts'
import { connectRouter } from '../../router/control-client/connect.ts'
import { ControlServer, type ControlServerOptions } from '../../router/control-server/server.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { RouterKit } from './router-kit.ts'

/** Everything that tests have opened and not closed. */
const open = new Set<() => unknown>()

/** Closes whatever is left of a test: to be called after each. */
export async function closeAll(): Promise<void> {
  const left = [...open]
  open.clear()
  for (const each of left.reverse()) await each()
}

export function onClose(close: () => unknown): void {
  open.add(close)
}

export class ServerKit {
  readonly kit: RouterKit
  readonly folder: string
  readonly server: ControlServer

  constructor(kit: RouterKit, folder: string, server: ControlServer) {
    this.kit = kit
    this.folder = folder
    this.server = server
  }

  /** A client by a local socket. */
  async client(role: Role = 'install'): Promise<ControlClient> {
    const client = await connectRouter({ address: { kind: 'local', folder: this.folder }, role })
    onClose(() => client.close())
    return client
  }

  /** A WebSocket that says what it likes. */
  async raw(role: Role = 'install'): Promise<RawClient> {
    const path = join(this.folder, `${role}.sock`)
    const socket = new WebSocket(`ws+unix:${path}:${CONTROL_PATH}`, CONTROL_PROTOCOL, {
      perMessageDeflate: false,
    })
    const client = new RawClient(socket)
    await client.opened
    return client
  }

  /** A connection that is not even HTTP. */
  async bare(role: Role = 'install'): Promise<BareClient> {
    const client = new BareClient(connect(join(this.folder, `${role}.sock`)))
    await client.connected
    return client
  }
}

/** A server over a router that has come up. */
export async function serve(
  more: Partial<ControlServerOptions> = {},
  kit = new RouterKit(),
): Promise<ServerKit> {
  await kit.router.start()
  const folder = temporaryFolder('pc-')
  const server = await ControlServer.open({ router: kit.router, folder, ...more })
  onClose(() => server.close())
  return new ServerKit(kit, folder, server)
}

/** A WebSocket whose messages are kept. */
export class RawClient {
  readonly socket: WebSocket
  readonly opened: Promise<void>
  /** Close code. */
  readonly closed: Promise<number>
  readonly messages: string[] = []
  #arrived: () => void = () => {}

  constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('message', (data) => {
      this.messages.push(String(data))
      this.#arrived()
    })
    this.opened = new Promise((settle, reject) => socket.on('open', settle).on('error', reject))
    this.closed = new Promise((settle) => socket.on('close', settle))
    onClose(() => socket.terminate())
  }

  send(message: unknown): void {
    this.socket.send(
      typeof message === 'string' || message instanceof Uint8Array ? message : JSON.stringify(message),
    )
  }

  /** The next message that was not taken yet. */
  async next(): Promise<Record<string, unknown>> {
    while (this.messages.length === 0) await new Promise<void>((settle) => (this.#arrived = settle))
    return JSON.parse(this.messages.shift()!) as Record<string, unknown>
  }

  async ask(message: unknown): Promise<Record<string, unknown>> {
    this.send(message)
    return this.next()
  }
}

export class BareClient {
  readonly socket: Socket
  readonly connected: Promise<void>
  readonly closed: Promise<void>
  text = ''

  constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1').on('data', (text: string) => (this.text += text))
    socket.on('error', () => {})
    this.connected = new Promise((settle) => socket.once('connect', settle))
    this.closed = new Promise((settle) => socket.on('close', () => settle()))
    onClose(() => socket.destroy())
  }
}

/** Waits until something holds. Bounded by the test's own time. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((settle) => setTimeout(settle, 2))
}
