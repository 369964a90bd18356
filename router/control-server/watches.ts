/**
 * Watches of one session: what is asked again and again. The one idea: a watch has one turn at a time, and skips it
 * while the reader has not taken what was sent before, so that watching costs bounded memory however slow the reader.
 */

import { controlErrorOf } from '../control/errors.ts'
import { formatNotification } from '../control/json-rpc.ts'

/** What a watch shows; undefined: nothing new. Rejects to end the watch. */
export type Look = () => Promise<object | undefined>

/** Where updates go. */
export interface WatchSink {
  /** Whether the reader keeps up. */
  isReady(): boolean
  send(text: string): void
  /** Told when a turn was skipped. */
  skipped(): void
}

interface Watch {
  readonly timer: NodeJS.Timeout
  readonly end: () => void
  isLooking: boolean
  skipped: number
}

export class Watches {
  readonly #sink: WatchSink
  readonly #watches = new Map<number, Watch>()
  #next = 1
  #closed = false

  constructor(sink: WatchSink) {
    this.#sink = sink
  }

  get size(): number {
    return this.#watches.size
  }

  /**
   * Looks now and then every so often; returns the watch's number.
   * @param end called once when nobody looks any more; at once where the session has ended meanwhile
   */
  add(look: Look, everyMs: number, end: () => void = () => {}): number {
    const number = this.#next++
    if (this.#closed) {
      end()
      return number
    }
    const timer = setInterval(() => void this.#turn(number, look), everyMs)
    this.#watches.set(number, { timer, end, isLooking: false, skipped: 0 })
    // The answer that tells the number goes first.
    setImmediate(() => void this.#turn(number, look))
    return number
  }

  /** Ends a watch. Idempotent. */
  remove(number: number): void {
    const watch = this.#watches.get(number)
    if (watch === undefined) return
    clearInterval(watch.timer)
    this.#watches.delete(number)
    watch.end()
  }

  close(): void {
    this.#closed = true
    for (const number of [...this.#watches.keys()]) this.remove(number)
  }

  async #turn(number: number, look: Look): Promise<void> {
    const watch = this.#watches.get(number)
    if (watch === undefined) return
    if (watch.isLooking || !this.#sink.isReady()) {
      watch.skipped++
      this.#sink.skipped()
      return
    }
    watch.isLooking = true
    try {
      const news = await look()
      watch.isLooking = false
      if (news === undefined || !this.#watches.has(number)) return
      const skipped = watch.skipped === 0 ? {} : { skipped: watch.skipped }
      watch.skipped = 0
      this.#sink.send(formatNotification('update', { watch: number, ...skipped, ...news }))
    } catch (error) {
      if (!this.#watches.has(number)) return
      this.remove(number)
      const { code, message } = controlErrorOf(error)
      this.#sink.send(formatNotification('ended', { watch: number, code, message }))
    }
  }
}
