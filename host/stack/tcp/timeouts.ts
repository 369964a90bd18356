/**
 * What happens when a deadline passes. The one idea: the block's one timer finds out which deadlines are due and
 * acts on each: retransmission (RFC 6298 5.4-5.7), window probe, delayed acknowledgment, idleness.
 */
import { TCP_ACK } from '../../../engine/wire/index.ts'
import { NEVER } from '../time.ts'
import type { ControlBlock } from './control-block.ts'
import { emitSegment, emitSyn, reportRetransmission } from './emit.ts'
import { finish, schedule } from './lifecycle.ts'
import { output, persistDelay, sendNew, sendSegment } from './output.ts'
import { enterLoss, retransmit } from './recovery.ts'
import { updateSegmentBytes } from './segment-size.ts'
import { advance } from './sequence.ts'

/** After so many expirations the next hop is asked for anew (R1 of RFC 9293 3.8.3). */
const ADVISE_AFTER = 3
const NOTHING = new Uint8Array(0)

/** Runs what is due. */
export function expire(block: ControlBlock): void {
  const { now } = block.services.clock
  block.busy = true
  if (block.retransmitAt <= now) retransmissionDue(block)
  if (block.persistAt <= now) probeDue(block)
  if (block.idleAt <= now) idleDue(block)
  if (block.ackAt <= now) {
    block.ackAt = NEVER
    block.ackNow = true
  }
  block.busy = false
  if (block.state !== 'closed' && block.state !== 'time-wait') output(block)
}

function retransmissionDue(block: ControlBlock): void {
  const { clock } = block.services
  if (block.state === 'syn-sent' || block.state === 'syn-received') {
    handshakeDue(block)
    return
  }
  if (clock.now - block.stuckSince >= block.settings.userTimeoutNs) {
    giveUp(block)
    return
  }
  block.expirations++
  if (block.expirations === ADVISE_AFTER) block.services.adviseUnreachable(block.remote)
  updateSegmentBytes(block)
  block.congestion.timeout(block.flight, block.expirations === 1)
  block.rto.expired()
  enterLoss(block, 'rto')
  block.retransmitAt = clock.now + block.rto.value
}

function handshakeDue(block: ControlBlock): void {
  if (block.expirations >= block.settings.synRetries) {
    giveUp(block)
    return
  }
  block.expirations++
  if (block.expirations === ADVISE_AFTER) block.services.adviseUnreachable(block.remote)
  block.rto.expired()
  repeatSyn(block)
  block.retransmitAt = block.services.clock.now + block.rto.value
}

/** Sends the SYN or SYN-ACK again. */
export function repeatSyn(block: ControlBlock): void {
  block.timedAt = -1
  reportRetransmission(block, 'syn', block.iss, 1)
  emitSyn(block)
}

function giveUp(block: ControlBlock): void {
  finish(block, block.unreachable ? 'unreachable' : 'timeout')
}

/** The window is closed, or too small to be worth a segment for too long. */
function probeDue(block: ControlBlock): void {
  const { clock } = block.services
  block.persistAt = NEVER
  if (!block.synchronized) return
  if (block.sndWnd > 0) {
    sendNew(block, true)
    return
  }
  if (block.probes === 0) block.stuckSince = clock.now
  else if (clock.now - block.stuckSince >= block.settings.userTimeoutNs) {
    giveUp(block)
    return
  }
  if (block.flight > 0) retransmit(block, block.sndUna, 1, 'probe')
  else sendSegment(block, Math.min(1, block.unsent), block.unsent === 0)
  block.probes++
  block.persistBackoff = Math.min(block.persistBackoff + 1, 16)
  block.retransmitAt = NEVER
  block.persistAt = clock.now + persistDelay(block)
}

/** The peer was silent for long: probe it, or stop waiting for its FIN. */
function idleDue(block: ControlBlock): void {
  const { settings, services } = block
  block.idleAt = NEVER
  const quiet = services.clock.now - block.lastHeardAt
  if (block.state === 'fin-wait-2') {
    if (quiet >= settings.finWaitNs) giveUp(block)
    else block.idleAt = block.lastHeardAt + settings.finWaitNs
    return
  }
  if (settings.keepAliveNs === NEVER || !block.synchronized) return
  if (quiet < settings.keepAliveNs) block.idleAt = block.lastHeardAt + settings.keepAliveNs
  else if (block.probes > 0 && quiet >= settings.keepAliveNs + settings.userTimeoutNs) giveUp(block)
  else {
    // A number before the window: any live peer answers with an acknowledgment (RFC 9293 3.8.4).
    if (block.flight === 0) emitSegment(block, advance(block.sndUna, -1), TCP_ACK, NOTHING)
    block.probes++
    block.idleAt = services.clock.now + settings.userTimeoutNs / 5
  }
}

/** Arms what an established connection needs at its start. */
export function startIdleTimer(block: ControlBlock): void {
  const { keepAliveNs } = block.settings
  if (keepAliveNs !== NEVER) block.idleAt = block.services.clock.now + keepAliveNs
  schedule(block)
}
