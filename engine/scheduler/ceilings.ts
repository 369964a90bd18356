/**
 * Ceilings on nodes of a start-time fair tree: a node whose token bucket is empty is suspended until it gives again.
 *
 * The one idea: what is served is charged to the bucket of every node above it, and a node in debt leaves the
 * scheduler, so that `pick` never has to look for an eligible class. To its siblings it counts as not backlogged:
 * they share what it may not use, and it collects no credit (StartTimeFair.suspend).
 */
import { type Nanoseconds, NEVER } from '../clock.ts'
import { Deadlines } from '../deadlines.ts'
import { NO_NODE, ROOT, type StartTimeFair } from './start-time-fair.ts'
import type { TokenBucket } from './token-bucket.ts'

export class Ceilings {
  readonly #fair: StartTimeFair
  /** By node. */
  readonly #buckets: (TokenBucket | undefined)[] = []
  /** When each suspended node may go on; made with the first bucket. */
  #deadlines: Deadlines | undefined
  /** How often a node was suspended, in all. */
  suspensions = 0

  constructor(fair: StartTimeFair) {
    this.#fair = fair
  }

  /** Whether any node has a ceiling. When none has, the other calls need not be made. */
  get active(): boolean {
    return this.#deadlines !== undefined
  }

  /** Earliest time at which a suspended node may go on; NEVER when none is suspended. */
  get nextAt(): Nanoseconds {
    return this.#deadlines === undefined ? NEVER : this.#deadlines.earliest
  }

  /** The ceiling of a node. */
  bucketOf(node: number): TokenBucket | undefined {
    return this.#buckets[node]
  }

  /** Gives a node a ceiling, or another one. `bucket` may also be the node's own, reshaped. */
  set(node: number, bucket: TokenBucket, now: Nanoseconds): void {
    this.#deadlines ??= new Deadlines(this.#fair.limit)
    while (this.#buckets.length <= node) this.#buckets.push(undefined)
    this.#buckets[node] = bucket
    this.#fair.resume(node)
    this.#deadlines.remove(node)
    this.#judge(node, bucket, this.#deadlines, now)
  }

  /** Takes a node's ceiling away, and with it a suspension. */
  clear(node: number): void {
    if (this.#buckets[node] === undefined) return
    this.#buckets[node] = undefined
    this.#deadlines?.remove(node)
    this.#fair.resume(node)
  }

  /** Charges a service of `amount` at `now` to a leaf and all above it; suspends those whose bucket is then empty. */
  charge(leaf: number, amount: number, now: Nanoseconds): void {
    const deadlines = this.#deadlines
    if (deadlines === undefined) return
    for (let node = leaf; node !== ROOT; node = this.#fair.parentOf(node)) {
      const bucket = node < this.#buckets.length ? this.#buckets[node] : undefined
      if (bucket === undefined) continue
      bucket.consume(amount, now)
      this.#judge(node, bucket, deadlines, now)
    }
  }

  /** Ends the suspensions that are over at `now`. */
  release(now: Nanoseconds): void {
    const deadlines = this.#deadlines
    if (deadlines === undefined) return
    for (let node = deadlines.takeDue(now); node !== NO_NODE; node = deadlines.takeDue(now))
      this.#fair.resume(node)
  }

  #judge(node: number, bucket: TokenBucket, deadlines: Deadlines, now: Nanoseconds): void {
    if (bucket.eligibleAt <= now) return
    this.suspensions++
    this.#fair.suspend(node)
    deadlines.set(node, bucket.eligibleAt)
  }
}
