/**
 * A port driver around another one, with a faulty link in front: rate, delay, jitter, loss, reordering, duplication
 * and corruption, each way. The one idea: a frame that is transmitted is decided upon and held at once and handed to
 * the inner driver when it is due; `readyAt` speaks for the link's rate, so that the scheduler above queues, not
 * this wrapper.
 *
 * Guarantees: `pollAt` names the next time at which a held frame is due either way, and `receive` and `flush` move
 * all that are; nothing is held beyond `holdFrames` a direction; every frame that does not arrive is counted.
 */
import { type Nanoseconds, NEVER } from '../clock.ts'
import { LENGTH, META_SHIFT, NONE, PacketSlab, START } from '../packet.ts'
import { ETHERNET_HEADER_BYTES } from '../wire/ethernet.ts'
import type { FrameSink } from './frame-sink.ts'
import { ImpairedPath } from './impaired-path.ts'
import type { Impairment } from './impairment.ts'
import { createPortCounters } from './port-counters.ts'
import type { PortCapabilities, PortCounters, PortDriver } from './port-driver.ts'

/** Frames taken from the inner driver at once. */
const BATCH = 64

export interface FaultInjectorOptions {
  /** What happens to frames on their way out. Default: nothing. */
  readonly transmit?: Impairment
  /** What happens to frames on their way in. Default: nothing. */
  readonly receive?: Impairment
  /** Frames held at once, a direction: 1..2^20, default 4096. Memory grows with use. */
  readonly holdFrames?: number
  /** Is shown each frame that the faults swallow, its comment naming the cause. */
  readonly onDrop?: FrameSink
}

/**
 * `transmit` answers true for a frame that is lost on the way, as a real wire would; false, counted under
 * transmitDropped, for one that the sender can tell is not sent: too long, queue or hold full, link down.
 */
export class FaultInjector implements PortDriver {
  readonly name: string
  readonly mac: Uint8Array
  readonly capabilities: PortCapabilities
  readonly counters: PortCounters = createPortCounters()
  /** The ways out and in, with their counters; undefined where nothing is impaired. */
  readonly outward: ImpairedPath | undefined
  readonly inward: ImpairedPath | undefined
  readonly #inner: PortDriver
  /** One packet: what is due goes through it into the inner driver. */
  readonly #stage: PacketSlab
  readonly #arrived = new Int32Array(BATCH)

  /** @throws EngineError `invalid` when `holdFrames` is out of bounds */
  constructor(inner: PortDriver, options: FaultInjectorOptions) {
    const { transmit, receive, holdFrames = 4096, onDrop } = options
    const { maxFrameBytes } = inner.capabilities
    const path = (impairment: Impairment | undefined, direction: 'transmit' | 'receive') =>
      impairment && new ImpairedPath(impairment, direction, maxFrameBytes, holdFrames, onDrop)
    this.#inner = inner
    this.name = inner.name
    this.mac = inner.mac
    this.outward = path(transmit, 'transmit')
    this.inward = path(receive, 'receive')
    this.capabilities = {
      ...inner.capabilities,
      maxFrameBytes: Math.min(maxFrameBytes, transmit?.maxFrameBytes ?? maxFrameBytes),
    }
    const headroom = 2
    const stride = Math.max(256, (maxFrameBytes + headroom + 63) & ~63)
    this.#stage = new PacketSlab({ capacity: 1, stride, headroom })
  }

  get up(): boolean {
    return this.#inner.up
  }

