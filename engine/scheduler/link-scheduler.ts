/**
 * The link scheduler of a port (R-PR-03): hierarchical start-time fair queueing over the port's classes, with
 * ceilings. Packets in by leaf, packets out in fair order.
 *
 * The one idea: a packet is in service from the `dequeue` that returns it until the link can take another one. The
 * service ends with the next `dequeue`, with `complete`, or at the time that the caller gave to `busyUntil`,
 * whichever is first; only then do its tags count, so that arrivals during a transmission see the start tag of the
 * packet in service, and arrivals at an idle link see the largest finish tag.
 *
 * Guarantees: work conserving but for ceilings; per-class fairness, throughput and delay as start-time-fair.ts says,
 * in bytes of the frame (LENGTH). Nothing is allocated per packet.
 */
import { type Nanoseconds, NEVER } from '../clock.ts'
import type { DropCode } from '../drop-reason.ts'
import { LENGTH, META_SHIFT, NONE, type PacketSlab } from '../packet.ts'
import type { CodelOptions } from '../queues/codel.ts'
import { type QueueDropSink, QueueManager } from '../queues/queue-manager.ts'
import { Ceilings } from './ceilings.ts'
import { ClassTree, type ClassTreeOptions } from './class-tree.ts'
import { NO_NODE, StartTimeFair } from './start-time-fair.ts'

export interface LinkSchedulerOptions {
  readonly slab: PacketSlab
  /** Takes packets that are dropped after they were accepted: by CoDel or by `purge`. */
  readonly onDrop: QueueDropSink
  /** Most classes, 1..2^18. Default 4096. */
  readonly limitClasses?: number
  /** Most packets in all queues of the port. Default three quarters of the slab. */
  readonly limitPackets?: number
  readonly codel?: CodelOptions
  readonly defaultClass?: ClassTreeOptions['defaultClass']
}

export class LinkScheduler {
  /** The port's classes: create, set, remove, leafOf. */
  readonly classes: ClassTree
  readonly #slab: PacketSlab
  readonly #queues: QueueManager
  readonly #fair: StartTimeFair
  readonly #ceilings: Ceilings
  /** Of the packet in service. */
  #length = 0
  #endsAt: Nanoseconds = NEVER

  constructor(options: LinkSchedulerOptions) {
    const { limitClasses = 4096, defaultClass } = options
    this.#slab = options.slab
    this.#queues = new QueueManager(options)
    // A class may have a leaf of its own besides its node.
    this.#fair = new StartTimeFair({ limit: 2 * limitClasses + 2 })
    this.#ceilings = new Ceilings(this.#fair)
    this.classes = new ClassTree(this.#fair, this.#queues, this.#ceilings, {
      limit: limitClasses,
      ...(defaultClass === undefined ? {} : { defaultClass }),
    })
  }

  /** Packets that wait in all classes. */
  get packets(): number {
    return this.#queues.packets
  }

  /** How often a class reached its ceiling. */
  get suspensions(): number {
    return this.#ceilings.suspensions
  }

  /**
   * Adds a packet to the queue of a leaf (classes.leafOf); to the default class's when the leaf takes no more.
   * Returns 0, or why the packet is refused: then it stays the caller's.
   */
  enqueue(packet: number, leaf: number, now: Nanoseconds): DropCode {
    if (now >= this.#endsAt) this.#finish(now)
    const queues = this.#queues
    if (!queues.accepts(leaf)) leaf = this.classes.defaultLeaf
    const code = queues.enqueue(leaf, packet, now)
    if (code === 0 && queues.lengthOf(leaf) === 1) this.#fair.activate(leaf)
    return code
  }

  /** Takes the next packet, which is the caller's from then on, and puts it in service; NONE when none may be sent. */
  dequeue(now: Nanoseconds): number {
    this.#finish(now)
    if (this.#ceilings.active) this.#ceilings.release(now)
    const fair = this.#fair
    const queues = this.#queues
    for (;;) {
      const leaf = fair.pick()
      if (leaf === NO_NODE) return NONE
      const packet = queues.dequeue(leaf, now)
      if (packet === NONE) {
        fair.account(0, false)
        this.classes.drained(leaf)
        continue
      }
      this.#length = this.#slab.meta[(packet << META_SHIFT) + LENGTH]
      this.#ceilings.charge(leaf, this.#length, now)
      return packet
    }
  }

  /** Tells when the link can take another packet after the one just dequeued: the driver's `readyAt`. */
  busyUntil(at: Nanoseconds): void {
    if (this.#fair.serving !== NO_NODE) this.#endsAt = at
  }

  /** Ends the service in progress, if there is one: the link is free at `now`. */
  complete(now: Nanoseconds): void {
    this.#finish(now)
  }

  /**
   * Earliest time at which `dequeue` may return a packet, as far as ceilings are concerned: NEVER when none waits,
   * `now` when one may go. The caller waits for the link as well.
   */
  nextEligibleAt(now: Nanoseconds): Nanoseconds {
    if (this.#queues.packets === 0) return NEVER
    if (now >= this.#endsAt) this.#finish(now)
    this.#ceilings.release(now)
    return this.#fair.backlogged ? now : this.#ceilings.nextAt
  }

  /** Throws away all packets that wait, under `code`: the port went down or is being closed. */
  purge(code: DropCode, now: Nanoseconds): void {
    this.#finish(now)
    for (const leaf of this.classes.leaves()) {
      this.#fair.deactivate(leaf)
      this.#queues.purge(leaf, code, now)
      this.classes.drained(leaf)
    }
  }

  /** Ends the service in progress; the link became free at the time that was given, or at `now` if none was. */
  #finish(now: Nanoseconds): void {
    const leaf = this.#fair.serving
    if (leaf === NO_NODE) return
    // A suspension that is over when the service ends never was one.
    if (this.#ceilings.active) this.#ceilings.release(Math.min(now, this.#endsAt))
    this.#endsAt = NEVER
    const waiting = this.#queues.lengthOf(leaf)
    this.#fair.account(this.#length, waiting > 0)
    if (waiting === 0 && !this.#queues.accepts(leaf)) this.classes.drained(leaf)
  }
}
