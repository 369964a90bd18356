/**
 * How one thread sees that another does not come back. The one idea: a counter per watched thread that is odd while
 * it works; a counter that stays the same odd number for too long is a stall. Beginning and ending work costs a few
 * plain stores, which the watcher may see a little later; the watcher alone looks at a clock, and sleeps while nobody
 * works.
 *
 * Memory: words [wakes, asleep], then per slot [beats, limit in milliseconds, tag, stalls].
 */

const WAKES = 0
const ASLEEP = 1
const SLOTS_AT = 2
const SLOT_WORDS = 4
const BEATS = 0
const LIMIT_MS = 1
const TAG = 2
const STALLS = 3

const slotAt = (slot: number, word: number): number => SLOTS_AT + slot * SLOT_WORDS + word

/** The side that works. */
export class Heartbeat {
  readonly memory: SharedArrayBuffer
  readonly #words: Int32Array

  /** @param slots of threads or processes that are watched */
  constructor(slots = 1) {
    this.memory = new SharedArrayBuffer((SLOTS_AT + slots * SLOT_WORDS) * Int32Array.BYTES_PER_ELEMENT)
    this.#words = new Int32Array(this.memory)
  }

  /** Says that work begins and may take `limitMs`; the tag is what the watcher is told when it takes longer. */
  begin(limitMs: number, slot = 0, tag = 0): void {
    const words = this.#words
    words[slotAt(slot, LIMIT_MS)] = limitMs
    words[slotAt(slot, TAG)] = tag
    this.resume(slot)
  }

  /** Goes on with work that had ended, under the same limit from its beginning. */
  resume(slot = 0): void {
    const words = this.#words
    words[slotAt(slot, BEATS)]! += 1
    if (Atomics.load(words, ASLEEP) === 0) return
    Atomics.add(words, WAKES, 1)
    Atomics.notify(words, WAKES)
  }

  /** How often a watcher has found a stall. */
  stalls(slot = 0): number {
    return Atomics.load(this.#words, slotAt(slot, STALLS))
  }

  /** Says that the work has ended. */
  end(slot = 0): void {
    this.#words[slotAt(slot, BEATS)]! += 1
  }
}

/** The side that watches, on another thread. */
export interface StallWatch {
  /** Sleeps for `tickMs` while somebody works now and then, otherwise until somebody does or `idleMs` have passed. */
  sleep(tickMs: number, idleMs: number): void
  /** The tags of the work that has taken longer than its limit and `graceMs`. Call after each sleep. */
  stalled(nowMs: number, graceMs: number): number[]
}

/** Self-contained: its text is the program of the watching threads, which start faster than with modules. */
export function createStallWatch(memory: SharedArrayBuffer): StallWatch {
  const WAKES = 0
  const ASLEEP = 1
  const SLOTS_AT = 2
  const SLOT_WORDS = 4
  /** Being woken costs the one who works: the watcher only lies down when nothing was done for so many ticks. */
  const TICKS_AWAKE = 5
  const words = new Int32Array(memory)
  const slots = Math.floor((words.length - SLOTS_AT) / SLOT_WORDS)
  const seen = new Int32Array(slots)
  const since = new Float64Array(slots)
  let beatsSeen = 0
  let idleTicks = 0
  const read = (slot: number, word: number): number =>
    Atomics.load(words, SLOTS_AT + slot * SLOT_WORDS + word)

  const working = (): boolean => {
    for (let slot = 0; slot < slots; slot++) if ((read(slot, 0) & 1) === 1) return true
    return false
  }

  /** Whether nothing has been done since the last time. */
  const idle = (): boolean => {
    let beats = 0
    for (let slot = 0; slot < slots; slot++) beats = (beats + read(slot, 0)) | 0
    const same = beats === beatsSeen
    beatsSeen = beats
    return same && !working()
  }

  return {
    sleep(tickMs, idleMs) {
      const wakes = Atomics.load(words, WAKES)
      idleTicks = idle() ? idleTicks + 1 : 0
      if (idleTicks < TICKS_AWAKE) {
        Atomics.wait(words, WAKES, wakes, tickMs)
        return
      }
      Atomics.store(words, ASLEEP, 1)
      // Work that began before it saw the flag has woken nobody; after a tick it is seen here.
      if (Atomics.wait(words, WAKES, wakes, tickMs) === 'timed-out' && idle())
        Atomics.wait(words, WAKES, wakes, idleMs)
      Atomics.store(words, ASLEEP, 0)
    },
    stalled(nowMs, graceMs) {
      const tags: number[] = []
      for (let slot = 0; slot < slots; slot++) {
        const beats = read(slot, 0)
        if (beats !== seen[slot]) {
          seen[slot] = beats
          since[slot] = nowMs
        } else if ((beats & 1) === 1 && nowMs - since[slot]! > read(slot, 1) + graceMs) {
          Atomics.add(words, SLOTS_AT + slot * SLOT_WORDS + 3, 1)
          tags.push(read(slot, 2))
        }
      }
      return tags
    },
  }
}
