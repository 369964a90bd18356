/**
 * What the connections of one host share: tables, counters, secrets and the way out. The one idea: the state of TCP
 * as a whole in one place, acted on by the demultiplexer and by the user's calls; every table has a limit.
 */
import { PROTOCOL_TCP } from '../../../engine/wire/index.ts'
import { StackError } from '../errors.ts'
import type { Network, SendOptions } from '../network.ts'
import type { PathMtuCache } from '../path-mtu.ts'
import type { ConnectionEnds, StackLog } from '../stack-event.ts'
import { type Nanoseconds, SECOND, type StackClock } from '../time.ts'
import type { TimerQueue } from '../timers.ts'
import { TcpConnection } from './connection.ts'
import { ControlBlock, type TcpCounters, type TcpServices } from './control-block.ts'
import { EndsTable } from './ends-table.ts'
import { finish } from './lifecycle.ts'
import { ListenerTable, type TcpListener } from './listener.ts'
import { emitReset } from './reset.ts'
import { TcpSecrets } from './secrets.ts'
import type { TcpSettings } from './settings.ts'
import { TimeWaitTable } from './time-wait.ts'
import { expire } from './timeouts.ts'

export interface TcpLimits {
  /** Most connections, half-open ones included. Default 65536. */
  readonly connections: number
  /** Most connections in TIME-WAIT. Default 8192. */
  readonly timeWait: number
  /** How long TIME-WAIT lasts: twice the maximum segment lifetime. Default 60 s. */
  readonly lingerNs: Nanoseconds
}

export const DEFAULT_TCP_LIMITS: TcpLimits = { connections: 65_536, timeWait: 8192, lingerNs: 60 * SECOND }

/** What the stack lends to TCP. */
export interface TcpContext {
  readonly network: Network
  readonly paths: PathMtuCache
  readonly clock: StackClock
  readonly timers: TimerQueue
  readonly random: () => number
  readonly log: StackLog | undefined
  readonly limits: TcpLimits
  /** Retransmissions to `remote` go unanswered. */
  adviseUnreachable(remote: number): void
}

const WHOLE: SendOptions = { dontFragment: true, ttl: 64 }
const IN_PIECES: SendOptions = { ttl: 64 }

export class TcpTables implements TcpServices {
  readonly context: TcpContext
  readonly clock: StackClock
  readonly timers: TimerQueue
  readonly log: StackLog | undefined
  readonly counters: TcpCounters = {
    segmentsIn: 0,
    segmentsOut: 0,
    retransmissions: 0,
    resetsSent: 0,
    challengeAcks: 0,
    badChecksum: 0,
    malformed: 0,
    oldDuplicates: 0,
    pawsRejected: 0,
    backlogFull: 0,
    connectionLimit: 0,
    outOfOrderLimit: 0,
    timeWaitEvicted: 0,
    unreachableIgnored: 0,
  }
  readonly secrets: TcpSecrets
  readonly connections: EndsTable<ControlBlock>
  readonly lingering: TimeWaitTable
  readonly listeners = new ListenerTable()
  /** Connections opened to a group whose peer is not known yet. */
  readonly groupOpens = new Set<ControlBlock>()

  constructor(context: TcpContext) {
    this.context = context
    this.clock = context.clock
    this.timers = context.timers
    this.log = context.log
    this.secrets = new TcpSecrets(context.random)
    this.connections = new EndsTable(this.secrets.tableKey)
    const { lingerNs, timeWait } = context.limits
    this.lingering = new TimeWaitTable(this, this.secrets.tableKey, lingerNs, timeWait)
  }

  /** Whether no further connection fits. */
  get full(): boolean {
    return this.connections.size >= this.context.limits.connections
  }

  createBlock(ends: ConnectionEnds, settings: TcpSettings): ControlBlock {
    const block = new ControlBlock(this, settings, ends, expire)
    block.timestampOffset = this.secrets.timestampOffset(ends.local, ends.remote)
    return block
  }

  /**
   * The peer is from now on found elsewhere.
   * @throws StackError `exists` when such a connection exists, `closed` when this one has ended
   */
  rekey(block: ControlBlock, remote: number, remotePort: number): void {
    if (this.connections.find(block.local, block.localPort, remote, remotePort) !== null)
      throw new StackError('exists', 'a connection with these ends exists')
    if (!this.connections.remove(block)) throw new StackError('closed', 'the connection has ended')
    this.groupOpens.delete(block)
    block.remote = remote
    block.remotePort = remotePort
    this.connections.add(block)
  }

  transmit(frame: Uint8Array, ends: ConnectionEnds): void {
    const { network, paths } = this.context
    const options = paths.fragments(ends.remote, this.clock.now) ? IN_PIECES : WHOLE
    network.send(frame, ends.local, ends.remote, PROTOCOL_TCP, options)
  }

  linkMtu(remote: number): number {
    return this.context.network.linkMtu(remote)
  }

  pathMtu(remote: number): number {
    return this.context.paths.find(remote, this.linkMtu(remote), this.clock.now)
  }

  adviseUnreachable(remote: number): void {
    this.context.adviseUnreachable(remote)
  }

  accepted(block: ControlBlock): void {
    const listener = block.listener as TcpListener
    block.listener = null
    listener.pending--
    if (listener.closed) {
      emitReset(block)
      finish(block, 'reset')
      return
    }
    listener.accepted++
    listener.onConnection(new TcpConnection(block))
  }

  ended(block: ControlBlock, lingers: boolean): void {
    this.connections.remove(block)
    this.groupOpens.delete(block)
    if (block.listener !== null) (block.listener as TcpListener).pending--
    block.listener = null
    if (lingers) this.lingering.enter(block)
  }
}
