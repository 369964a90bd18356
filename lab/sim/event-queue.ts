/**
 * What is going to happen, in order. The one idea: a binary heap over (time, order of scheduling), so that events of
 * the same instant happen in the order in which they were scheduled and a run repeats exactly.
 */
import { type Nanoseconds, NEVER } from '../../engine/index.ts'

/** Something that happens at a time. An object rather than a closure: deliveries are made by the million. */
export interface SimEvent {
  happen(now: Nanoseconds): void
}

export class EventQueue {
  readonly #times: number[] = []
  readonly #orders: number[] = []
  readonly #events: SimEvent[] = []
  #scheduled = 0

  get size(): number {
    return this.#events.length
  }

  /** Time of the first event; NEVER when there is none. */
  get nextAt(): Nanoseconds {
    return this.#times.length === 0 ? NEVER : this.#times[0]
  }

  schedule(at: Nanoseconds, event: SimEvent): void {
    const order = this.#scheduled++
    const times = this.#times
    let hole = times.length
    times.push(at)
    this.#orders.push(order)
    this.#events.push(event)
    while (hole > 0) {
      const parent = (hole - 1) >> 1
      // Orders only grow, so a parent of the same time stays above.
      if (times[parent] <= at) break
      this.#move(parent, hole)
      hole = parent
    }
    this.#put(hole, at, order, event)
  }

  /** Takes the first event; undefined when there is none. */
  shift(): SimEvent | undefined {
    const first = this.#events[0]
    const at = this.#times.pop()
    const order = this.#orders.pop()
    const event = this.#events.pop()
    if (at === undefined || order === undefined || event === undefined) return undefined
    const size = this.#times.length
    if (size === 0) return first
    let hole = 0
    for (;;) {
      let child = hole * 2 + 1
      if (child >= size) break
      if (child + 1 < size && this.#before(child + 1, child)) child++
      const later = this.#times[child] > at || (this.#times[child] === at && this.#orders[child] > order)
      if (later) break
      this.#move(child, hole)
      hole = child
    }
    this.#put(hole, at, order, event)
    return first
  }

  #before(a: number, b: number): boolean {
    const difference = this.#times[a] - this.#times[b]
    return difference < 0 || (difference === 0 && this.#orders[a] < this.#orders[b])
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#times[from], this.#orders[from], this.#events[from])
  }

  #put(index: number, at: number, order: number, event: SimEvent): void {
    this.#times[index] = at
    this.#orders[index] = order
    this.#events[index] = event
  }
}
