/**
 * Sleeping until something arrives. The one idea: ppoll(2) runs on a thread of the pool, so that the event loop of
 * this thread stays free for control while the machine sleeps; an eventfd in the same call ends the sleep early.
 *
 * Guarantees: a wake is never lost (one before `wait` ends the next one at once); at most one wait at a time.
 */
import assert from 'node:assert/strict'
import { checked, libc } from './libc.ts'
import { Memory } from './memory.ts'

const EFD_CLOEXEC_NONBLOCK = 0x80000 | 0x800
const POLLIN = 1
/** struct pollfd: descriptor, events and returned events, in 32-bit words. */
const POLL_WORDS = 2
const TIME_BYTES = 16
const MOST_DESCRIPTORS = 1024
const MOST_SECONDS = 2 ** 31
const NS_PER_SECOND = 1e9
const ONE = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0)

/** Waits for descriptors or for a time, whichever comes first. One for each loop. */
export class Waiter {
  readonly #memory: Memory
  readonly #wake: number
  readonly #count = new Uint8Array(8)
  #waiting = false
  #closed = false

  /** @throws LinuxError where the system gives no descriptor or memory */
  constructor() {
    const wake = libc().eventfd(0, EFD_CLOEXEC_NONBLOCK)
    this.#wake = checked(wake, 'making an event descriptor')
    this.#memory = new Memory(TIME_BYTES + (MOST_DESCRIPTORS + 1) * POLL_WORDS * 4)
  }

  /**
   * Resolves when one of the descriptors is readable or in error, after `timeoutNs` (Infinity: never), or by `wake`.
   * Negative descriptors are ignored. Never rejects. At most 1024 descriptors, one wait at a time.
   */
  wait(descriptors: readonly number[], timeoutNs: number): Promise<void> {
    assert(!this.#waiting, 'a second wait at the same time')
    assert(descriptors.length <= MOST_DESCRIPTORS, 'too many descriptors to wait for')
    if (this.#closed) return Promise.resolve()
    const { address, view, words } = this.#memory
    const seconds = Math.min(MOST_SECONDS, Math.max(0, timeoutNs) / NS_PER_SECOND)
    view.setBigInt64(0, BigInt(Math.floor(seconds)), true)
    view.setBigInt64(8, BigInt(Math.floor((seconds % 1) * NS_PER_SECOND)), true)
    let at = TIME_BYTES / 4
    words[at++] = this.#wake
    words[at++] = POLLIN
    for (const descriptor of descriptors) {
      words[at++] = descriptor
      words[at++] = POLLIN
    }
    const timeout = timeoutNs === Number.POSITIVE_INFINITY ? 0 : address
    this.#waiting = true
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiting = false
        if (this.#closed) this.#release()
        else libc().readBytes(this.#wake, this.#count, 8)
        resolve()
      }
      libc().ppollBeside(address + TIME_BYTES, descriptors.length + 1, timeout, 0, done)
    })
  }

  /** Ends the present wait, or the next one at once. */
  wake(): void {
    if (!this.#closed) libc().writeBytes(this.#wake, ONE, 8)
  }

  /** Ends the present wait and gives everything back. Idempotent. */
  close(): void {
    if (this.#closed) return
    if (this.#waiting) this.wake()
    else this.#release()
    this.#closed = true
  }

  #release(): void {
    libc().close(this.#wake)
    this.#memory.close()
  }
}
