/**
 * The life of a control block: its states, its one timer, its end. The one idea: every deadline is a field, and one
 * timer runs at the earliest of them; a deadline that moved on costs nothing until the timer finds it not due.
 */
import { NEVER } from '../time.ts'
import type { CloseReason, ControlBlock, TcpState } from './control-block.ts'

/** Moves to `state` and reports it. */
export function setState(block: ControlBlock, state: TcpState): void {
  const { log, clock } = block.services
  if (log !== undefined)
    log({ kind: 'state', connection: endsOf(block), from: block.state, to: state, at: clock.now })
  block.state = state
}

/** The connection's ends as plain data. */
export function endsOf(block: ControlBlock): {
  local: number
  localPort: number
  remote: number
  remotePort: number
} {
  const { local, localPort, remote, remotePort } = block
  return { local, localPort, remote, remotePort }
}

/** Arms the timer for the earliest deadline, unless it runs by then anyway. */
export function schedule(block: ControlBlock): void {
  const { timers } = block.services
  const at = Math.min(block.retransmitAt, block.persistAt, block.ackAt, block.idleAt)
  if (at === NEVER) timers.cancel(block.timer)
  else if (!block.timer.armed || block.timer.at > at) timers.arm(block.timer, at)
}

/** Ends the connection at once: frees what it holds, forgets it, tells its owner. */
export function finish(block: ControlBlock, reason: CloseReason): void {
  if (block.state === 'closed') return
  setState(block, 'closed')
  release(block)
  block.services.ended(block, false)
  if (reason !== 'closed') {
    block.unread = null
    block.endOwed = false
  }
  tellClosed(block, reason)
}

/** Both sides have closed and this one must linger: the table keeps what TIME-WAIT needs, the block is done. */
export function enterTimeWait(block: ControlBlock): void {
  setState(block, 'time-wait')
  release(block)
  block.services.ended(block, true)
  tellClosed(block, 'closed')
}

/** Reports onClosed, after what the pausing application has yet to take. */
function tellClosed(block: ControlBlock, reason: CloseReason): void {
  if (block.unreadBytes > 0 || block.endOwed) block.closeOwed = true
  else block.events.onClosed(reason)
}

function release(block: ControlBlock): void {
  block.retransmitAt = NEVER
  block.persistAt = NEVER
  block.ackAt = NEVER
  block.idleAt = NEVER
  block.ackNow = false
  block.services.timers.cancel(block.timer)
  block.sendBuffer.clear()
  block.scoreboard.clear()
  block.outOfOrder?.clear()
}

/** Forgets the connection without a word to anyone: it lives on elsewhere. */
export function abandon(block: ControlBlock): void {
  if (block.state === 'closed') return
  setState(block, 'closed')
  release(block)
  block.unread = null
  block.endOwed = false
  block.closeOwed = false
  block.services.ended(block, false)
}
