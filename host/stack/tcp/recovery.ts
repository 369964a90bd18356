/**
 * Repairing losses: fast retransmit and fast recovery with selective acknowledgments (RFC 6675) or without
 * (NewReno, RFC 6582), and going through everything again after a timeout. The one idea: three phases. `open`
 * sends new data; `recovery` fills the holes that acknowledgments reveal; `loss` resends whatever is not
 * acknowledged from a cursor on. Every retransmission has a cause and is reported. RFC 6675's optional
 * retransmissions without evidence of loss (its rules 3 and 4) are not made.
 */
import { TCP_ACK, TCP_FIN, TCP_PSH } from '../../../engine/wire/index.ts'
import type { RetransmitCause } from '../stack-event.ts'
import type { ControlBlock } from './control-block.ts'
import { emitSegment, reportRetransmission } from './emit.ts'
import { DUPLICATE_THRESHOLD } from './scoreboard.ts'
import { advance, before, distance, later } from './sequence.ts'

/** Sends up to `length` of what was sent before from `sequence`, at most a segment. Returns one past its end. */
export function retransmit(
  block: ControlBlock,
  sequence: number,
  length: number,
  cause: RetransmitCause,
): number {
  const size = Math.min(length, block.congestion.segmentBytes)
  const dataBytes = Math.min(size, distance(sequence, block.dataEnd))
  const end = advance(sequence, dataBytes)
  const fin = block.finSent && end === block.dataEnd && dataBytes < length
  const payload = block.sendBuffer.read(distance(block.bufferBase, sequence), dataBytes)
  const flags = TCP_ACK | (end === block.dataEnd && dataBytes > 0 ? TCP_PSH : 0) | (fin ? TCP_FIN : 0)
  block.timedAt = -1
  reportRetransmission(block, cause, sequence, dataBytes + (fin ? 1 : 0))
  emitSegment(block, sequence, flags, payload)
  return fin ? advance(end, 1) : end
}

/** A duplicate acknowledgment arrived (RFC 5681), or one with new selective acknowledgments (RFC 6675). */
export function duplicateAck(block: ControlBlock): void {
  if (block.phase === 'recovery') {
    if (!block.sack) block.congestion.inflate()
    return
  }
  if (block.phase === 'loss') return
  block.duplicateAcks++
  const enough = block.duplicateAcks >= DUPLICATE_THRESHOLD
  if (block.sack) {
    if (enough || block.scoreboard.firstLost(block.congestion.segmentBytes)) enterRecovery(block)
  } else if (enough && before(block.recoveryPoint, block.sndUna)) enterRecovery(block)
}

function enterRecovery(block: ControlBlock): void {
  const { congestion, scoreboard } = block
  const flight = block.flight
  block.phase = 'recovery'
  block.recoveryPoint = block.sndNxt
  if (block.sack) congestion.enterRecovery(flight)
  else congestion.enterInflatedRecovery(flight)
  scoreboard.findHole(block.sndUna, block.sndNxt)
  const length = distance(scoreboard.holeStart, scoreboard.holeEnd)
  block.retransmitted = retransmit(block, scoreboard.holeStart, length, 'fast')
  block.retransmitAt = block.services.clock.now + block.rto.value
}

/** New data was acknowledged: `bytes` of it, of `flight` before. sndUna has moved already. */
export function recoveryProgress(block: ControlBlock, bytes: number, flight: number): void {
  const { congestion } = block
  const over = !before(block.sndUna, block.recoveryPoint)
  block.duplicateAcks = 0
  if (block.phase === 'recovery') {
    if (over) {
      if (!block.sack) congestion.leaveRecovery(block.flight)
      block.phase = 'open'
    } else partialAck(block, bytes)
    return
  }
  if (block.phase === 'loss') {
    block.retransmitted = later(block.retransmitted, block.sndUna)
    if (over) block.phase = 'open'
  } else if (before(block.recoveryPoint, block.sndUna)) block.recoveryPoint = advance(block.sndUna, -1)
  // A window that the application or the peer leaves unused proves nothing about the path.
  if (flight * 2 >= congestion.window) congestion.acknowledged(bytes)
}

