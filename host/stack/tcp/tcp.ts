/**
 * TCP of one host as its users see it: listen, connect, move connections. The one idea: everything is made when
 * first needed, so that a host that never speaks TCP costs nothing.
 */
import { isMulticast } from '../addresses.ts'
import { StackError } from '../errors.ts'
import type { Datagram, QuotedPacket } from '../network.ts'
import { Timer } from '../timers.ts'
import { TcpConnection } from './connection.ts'
import type { TcpCounters } from './control-block.ts'
import { demultiplex, type StrayHandler } from './demultiplexer.ts'
import { type ConnectionState, checkState, exportBlock, importBlock } from './export.ts'
import { openActive } from './handshake.ts'
import { abandon, finish, schedule, setState } from './lifecycle.ts'
import { type ListenOptions, TcpListener } from './listener.ts'
import { type ConnectRequest, checkRequest } from './open-request.ts'
import { createSegment, parseSegment, type Segment } from './segment.ts'
import { settingsOf } from './settings.ts'
import { type TcpContext, TcpTables } from './tables.ts'
import { errorArrives } from './unreachable.ts'

export class TcpLayer {
  /** Asked before a segment without a connection is answered with RST. */
  onStray: StrayHandler | undefined = undefined
  readonly #tables: TcpTables
  readonly #segment: Segment = createSegment()

  constructor(context: TcpContext) {
    this.#tables = new TcpTables(context)
  }

  get counters(): Readonly<TcpCounters> {
    return this.#tables.counters
  }

  /** Connections now, half-open ones included and TIME-WAIT excluded. */
  get connections(): number {
    return this.#tables.connections.size
  }

  /** The connections whose handshake is complete, in a fixed order. */
  established(): TcpConnection[] {
    const found: TcpConnection[] = []
    for (const { synchronized, events } of this.#tables.connections.entries())
      if (synchronized && events instanceof TcpConnection) found.push(events)
    return found
  }

  /** Connections in TIME-WAIT now. */
  get lingering(): number {
    return this.#tables.lingering.size
  }

  /**
   * Accepts connections to `port`.
   * @param address a local address, or 0 for any
   * @param onConnection gets each established connection; assign its callbacks there
   * @throws StackError `exists` when the port is taken, `invalid` for values out of bounds
   */
  listen(
    port: number,
    address: number,
    onConnection: (connection: TcpConnection) => void,
    options: ListenOptions = {},
  ): TcpListener {
    const { listeners } = this.#tables
    const listener = new TcpListener(port, address, onConnection, options, (each) => listeners.remove(each))
    listeners.add(listener)
    return listener
  }

  /**
   * Opens a connection. What goes wrong later comes as `onClosed`; no callback runs before this returns.
   * @throws StackError `invalid`, `exists` when the ends are taken, `limit` when ports or connections run out
   */
  connect(request: ConnectRequest): TcpConnection {
    const tables = this.#tables
    const { clock, timers, context } = tables
    checkRequest(request)
    const settings = settingsOf(request.settings)
    const { to, port, from = context.network.sourceFor(to) } = request
    if (request.from !== undefined && !context.network.isLocal(from))
      throw new StackError('invalid', 'the source address is not local')
    this.#requireRoom()
    const localPort = this.#choosePort(from, to, port, request.fromPort)
    const block = tables.createBlock({ local: from, localPort, remote: to, remotePort: port }, settings)
    block.offered = request.options ?? []
    const connection = new TcpConnection(block)
    if (from === 0) {
      setState(block, 'syn-sent')
      timers.arm(new Timer(() => finish(block, 'unreachable')), clock.now)
      return connection
    }
    tables.connections.add(block)
    if (isMulticast(to)) tables.groupOpens.add(block)
    openActive(block, tables.secrets.initialSequence(block, clock.now))
    return connection
  }

  /** Takes a datagram of protocol 6. */
  input(datagram: Datagram): void {
    const segment = this.#segment
    const { counters } = this.#tables
    segment.source = datagram.header.source
    segment.destination = datagram.header.destination
    counters.segmentsIn++
    const verdict = parseSegment(datagram.bytes, datagram.transport, datagram.end, segment)
    if (verdict === 'good') demultiplex(this.#tables, datagram, segment, this.onStray)
    else if (verdict === 'malformed') counters.malformed++
    else counters.badChecksum++
  }

  /** Takes an ICMP error that quotes a segment. */
  error(quoted: QuotedPacket): void {
    errorArrives(this.#tables, quoted)
  }

  /**
   * The whole state of a synchronised connection, for `importConnection` of another host. The connection here is
   * left as it is.
   * @throws StackError `invalid` before the handshake or after the end
   */
  snapshotConnection(connection: TcpConnection): ConnectionState {
    return exportBlock(connection.block)
  }

  /** As `snapshotConnection`, then forgets the connection: no segment leaves and no callback runs any more. */
  exportConnection(connection: TcpConnection): ConnectionState {
    const moved = exportBlock(connection.block)
    abandon(connection.block)
    return moved
  }

  /**
   * Takes up a connection that was exported elsewhere. It comes up paused: assign the callbacks, then `resume`.
   * @throws StackError `invalid` for an inconsistent state or an address that is not local here, `exists`, `limit`
   */
  importConnection(moved: ConnectionState): TcpConnection {
    const tables = this.#tables
    const settings = checkState(moved)
    const { local, localPort, remote, remotePort } = moved.fields
    if (!tables.context.network.isLocal(local))
      throw new StackError('invalid', 'the connection has an address that is not local here')
    this.#requireRoom()
    if (tables.connections.find(local, localPort, remote, remotePort) !== null)
      throw new StackError('exists', 'the connection exists here')
    const lingering = tables.lingering.find(local, localPort, remote, remotePort)
    if (lingering !== null) tables.lingering.remove(lingering)
    const block = tables.createBlock(moved.fields, settings)
    const connection = new TcpConnection(block)
    importBlock(block, moved)
    tables.connections.add(block)
    schedule(block)
    return connection
  }

  /**
   * The peer of a live connection is from now on found at another address.
   * @throws StackError `exists` when such a connection exists, `closed` when this one has ended
   */
  redirect(connection: TcpConnection, remote: number, remotePort: number): void {
    this.#tables.rekey(connection.block, remote, remotePort)
  }

  #requireRoom(): void {
    if (this.#tables.full) throw new StackError('limit', 'too many connections')
  }

  #choosePort(from: number, to: number, port: number, wanted: number | undefined): number {
    const { connections, lingering, listeners, secrets } = this.#tables
    const taken = (each: number): boolean =>
      connections.find(from, each, to, port) !== null || lingering.find(from, each, to, port) !== null
    if (wanted === undefined) {
      const chosen = secrets.choosePort(from, to, port, (each) => listeners.has(each) || taken(each))
      if (chosen < 0) throw new StackError('limit', 'no free port')
      return chosen
    }
    if (taken(wanted)) throw new StackError('exists', `port ${wanted} is taken`)
    return wanted
  }
}
