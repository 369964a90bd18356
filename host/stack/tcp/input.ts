/**
 * A segment arrives for a connection (RFC 9293 3.10.7.4). The one idea: checks in the RFC's order, each able to drop
 * the segment: timestamps (PAWS, RFC 7323), sequence number, RST and SYN (RFC 5961), acknowledgment; then text and
 * FIN. What is to be sent in answer is decided afterwards, once.
 */
import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from '../../../engine/wire/index.ts'
import { NEVER, SECOND } from '../time.ts'
import { processAcknowledgment } from './acknowledge.ts'
import type { ControlBlock } from './control-block.ts'
import { arriveInSynSent, establish } from './handshake.ts'
import { enterTimeWait, finish, setState } from './lifecycle.ts'
import { output } from './output.ts'
import { receiveText } from './receive.ts'
import { challenge, refuse } from './reset.ts'
import { type Segment, segmentLength } from './segment.ts'
import { advance, before, notAfter } from './sequence.ts'
import { repeatSyn } from './timeouts.ts'

/** A timestamp this old says nothing any more (RFC 7323 5.5). */
const TIMESTAMP_LIFETIME = 24 * 24 * 3600 * SECOND

/** Processes the segment, which has been parsed and whose checksum is right, then sends what is due. */
export function segmentArrives(block: ControlBlock, segment: Segment): void {
  block.busy = true
  if (block.state === 'syn-sent') arriveInSynSent(block, segment)
  else arrive(block, segment)
  block.busy = false
  if (block.state !== 'closed' && block.state !== 'time-wait') output(block)
}

function arrive(block: ControlBlock, segment: Segment): void {
  const { header } = segment
  if (block.state === 'syn-received' && !handshakeRepeated(block, segment)) return
  if (!timely(block, segment)) return
  const probed = block.rcvWnd === 0 && header.sequence === block.rcvNxt
  if (!probed && !acceptable(block, segment)) {
    notAccepted(block, segment)
    return
  }
  if ((header.flags & TCP_RST) !== 0) {
    if (header.sequence === block.rcvNxt) reset(block)
    else challenge(block)
    return
  }
  if ((header.flags & TCP_SYN) !== 0) {
    challenge(block)
    return
  }
  if ((header.flags & TCP_ACK) === 0) return
  block.lastHeardAt = block.services.clock.now
  noteTimestamp(block, segment)
  if (!takeAcknowledgment(block, segment)) return
  takeText(block, segment, probed)
}

/** The SYN or SYN-ACK of the same handshake again. False when it is dealt with. */
function handshakeRepeated(block: ControlBlock, segment: Segment): boolean {
  const { header } = segment
  if ((header.flags & TCP_SYN) === 0 || header.sequence !== block.irs) return true
  if ((header.flags & TCP_RST) !== 0) return false
  if ((header.flags & TCP_ACK) === 0) {
    repeatSyn(block)
    return false
  }
  // The answer to our half of a simultaneous open: all but its SYN is new.
  header.flags &= ~TCP_SYN
  header.sequence = block.rcvNxt
  return true
}

/** Protection against wrapped sequence numbers: whether the segment's timestamp is not an old one. */
function timely(block: ControlBlock, segment: Segment): boolean {
  if (!block.timestamps || (segment.header.flags & TCP_RST) !== 0) return true
  const { options } = segment
  const { counters, clock } = block.services
  if (options.hasTimestamp && !before(options.timestampValue, block.timestampRecent)) return true
  if (options.hasTimestamp && clock.now - block.timestampRecentAt > TIMESTAMP_LIFETIME) return true
  counters.pawsRejected++
  // Without the option it agreed to send, the segment is not the peer's (RFC 7323 3.2): no answer.
  if (options.hasTimestamp) challenge(block)
  return false
}

/** Whether some of the segment lies in the receive window. */
function acceptable(block: ControlBlock, segment: Segment): boolean {
  const { sequence } = segment.header
  const length = segmentLength(segment)
  if (length === 0) return notAfter(block.rcvNxt, sequence) && notAfter(sequence, block.rcvAdv)
  return before(sequence, block.rcvAdv) && before(block.rcvNxt, advance(sequence, length))
}

/** Old duplicates and the like: the peer is told what is expected, so that two that disagree find together. */
function notAccepted(block: ControlBlock, segment: Segment): void {
  block.services.counters.oldDuplicates++
  if ((segment.header.flags & TCP_RST) !== 0) return
  if (segment.to > segment.from && (segment.header.flags & TCP_SYN) === 0) block.ackNow = true
  else challenge(block)
}

function reset(block: ControlBlock): void {
  if (block.state === 'syn-received') finish(block, 'refused')
  else {
    const over = (block.state === 'closing' || block.state === 'last-ack') && block.sendBuffer.length === 0
    finish(block, over ? 'closed' : 'reset')
  }
}

/** Remembers the timestamp to echo (RFC 7323 4.3). */
function noteTimestamp(block: ControlBlock, segment: Segment): void {
  const { options, header } = segment
  if (!block.timestamps || !options.hasTimestamp) return
  if (!notAfter(header.sequence, block.lastAckSent)) return
  block.timestampRecent = options.timestampValue
  block.timestampRecentAt = block.services.clock.now
}

/** Step five. False when the segment ends here. */
function takeAcknowledgment(block: ControlBlock, segment: Segment): boolean {
  if (block.state === 'syn-received') {
    const { acknowledgment } = segment.header
    if (!before(block.sndUna, acknowledgment) || before(block.sndNxt, acknowledgment)) {
      refuse(block.services, segment)
      return false
    }
    establish(block, segment)
    return isAlive(block)
  }
  if (!processAcknowledgment(block, segment)) return false
  if (block.finSent && block.flight === 0) finAcknowledged(block)
  if (isAlive(block)) tellWritable(block)
  return isAlive(block)
}

function isAlive(block: ControlBlock): boolean {
  return block.state !== 'closed' && block.state !== 'time-wait'
}

function finAcknowledged(block: ControlBlock): void {
  if (block.state === 'fin-wait-1') {
    setState(block, 'fin-wait-2')
    block.idleAt = block.services.clock.now + block.settings.finWaitNs
  } else if (block.state === 'closing') enterTimeWait(block)
  else if (block.state === 'last-ack') finish(block, 'closed')
}

/** Tells the application of room once half of the send buffer is free. */
function tellWritable(block: ControlBlock): void {
  if (!block.wantsRoom || block.sendBuffer.length > block.settings.sendBytes / 2) return
  block.wantsRoom = false
  block.events.onWritable()
}

function takeText(block: ControlBlock, segment: Segment, probed: boolean): void {
  const { state } = block
  const { header } = segment
  const fin = (header.flags & TCP_FIN) !== 0
  if (segment.to === segment.from && !fin) return
  if (probed) {
    block.ackNow = true
    return
  }
  if (state === 'established' || state === 'fin-wait-1' || state === 'fin-wait-2')
    receiveText(block, header.sequence, segment.bytes, segment.from, segment.to, fin)
  else block.ackNow = true
  if (block.ackAt !== NEVER && block.ackNow) block.ackAt = NEVER
}
