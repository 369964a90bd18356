/**
 * Frames that wait to be sent by a raw socket. The one idea: a batch is filled by copies and goes out in one system
 * call; what the kernel has no room for stays and is offered again a little later, so that the scheduler above, and
 * no queue below, decides what goes first.
 *
 * The kernel says "no room" also for a frame that it never takes: one that the far end of a virtual cable finds too
 * long. So patience ends, and what is not shorter than such a frame is lost at once for a while.
 */
import type { Nanoseconds } from '../../clock.ts'
import { copyBytes } from '../copy-bytes.ts'
import type { PortCounters } from '../port-driver.ts'
import { type Libc, libc } from './libc.ts'
import { MessageBatch } from './message-batch.ts'
import type { PacketSocket } from './packet-socket.ts'
import { isLinkDown, isTransient } from './system-error.ts'

/** Frames a system call. */
const BATCH = 64
const MSG_DONTWAIT = 0x40
/** After the kernel had no room: about the time in which it sends some frames. */
const RETRY_NS: Nanoseconds = 50_000
/** How long one frame may stand in the way of the others: a full ring of a slow device has room again sooner. */
const PATIENCE_NS: Nanoseconds = 10_000_000
/** How long the length of a frame that was never taken is remembered. */
const MEMORY_NS: Nanoseconds = 1_000_000_000

export class OutgoingFrames {
  /** When the next attempt is worth it; in the past while nothing stands in the way. */
  retryAt: Nanoseconds = Number.NEGATIVE_INFINITY
  readonly #libc: Libc = libc()
  readonly #socket: PacketSocket
  readonly #counters: PortCounters
  readonly #checkLink: () => boolean
  readonly #onHopeless: (bytes: number) => void
  readonly #batch: MessageBatch
  /** Frames [first, end) of the batch wait. */
  #first = 0
  #end = 0
  /** Since when the first frame is refused; Infinity while it is not. */
  #refusedSince: Nanoseconds = Number.POSITIVE_INFINITY
  /** Frames of so many bytes are not waited for, until then. */
  #hopelessBytes = Number.POSITIVE_INFINITY
  #hopelessUntil: Nanoseconds = Number.NEGATIVE_INFINITY

  /**
   * @param counters what becomes of each frame is counted there
   * @param checkLink asks the system whether the link is up
   * @param onHopeless hears of a frame that was never taken, with its length
   */
  constructor(
    socket: PacketSocket,
    frameBytes: number,
    counters: PortCounters,
    checkLink: () => boolean,
    onHopeless: (bytes: number) => void,
  ) {
    this.#socket = socket
    this.#counters = counters
    this.#checkLink = checkLink
    this.#onHopeless = onHopeless
    this.#batch = new MessageBatch(BATCH, frameBytes)
  }

  /** Whether frames wait. */
  get isWaiting(): boolean {
    return this.#end > 0
  }

  /** Copies a frame into the batch. False when there is no room and the kernel has none either. */
  add(bytes: Uint8Array, start: number, length: number, now: Nanoseconds): boolean {
    if (this.#end === BATCH && !this.send(now)) return false
    const batch = this.#batch
    copyBytes(bytes, start, length, batch.bytes, batch.frameStart(this.#end))
    batch.setLength(this.#end, length)
    this.#end++
    return true
  }

  /** Sends what waits, as far as the kernel takes it. True: nothing waits any more. */
  send(now: Nanoseconds): boolean {
    if (now < this.retryAt) return false
    const counters = this.#counters
    const batch = this.#batch
    while (this.#first < this.#end) {
      const waiting = this.#end - this.#first
      const { descriptor } = this.#socket
      const sent = this.#libc.sendmmsg(descriptor, batch.address(this.#first), waiting, MSG_DONTWAIT)
      if (sent > 0) {
        for (let each = 0; each < sent; each++) {
          const bytes = batch.lengthToSend(this.#first++)
          counters.transmittedFrames++
          counters.transmittedBytes += bytes
          if (bytes >= this.#hopelessBytes) this.#hopelessBytes = Number.POSITIVE_INFINITY
        }
        this.#refusedSince = Number.POSITIVE_INFINITY
        continue
      }
      if (!this.#overcome(this.#libc.errno(), now)) return false
    }
    this.#empty()
    return true
  }

  /** Loses what waits, counted. */
  lose(): void {
    this.#counters.transmitDropped += this.#end - this.#first
    this.#empty()
  }

  /** Loses what waits. Idempotent; nothing may be added afterwards. */
  close(): void {
    this.lose()
    this.#batch.close()
  }

  /** What to do about a frame that was not sent: wait (false), lose all with the link, or lose this one. */
  #overcome(errno: number, now: Nanoseconds): boolean {
    // A device without a cable has "no room" either.
    if ((isTransient(errno) || isLinkDown(errno)) && !this.#checkLink()) this.lose()
    else if (isTransient(errno) && !this.#isHopeless(now)) {
      this.retryAt = now + RETRY_NS
      return false
    } else {
      this.#counters.transmitDropped++
      this.#first++
      this.#refusedSince = Number.POSITIVE_INFINITY
    }
    return true
  }

  /** Whether the first frame, which was refused, has been waited for long enough. */
  #isHopeless(now: Nanoseconds): boolean {
    const bytes = this.#batch.lengthToSend(this.#first)
    if (bytes >= this.#hopelessBytes && now < this.#hopelessUntil) return true
    if (now < this.#refusedSince) this.#refusedSince = now
    if (now - this.#refusedSince < PATIENCE_NS) return false
    this.#hopelessBytes = bytes
    this.#hopelessUntil = now + MEMORY_NS
    this.#onHopeless(bytes)
    return true
  }

  #empty(): void {
    this.#first = 0
    this.#end = 0
    this.retryAt = Number.NEGATIVE_INFINITY
    this.#refusedSince = Number.POSITIVE_INFINITY
  }
}
