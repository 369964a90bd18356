/**
 * Whether a device is connected, asked seldom. The one idea: a system call per packet is too much and a notice per
 * change needs one more socket; so a busy port asks at most every 100 ms of the caller's time, an idle one every
 * half second, and both at once after a call on the device has failed.
 */
import type { Nanoseconds } from '../../clock.ts'
import { DEVICE_RUNNING, DEVICE_UP, DeviceControl } from './device-control.ts'

/** How long an answer is believed. */
export const LINK_CHECK_NS: Nanoseconds = 100_000_000
/** How often a port that is idle wants to be polled for its link's sake. */
export const LINK_WAKE_NS: Nanoseconds = 500_000_000

export class LinkState {
  /** Up, and its cable leads somewhere. */
  up = false
  /** There is no device of this name. */
  gone = false
  readonly control: DeviceControl
  #checkedAt = Number.NEGATIVE_INFINITY
  #closed = false

  /** @throws LinuxError `invalid` for a name no device can have */
  constructor(device: string) {
    this.control = new DeviceControl(device)
  }

  /** When it wants to ask at the latest: the same for all ports, so that an idle router wakes once for all. */
  wakeAt(now: Nanoseconds): Nanoseconds {
    return (Math.floor((this.#since(now) + LINK_CHECK_NS) / LINK_WAKE_NS) + 1) * LINK_WAKE_NS
  }

  /** Asks when the last answer is old. True: it asked. */
  refresh(now: Nanoseconds): boolean {
    if (now < this.#since(now) + LINK_CHECK_NS) return false
    this.#checkedAt = now
    this.check()
    return true
  }

  /** Asks now. */
  check(): void {
    if (this.#closed) return
    const flags = this.control.findFlags()
    this.gone = flags < 0
    this.up = flags >= 0 && (flags & DEVICE_UP) !== 0 && (flags & DEVICE_RUNNING) !== 0
  }

  /** Down for good. Idempotent. */
  close(): void {
    this.#closed = true
    this.up = false
    this.control.close()
  }

  /** The time of the last answer. The first time that it hears of counts as that of the first. */
  #since(now: Nanoseconds): Nanoseconds {
    if (this.#checkedAt === Number.NEGATIVE_INFINITY) this.#checkedAt = now
    return this.#checkedAt
  }
}
