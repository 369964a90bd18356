/**
 * Controlled delay: drops from queues whose packets have waited too long for too long.
 *
 * The one idea: a queue that never empties in an interval holds a standing queue; its head is then dropped at a rate
 * that grows with the square root of the drops, until the delay of the packets that leave is below the target. The
 * names are those of RFC 8289, section 5 (times are arguments, in nanoseconds). A queue is never dropped to less
 * than one full packet, so a packet always leaves a queue that has one.
 */
import { MILLISECOND, type Nanoseconds } from '../clock.ts'
import { NONE, type PacketSlab } from '../packet.ts'
import { BYTES, type QueueTable, STATE_SHIFT } from './queue-table.ts'

export interface CodelOptions {
  /** Delay that is acceptable as standing. Default 5 ms. */
  readonly targetNs?: Nanoseconds
  /** Time in which a good queue comes below the target: a worst round trip. Default 100 ms. */
  readonly intervalNs?: Nanoseconds
  /** With this many bytes or fewer left in the queue nothing is dropped. Default 1514. */
  readonly maxPacketBytes?: number
}

/** Takes a packet that was dropped. */
export type CodelDrop = (queue: number, packet: number, now: Nanoseconds) => void

/** State of a queue: doubles at `(queue << SHIFT) + FIELD`. */
const SHIFT = 3
const FIRST_ABOVE_TIME = 0
const DROP_NEXT = 1
const COUNT = 2
const LAST_COUNT = 3
const DROPPING = 4

export class Codel {
  readonly #table: QueueTable
  readonly #slab: PacketSlab
  readonly #drop: CodelDrop
  readonly #targetNs: Nanoseconds
  readonly #intervalNs: Nanoseconds
  readonly #maxPacketBytes: number
  #state = new Float64Array(0)
  /** Of the packet taken last: whether its delay allows a drop. */
  #okToDrop = false

  constructor(table: QueueTable, slab: PacketSlab, drop: CodelDrop, options: CodelOptions = {}) {
    this.#table = table
    this.#slab = slab
    this.#drop = drop
    this.#targetNs = options.targetNs ?? 5 * MILLISECOND
    this.#intervalNs = options.intervalNs ?? 100 * MILLISECOND
    this.#maxPacketBytes = options.maxPacketBytes ?? 1514
  }

  /** Makes room for a queue and forgets what was known of it. */
  open(queue: number): void {
    if (this.#state.length <= queue << SHIFT) {
      const state = new Float64Array(2 ** Math.ceil(Math.log2((queue + 1) << SHIFT)))
      state.set(this.#state)
      this.#state = state
    }
    this.#state.fill(0, queue << SHIFT, (queue + 1) << SHIFT)
  }

  /** Gives what is known of `from` to `to`. */
  move(from: number, to: number): void {
    this.open(to)
    this.#state.copyWithin(to << SHIFT, from << SHIFT, (from + 1) << SHIFT)
  }

  /** Takes the next packet that is to be sent, dropping those before it that waited too long; NONE when empty. */
  take(queue: number, now: Nanoseconds): number {
    const state = this.#state
    const at = queue << SHIFT
    let packet = this.#takeNext(queue, now)
    if (state[at + DROPPING] !== 0) {
      if (!this.#okToDrop) state[at + DROPPING] = 0
      while (state[at + DROPPING] !== 0 && now >= state[at + DROP_NEXT]) {
        this.#drop(queue, packet, now)
        state[at + COUNT]++
        packet = this.#takeNext(queue, now)
        if (this.#okToDrop) state[at + DROP_NEXT] = this.#controlLaw(state[at + DROP_NEXT], state[at + COUNT])
        else state[at + DROPPING] = 0
      }
    } else if (this.#okToDrop) {
      this.#drop(queue, packet, now)
      packet = this.#takeNext(queue, now)
      this.#startDropping(at, now)
    }
    return packet
  }

  /** Goes on at the rate of the last cycle when that was not long ago. */
  #startDropping(at: number, now: Nanoseconds): void {
    const state = this.#state
    const delta = state[at + COUNT] - state[at + LAST_COUNT]
    const recent = now - state[at + DROP_NEXT] < 16 * this.#intervalNs
    state[at + DROPPING] = 1
    state[at + COUNT] = delta > 1 && recent ? delta : 1
    state[at + DROP_NEXT] = this.#controlLaw(now, state[at + COUNT])
    state[at + LAST_COUNT] = state[at + COUNT]
  }

  /** Takes the head and judges whether delay has been above the target for an interval. */
  #takeNext(queue: number, now: Nanoseconds): number {
    const state = this.#state
    const at = queue << SHIFT
    const packet = this.#table.take(queue)
    this.#okToDrop = false
    if (packet === NONE) {
      state[at + FIRST_ABOVE_TIME] = 0
      return NONE
    }
    const sojournNs = now - this.#slab.time[packet]
    const bytes = this.#table.state[(queue << STATE_SHIFT) + BYTES]
    if (sojournNs < this.#targetNs || bytes <= this.#maxPacketBytes) state[at + FIRST_ABOVE_TIME] = 0
    else if (state[at + FIRST_ABOVE_TIME] === 0) state[at + FIRST_ABOVE_TIME] = now + this.#intervalNs
    else this.#okToDrop = now >= state[at + FIRST_ABOVE_TIME]
    return packet
  }

  #controlLaw(time: Nanoseconds, count: number): Nanoseconds {
    return time + this.#intervalNs / Math.sqrt(count)
  }
}
