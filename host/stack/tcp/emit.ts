/**
 * Making segments. The one idea: one place knows which options go where and what window is offered, and what
 * sending an acknowledgment settles. Acknowledgments advertise a window that grows in steps worth having (silly
 * window avoidance, RFC 9293 3.8.6.2.2) and whose right edge never moves back by more than the scale's rounding.
 */
import {
  addExperimental,
  clearTcpOptions,
  createTcp,
  createTcpOptions,
  emitTcp,
  TCP_ACK,
  TCP_HEADER_BYTES,
  TCP_SYN,
  tcpOptionsBytes,
} from '../../../engine/wire/index.ts'
import { FRAME_TRANSPORT } from '../frame.ts'
import type { RetransmitCause } from '../stack-event.ts'
import { MILLISECOND, NEVER } from '../time.ts'
import type { ControlBlock } from './control-block.ts'
import { endsOf } from './lifecycle.ts'
import { advance, later } from './sequence.ts'

const NOTHING = new Uint8Array(0)
/** Room left for experimental options beside MSS, SACK permitted, timestamps and window scale. */
export const EXPERIMENTAL_ROOM = 20

const header = createTcp()
const options = createTcpOptions()

/** The millisecond clock of a connection's timestamps (RFC 7323 5.4). */
export function timestampNow(block: ControlBlock): number {
  return (block.timestampOffset + Math.floor(block.services.clock.now / MILLISECOND)) >>> 0
}

/** Sends a segment of an agreed connection. `flags` without ACK are only for RST. */
export function emitSegment(block: ControlBlock, sequence: number, flags: number, payload: Uint8Array): void {
  clearTcpOptions(options)
  if (block.timestamps) addTimestamp(block)
  if (block.outOfOrder !== null && block.outOfOrder.length > 0 && block.sack) addSack(block, payload.length)
  header.window = (flags & TCP_ACK) === 0 ? 0 : advertise(block)
  header.acknowledgment = (flags & TCP_ACK) === 0 ? 0 : block.rcvNxt
  send(block, sequence, flags, payload)
}

/** Sends an acknowledgment without data. */
export function emitAck(block: ControlBlock): void {
  emitSegment(block, block.sndNxt, TCP_ACK, NOTHING)
}

/** Sends the SYN, or the SYN-ACK in SYN-RECEIVED, with all that is offered or agreed. */
export function emitSyn(block: ControlBlock): void {
  const { settings } = block
  const answer = block.state === 'syn-received'
  clearTcpOptions(options)
  options.mss = Math.min(settings.maximumSegmentBytes, block.services.linkMtu(block.remote) - 40)
  options.sackPermitted = answer ? block.sack : settings.selectiveAcknowledgment
  if (answer ? block.timestamps : settings.timestamps) addTimestamp(block)
  if (answer ? block.scaling : settings.windowScaling) options.windowScale = scaleFor(settings.receiveBytes)
  for (const each of block.offered) addExperimental(options, each.kind, each.exid, each.data)
  const window = Math.min(settings.receiveBytes, 0xffff)
  header.window = window
  header.acknowledgment = answer ? block.rcvNxt : 0
  if (answer) block.rcvAdv = later(block.rcvAdv, advance(block.rcvNxt, window))
  send(block, block.iss, answer ? TCP_SYN | TCP_ACK : TCP_SYN, NOTHING)
}

/** Smallest shift under which the whole receive buffer can be offered. */
export function scaleFor(receiveBytes: number): number {
  let shift = 0
  while (shift < 14 && receiveBytes > 0xffff * 2 ** shift) shift++
  return shift
}

/** Counts and reports bytes sent again. Call it before they are sent. */
export function reportRetransmission(
  block: ControlBlock,
  cause: RetransmitCause,
  sequence: number,
  length: number,
): void {
  const { log, counters, clock } = block.services
  counters.retransmissions++
  if (log !== undefined)
    log({ kind: 'retransmit', cause, connection: endsOf(block), sequence, length, at: clock.now })
}

function send(block: ControlBlock, sequence: number, flags: number, payload: Uint8Array): void {
  const { services } = block
  header.sourcePort = block.localPort
  header.destinationPort = block.remotePort
  header.sequence = sequence
  header.flags = flags
  const frame = new Uint8Array(FRAME_TRANSPORT + TCP_HEADER_BYTES + tcpOptionsBytes(options) + payload.length)
  emitTcp(frame, FRAME_TRANSPORT, block.local, block.remote, header, options, payload)
  if ((flags & TCP_ACK) !== 0) {
    block.lastAckSent = block.rcvNxt
    block.ackNow = false
    block.ackAt = NEVER
    block.unackedBytes = 0
  }
  services.counters.segmentsOut++
  services.transmit(frame, block)
}

function addTimestamp(block: ControlBlock): void {
  options.hasTimestamp = true
  options.timestampValue = timestampNow(block)
  options.timestampEcho = block.timestampRecent
}

/** SACK blocks as room allows: with data only where the segment stays within its size. */
function addSack(block: ControlBlock, payloadBytes: number): void {
  const room = Math.min(40 - tcpOptionsBytes(options), block.congestion.segmentBytes - payloadBytes)
  const blocks = Math.min(4, Math.floor((room - 4) / 8))
  if (blocks > 0) options.sackCount = block.outOfOrder!.sackBlocks(options.sackBlocks, blocks)
}

/** The window field; moves the advertised right edge. */
function advertise(block: ControlBlock): number {
  const { receiveBytes } = block.settings
  const unit = 2 ** block.rcvScale
  const known = block.rcvWnd
  const free = Math.max(0, receiveBytes - block.unreadBytes)
  const step = Math.min(receiveBytes / 2, block.congestion.segmentBytes)
  const wanted = free - known >= step ? free : known
  const kept = Math.ceil(known / unit)
  let units = Math.floor(wanted / unit)
  if (units < kept && kept * unit <= free) units = kept
  units = Math.min(units, 0xffff)
  block.rcvAdv = later(block.rcvAdv, advance(block.rcvNxt, units * unit))
  return units
}
