/**
 * Frames that wait to be received: those this host sent to itself, and those that arrive while it is busy. The one
 * idea: nothing re-enters the stack; a bounded queue breaks every loop.
 */
import type { HostCounters } from './counters.ts'

/** What waits: a frame of a device, or an IP packet without one. */
export interface Waiting {
  readonly kind: 'frame' | 'packet'
  readonly device: number
  readonly bytes: Uint8Array
}

const LIMIT = 1024

export class Inbox {
  readonly #counters: HostCounters
  #waiting: Waiting[] = []

  constructor(counters: HostCounters) {
    this.#counters = counters
  }

  get size(): number {
    return this.#waiting.length
  }

  push(waiting: Waiting): void {
    if (this.#waiting.length >= LIMIT) this.#counters.drop('inbox-full')
    else this.#waiting.push(waiting)
  }

  /** Hands over what waits now, and not what comes meanwhile. */
  drain(take: (waiting: Waiting) => void): void {
    if (this.#waiting.length === 0) return
    const batch = this.#waiting
    this.#waiting = []
    for (const each of batch) take(each)
  }
}
