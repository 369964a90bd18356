/**
 * A table keyed by the two ends of a connection. The one idea: buckets by a keyed hash, chained through the entries
 * themselves, so that an entry costs one slot and outsiders cannot choose colliding ports.
 */
import { type SipKey, sipHash } from '../siphash.ts'
import type { ConnectionEnds } from '../stack-event.ts'

/** What can be kept in a table: its ends must not change while it is there. */
export interface TableEntry<T> extends ConnectionEnds {
  nextInBucket: T | null
}

export class EndsTable<T extends TableEntry<T>> {
  readonly #key: SipKey
  readonly #buckets = new Map<number, T>()
  #size = 0

  constructor(key: SipKey) {
    this.#key = key
  }

  get size(): number {
    return this.#size
  }

  /** The entry of these ends, or null. */
  find(local: number, localPort: number, remote: number, remotePort: number): T | null {
    const hash = sipHash(this.#key, local, remote, (localPort << 16) | remotePort)
    let entry = this.#buckets.get(hash) ?? null
    while (entry !== null) {
      const same =
        entry.remotePort === remotePort &&
        entry.localPort === localPort &&
        entry.remote === remote &&
        entry.local === local
      if (same) return entry
      entry = entry.nextInBucket
    }
    return null
  }

  /** Adds an entry whose ends are not in the table. */
  add(entry: T): void {
    const hash = this.#hash(entry)
    entry.nextInBucket = this.#buckets.get(hash) ?? null
    this.#buckets.set(hash, entry)
    this.#size++
  }

  /** Takes an entry out. False when it is not in the table. */
  remove(entry: T): boolean {
    const hash = this.#hash(entry)
    let previous: T | null = null
    let each = this.#buckets.get(hash) ?? null
    while (each !== null && each !== entry) {
      previous = each
      each = each.nextInBucket
    }
    if (each === null) return false
    if (previous !== null) previous.nextInBucket = entry.nextInBucket
    else if (entry.nextInBucket !== null) this.#buckets.set(hash, entry.nextInBucket)
    else this.#buckets.delete(hash)
    entry.nextInBucket = null
    this.#size--
    return true
  }

  /** All entries, in the order in which their buckets came into being. */
  *entries(): Generator<T> {
    for (const first of this.#buckets.values())
      for (let entry: T | null = first; entry !== null; entry = entry.nextInBucket) yield entry
  }

  #hash(entry: T): number {
    return sipHash(this.#key, entry.local, entry.remote, (entry.localPort << 16) | entry.remotePort)
  }
}
