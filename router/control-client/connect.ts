/**
 * Reaching a router. The one idea: a local socket is believed because of where it lies; a remote router has to show a
 * certificate that our own roots issued to a router of the name that we asked for, before it hears a word.
 */
import { connect as connectSocket } from 'node:net'
import { connect as connectTls, type PeerCertificate, type TLSSocket } from 'node:tls'
import { WebSocket } from 'ws'
import {
  CertificateError,
  type Credential,
  type TrustStore,
  verifyCertificate,
} from '../../execution-env/certificates/index.ts'
import { ControlError } from '../control/errors.ts'
import { MAX_OUTGOING_BYTES } from '../control/limits.ts'
import { CONTROL_PATH, CONTROL_PROTOCOL } from '../control/protocol.ts'
import type { Role } from '../control/roles.ts'
import { certificatesOf } from '../control/tls-certificates.ts'
import { localSocket, type RouterAddress, serverName } from './address.ts'
import { ControlClient } from './client.ts'

/** What a remote router is believed by, and what it is shown. */
export interface RemoteIdentity {
  readonly trust: TrustStore
  readonly credential: Credential
}

export interface ConnectOptions {
  readonly address: RouterAddress
  /** The least that is needed; chooses the local socket. */
  readonly role: Role
  /** For remote routers. */
  readonly identity?: RemoteIdentity
  /** Default 10 s. */
  readonly timeoutMs?: number
  /** Calendar milliseconds. */
  readonly clock?: () => number
}

const TIMEOUT_MS = 10_000

/**
 * Opens a session with a router.
 * @throws ControlError `unreachable`, `forbidden`, `refused`, `invalid`
 */
export async function connectRouter(options: ConnectOptions): Promise<ControlClient> {
  const { address, timeoutMs = TIMEOUT_MS } = options
  const url = address.kind === 'local' ? 'ws://local' : `wss://${address.host}:${address.port}`
  const socket = new WebSocket(`${url}${CONTROL_PATH}`, CONTROL_PROTOCOL, {
    perMessageDeflate: false,
    maxPayload: MAX_OUTGOING_BYTES,
    handshakeTimeout: timeoutMs,
    followRedirects: false,
    createConnection: () => {
      if (address.kind === 'local') return connectSocket(localSocket(address.folder, options.role))
      return secure(address, options)
    },
  })
  return new Promise((settle, reject) => {
    const fail = (error: Error) => {
      socket.terminate()
      reject(unreachable(error, address))
    }
    socket.once('error', fail)
    socket.once('unexpected-response', (_request, response) => {
      response.destroy()
      fail(refusedUpgrade(response.statusCode ?? 0))
    })
    socket.once('open', () => {
      socket.off('error', fail)
      settle(new ControlClient(socket))
    })
  })
}

type Remote = Extract<RouterAddress, { kind: 'remote' }>

function secure(address: Remote, { identity, clock = Date.now }: ConnectOptions): TLSSocket {
  if (identity === undefined)
    throw new ControlError('invalid', 'a remote router needs --cert, --key and --trust')
  const { credential, trust } = identity
  return connectTls({
    host: address.host.replace(/^\[|\]$/g, ''),
    port: address.port,
    servername: serverName(address.name),
    minVersion: 'TLSv1.3',
    cert: [credential.certificate, ...credential.chain].map((each) => each.toPem()).join(''),
    key: credential.key.export({ type: 'pkcs8', format: 'pem' }),
    ca: trust.roots.map((each) => each.toPem()),
    rejectUnauthorized: true,
    // Called when OpenSSL is content, and before anything is sent.
    checkServerIdentity: (_host, shown) => problemWith(shown, address.name, trust, clock()),
  })
}

/** What speaks against a router's certificate besides its chain: name, usage, revocation. */
function problemWith(
  shown: PeerCertificate,
  wanted: string,
  trust: TrustStore,
  atMs: number,
): Error | undefined {
  try {
    const presented = certificatesOf(shown)
    const { certificate } = verifyCertificate(presented, trust, { usage: 'router', atMs })
    const { commonName } = certificate
    if (commonName === wanted) return undefined
    const reason = `the router there is ${commonName}, not ${wanted}; if that is right, add #${commonName}`
    return new ControlError('refused', reason)
  } catch (error) {
    return error as Error
  }
}

function refusedUpgrade(status: number): ControlError {
  if (status === 403) return new ControlError('forbidden', 'the router does not accept this certificate')
  if (status === 503) return new ControlError('busy', 'the router has too many sessions already')
  return new ControlError('unreachable', `this is no router's control socket (HTTP ${status})`)
}

function unreachable(error: Error, address: RouterAddress): ControlError {
  if (error instanceof ControlError) return error
  if (error instanceof CertificateError)
    return new ControlError('refused', `the router's certificate: ${error.message}`, { cause: error.code })
  const { code = '', message } = error as NodeJS.ErrnoException
  const place = address.kind === 'local' ? address.folder : `${address.host}:${address.port}`
  if (code === 'ENOENT' || code === 'ECONNREFUSED')
    return new ControlError('unreachable', `no router at ${place}`)
  if (code === 'EACCES' || code === 'EPERM')
    return new ControlError('forbidden', `you may not open the router's socket in ${place}`)
  if (code.startsWith('ERR_SSL') || /certificate|handshake/i.test(`${code} ${message}`))
    return new ControlError('refused', `no TLS session with ${place}: ${message}`)
  return new ControlError('unreachable', `${place}: ${message}`)
}