/**
 * The first hole is filled and the next one shows. Without selective acknowledgments it was overtaken by the
 * retransmission (RFC 6582); with them, what was received above it is the evidence.
 */
function partialAck(block: ControlBlock, bytes: number): void {
  const { scoreboard, congestion, sndUna } = block
  if (!block.sack) congestion.deflate(bytes)
  if (before(sndUna, block.retransmitted) || (block.sack && scoreboard.length === 0)) return
  if (!scoreboard.findHole(sndUna, block.recoveryPoint)) return
  const length = distance(scoreboard.holeStart, scoreboard.holeEnd)
  block.retransmitted = retransmit(block, scoreboard.holeStart, length, block.sack ? 'sack' : 'fast')
}

/** Everything outstanding counts as lost: sends it again from the start, as the window allows. */
export function enterLoss(block: ControlBlock, cause: 'rto' | 'probe' | 'mtu'): void {
  if (block.scoreboard.reneged(block.sndUna)) block.scoreboard.clear()
  block.phase = 'loss'
  block.lossCause = cause
  block.recoveryPoint = block.sndNxt
  block.retransmitted = block.sndUna
  block.duplicateAcks = 0
  block.timedAt = -1
}

/** Sends what the present phase wants sent again. */
export function repair(block: ControlBlock): void {
  if (block.phase === 'loss') repairLoss(block)
  else if (block.phase === 'recovery' && block.sack) repairHoles(block)
}

function repairLoss(block: ControlBlock): void {
  const { scoreboard, congestion } = block
  const edge = advance(block.sndUna, block.sndWnd)
  while (scoreboard.findHole(block.retransmitted, block.recoveryPoint)) {
    const start = scoreboard.holeStart
    const out = bytesInNetwork(block)
    const length = Math.min(
      distance(start, scoreboard.holeEnd),
      congestion.segmentBytes,
      distance(start, edge),
    )
    if (length <= 0 || (out > 0 && out + length > congestion.window)) return
    block.retransmitted = retransmit(block, start, length, block.lossCause)
    if (block.retransmitAt === Number.POSITIVE_INFINITY)
      block.retransmitAt = block.services.clock.now + block.rto.value
  }
  block.retransmitted = block.recoveryPoint
}

function repairHoles(block: ControlBlock): void {
  const { scoreboard, congestion } = block
  const size = congestion.segmentBytes
  while (congestion.window - bytesInNetwork(block) >= size) {
    if (!scoreboard.findLost(later(block.retransmitted, block.sndUna), size)) return
    const length = distance(scoreboard.holeStart, scoreboard.holeEnd)
    block.retransmitted = retransmit(block, scoreboard.holeStart, length, 'sack')
  }
}

/** Estimate of the bytes in the network, by the rules of the present phase. */
export function bytesInNetwork(block: ControlBlock): number {
  const { scoreboard, sndUna, sndNxt } = block
  if (block.phase === 'open') return block.flight - scoreboard.bytes
  if (block.phase === 'recovery') {
    if (!block.sack) return block.flight
    return scoreboard.pipe(sndUna, sndNxt, block.retransmitted, block.congestion.segmentBytes)
  }
  const again = distance(sndUna, block.retransmitted) - scoreboard.bytesBetween(sndUna, block.retransmitted)
  const fresh = distance(block.recoveryPoint, sndNxt) - scoreboard.bytesBetween(block.recoveryPoint, sndNxt)
  return Math.max(0, again) + Math.max(0, fresh)
}

/** Bytes of new data that congestion control lets out now. */
export function congestionRoom(block: ControlBlock): number {
  if (block.phase === 'loss' && before(block.retransmitted, block.recoveryPoint)) return 0
  const limited =
    block.phase === 'open' && !block.sack && block.duplicateAcks < DUPLICATE_THRESHOLD
      ? block.duplicateAcks * block.congestion.segmentBytes
      : 0
  return block.congestion.window + limited - bytesInNetwork(block)
}
