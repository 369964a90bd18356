/**
 * A port whose other side is the machine's own network stack: a TAP device (tun.ts shares its opening). The one
 * idea: the device is the kernel's end of a cable and this driver the router's end, with a MAC of its own.
 *
 * Guarantees: frames come complete (the kernel is told to leave no checksum and no segmentation to us); one system
 * call a frame, nothing allocated per frame; the device that this port created goes away with it.
 */
import { type Nanoseconds, NEVER } from '../../clock.ts'
import { LENGTH, META_SHIFT, NONE, type PacketSlab, START } from '../../packet.ts'
import { ETHERNET_HEADER_BYTES } from '../../wire/ethernet.ts'
import { copyBytes } from '../copy-bytes.ts'
import { createPortCounters } from '../port-counters.ts'
import type { PortCapabilities, PortCounters, PortDriver } from '../port-driver.ts'
import {
  allocateFor,
  createDeviceCounters,
  type DeviceCounters,
  type DevicePortOptions,
  ProblemReporter,
  tagBytes,
} from './device-port.ts'
import { type Libc, libc } from './libc.ts'
import { LinkState } from './link-state.ts'
import { Memory } from './memory.ts'
import { isTransient } from './system-error.ts'
import { openTunDevice, TAP } from './tun-device.ts'

const MOST_FRAME_BYTES = 65552
const RETRY_NS: Nanoseconds = 50_000

export interface TapPortOptions extends DevicePortOptions {
  /** The router's end: six bytes. Default: the device's own with another last byte. */
  readonly mac?: Uint8Array
  /** Largest IP packet in bytes. Default: what the device has, 1500 for a new one. */
  readonly mtu?: number
}

/** A port on a TAP device. Its device is brought up when it is opened; its addresses are the administrator's. */
export class TapPort implements PortDriver {
  readonly name: string
  readonly device: string
  readonly mac: Uint8Array
  readonly capabilities: PortCapabilities
  readonly counters: PortCounters = createPortCounters()
  readonly details: DeviceCounters = createDeviceCounters()
  readonly #libc: Libc = libc()
  readonly #link: LinkState
  readonly #problems: ProblemReporter
  readonly #incoming = new Memory(MOST_FRAME_BYTES)
  readonly #outgoing: Memory
  #descriptor: number
  #retryAt = Number.NEGATIVE_INFINITY

  /**
   * Creates the device, or attaches to one that exists, and brings it up.
   * @throws LinuxError `forbidden` without CAP_NET_ADMIN, `busy` when someone else is attached, `unsupported`
   */
  static open(options: TapPortOptions): TapPort {
    const descriptor = openTunDevice(options.device, TAP)
    let link: LinkState | undefined
    try {
      link = new LinkState(options.device)
      if (options.mtu !== undefined) link.control.setMtu(options.mtu)
      link.control.setUp(true)
      link.check()
      return new TapPort(options, link, descriptor)
    } catch (error) {
      link?.close()
      libc().close(descriptor)
      throw error
    }
  }

  private constructor(options: TapPortOptions, link: LinkState, descriptor: number) {
    this.name = options.name
    this.device = options.device
    this.mac = Uint8Array.from(options.mac ?? otherEnd(link.control.mac))
    this.#link = link
    this.#descriptor = descriptor
    this.#problems = new ProblemReporter(options.name, options.onProblem)
    const maxFrameBytes = link.control.mtu + ETHERNET_HEADER_BYTES
    this.capabilities = { maxFrameBytes, checksumsComplete: true, offload: false }
    this.#outgoing = new Memory(MOST_FRAME_BYTES)
  }

  /** For poll(2); -1 after `close` or when the device was removed. */
  get descriptor(): number {
    return this.#descriptor
  }

  get up(): boolean {
    return this.#link.up
  }

  /** Asks the system about the link now, instead of within 100 ms of `now`. */
  checkLink(): void {
    if (this.#descriptor < 0) return
    this.#link.check()
    if (this.#link.gone) this.#lose()
  }

  receive(slab: PacketSlab, into: Int32Array, limit: number, now: Nanoseconds): number {
    if (this.#descriptor < 0) return 0
    if (this.#link.refresh(now) && this.#link.gone) this.#lose()
    let received = 0
    for (let looked = 0; looked < limit && this.#descriptor >= 0; looked++) {
      const length = this.#libc.read(this.#descriptor, this.#incoming.address, MOST_FRAME_BYTES)
      if (length <= 0) {
        if (length < 0 && !isTransient(this.#libc.errno())) this.checkLink()
        break
      }
      const packet = this.#take(slab, length)
      if (packet === NONE) continue
      slab.time[packet] = now
      into[received++] = packet
    }
    return received
  }

  transmit(slab: PacketSlab, packet: number, now: Nanoseconds): boolean {
    const at = packet << META_SHIFT
    const start = slab.meta[at + START]!
    const length = slab.meta[at + LENGTH]!
    const { maxFrameBytes } = this.capabilities
    const fits =
      length >= ETHERNET_HEADER_BYTES &&
      (length <= maxFrameBytes || length <= maxFrameBytes + tagBytes(slab.bytes, start, length))
    if (!fits || !this.#link.up || !this.#write(slab.bytes, start, length, now)) {
      this.counters.transmitDropped++
      return false
    }
    this.counters.transmittedFrames++
    this.counters.transmittedBytes += length
    return true
  }

  flush(_now: Nanoseconds): void {}

  readyAt(now: Nanoseconds): Nanoseconds {
    if (!this.#link.up) return NEVER
    return this.#retryAt > now ? this.#retryAt : now
  }

  /** Frames come by an outside event; the link is looked at from time to time. */
  pollAt(now: Nanoseconds): Nanoseconds {
    return this.#descriptor < 0 ? NEVER : this.#link.wakeAt(now)
  }

  close(): void {
    this.#release()
    this.#link.close()
    this.#incoming.close()
    this.#outgoing.close()
  }

  #write(bytes: Uint8Array, start: number, length: number, now: Nanoseconds): boolean {
    copyBytes(bytes, start, length, this.#outgoing.bytes, 0)
    if (this.#libc.write(this.#descriptor, this.#outgoing.address, length) === length) return true
    if (isTransient(this.#libc.errno())) this.#retryAt = now + RETRY_NS
    else this.checkLink()
    return false
  }

  #take(slab: PacketSlab, length: number): number {
    const { counters } = this
    const { bytes } = this.#incoming
    const { maxFrameBytes } = this.capabilities
    if (length > maxFrameBytes && length > maxFrameBytes + tagBytes(bytes, 0, length)) {
      counters.receiveDropped++
      this.details.oversized++
      this.#problems.tell(
        'frame-too-long',
        `frames longer than the MTU come in: ${this.device} has another by now`,
      )
      return NONE
    }
    const packet = allocateFor(slab, length, counters)
    if (packet === NONE) return NONE
    const at = packet << META_SHIFT
    copyBytes(bytes, 0, length, slab.bytes, slab.meta[at + START]!)
    slab.meta[at + LENGTH] = length
    counters.receivedFrames++
    counters.receivedBytes += length
    return packet
  }

  /** The device was removed: this port stays down. */
  #lose(): void {
    this.#release()
    this.#link.close()
    this.#problems.tell('device-gone', `device ${this.device} is gone`)
  }

  #release(): void {
    if (this.#descriptor >= 0) this.#libc.close(this.#descriptor)
    this.#descriptor = -1
  }
}

function otherEnd(mac: Uint8Array): Uint8Array {
  const other = mac.slice()
  other[5]! ^= 1
  return other
}
