/**
 * Operators of other machines: TLS 1.3 with certificates on both sides. The one idea: OpenSSL lets in who proves to
 * hold the key of a certificate under our roots, and our own verifier then decides what that certificate is for, whether
 * it was revoked, and which roles it grants; no certificate, no HTTP. Nothing can be replayed or forged inside, and no
 * session is resumed, so that every connection is judged anew.
 */
import { constants } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import {
  type Certificate,
  type Credential,
  loadCredential,
  verifyCertificate,
} from '../../execution-env/certificates/index.ts'
import type { RemoteControl } from '../config/index.ts'
import { ControlError } from '../control/errors.ts'
import { certificatesOf } from '../control/tls-certificates.ts'
import type { Trust } from '../trust.ts'
import { closeServer } from './local-listener.ts'
import type { Peer } from './peer.ts'
import { attach, type Gate, httpOptions } from './upgrade.ts'

/** Connections from one address, sessions included. */
const MAX_FROM_ADDRESS = 32

/** Told of a stranger: the name in the certificate that was presented, and why it was not believed. */
export type RefusedSink = (name: string, address: string, error: unknown) => void

export interface RemoteListenerOptions extends RemoteControl {
  readonly trust: Trust
  /** Calendar milliseconds. */
  readonly calendar: () => number
  readonly handshakeMs: number
  readonly onRefused: RefusedSink
  /** Told of connections that end before they have shown a certificate that is believed. */
  readonly onStranger: () => void
}

export class RemoteListener {
  readonly #server: Server
  readonly #stopListening: () => void

  private constructor(server: Server, stopListening: () => void) {
    this.#server = server
    this.#stopListening = stopListening
  }

  /**
   * @param gate makes what a listener needs
   * @throws CertificateError for the router's own certificate, ControlError `failed`
   */
  static async open(
    options: RemoteListenerOptions,
    gate: (identify: (request: IncomingMessage) => Peer | number) => Gate,
  ): Promise<RemoteListener> {
    const { trust, calendar, handshakeMs, host, port, onStranger } = options
    const credential = loadCredential(options.certificate, options.key)
    verifyCertificate([credential.certificate, ...credential.chain], trust.store, {
      usage: 'router',
      atMs: calendar(),
      occasion: 'again',
    })
    const context = () => tlsContext(credential, trust)
    const server = createServer({
      ...httpOptions(handshakeMs),
      ...context(),
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: handshakeMs,
      minVersion: 'TLSv1.3',
      secureOptions: constants.SSL_OP_NO_TICKET,
    })
    limitByAddress(server)
    server.on('tlsClientError', (_error, socket) => {
      onStranger()
      socket.destroy()
    })
    attach(
      server,
      gate((request) => identify(request.socket as TLSSocket, options)),
    )
    await new Promise<void>((settle, reject) => {
      const fail = (error: Error) =>
        reject(new ControlError('failed', `cannot listen at ${host}:${port}: ${error.message}`))
      server.once('error', fail)
      server.listen(port, host, () => {
        server.off('error', fail)
        settle()
      })
    })
    return new RemoteListener(
      server,
      trust.onChange(() => server.setSecureContext(context())),
    )
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    this.#stopListening()
    await closeServer(this.#server)
  }
}

function tlsContext({ certificate, chain, key }: Credential, trust: Trust) {
  return {
    cert: [certificate, ...chain].map((each) => each.toPem()).join(''),
    key: key.export({ type: 'pkcs8', format: 'pem' }),
    // Also when it is empty: without a list Node would believe the roots that it comes with.
    ca: trust.store.roots.map((each) => each.toPem()),
  }
}

function limitByAddress(server: Server): void {
  const counts = new Map<string, number>()
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? ''
    const count = (counts.get(address) ?? 0) + 1
    counts.set(address, count)
    socket.on('close', () => {
      const left = counts.get(address)! - 1
      if (left === 0) counts.delete(address)
      else counts.set(address, left)
    })
    if (count > MAX_FROM_ADDRESS) socket.destroy()
  })
}

/** Who a certificate makes its holder, or the status with which it is turned away. */
function identify(socket: TLSSocket, { trust, calendar, onRefused }: RemoteListenerOptions): Peer | number {
  const address = socket.remoteAddress ?? ''
  let presented: Certificate[] = []
  try {
    presented = certificatesOf(socket.getPeerCertificate(true))
    const judge = () =>
      verifyCertificate(presented, trust.store, { usage: 'operator', atMs: calendar(), occasion: 'first' })
    const { certificate, chain, grant } = judge()
    const untilMs = Math.min(...chain.map((each) => each.notAfterMs))
    return {
      via: 'remote',
      name: certificate.commonName,
      serial: certificate.serial,
      address,
      roles: new Set(grant.roles ?? []),
      isValid: (thorough) => calendar() <= untilMs && (!thorough || holds(judge)),
    }
  } catch (error) {
    onRefused(presented[0]?.commonName ?? '', address, error)
    return 403
  }
}

function holds(judge: () => unknown): boolean {
  try {
    judge()
    return true
  } catch {
    return false
  }
}
