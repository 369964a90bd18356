/**
 * What to send now. The one idea: one function that anything which changed the connection calls afterwards; it
 * repairs losses, sends new data within the peer's and the congestion window, then an acknowledgment if one is
 * still owed, and sets the timers. Small segments wait as Nagle's algorithm and silly window avoidance want
 * (RFC 9293 3.7.4, 3.8.6.2.1).
 */
import { TCP_ACK, TCP_FIN, TCP_PSH } from '../../../engine/wire/index.ts'
import { NEVER, SECOND } from '../time.ts'
import { initialSegments } from './congestion.ts'
import type { ControlBlock } from './control-block.ts'
import { emitAck, emitSegment } from './emit.ts'
import { schedule, setState } from './lifecycle.ts'
import { congestionRoom, enterLoss, repair } from './recovery.ts'
import { advance, distance } from './sequence.ts'

/** Sends what may be sent and sets the timers. */
export function output(block: ControlBlock): void {
  if (block.synchronized) {
    if (block.sndWnd > 0 && block.persistAt !== NEVER) leavePersist(block)
    if (block.phase !== 'open') repair(block)
    sendNew(block, false)
    watchWindow(block)
  }
  if (block.ackNow) emitAck(block)
  schedule(block)
}

/** Sends new data and FIN; `forced` sends what fits even when it is small. Returns whether anything was sent. */
export function sendNew(block: ControlBlock, forced: boolean): boolean {
  if (block.unsent === 0 && (!block.finQueued || block.finSent)) return false
  restartAfterIdle(block)
  const { congestion } = block
  let any = false
  while (block.unsent > 0 || (block.finQueued && !block.finSent)) {
    const unsent = block.unsent
    const windowRoom = distance(block.sndNxt, advance(block.sndUna, block.sndWnd))
    const wanted = Math.min(unsent, congestion.segmentBytes)
    const length = Math.max(0, Math.min(wanted, windowRoom))
    if (congestionRoom(block) < length && block.flight > 0) break
    const fin = block.finQueued && !block.finSent && length === unsent && windowRoom > length
    if (length === 0 && !fin) break
    if (!forced && !fin && !worthSending(block, length, unsent)) break
    sendSegment(block, length, fin)
    any = true
  }
  return any
}

/** Whether a segment of `length` is not silly: full, or all there is, or half of the largest window ever seen. */
function worthSending(block: ControlBlock, length: number, unsent: number): boolean {
  if (length === block.congestion.segmentBytes) return true
  if (length === unsent && (block.flight === 0 || block.settings.noDelay || block.finQueued)) return true
  return length < unsent && length >= block.maxSndWnd / 2
}

/** Sends `length` new bytes, with FIN where `fin`. */
export function sendSegment(block: ControlBlock, length: number, fin: boolean): void {
  const sequence = block.sndNxt
  const end = advance(sequence, length)
  const payload = block.sendBuffer.read(distance(block.bufferBase, sequence), length)
  const push = length > 0 && end === block.dataEnd
  if (block.timedAt < 0) {
    block.timedSequence = fin ? advance(end, 1) : end
    block.timedAt = block.services.clock.now
  }
  if (block.flight === 0) block.stuckSince = block.services.clock.now
  block.lastDataAt = block.services.clock.now
  block.sndNxt = fin ? advance(end, 1) : end
  if (fin) {
    block.finSent = true
    setState(block, block.state === 'close-wait' ? 'last-ack' : 'fin-wait-1')
  }
  if (block.retransmitAt === NEVER) block.retransmitAt = block.services.clock.now + block.rto.value
  emitSegment(block, sequence, TCP_ACK | (push ? TCP_PSH : 0) | (fin ? TCP_FIN : 0), payload)
}

/** A window that was earned long ago says little about the path now (RFC 5681 4.1). */
function restartAfterIdle(block: ControlBlock): void {
  const { congestion, settings, services } = block
  if (block.flight > 0 || services.clock.now - block.lastDataAt <= block.rto.value) return
  congestion.restart(initialSegments(congestion.segmentBytes, settings.initialSegments))
}

/** Starts the persist timer where only the peer's window stands in the way (RFC 9293 3.8.6.1). */
function watchWindow(block: ControlBlock): void {
  const waiting = block.unsent > 0 || (block.finQueued && !block.finSent)
  if (block.sndWnd === 0 && (waiting || block.flight > 0)) {
    block.retransmitAt = NEVER
    if (block.persistAt === NEVER) block.persistAt = block.services.clock.now + persistDelay(block)
    return
  }
  block.persistBackoff = 0
  if (waiting && block.flight === 0) {
    // Too little room to be worth a segment: wait for more, but not for ever.
    if (block.persistAt === NEVER) block.persistAt = block.services.clock.now + overrideDelay(block)
  } else block.persistAt = NEVER
}

/** The window is open again. What a closed window left unacknowledged was dropped there: it goes out again. */
function leavePersist(block: ControlBlock): void {
  if (block.flight === 0 && block.unsent > 0) return
  block.persistAt = NEVER
  if (block.flight > 0 && block.retransmitAt === NEVER) enterLoss(block, 'probe')
}

/** Time to the next window probe: the retransmission timeout, doubled for each one sent. */
export function persistDelay(block: ControlBlock): number {
  return Math.min(block.rto.base * 2 ** block.persistBackoff, block.settings.maximumRtoNs)
}

/** The override timeout of sender's silly window avoidance, 0.1 to 1 s. */
function overrideDelay(block: ControlBlock): number {
  return Math.min(block.rto.base, SECOND)
}
