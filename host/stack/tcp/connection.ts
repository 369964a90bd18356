/**
 * A TCP connection as its application sees it. The one idea: assign the callbacks you care about, then send; every
 * callback may call any method. Bytes given to `send` are given away, bytes received are views that stay valid and
 * must not be written to.
 */
import type { ConnectionEnds } from '../stack-event.ts'
import type { Nanoseconds } from '../time.ts'
import type {
  CloseReason,
  ConnectionEvents,
  ControlBlock,
  ExperimentalOption,
  TcpState,
} from './control-block.ts'
import { finish } from './lifecycle.ts'
import { output } from './output.ts'
import { drain } from './receive.ts'
import { emitReset } from './reset.ts'
import { advance } from './sequence.ts'

const ignore = (): void => {}

export class TcpConnection implements ConnectionEvents, ConnectionEnds {
  /** The connection's internals: for the stack's own rooms. */
  readonly block: ControlBlock
  /** The handshake is complete (active opens only: a listener's connections are established when it gets them). */
  onEstablished: () => void = ignore
  onData: (bytes: Uint8Array) => void = ignore
  onWritable: () => void = ignore
  onEnd: () => void = ignore
  onClosed: (reason: CloseReason) => void = ignore

  constructor(block: ControlBlock) {
    this.block = block
    block.events = this
  }

  get state(): TcpState {
    return this.block.state
  }

  get local(): number {
    return this.block.local
  }

  get localPort(): number {
    return this.block.localPort
  }

  get remote(): number {
    return this.block.remote
  }

  get remotePort(): number {
    return this.block.remotePort
  }

  /** The peer has closed its side, and `onEnd` has told so. */
  get ended(): boolean {
    const { finSequence, rcvNxt, endOwed } = this.block
    return finSequence >= 0 && rcvNxt === advance(finSequence, 1) && !endOwed
  }

  /** Experimental options (kinds 253 and 254) of the peer's SYN or SYN-ACK. */
  get peerOptions(): readonly ExperimentalOption[] {
    return this.block.peerOptions
  }

  /** Bytes accepted by `send` and not yet acknowledged by the peer. */
  get queuedBytes(): number {
    return this.block.sendBuffer.length
  }

  /**
   * How long the peer has said nothing although something awaits its acknowledgment, in ns; 0 when nothing does.
   * Longer than transport recovery takes, it hints that the peer's packets go astray (R-SLR-24).
   */
  get silenceNs(): Nanoseconds {
    const { flight, lastHeardAt, stuckSince, services } = this.block
    return flight > 0 ? services.clock.now - Math.max(lastHeardAt, stuckSince) : 0
  }

  /** Smoothed round-trip time in ns; -1 before the first sample. */
  get roundTripNs(): number {
    return this.block.rto.smoothedNs
  }

  /**
   * Queues bytes for sending. Returns how many were taken: fewer than given when the send buffer is full, after
   * which `onWritable` tells of room, and none once the connection is closing or closed.
   */
  send(bytes: Uint8Array): number {
    const { block } = this
    if (block.finQueued || block.state === 'closed' || block.state === 'time-wait') return 0
    const room = Math.max(0, block.settings.sendBytes - block.sendBuffer.length)
    const taken = Math.min(room, bytes.length)
    if (taken < bytes.length) block.wantsRoom = true
    if (taken === 0) return 0
    block.sendBuffer.append(taken === bytes.length ? bytes : bytes.subarray(0, taken))
    this.#flush()
    return taken
  }

  /**
   * Sends FIN after what is queued. Data are still received until the peer closes as well. A connection that is not
   * established and has nothing queued ends at once. Idempotent.
   */
  close(): void {
    const { block } = this
    if (block.finQueued || block.state === 'closed' || block.state === 'time-wait') return
    if (block.state === 'syn-sent' && block.sendBuffer.length === 0) {
      finish(block, 'closed')
      return
    }
    block.finQueued = true
    this.#flush()
  }

  /** Ends the connection at once, telling the peer with RST. `onClosed('reset')` follows. Idempotent. */
  abort(): void {
    const { block } = this
    const { state } = block
    if (state === 'closed' || state === 'time-wait') return
    if (state !== 'syn-sent' && state !== 'closing' && state !== 'last-ack') emitReset(block)
    finish(block, 'reset')
  }

  /** Stops `onData`; what arrives waits and the receive window closes. */
  pause(): void {
    this.block.paused = true
  }

  /** Takes up `onData` again, at once with what has waited. */
  resume(): void {
    const { block } = this
    if (!block.paused) return
    block.paused = false
    const window = block.rcvWnd
    drain(block)
    if (!block.synchronized) return
    const { receiveBytes } = block.settings
    const step = Math.min(receiveBytes / 2, block.congestion.segmentBytes)
    if (receiveBytes - block.unreadBytes - window >= step) block.ackNow = true
    this.#flush()
  }

  #flush(): void {
    if (!this.block.busy && this.block.state !== 'syn-sent' && this.block.state !== 'syn-received')
      output(this.block)
  }
}
