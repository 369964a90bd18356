/**
 * Ports without a medium: two joined in memory, or one whose other side is plain functions. The one idea: a frame
 * crosses by one copy into a bounded queue, at once, and is there at the next `receive`; rate, delay and loss are
 * the fault injector's. Used by the simulator, tests and benchmarks.
 *
 * Guarantees: order is kept; a full queue drops the newest frame and counts it at its sender; frames that had
 * crossed before the link went down can still be received.
 */
import { type Nanoseconds, NEVER } from '../clock.ts'
import { LENGTH, META_SHIFT, NONE, type PacketSlab, START } from '../packet.ts'
import { ETHERNET_HEADER_BYTES } from '../wire/ethernet.ts'
import { FrameQueue } from './frame-queue.ts'
import { createPortCounters } from './port-counters.ts'
import type { PortCapabilities, PortCounters, PortDriver } from './port-driver.ts'

export interface MemoryPortOptions {
  readonly name: string
  /** Six bytes. */
  readonly mac: Uint8Array
  /** Longest frame without FCS, 14..65534. Default 1514. */
  readonly maxFrameBytes?: number
  /** Frames that may wait to be received, 1..2^20. Default 256. Memory grows with use up to this many. */
  readonly limitFrames?: number
}

/** Is given each transmitted frame, bytes[start, start + length), valid only during the call. */
export type FrameOutlet = (bytes: Uint8Array, start: number, length: number, now: Nanoseconds) => void

/** One end of a link in memory. */
export class MemoryPort implements PortDriver {
  readonly name: string
  readonly mac: Uint8Array
  readonly capabilities: PortCapabilities
  readonly counters: PortCounters = createPortCounters()
  /** Where transmitted frames go instead of to the other end; they are lost when there is neither. */
  onTransmit: FrameOutlet | undefined = undefined
  /** Called when the first frame comes to wait: whoever runs this port's engine should poll it. */
  onArrival: (() => void) | undefined = undefined
  readonly #waiting: FrameQueue
  #peer: MemoryPort | undefined = undefined
  #connected = true
  #closed = false

  /** A port with nothing at its other side yet. @throws EngineError `invalid` when an option is out of bounds */
  constructor(options: MemoryPortOptions) {
    const { name, mac, maxFrameBytes = 1514, limitFrames = 256 } = options
    this.name = name
    this.mac = Uint8Array.from(mac)
    this.capabilities = { maxFrameBytes, checksumsComplete: true, offload: false }
    this.#waiting = new FrameQueue(maxFrameBytes, limitFrames)
  }

  /** Joins two ports that have no other end yet. */
  static join(one: MemoryPort, other: MemoryPort): void {
    one.#peer = other
    other.#peer = one
  }

  get up(): boolean {
    const peer = this.#peer
    return this.#connected && !this.#closed && (peer === undefined || !peer.#closed)
  }

  /** Frames that wait to be received. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Connects or disconnects the medium, for both ends. */
  setUp(up: boolean): void {
    this.#connected = up
    if (this.#peer !== undefined) this.#peer.#connected = up
  }

  /**
   * Puts a frame on the medium towards this port, as a host beside it would: the bytes are copied. False, counted
   * under receiveDropped, when the port is down, its queue full, or the frame too long or shorter than 14 bytes.
   */
  deliver(bytes: Uint8Array, start = 0, length = bytes.length - start): boolean {
    const taken = this.up && length >= ETHERNET_HEADER_BYTES && this.#accept(bytes, start, length)
    if (!taken) this.counters.receiveDropped++
    return taken
  }

  receive(slab: PacketSlab, into: Int32Array, limit: number, now: Nanoseconds): number {
    const { counters } = this
    const waiting = this.#waiting
    let received = 0
    for (let looked = 0; looked < limit; looked++) {
      const slot = waiting.head
      if (slot === NONE) break
      const length = waiting.store.lengths[slot]!
      const packet = length > slab.room ? NONE : slab.allocate()
      if (packet === NONE) counters.receiveDropped++
      else {
        const at = packet << META_SHIFT
        waiting.store.copyTo(slot, slab.bytes, slab.meta[at + START]!)
        slab.meta[at + LENGTH] = length
        slab.time[packet] = now
        counters.receivedFrames++
        counters.receivedBytes += length
        into[received++] = packet
      }
      waiting.shift()
    }
    return received
  }

  transmit(slab: PacketSlab, packet: number, now: Nanoseconds): boolean {
    const at = packet << META_SHIFT
    const length = slab.meta[at + LENGTH]!
    const fits = length >= ETHERNET_HEADER_BYTES && length <= this.capabilities.maxFrameBytes
    if (!fits || !this.up || !this.#send(slab.bytes, slab.meta[at + START]!, length, now)) {
      this.counters.transmitDropped++
      return false
    }
    this.counters.transmittedFrames++
    this.counters.transmittedBytes += length
    return true
  }

  flush(_now: Nanoseconds): void {}

  readyAt(now: Nanoseconds): Nanoseconds {
    return this.up ? now : NEVER
  }

  pollAt(now: Nanoseconds): Nanoseconds {
    return this.#waiting.size > 0 ? now : NEVER
  }

  close(): void {
    this.#closed = true
    this.#waiting.clear()
  }

  #send(bytes: Uint8Array, start: number, length: number, now: Nanoseconds): boolean {
    if (this.onTransmit !== undefined) {
      this.onTransmit(bytes, start, length, now)
      return true
    }
    const peer = this.#peer
    if (peer === undefined) return false
    return peer.#accept(bytes, start, length)
  }

  #accept(bytes: Uint8Array, start: number, length: number): boolean {
    if (!this.#waiting.push(bytes, start, length)) return false
    if (this.#waiting.size === 1) this.onArrival?.()
    return true
  }
}

/** Two ports joined by a link. @throws EngineError `invalid` when an option is out of bounds */
export function memoryLink(one: MemoryPortOptions, other: MemoryPortOptions): [MemoryPort, MemoryPort] {
  const ends: [MemoryPort, MemoryPort] = [new MemoryPort(one), new MemoryPort(other)]
  MemoryPort.join(ends[0], ends[1])
  return ends
}
