/**
 * Opening connections: the active side, the passive side, and both at once (RFC 9293 3.5, 3.10.7.3). The one idea:
 * what the peer's SYN offers is agreed on in one place, whoever spoke first.
 */
import { TCP_ACK, TCP_RST, TCP_SYN, type TcpOptions } from '../../../engine/wire/index.ts'
import { measure, updateWindow } from './acknowledge.ts'
import { initialSegments } from './congestion.ts'
import type { ControlBlock, ExperimentalOption } from './control-block.ts'
import { emitSyn, reportRetransmission, scaleFor } from './emit.ts'
import { finish, schedule, setState } from './lifecycle.ts'
import { receiveText } from './receive.ts'
import { refuse } from './reset.ts'
import type { Segment } from './segment.ts'
import { updateSegmentBytes } from './segment-size.ts'
import { advance, before, notAfter } from './sequence.ts'
import { startIdleTimer } from './timeouts.ts'

/** Opens actively: sends SYN. */
export function openActive(block: ControlBlock, iss: number): void {
  begin(block, iss)
  setState(block, 'syn-sent')
  sendSyn(block)
}

/** Opens passively: answers an acceptable SYN with SYN-ACK. */
export function openPassive(block: ControlBlock, iss: number, segment: Segment): void {
  begin(block, iss)
  setState(block, 'syn-received')
  takeSyn(block, segment)
  sendSyn(block)
}

function begin(block: ControlBlock, iss: number): void {
  block.iss = iss
  block.sndUna = iss
  block.sndNxt = advance(iss, 1)
  block.bufferBase = block.sndNxt
  block.recoveryPoint = iss
  block.stuckSince = block.services.clock.now
  block.lastHeardAt = block.stuckSince
  block.timedSequence = block.sndNxt
  block.timedAt = block.stuckSince
}

function sendSyn(block: ControlBlock): void {
  block.retransmitAt = block.services.clock.now + block.rto.value
  emitSyn(block)
  schedule(block)
}

/** Notes the peer's sequence number, window and options. */
function takeSyn(block: ControlBlock, segment: Segment): void {
  const { header, options } = segment
  block.irs = header.sequence
  block.rcvNxt = advance(header.sequence, 1)
  block.rcvAdv = advance(block.rcvNxt, Math.min(block.settings.receiveBytes, 0xffff))
  block.lastAckSent = block.rcvNxt
  block.lastHeardAt = block.services.clock.now
  block.sndWl1 = header.sequence
  block.sndWl2 = block.iss
  block.sndWnd = header.window
  block.maxSndWnd = header.window
  agree(block, options)
}

function agree(block: ControlBlock, options: TcpOptions): void {
  const { settings, services } = block
  if (options.mss >= 0) block.peerSegmentBytes = options.mss
  block.scaling = settings.windowScaling && options.windowScale >= 0
  block.sndScale = block.scaling ? options.windowScale : 0
  block.rcvScale = block.scaling ? scaleFor(settings.receiveBytes) : 0
  block.sack = settings.selectiveAcknowledgment && options.sackPermitted
  block.timestamps = settings.timestamps && options.hasTimestamp
  block.timestampRecent = options.timestampValue
  block.timestampRecentAt = services.clock.now
  block.peerOptions = experimentalOptions(options)
}

/** Copies of the experimental options of a segment. */
export function experimentalOptions(options: TcpOptions): readonly ExperimentalOption[] {
  const copies: ExperimentalOption[] = []
  for (let i = 0; i < options.experimentalCount; i++) {
    const { kind, exid, data, dataBytes } = options.experimental[i]
    copies.push({ kind: kind === 253 ? 253 : 254, exid, data: data.slice(0, dataBytes) })
  }
  return copies
}

/** A segment arrives in SYN-SENT. */
export function arriveInSynSent(block: ControlBlock, segment: Segment): void {
  const { flags, acknowledgment } = segment.header
  const acknowledges = (flags & TCP_ACK) !== 0
  if (acknowledges && (notAfter(acknowledgment, block.iss) || before(block.sndNxt, acknowledgment))) {
    refuse(block.services, segment)
    return
  }
  if ((flags & TCP_RST) !== 0) {
    if (acknowledges) finish(block, 'refused')
    return
  }
  if ((flags & TCP_SYN) === 0) return
  takeSyn(block, segment)
  if (acknowledges) {
    establish(block, segment)
    if (block.state !== 'established') return
    block.ackNow = true
    if (segment.to > segment.from)
      receiveText(block, block.rcvNxt, segment.bytes, segment.from, segment.to, false)
    return
  }
  // Both sides opened at once: the SYN goes out again, now with an acknowledgment.
  setState(block, 'syn-received')
  block.timedAt = -1
  reportRetransmission(block, 'syn', block.iss, 1)
  sendSyn(block)
}

/** The peer has acknowledged the SYN: the connection is established, and its owner is told. */
export function establish(block: ControlBlock, segment: Segment): void {
  const { header } = segment
  const { congestion, settings, services } = block
  const repeated = block.expirations > 0
  measure(block, header.acknowledgment, segment)
  block.timedAt = -1
  if (repeated) block.rto.fallBack()
  block.sndUna = header.acknowledgment
  const scale = (header.flags & TCP_SYN) !== 0 ? 0 : block.sndScale
  updateWindow(block, header.sequence, header.acknowledgment, header.window * 2 ** scale)
  block.retransmitAt = Number.POSITIVE_INFINITY
  block.expirations = 0
  block.unreachable = false
  updateSegmentBytes(block)
  // A lost SYN is a sign of congestion (RFC 5681 3.1).
  const segments = repeated ? 1 : initialSegments(congestion.segmentBytes, settings.initialSegments)
  congestion.window = congestion.segmentBytes * segments
  setState(block, 'established')
  startIdleTimer(block)
  if (block.listener !== null) services.accepted(block)
  else block.events.onEstablished()
}
