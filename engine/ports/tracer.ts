/**
 * A port driver around another one that shows every frame to a sink. The one idea: the frame is shown as it crosses
 * this very place, so that a tracer above a fault injector sees what the engine sent and one below sees what
 * survived.
 */
import type { Nanoseconds } from '../clock.ts'
import type { DropReason } from '../drop-reason.ts'
import { LENGTH, META_SHIFT, type PacketSlab, START } from '../packet.ts'
import { dropComment, type FrameDirection, type FrameSink } from './frame-sink.ts'
import type { PortCapabilities, PortCounters, PortDriver } from './port-driver.ts'

const FAILED = dropComment('transmit-failed' satisfies DropReason)

/** Adds nothing but the sink: counters, times and answers are the inner driver's. */
export class Tracer implements PortDriver {
  readonly name: string
  readonly mac: Uint8Array
  readonly capabilities: PortCapabilities
  readonly counters: PortCounters
  readonly #inner: PortDriver
  readonly #sink: FrameSink

  constructor(inner: PortDriver, sink: FrameSink) {
    this.#inner = inner
    this.#sink = sink
    this.name = inner.name
    this.mac = inner.mac
    this.capabilities = inner.capabilities
    this.counters = inner.counters
  }

  get up(): boolean {
    return this.#inner.up
  }

  receive(slab: PacketSlab, into: Int32Array, limit: number, now: Nanoseconds): number {
    const received = this.#inner.receive(slab, into, limit, now)
    for (let each = 0; each < received; each++) this.#show('receive', slab, into[each]!, now, '')
    return received
  }

  transmit(slab: PacketSlab, packet: number, now: Nanoseconds): boolean {
    const sent = this.#inner.transmit(slab, packet, now)
    this.#show('transmit', slab, packet, now, sent ? '' : FAILED)
    return sent
  }

  /** Shows a packet that the engine drops, with the reason; `direction` says on which of its ways. */
  drop(
    slab: PacketSlab,
    packet: number,
    direction: FrameDirection,
    reason: DropReason,
    now: Nanoseconds,
  ): void {
    this.#show(direction, slab, packet, now, dropComment(reason))
  }

  flush(now: Nanoseconds): void {
    this.#inner.flush(now)
  }

  readyAt(now: Nanoseconds): Nanoseconds {
    return this.#inner.readyAt(now)
  }

  pollAt(now: Nanoseconds): Nanoseconds {
    return this.#inner.pollAt(now)
  }

  close(): void {
    this.#inner.close()
  }

  #show(
    direction: FrameDirection,
    slab: PacketSlab,
    packet: number,
    now: Nanoseconds,
    comment: string,
  ): void {
    const at = packet << META_SHIFT
    this.#sink(direction, slab.bytes, slab.meta[at + START]!, slab.meta[at + LENGTH]!, now, comment)
  }
}
