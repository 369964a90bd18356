/**
 * From an HTTP connection to a session. The one idea: whatever is not exactly our own upgrade is turned away before a
 * WebSocket exists: another path, another protocol, a browser (which always tells its origin), a stranger.
 */
import type { IncomingMessage, OutgoingHttpHeaders, Server, ServerResponse } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { MAX_MESSAGE_BYTES } from '../control/limits.ts'
import { CONTROL_PATH, CONTROL_PROTOCOL } from '../control/protocol.ts'
import type { ServerCounters } from './counters.ts'
import { HEALTH_PATH, healthOf } from './health.ts'
import type { Peer } from './peer.ts'
import { Session, type SessionHouse } from './session.ts'

/** Sessions of one listener, and of one peer by name. */
const MAX_SESSIONS = 64
const MAX_SESSIONS_OF_PEER = 16

export interface Gate {
  readonly house: SessionHouse
  readonly counters: ServerCounters
  /** Says who it is, or why not: then the HTTP status to answer with. */
  identify(request: IncomingMessage): Peer | number
  /** Takes over a new session. */
  admit(session: Session): void
  /** Sessions of this listener. */
  sessions(): Iterable<Session>
}

/** Options of the HTTP server under every listener. */
export function httpOptions(handshakeMs: number) {
  return {
    headersTimeout: handshakeMs,
    requestTimeout: handshakeMs,
    keepAliveTimeout: 1,
    connectionsCheckingInterval: Math.max(10, handshakeMs >> 2),
    maxHeaderSize: 8_192,
    insecureHTTPParser: false,
  }
}

/** Makes an HTTP server turn upgrades into sessions, and everything else away. */
export function attach(server: Server, gate: Gate): void {
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
    handleProtocols: (protocols) => (protocols.has(CONTROL_PROTOCOL) ? CONTROL_PROTOCOL : false),
  })
  server.maxConnections = MAX_SESSIONS * 2
  server.on('request', (request, response) => answerPlain(request, response, gate))
  server.on('clientError', (_error, socket) => socket.destroy())
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    const admitted = judge(request, gate)
    if (typeof admitted === 'number') return turnAway(socket, admitted)
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      gate.counters.opened++
      gate.admit(new Session(webSocket, admitted, gate.house))
    })
  })
}

/** A plain request may ask for the router's health; anything else needs the protocol. */
function answerPlain(request: IncomingMessage, response: ServerResponse, gate: Gate): void {
  const { counters, house } = gate
  const end = (status: number, headers: OutgoingHttpHeaders = {}, body = '') =>
    response.writeHead(status, { Connection: 'close', ...headers }).end(body)
  if (request.headers.origin !== undefined || request.url !== HEALTH_PATH || request.method !== 'GET') {
    counters.notUpgraded++
    return void end(426, { Upgrade: 'websocket' })
  }
  const peer = gate.identify(request)
  if (typeof peer === 'number' || !peer.roles.has('read')) {
    counters.notAuthenticated++
    return void end(typeof peer === 'number' ? peer : 403)
  }
  const health = healthOf(house.router, peer, counters)
  end(health.well ? 200 : 503, { 'Content-Type': 'application/json' }, `${JSON.stringify(health)}\n`)
}

function judge(request: IncomingMessage, gate: Gate): Peer | number {
  const { counters } = gate
  const refuse = (status: number) => {
    counters.notUpgraded++
    return status
  }
  if (request.headers.origin !== undefined) return refuse(403)
  if (request.url !== CONTROL_PATH) return refuse(404)
  const protocols = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((each) => each.trim())
  if (!protocols.includes(CONTROL_PROTOCOL)) return refuse(400)
  const peer = gate.identify(request)
  if (typeof peer === 'number') {
    counters.notAuthenticated++
    return peer
  }
  const sessions = [...gate.sessions()]
  const own = sessions.filter((each) => each.peer.name === peer.name)
  if (sessions.length >= MAX_SESSIONS || own.length >= MAX_SESSIONS_OF_PEER) {
    counters.tooManySessions++
    return 503
  }
  return peer
}

function turnAway(socket: Duplex, status: number): void {
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
