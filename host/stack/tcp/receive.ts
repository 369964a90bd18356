/**
 * Taking in data and FIN (RFC 9293 3.10.7.4, steps seven and eight). The one idea: what continues the stream goes to
 * the application at once, what comes too early waits in the out-of-order buffer, and every surprise is
 * acknowledged at once while the expected may wait (RFC 5681 4.2).
 */

import { NEVER } from '../time.ts'
import { ByteQueue } from './byte-queue.ts'
import type { ControlBlock } from './control-block.ts'
import { emitAck } from './emit.ts'
import { enterTimeWait, setState } from './lifecycle.ts'
import { ReceiveBuffer } from './receive-buffer.ts'
import { advance, before, distance } from './sequence.ts'

/** Most out-of-order segments kept of one connection. */
const OUT_OF_ORDER_LIMIT = 512

/** The payload in [from, to) and FIN of an acceptable segment whose data begin at `sequence`. */
export function receiveText(
  block: ControlBlock,
  sequence: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  fin: boolean,
): void {
  let start = sequence
  const given = to - from
  const seen = distance(start, block.rcvNxt)
  if (seen > 0) {
    from = Math.min(to, from + seen)
    start = block.rcvNxt
  }
  const end = block.finSequence >= 0 ? block.finSequence : block.rcvAdv
  const excess = distance(end, advance(start, to - from))
  if (excess > 0 && to > from) {
    to = Math.max(from, to - excess)
    fin = false
  }
  if (given > 0) {
    if (given > block.largestReceived) block.largestReceived = given
    if (to === from) block.ackNow = true
    else if (start === block.rcvNxt) receiveNext(block, bytes.subarray(from, to))
    else receiveEarly(block, start, bytes.subarray(from, to))
  }
  if (fin && block.finSequence < 0 && block.state !== 'closed') {
    const at = advance(sequence, given)
    if (!before(at, block.rcvNxt)) block.finSequence = at
  }
  if (block.finSequence === block.rcvNxt) receiveFin(block)
  else if (fin) block.ackNow = true
}

function receiveNext(block: ControlBlock, bytes: Uint8Array): void {
  const early = block.outOfOrder
  const gaps = early !== null && early.length > 0
  if (gaps) fillGap(block, early, bytes)
  else deliver(block, bytes)
  const { unackedBytes } = block
  const much = unackedBytes >= 2 * block.largestReceived || 2 * unackedBytes >= block.settings.receiveBytes
  if (gaps || much) block.ackNow = true
  else if (block.ackAt === NEVER) block.ackAt = block.services.clock.now + block.settings.delayedAckNs
}

/** The next bytes while later ones are here already: these stand, whatever the new segment says of them. */
function fillGap(block: ControlBlock, early: ReceiveBuffer, bytes: Uint8Array): void {
  const fresh = Math.min(bytes.length, distance(block.rcvNxt, early.first))
  const rest = advance(block.rcvNxt, fresh)
  deliver(block, bytes.subarray(0, fresh))
  if (fresh < bytes.length) early.insert(rest, bytes.subarray(fresh))
  let next = early.take(block.rcvNxt)
  while (next !== undefined && block.state !== 'closed') {
    deliver(block, next)
    next = early.take(block.rcvNxt)
  }
}

function receiveEarly(block: ControlBlock, sequence: number, bytes: Uint8Array): void {
  block.outOfOrder ??= new ReceiveBuffer(OUT_OF_ORDER_LIMIT)
  if (!block.outOfOrder.insert(sequence, bytes)) block.services.counters.outOfOrderLimit++
  block.ackNow = true
}

function deliver(block: ControlBlock, bytes: Uint8Array): void {
  block.rcvNxt = advance(block.rcvNxt, bytes.length)
  block.unackedBytes += bytes.length
  if (!block.paused && block.unreadBytes === 0) {
    block.events.onData(bytes)
    return
  }
  block.unread ??= new ByteQueue()
  block.unread.append(bytes)
}

function receiveFin(block: ControlBlock): void {
  if (block.state === 'closed') return
  block.rcvNxt = advance(block.rcvNxt, 1)
  block.ackNow = true
  if (block.unreadBytes > 0 || block.paused) block.endOwed = true
  if (block.state === 'established') setState(block, 'close-wait')
  else if (block.state === 'fin-wait-1') setState(block, 'closing')
  if (!block.endOwed) block.events.onEnd()
  // The application may have given the connection up in the call.
  if ((block.state as string) !== 'fin-wait-2') return
  emitAck(block)
  enterTimeWait(block)
}

/** Hands over what waited while the application paused, as long as it wants it. */
export function drain(block: ControlBlock): void {
  while (!block.paused) {
    const bytes = block.unread?.shift()
    if (bytes === undefined) break
    block.events.onData(bytes)
  }
  if (block.paused || block.unreadBytes > 0) return
  block.unread = null
  if (block.endOwed) {
    block.endOwed = false
    block.events.onEnd()
  }
  if (block.closeOwed) {
    block.closeOwed = false
    block.events.onClosed('closed')
  }
}
