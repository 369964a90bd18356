/**
 * Taking in acknowledgments: the cumulative number, selective blocks, the peer's window, the round-trip time
 * (RFC 9293 3.10.7.4 step five, RFC 6298, RFC 5961 section 5).
 */
import { MILLISECOND, NEVER } from '../time.ts'
import type { ControlBlock } from './control-block.ts'
import { timestampNow } from './emit.ts'
import { duplicateAck, recoveryProgress } from './recovery.ts'
import { challenge } from './reset.ts'
import type { Segment } from './segment.ts'
import { advance, before, distance, notAfter } from './sequence.ts'

/** Processes the acknowledgment of an acceptable segment. False when it is absurd and the segment must be dropped. */
export function processAcknowledgment(block: ControlBlock, segment: Segment): boolean {
  const { acknowledgment: ack, sequence, window } = segment.header
  if (before(block.sndNxt, ack) || before(ack, advance(block.sndUna, -block.maxSndWnd))) {
    challenge(block)
    return false
  }
  block.probes = 0
  if (before(ack, block.sndUna)) return true
  const scaled = window * 2 ** block.sndScale
  const sameWindow = scaled === block.sndWnd
  updateWindow(block, sequence, ack, scaled)
  const { options } = segment
  const news =
    block.sack && options.sackCount > 0
      ? block.scoreboard.update(options.sackBlocks, options.sackCount, ack, block.sndNxt)
      : 0
  if (before(block.sndUna, ack)) newlyAcknowledged(block, ack, segment)
  else {
    const empty = segment.from === segment.to
    const duplicate = block.sack ? news > 0 : empty && sameWindow && block.flight > 0 && block.sndWnd > 0
    if (duplicate) duplicateAck(block)
  }
  return true
}

/** The peer's window, unless an older segment brought the news (RFC 9293 3.10.7.4). */
export function updateWindow(block: ControlBlock, sequence: number, ack: number, window: number): void {
  const newer = before(block.sndWl1, sequence) || (block.sndWl1 === sequence && notAfter(block.sndWl2, ack))
  if (!newer) return
  block.sndWnd = window
  block.sndWl1 = sequence
  block.sndWl2 = ack
  if (window > block.maxSndWnd) block.maxSndWnd = window
}

function newlyAcknowledged(block: ControlBlock, ack: number, segment: Segment): void {
  const { services, sendBuffer } = block
  const flight = block.flight
  const bytes = distance(block.sndUna, ack)
  measure(block, ack, segment)
  block.sndUna = ack
  const gone = Math.min(distance(block.bufferBase, ack), sendBuffer.length)
  if (gone > 0) {
    sendBuffer.discard(gone)
    block.bufferBase = advance(block.bufferBase, gone)
  }
  block.scoreboard.acknowledge(ack)
  block.expirations = 0
  block.unreachable = false
  block.stuckSince = services.clock.now
  block.retransmitAt = block.flight > 0 ? services.clock.now + block.rto.value : NEVER
  recoveryProgress(block, bytes, flight)
}

/** Takes a round-trip sample: of the timed segment, or by timestamps where a retransmission spoilt that. */
export function measure(block: ControlBlock, ack: number, segment: Segment): void {
  const { now } = block.services.clock
  if (block.timedAt >= 0) {
    if (before(ack, block.timedSequence)) return
    block.rto.sample(now - block.timedAt)
    block.timedAt = -1
    return
  }
  const { options } = segment
  if (!block.timestamps || !options.hasTimestamp || options.timestampEcho === 0) return
  const elapsed = distance(options.timestampEcho, timestampNow(block))
  if (elapsed >= 0) block.rto.sample(Math.max(1, elapsed) * MILLISECOND)
}
