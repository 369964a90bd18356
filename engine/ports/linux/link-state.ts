/**
 * Whether a device is connected, asked seldom. The one idea: a system call per packet is too much and a notice per
 * change needs one more socket, so the state is asked at most every 100 ms of the caller's time, and at once after
 * a call on the device has failed.
 */
import type { Nanoseconds } from '../../clock.ts'
import { DEVICE_RUNNING, DEVICE_UP, DeviceControl } from './device-control.ts'

/** Longest time for which an answer is believed. */
export const LINK_CHECK_NS: Nanoseconds = 100_000_000

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

  /** Next time at which it wants to ask. The first time that it hears of counts as that of its first answer. */
  dueAt(now: Nanoseconds): Nanoseconds {
    if (this.#checkedAt === Number.NEGATIVE_INFINITY) this.#checkedAt = now
    return this.#checkedAt + LINK_CHECK_NS
  }

  /** Asks when the last answer is old. True: it asked. */
  refresh(now: Nanoseconds): boolean {
    if (now < this.dueAt(now)) return false
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
}
