/**
 * A port whose medium is a capture file: its frames are received, and what is transmitted goes to a sink. The one
 * idea: frames are pulled one ahead from a source, so that a file, a generator or a test can feed it; times come
 * from the frames, `now` from the caller.
 */
import { type Nanoseconds, NEVER, SECOND } from '../clock.ts'
import { LENGTH, META_SHIFT, NONE, type PacketSlab, START } from '../packet.ts'
import { ETHERNET_HEADER_BYTES } from '../wire/ethernet.ts'
import { type Capture, type CapturePacket, LINK_TYPE_ETHERNET } from './capture.ts'
import { copyBytes } from './copy-bytes.ts'
import type { FrameSink } from './frame-sink.ts'
import { createPortCounters } from './port-counters.ts'
import type { PortCapabilities, PortCounters, PortDriver } from './port-driver.ts'

/** A frame to be received. */
export interface ReplayFrame {
  /** After the replay's beginning: an integer, not less than the frame's before. */
  readonly timeNs: Nanoseconds
  readonly bytes: Uint8Array
}

/** Gives the next frame; undefined when there is none (yet). */
export type ReplaySource = () => ReplayFrame | undefined

export interface PcapPortOptions {
  readonly name: string
  /** Six bytes. */
  readonly mac: Uint8Array
  readonly source: ReplaySource
  /** `recorded`: each frame at startAt + its time. `fastest`: whenever asked. Default `recorded`. */
  readonly pace?: 'recorded' | 'fastest'
  /** The engine's time at the replay's beginning. Default 0. */
  readonly startAt?: Nanoseconds
  /** Is shown each transmitted frame. Default: nobody. */
  readonly record?: FrameSink
  /** Longest frame that is transmitted, in bytes without FCS. Default 1514. */
  readonly maxFrameBytes?: number
}

/** Receives what a source gives and transmits to a sink. Always up until it is closed. */
export class PcapPort implements PortDriver {
  readonly name: string
  readonly mac: Uint8Array
  readonly capabilities: PortCapabilities
  readonly counters: PortCounters = createPortCounters()
  readonly #source: ReplaySource
  readonly #record: FrameSink | undefined
  readonly #paced: boolean
  readonly #startAt: Nanoseconds
  #next: ReplayFrame | undefined = undefined
  #closed = false

  constructor(options: PcapPortOptions) {
    const { name, mac, source, pace = 'recorded', startAt = 0, record, maxFrameBytes = 1514 } = options
    this.name = name
    this.mac = Uint8Array.from(mac)
    this.capabilities = { maxFrameBytes, checksumsComplete: true, offload: false }
    this.#source = source
    this.#record = record
    this.#paced = pace === 'recorded'
    this.#startAt = startAt
  }

  get up(): boolean {
    return !this.#closed
  }

  receive(slab: PacketSlab, into: Int32Array, limit: number, now: Nanoseconds): number {
    const { counters } = this
    let received = 0
    for (let looked = 0; looked < limit && this.pollAt(now) <= now; looked++) {
      const { bytes } = this.#next!
      this.#next = undefined
      const fits = bytes.length >= ETHERNET_HEADER_BYTES && bytes.length <= slab.room
      const packet = fits ? slab.allocate() : NONE
      if (packet === NONE) {
        counters.receiveDropped++
        continue
      }
      const at = packet << META_SHIFT
      copyBytes(bytes, 0, bytes.length, slab.bytes, slab.meta[at + START]!)
      slab.meta[at + LENGTH] = bytes.length
      slab.time[packet] = now
      counters.receivedFrames++
      counters.receivedBytes += bytes.length
      into[received++] = packet
    }
    return received
  }

  transmit(slab: PacketSlab, packet: number, now: Nanoseconds): boolean {
    const at = packet << META_SHIFT
    const length = slab.meta[at + LENGTH]!
    if (this.#closed || length < ETHERNET_HEADER_BYTES || length > this.capabilities.maxFrameBytes) {
      this.counters.transmitDropped++
      return false
    }
    this.counters.transmittedFrames++
    this.counters.transmittedBytes += length
    this.#record?.('transmit', slab.bytes, slab.meta[at + START]!, length, now, '')
    return true
  }

  flush(_now: Nanoseconds): void {}

  readyAt(now: Nanoseconds): Nanoseconds {
    return this.#closed ? NEVER : now
  }

  pollAt(now: Nanoseconds): Nanoseconds {
    if (this.#closed) return NEVER
    this.#next ??= this.#source()
    if (this.#next === undefined) return NEVER
    return this.#paced ? this.#startAt + this.#next.timeNs : now
  }

  close(): void {
    this.#closed = true
    this.#next = undefined
  }
}

/**
 * The frames of a capture that its port received: those of one interface (by name; default the first) that are not
 * marked as outbound, not cut short, and Ethernet, in order of time from the first. Allocates; not for the data path.
 */
export function replayOf(capture: Capture, interfaceName?: string): ReplaySource {
  const index =
    interfaceName === undefined ? 0 : capture.interfaces.findIndex((each) => each.name === interfaceName)
  const ethernet = capture.interfaces[index]?.linkType === LINK_TYPE_ETHERNET
  const wanted = ({ interfaceIndex, direction, bytes, originalLength }: CapturePacket): boolean =>
    ethernet && interfaceIndex === index && direction !== 'outbound' && bytes.length >= originalLength
  const packets = capture.packets.filter(wanted).sort(byTime)
  const first = packets[0]
  let at = 0
  return () => {
    const packet = packets[at++]
    if (packet === undefined || first === undefined) return undefined
    const timeNs = (packet.seconds - first.seconds) * SECOND + packet.nanoseconds - first.nanoseconds
    return { timeNs, bytes: packet.bytes }
  }
}

function byTime(one: CapturePacket, other: CapturePacket): number {
  return one.seconds - other.seconds || one.nanoseconds - other.nanoseconds
}
