/**
 * Moving a live connection to another host. The one idea: the whole of a connection as plain data (numbers, byte
 * arrays, strings), with times relative to the moment of export, so that it can be sent, stored and taken up by a
 * stack with another clock (the set of Linux's TCP_REPAIR). What the application has yet to be told travels too.
 */
import { StackError } from '../errors.ts'
import { MILLISECOND, type Nanoseconds, NEVER } from '../time.ts'
import { ByteQueue } from './byte-queue.ts'
import type { ControlBlock, ExperimentalOption, RecoveryPhase, TcpState } from './control-block.ts'
import { timestampNow } from './emit.ts'
import { ReceiveBuffer } from './receive-buffer.ts'
import { LEAST_SEGMENT_BYTES } from './segment-size.ts'
import { distance, notAfter } from './sequence.ts'
import { DEFAULT_SETTINGS, settingsOf, type TcpSettings } from './settings.ts'

/** Fields that are copied as they are. */
const COPIED = [
  'local',
  'localPort',
  'remote',
  'remotePort',
  'iss',
  'sndUna',
  'sndNxt',
  'sndWnd',
  'sndWl1',
  'sndWl2',
  'maxSndWnd',
  'bufferBase',
  'finQueued',
  'finSent',
  'irs',
  'rcvNxt',
  'rcvAdv',
  'finSequence',
  'endOwed',
  'scaling',
  'sndScale',
  'rcvScale',
  'timestamps',
  'sack',
  'timestampRecent',
  'lastAckSent',
  'peerSegmentBytes',
  'largestReceived',
  'recoveryPoint',
  'retransmitted',
  'duplicateAcks',
  'expirations',
  'probes',
  'persistBackoff',
  'ackNow',
  'unackedBytes',
] as const satisfies readonly (keyof ControlBlock)[]

type Copied = { readonly [name in (typeof COPIED)[number]]: ControlBlock[name] }

/** Times that become durations, negative for the past; null for never. */
const TIMES = [
  'retransmitAt',
  'persistAt',
  'ackAt',
  'idleAt',
  'lastDataAt',
  'lastHeardAt',
  'stuckSince',
  'timestampRecentAt',
] as const satisfies readonly (keyof ControlBlock)[]

type Times = { readonly [name in (typeof TIMES)[number]]: Nanoseconds | null }

/** A connection as plain data (structured clone or any encoding of numbers and bytes carries it). */
export interface ConnectionState {
  readonly version: 1
  readonly state: TcpState
  /** What differs from the defaults. */
  readonly settings: Partial<TcpSettings>
  readonly fields: Copied
  readonly times: Times
  /** Value of the timestamp clock at export. */
  readonly timestampValue: number
  /** Bytes not yet acknowledged, sent or not; the first one is number `fields.bufferBase`. */
  readonly sendQueue: Uint8Array
  /** Bytes received in order that the application has not taken. */
  readonly receiveQueue: Uint8Array
  readonly outOfOrder: readonly { readonly sequence: number; readonly bytes: Uint8Array }[]
  /** Edges of what the peer acknowledged selectively. */
  readonly sacked: readonly number[]
  readonly congestion: {
    readonly window: number
    /** null while there is none. */
    readonly threshold: number | null
    readonly segmentBytes: number
  }
  readonly rto: {
    readonly smoothedNs: number
    readonly variationNs: number
    readonly base: number
    readonly backoff: number
  }
  readonly phase: RecoveryPhase
  readonly lossCause: 'rto' | 'probe' | 'mtu'
  readonly peerOptions: readonly ExperimentalOption[]
}

