/**
 * The queue manager of a port (R-PR-03): one queue for each leaf of the link scheduler, with its limits, its drop
 * policy and its counters.
 *
 * The one idea: whatever is offered is refused, sent, dropped or still here. A packet that finds its queue full is
 * refused with a reason and stays the caller's; one that is dropped later (it waited too long, its port went down)
 * goes to the one sink that the manager was made with. For every queue, at all times:
 * packetsIn = packetsOut + dropped + purged + packets.
 */
import type { Nanoseconds } from '../clock.ts'
import { type DropCode, dropCode } from '../drop-reason.ts'
import { EngineError } from '../errors.ts'
import { LENGTH, META_SHIFT, NONE, type PacketSlab } from '../packet.ts'
import { Codel, type CodelOptions } from './codel.ts'
import {
  ACCEPTING,
  BY_BYTES,
  BY_CODEL,
  BY_PACKETS,
  BYTES,
  BYTES_IN,
  BYTES_OUT,
  CODEL,
  COUNT_SHIFT,
  DROP_SHIFT,
  FLAGS,
  LIMIT_BYTES,
  LIMIT_PACKETS,
  OPEN,
  PACKETS,
  PACKETS_IN,
  PACKETS_OUT,
  PURGED,
  QueueTable,
  STATE_SHIFT,
} from './queue-table.ts'

export const DEFAULT_LIMIT_PACKETS = 1000
export const DEFAULT_LIMIT_BYTES = 1_500_000
const MOST_PACKETS = 1 << 20
const MOST_BYTES = 1 << 30

const PACKET_LIMIT = dropCode('queue-packet-limit')
const BYTE_LIMIT = dropCode('queue-byte-limit')
const DELAYED = dropCode('queue-codel')

/** Takes a packet that was dropped after it had been accepted, and owns it from then on: counts and releases it. */
export type QueueDropSink = (packet: number, code: DropCode, now: Nanoseconds) => void

export interface QueueSettings {
  /** Most packets, 1..2^20. Default 1000. */
  readonly limitPackets?: number
  /** Most bytes, 1..2^30. Default 1.5 MB. */
  readonly limitBytes?: number
  /** What is dropped: only what finds the queue full, or by delay as well (RFC 8289). Default `tail`. */
  readonly dropPolicy?: 'tail' | 'codel'
}

export interface QueueManagerOptions {
  readonly slab: PacketSlab
  readonly onDrop: QueueDropSink
  /** Most packets in all queues together. Default three quarters of the slab: the rest is for arrivals. */
  readonly limitPackets?: number
  readonly codel?: CodelOptions
}

/** A queue as reports show it. Counters are monotonic. */
export interface QueueReport {
  readonly packets: number
  readonly bytes: number
  readonly limitPackets: number
  readonly limitBytes: number
  readonly dropPolicy: 'tail' | 'codel'
  /** Offered, dropped ones included. */
  readonly packetsIn: number
  readonly bytesIn: number
  readonly packetsOut: number
  readonly bytesOut: number
  readonly dropped: {
    readonly 'queue-packet-limit': number
    readonly 'queue-byte-limit': number
    readonly 'queue-codel': number
    /** Thrown away by `purge`, under the reason given there. */
    readonly purged: number
  }
  /** Packets sent by their time in the queue: below 2^16 ns, then in [2^(i+15), 2^(i+16)) ns. */
  readonly delays: readonly number[]
}

export class QueueManager {
  readonly slab: PacketSlab
  readonly limitPackets: number
  readonly #table: QueueTable
  readonly #codel: Codel
  readonly #onDrop: QueueDropSink
  #packets = 0

  constructor(options: QueueManagerOptions) {
    this.slab = options.slab
    this.limitPackets = options.limitPackets ?? Math.ceil(options.slab.capacity * 0.75)
    this.#onDrop = options.onDrop
    this.#table = new QueueTable(options.slab)
    const dropped = (queue: number, packet: number, now: Nanoseconds): void => {
      this.#packets--
      this.#table.drops[(queue << DROP_SHIFT) + BY_CODEL]++
      this.#onDrop(packet, DELAYED, now)
    }
    this.#codel = new Codel(this.#table, options.slab, dropped, options.codel)
  }

  /** Packets in all queues. */
  get packets(): number {
    return this.#packets
  }