  receive(slab: PacketSlab, into: Int32Array, limit: number, now: Nanoseconds): number {
    const { counters, inward } = this
    const inner = this.#inner
    if (this.#release(now)) inner.flush(now)
    const droppedBefore = inner.counters.receiveDropped
    let received = 0
    if (inward === undefined) received = inner.receive(slab, into, limit, now)
    else {
      this.#admit(inward, slab, limit, now)
      received = this.#deliver(inward, slab, into, limit, now)
    }
    counters.receiveDropped += inner.counters.receiveDropped - droppedBefore
    for (let each = 0; each < received; each++)
      counters.receivedBytes += slab.meta[(into[each]! << META_SHIFT) + LENGTH]!
    counters.receivedFrames += received
    return received
  }

  transmit(slab: PacketSlab, packet: number, now: Nanoseconds): boolean {
    const at = packet << META_SHIFT
    const length = slab.meta[at + LENGTH]!
    const { counters, outward } = this
    const sent =
      outward === undefined
        ? this.#inner.transmit(slab, packet, now)
        : this.#inner.up &&
          length >= ETHERNET_HEADER_BYTES &&
          length <= this.#inner.capabilities.maxFrameBytes &&
          outward.accept(slab.bytes, slab.meta[at + START]!, length, now)
    if (sent) {
      counters.transmittedFrames++
      counters.transmittedBytes += length
    } else counters.transmitDropped++
    return sent
  }

  flush(now: Nanoseconds): void {
    this.#release(now)
    this.#inner.flush(now)
  }

  readyAt(now: Nanoseconds): Nanoseconds {
    const ready = this.#inner.readyAt(now)
    return this.outward === undefined ? ready : Math.max(ready, this.outward.impairment.readyAt)
  }

  pollAt(now: Nanoseconds): Nanoseconds {
    let at = this.#inner.pollAt(now)
    if (this.inward !== undefined) at = Math.min(at, this.inward.line.dueAt)
    if (this.outward === undefined || this.outward.held === 0) return at
    const ready = this.#inner.readyAt(now)
    const due = this.outward.line.dueAt
    return Math.min(at, ready === NEVER ? due : Math.max(due, ready))
  }

  close(): void {
    this.#inner.close()
    this.outward?.line.clear()
    this.inward?.line.clear()
  }

  /** Hands frames that are due to the inner driver, as far as it is ready; a link that is down loses them. */
  #release(now: Nanoseconds): boolean {
    const { outward } = this
    if (outward === undefined) return false
    let sent = false
    while (outward.line.dueAt <= now) {
      const ready = this.#inner.readyAt(now)
      if (ready > now && ready !== NEVER) break
      const passed = ready !== NEVER && this.#send(outward, now)
      outward.shift(passed)
      sent ||= passed
    }
    return sent
  }

  #send(path: ImpairedPath, now: Nanoseconds): boolean {
    const stage = this.#stage
    const slot = path.line.first
    const packet = stage.allocate()
    const at = packet << META_SHIFT
    path.line.store.copyTo(slot, stage.bytes, stage.meta[at + START]!)
    stage.meta[at + LENGTH] = path.line.store.lengths[slot]!
    const sent = this.#inner.transmit(stage, packet, now)
    stage.release(packet)
    return sent
  }

  /** Moves what waits at the inner driver onto the way in; what exceeds a batch waits for the next poll. */
  #admit(path: ImpairedPath, slab: PacketSlab, limit: number, now: Nanoseconds): void {
    const arrived = this.#arrived
    const count = this.#inner.receive(slab, arrived, Math.min(limit, arrived.length), now)
    for (let each = 0; each < count; each++) {
      const packet = arrived[each]!
      const at = packet << META_SHIFT
      path.accept(slab.bytes, slab.meta[at + START]!, slab.meta[at + LENGTH]!, now)
      slab.release(packet)
    }
  }

  #deliver(path: ImpairedPath, slab: PacketSlab, into: Int32Array, limit: number, now: Nanoseconds): number {
    let received = 0
    for (let looked = 0; looked < limit && path.line.dueAt <= now; looked++) {
      const slot = path.line.first
      const length = path.line.store.lengths[slot]!
      const packet = length > slab.room ? NONE : slab.allocate()
      if (packet === NONE) this.counters.receiveDropped++
      else {
        const at = packet << META_SHIFT
        path.line.store.copyTo(slot, slab.bytes, slab.meta[at + START]!)
        slab.meta[at + LENGTH] = length
        slab.time[packet] = now
        into[received++] = packet
      }
      path.shift(packet !== NONE)
    }
    return received
  }
}