/** The state of a synchronised connection, copied; the connection itself is not touched. */
export function exportBlock(block: ControlBlock): ConnectionState {
  if (!block.synchronized) throw new StackError('invalid', `a connection in ${block.state} cannot move`)
  const { now } = block.services.clock
  const fields = Object.fromEntries(COPIED.map((name) => [name, block[name]])) as unknown as Copied
  const since = (at: number): number | null => (at === NEVER ? null : at - now)
  const times = Object.fromEntries(TIMES.map((name) => [name, since(block[name])])) as unknown as Times
  const { congestion, rto } = block
  return {
    version: 1,
    state: block.state,
    settings: chosenSettings(block.settings),
    fields,
    times,
    timestampValue: timestampNow(block),
    sendQueue: block.sendBuffer.toBytes(),
    receiveQueue: block.unread?.toBytes() ?? new Uint8Array(0),
    outOfOrder: (block.outOfOrder?.pieces() ?? []).map(({ sequence, bytes }) => ({
      sequence,
      bytes: bytes.slice(),
    })),
    sacked: block.scoreboard.toArray(),
    congestion: {
      window: congestion.window,
      threshold: Number.isFinite(congestion.threshold) ? congestion.threshold : null,
      segmentBytes: congestion.segmentBytes,
    },
    rto: {
      smoothedNs: rto.smoothedNs,
      variationNs: rto.variationNs,
      base: rto.base,
      backoff: rto.backoff,
    },
    phase: block.phase,
    lossCause: block.lossCause,
    peerOptions: block.peerOptions,
  }
}

/**
 * Fills a new block with an exported state. What was waiting for the application waits on: the connection comes up
 * paused, and `resume` hands it over.
 */
export function importBlock(block: ControlBlock, moved: ConnectionState): void {
  const { now } = block.services.clock
  Object.assign(block, moved.fields)
  for (const name of TIMES) {
    const span = moved.times[name]
    block[name] = span === null ? NEVER : Math.max(0, now + span)
  }
  block.state = moved.state
  block.timestampOffset = (moved.timestampValue - Math.floor(now / MILLISECOND)) >>> 0
  block.sendBuffer.append(moved.sendQueue.slice())
  block.paused = true
  if (moved.receiveQueue.length > 0) {
    block.unread = new ByteQueue()
    block.unread.append(moved.receiveQueue.slice())
  }
  if (moved.outOfOrder.length > 0) {
    block.outOfOrder = new ReceiveBuffer(Math.max(512, moved.outOfOrder.length))
    for (const { sequence, bytes } of moved.outOfOrder) block.outOfOrder.insert(sequence, bytes.slice())
  }
  const edges = Uint32Array.from(moved.sacked)
  block.scoreboard.update(edges, edges.length / 2, block.sndUna, block.sndNxt)
  block.congestion.window = moved.congestion.window
  block.congestion.threshold = moved.congestion.threshold ?? Number.POSITIVE_INFINITY
  block.congestion.segmentBytes = moved.congestion.segmentBytes
  block.rto.restore(moved.rto.smoothedNs, moved.rto.variationNs, moved.rto.base, moved.rto.backoff)
  block.phase = moved.phase
  block.lossCause = moved.lossCause
  block.peerOptions = moved.peerOptions
}

function chosenSettings(settings: TcpSettings): Partial<TcpSettings> {
  const names = Object.keys(settings) as (keyof TcpSettings)[]
  const chosen = names.filter((name) => settings[name] !== DEFAULT_SETTINGS[name])
  return Object.fromEntries(chosen.map((name) => [name, settings[name]]))
}

const STATES: readonly TcpState[] = [
  'established',
  'fin-wait-1',
  'fin-wait-2',
  'close-wait',
  'closing',
  'last-ack',
]

/**
 * Whether the parts of an exported state fit together, since it may come over a network.
 * @throws StackError `invalid`
 */
export function checkState(moved: ConnectionState): TcpSettings {
  const { fields, congestion, rto } = moved
  const numbers = COPIED.filter((name) => typeof fields[name] === 'number').map(
    (name) => fields[name] as number,
  )
  const queued = distance(fields.bufferBase, fields.sndNxt) - (fields.finSent ? 1 : 0)
  const right =
    moved.version === 1 &&
    STATES.includes(moved.state) &&
    numbers.every((value) => Number.isInteger(value) && value >= -1 && value < 2 ** 32) &&
    fields.sndScale <= 14 &&
    fields.rcvScale <= 14 &&
    notAfter(fields.sndUna, fields.sndNxt) &&
    (fields.bufferBase === fields.sndUna || queued === 0) &&
    queued <= moved.sendQueue.length &&
    notAfter(fields.rcvNxt, fields.rcvAdv) &&
    moved.sacked.length % 2 === 0 &&
    congestion.window >= congestion.segmentBytes &&
    congestion.segmentBytes >= LEAST_SEGMENT_BYTES &&
    rto.base > 0 &&
    rto.backoff >= 0
  if (!right) throw new StackError('invalid', 'the parts of the connection state do not fit together')
  return settingsOf(moved.settings)
}