  /** Opens the queue of a leaf. @throws EngineError `invalid` */
  open(queue: number, settings: QueueSettings): void {
    checkQueueSettings(settings)
    const policy = settings.dropPolicy === 'codel' ? CODEL : 0
    this.#table.open(
      queue,
      settings.limitPackets ?? DEFAULT_LIMIT_PACKETS,
      settings.limitBytes ?? DEFAULT_LIMIT_BYTES,
      OPEN | ACCEPTING | policy,
    )
    this.#codel.open(queue)
  }

  /** Changes limits or policy. Packets beyond a lower limit stay. @throws EngineError `invalid` */
  set(queue: number, settings: QueueSettings): void {
    checkQueueSettings(settings)
    const state = this.#table.state
    const at = queue << STATE_SHIFT
    if (settings.limitPackets !== undefined) state[at + LIMIT_PACKETS] = settings.limitPackets
    if (settings.limitBytes !== undefined) state[at + LIMIT_BYTES] = settings.limitBytes
    if (settings.dropPolicy === 'tail') state[at + FLAGS] &= ~CODEL
    if (settings.dropPolicy === 'codel') state[at + FLAGS] |= CODEL
  }

  /** Gives the queue `from`, packets and counters, the number `to`. */
  move(from: number, to: number): void {
    this.#table.move(from, to)
    this.#codel.move(from, to)
  }

  /** From now on the queue only drains. */
  refuse(queue: number): void {
    this.#table.state[(queue << STATE_SHIFT) + FLAGS] &= ~ACCEPTING
  }

  /** Whether packets may be added. */
  accepts(queue: number): boolean {
    const state = this.#table.state
    const at = (queue << STATE_SHIFT) + FLAGS
    return at >= 0 && at < state.length && (state[at] & ACCEPTING) !== 0
  }

  /** Packets in a queue. */
  lengthOf(queue: number): number {
    return this.#table.state[(queue << STATE_SHIFT) + PACKETS]
  }

  /** Adds a packet. Returns 0, or why it is refused: then it stays the caller's, counted here. */
  enqueue(queue: number, packet: number, now: Nanoseconds): DropCode {
    const { state, counts, drops } = this.#table
    const at = queue << STATE_SHIFT
    const count = queue << COUNT_SHIFT
    const bytes = this.slab.meta[(packet << META_SHIFT) + LENGTH]
    counts[count + PACKETS_IN]++
    counts[count + BYTES_IN] += bytes
    if (state[at + PACKETS] >= state[at + LIMIT_PACKETS] || this.#packets >= this.limitPackets) {
      drops[(queue << DROP_SHIFT) + BY_PACKETS]++
      return PACKET_LIMIT
    }
    if (state[at + BYTES] + bytes > state[at + LIMIT_BYTES]) {
      drops[(queue << DROP_SHIFT) + BY_BYTES]++
      return BYTE_LIMIT
    }
    this.slab.time[packet] = now
    this.#packets++
    this.#table.append(queue, packet)
    return 0
  }

  /** Takes the next packet to be sent; NONE when there is none. Packets that waited too long go to the sink. */
  dequeue(queue: number, now: Nanoseconds): number {
    const { state, counts } = this.#table
    const codel = (state[(queue << STATE_SHIFT) + FLAGS] & CODEL) !== 0
    const packet = codel ? this.#codel.take(queue, now) : this.#table.take(queue)
    if (packet === NONE) return NONE
    const count = queue << COUNT_SHIFT
    this.#packets--
    counts[count + PACKETS_OUT]++
    counts[count + BYTES_OUT] += this.slab.meta[(packet << META_SHIFT) + LENGTH]
    this.#table.countDelay(queue, packet, now)
    return packet
  }

  /** Throws a queue's packets away under `code`. */
  purge(queue: number, code: DropCode, now: Nanoseconds): void {
    for (let packet = this.#table.take(queue); packet !== NONE; packet = this.#table.take(queue)) {
      this.#packets--
      this.#table.drops[(queue << DROP_SHIFT) + PURGED]++
      this.#onDrop(packet, code, now)
    }
  }

  /** Limits, counters and delays of a queue. Allocates; not for the data path. */
  report(queue: number): QueueReport {
    const { state, counts, drops } = this.#table
    const at = queue << STATE_SHIFT
    const count = queue << COUNT_SHIFT
    const drop = queue << DROP_SHIFT
    return {
      packets: state[at + PACKETS],
      bytes: state[at + BYTES],
      limitPackets: state[at + LIMIT_PACKETS],
      limitBytes: state[at + LIMIT_BYTES],
      dropPolicy: (state[at + FLAGS] & CODEL) === 0 ? 'tail' : 'codel',
      packetsIn: counts[count + PACKETS_IN],
      bytesIn: counts[count + BYTES_IN],
      packetsOut: counts[count + PACKETS_OUT],
      bytesOut: counts[count + BYTES_OUT],
      dropped: {
        'queue-packet-limit': drops[drop + BY_PACKETS],
        'queue-byte-limit': drops[drop + BY_BYTES],
        'queue-codel': drops[drop + BY_CODEL],
        purged: drops[drop + PURGED],
      },
      delays: this.#table.delaysOf(queue),
    }
  }
}

/** Refuses settings out of their bounds. @throws EngineError `invalid` */
export function checkQueueSettings(settings: QueueSettings): void {
  const { limitPackets = 1, limitBytes = 1, dropPolicy = 'tail' } = settings
  if (!Number.isInteger(limitPackets) || limitPackets < 1 || limitPackets > MOST_PACKETS)
    throw new EngineError('invalid', `must be a whole number in 1..${MOST_PACKETS}`, 'limitPackets')
  if (!Number.isInteger(limitBytes) || limitBytes < 1 || limitBytes > MOST_BYTES)
    throw new EngineError('invalid', `must be a whole number in 1..${MOST_BYTES}`, 'limitBytes')
  if (dropPolicy !== 'tail' && dropPolicy !== 'codel')
    throw new EngineError('invalid', 'must be tail or codel', 'dropPolicy')
}
