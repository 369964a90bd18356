/**
 * The transmission control block: everything TCP remembers of one connection (RFC 9293 3.3.1). The one idea: data
 * only; the files beside it act on it. Names with snd and rcv are the RFC's own. Big parts are made when first
 * needed, so that a half-open or idle connection is small.
 */
import type { ConnectionEnds, StackLog } from '../stack-event.ts'
import type { Nanoseconds, StackClock } from '../time.ts'
import { NEVER } from '../time.ts'
import { Timer, type TimerQueue } from '../timers.ts'
import { ByteQueue } from './byte-queue.ts'
import { Congestion } from './congestion.ts'
import type { TableEntry } from './ends-table.ts'
import type { ReceiveBuffer } from './receive-buffer.ts'
import { RtoEstimator } from './rto.ts'
import { Scoreboard } from './scoreboard.ts'
import type { TcpSettings } from './settings.ts'

export type TcpState =
  | 'syn-sent'
  | 'syn-received'
  | 'established'
  | 'fin-wait-1'
  | 'fin-wait-2'
  | 'close-wait'
  | 'closing'
  | 'last-ack'
  | 'time-wait'
  | 'closed'

/** Why a connection ended. `closed`: both sides sent FIN and both were acknowledged. */
export type CloseReason = 'closed' | 'reset' | 'timeout' | 'refused' | 'unreachable'

/** An option of kind 253 or 254 (RFC 6994) to send or as received. */
export interface ExperimentalOption {
  readonly kind: 253 | 254
  /** 16 bits. */
  readonly exid: number
  /** 0..36 bytes. */
  readonly data: Uint8Array
}

/** What a connection tells its owner. */
export interface ConnectionEvents {
  onEstablished(): void
  /** Received bytes in order: a view that stays valid; never write to it. */
  onData(bytes: Uint8Array): void
  /** There is room again after `send` took less than it was given. */
  onWritable(): void
  /** The peer sent FIN: no more data will come. */
  onEnd(): void
  /** The last event. */
  onClosed(reason: CloseReason): void
}

/** Counters of one stack's TCP, all monotonic. */
export interface TcpCounters {
  segmentsIn: number
  segmentsOut: number
  retransmissions: number
  resetsSent: number
  challengeAcks: number
  /** Dropped segments by reason. */
  badChecksum: number
  malformed: number
  oldDuplicates: number
  pawsRejected: number
  backlogFull: number
  connectionLimit: number
  outOfOrderLimit: number
  timeWaitEvicted: number
  /** ICMP errors about nothing in flight. */
  unreachableIgnored: number
}

/** What the connections of one stack share. */
export interface TcpServices {
  readonly clock: StackClock
  readonly timers: TimerQueue
  readonly log: StackLog | undefined
  readonly counters: TcpCounters
  /** Sends the frame whose TCP segment begins behind the link and IP headers. */
  transmit(frame: Uint8Array, ends: ConnectionEnds): void
  /** MTU of the link towards `remote`, and the largest IP packet known to reach it, in bytes. */
  linkMtu(remote: number): number
  pathMtu(remote: number): number
  /** Retransmissions go unanswered: the next hop may be gone (RFC 1122 3.3.1.4). */
  adviseUnreachable(remote: number): void
  /** The handshake of a passively opened connection is complete: gives it to its listener. */
  accepted(block: ControlBlock): void
  /** The block has left the state machine: forget it; `lingers` when it enters TIME-WAIT. */
  ended(block: ControlBlock, lingers: boolean): void
}

/** How losses are being repaired. */
export type RecoveryPhase = 'open' | 'recovery' | 'loss'

const NO_EVENTS: ConnectionEvents = {
  onEstablished() {},
  onData() {},
  onWritable() {},
  onEnd() {},
  onClosed() {},
}

export class ControlBlock implements TableEntry<ControlBlock> {
  readonly services: TcpServices
  readonly settings: TcpSettings
  readonly timer: Timer
  events: ConnectionEvents = NO_EVENTS
  state: TcpState = 'closed'
  local: number
  localPort: number
  remote: number
  remotePort: number
  /** Next of the same bucket; the table's own. */
  nextInBucket: ControlBlock | null = null
  /** The listener of a passive open until the connection is accepted; owned by the listener table. */
  listener: object | null = null

  iss = 0
  sndUna = 0
  /** One past the newest sequence number sent; never moves back. */
  sndNxt = 0
  /** The peer's window in bytes. */
  sndWnd = 0
  sndWl1 = 0
  sndWl2 = 0
  /** Largest window the peer ever offered. */
  maxSndWnd = 0
  /** Sequence number of the send buffer's first byte. */
  bufferBase = 0
  readonly sendBuffer = new ByteQueue()
  /** The application closed its side. */
  finQueued = false
  /** FIN occupies sndNxt - 1. */
  finSent = false
  /** The application waits for room. */
  wantsRoom = false

  irs = 0
  rcvNxt = 0
  /** Right edge of the window as advertised: never moves back. */
  rcvAdv = 0
  outOfOrder: ReceiveBuffer | null = null
  /** In-order bytes that the application has not taken while it pauses. */
  unread: ByteQueue | null = null
  paused = false
  /** Sequence number of the peer's FIN once seen, -1 before. */
  finSequence = -1
  /** onEnd is owed; onClosed is owed. Both wait while the application pauses. */
  endOwed = false
  closeOwed = false

  /** Window scaling was agreed on, with these shifts. */
  scaling = false
  sndScale = 0
  rcvScale = 0
  timestamps = false
  sack = false
  /** Added to the millisecond clock. */
  timestampOffset = 0
  timestampRecent = 0
  timestampRecentAt: Nanoseconds = 0
  lastAckSent = 0
  /** Largest segment the peer accepts (its MSS option or 536), without options. */
  peerSegmentBytes = 536
  /** Largest payload of a segment received, to judge "full-sized". */
  largestReceived = 0
  offered: readonly ExperimentalOption[] = []
  peerOptions: readonly ExperimentalOption[] = []

  ackNow = false
  unackedBytes = 0
  ackAt: Nanoseconds = NEVER
  retransmitAt: Nanoseconds = NEVER
  persistAt: Nanoseconds = NEVER
  /** Keep-alive, or the end of waiting for FIN. */
  idleAt: Nanoseconds = NEVER
  lastDataAt: Nanoseconds = 0
  lastHeardAt: Nanoseconds = 0

  readonly rto: RtoEstimator
  readonly congestion: Congestion
  readonly scoreboard = new Scoreboard()
  phase: RecoveryPhase = 'open'
  /** Highest sequence number outstanding when the last loss was found. */
  recoveryPoint = 0
  /** One past the highest byte retransmitted in this recovery. */
  retransmitted = 0
  duplicateAcks = 0
  /** Why the phase `loss` was entered. */
  lossCause: 'rto' | 'probe' | 'mtu' = 'rto'
  /** Consecutive expirations without progress, and since when there is none. */
  expirations = 0
  stuckSince: Nanoseconds = 0
  /** Unanswered window or keep-alive probes. */
  probes = 0
  /** Doublings of the time between window probes since the window closed. */
  persistBackoff = 0
  timedSequence = 0
  /** When the timed segment was sent; -1 while none is timed. */
  timedAt: Nanoseconds = -1
  /** An ICMP error said the peer cannot be reached; the reason given if the connection dies of silence. */
  unreachable = false
  /** Start of the current second of challenge acknowledgments and how many it had. */
  challengeSince: Nanoseconds = 0
  challenges = 0
  /** A segment or timer is being processed: output follows at its end. */
  busy = false

  constructor(
    services: TcpServices,
    settings: TcpSettings,
    ends: ConnectionEnds,
    expire: (block: ControlBlock) => void,
  ) {
    this.services = services
    this.settings = settings
    this.local = ends.local
    this.localPort = ends.localPort
    this.remote = ends.remote
    this.remotePort = ends.remotePort
    this.timer = new Timer(() => expire(this))
    this.rto = new RtoEstimator({ minimumNs: settings.minimumRtoNs, maximumNs: settings.maximumRtoNs })
    this.congestion = new Congestion(536, 1)
  }

  /** One past the last byte to be sent, where FIN goes. */
  get dataEnd(): number {
    return (this.bufferBase + this.sendBuffer.length) >>> 0
  }

  /** Bytes (and FIN) sent and not acknowledged. */
  get flight(): number {
    return (this.sndNxt - this.sndUna) | 0
  }

  /** Bytes never sent. */
  get unsent(): number {
    return Math.max(0, (this.dataEnd - this.sndNxt) | 0)
  }

  /** Bytes of window left for the peer to use. */
  get rcvWnd(): number {
    return Math.max(0, (this.rcvAdv - this.rcvNxt) | 0)
  }

  /** Bytes received in order that the application has yet to take. */
  get unreadBytes(): number {
    return this.unread === null ? 0 : this.unread.length
  }

  /** The connection's own end is synchronised: data and FIN may flow. */
  get synchronized(): boolean {
    return (
      this.state !== 'syn-sent' &&
      this.state !== 'syn-received' &&
      this.state !== 'closed' &&
      this.state !== 'time-wait'
    )
  }
}
