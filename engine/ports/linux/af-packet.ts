/**
 * A port on a real device through a raw socket (packet(7)). The one idea: frames cross the system call in batches,
 * both ways, through memory that the kernel knows once and for ever.
 *
 * Guarantees: nothing is allocated per packet; frames of this machine's own on the device are not received; frames
 * come as they were on the link, with the VLAN tag that the kernel takes off and with finished checksums, or not at
 * all, counted; a device that goes down, loses its cable or goes away and comes back under its name is a port that
 * is down and up again.
 */
import { type Nanoseconds, NEVER } from '../../clock.ts'
import { LENGTH, META_SHIFT, NONE, type PacketSlab, START } from '../../packet.ts'
import { ETHERNET_HEADER_BYTES, VLAN_TAG_BYTES } from '../../wire/ethernet.ts'
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
import { MessageBatch } from './message-batch.ts'
import { OutgoingFrames } from './outgoing-frames.ts'
import { PacketSocket } from './packet-socket.ts'
import { completeChecksum } from './partial-checksum.ts'
import { isTransient } from './system-error.ts'

/** Frames a system call. */
const BATCH = 64
const MSG_DONTWAIT_TRUNC = 0x40 | 0x20
const MAC_PAIR_BYTES = 12

/** Words of struct tpacket_auxdata, and bits of its first. */
const AUX_STATUS = 0
const AUX_TAG = 4
const CHECKSUM_NOT_READY = 1 << 3
const TAG_VALID = 1 << 4
const TAG_TYPE_VALID = 1 << 6

const TOO_LONG =
  'frames longer than the MTU come in and are dropped; turn segmentation and merging off: ' +
  '`ethtool -K DEVICE tx off tso off gso off` where they are sent, `ethtool -K DEVICE gro off lro off` here'
const UNFINISHED =
  'frames come in whose checksum is left to hardware and cannot be finished here; they are dropped: ' +
  '`ethtool -K DEVICE tx off` where they are sent'

/** A port on an Ethernet device of the system. It leaves the device's addresses and flags alone. */
export class AfPacketPort implements PortDriver {
  readonly name: string
  readonly device: string
  readonly mac: Uint8Array
  readonly capabilities: PortCapabilities
  readonly counters: PortCounters = createPortCounters()
  readonly details: DeviceCounters = createDeviceCounters()
  readonly #libc: Libc = libc()
  readonly #socket: PacketSocket
  readonly #link: LinkState
  readonly #problems: ProblemReporter
  readonly #incoming: MessageBatch
  readonly #outgoing: OutgoingFrames
  readonly #onReturn: (() => void) | undefined
  #index: number
  #closed = false

  /**
   * Takes a device over, up or down; its MTU is what it is now.
   * @throws LinuxError `not-found`, `forbidden` without CAP_NET_RAW, `unsupported` for what is not Ethernet
   */
  static open(options: DevicePortOptions): AfPacketPort {
    const link = new LinkState(options.device)
    let socket: PacketSocket | undefined
    try {
      const { index, mac } = link.control
      socket = new PacketSocket(options.device)
      socket.attach(index, mac)
      return new AfPacketPort(options, link, socket, index)
    } catch (error) {
      socket?.close()
      link.close()
      throw error
    }
  }

  private constructor(options: DevicePortOptions, link: LinkState, socket: PacketSocket, index: number) {
    this.name = options.name
    this.device = options.device
    this.mac = link.control.mac
    this.#link = link
    this.#socket = socket
    this.#index = index
    this.#problems = new ProblemReporter(options.name, options.onProblem)
    this.#onReturn = options.onReturn
    const maxFrameBytes = link.control.mtu + ETHERNET_HEADER_BYTES
    this.capabilities = { maxFrameBytes, checksumsComplete: true, offload: false }
    const frameBytes = maxFrameBytes + VLAN_TAG_BYTES
    this.#incoming = new MessageBatch({ count: BATCH, frameBytes, auxiliary: true })
    this.#outgoing = new OutgoingFrames(socket, frameBytes, this.counters, () => {
      this.checkLink()
      return this.#link.up
    })
    this.#incoming.prepare(BATCH)
    link.check()
  }

  /** For poll(2): readable when frames wait or the link changed. */
  get descriptor(): number {
    return this.#socket.descriptor
  }

  get up(): boolean {
    return this.#link.up
  }

  /** Asks the system about the link now, instead of within 100 ms of `now`. */
  checkLink(): void {
    if (this.#closed) return
    this.#link.check()
    this.#followDevice()
  }

  receive(slab: PacketSlab, into: Int32Array, limit: number, now: Nanoseconds): number {
    if (this.#closed) return 0
    if (this.#link.refresh(now)) this.#tick()
    if (this.#outgoing.isWaiting) this.#outgoing.send(now)
    const batch = limit < BATCH ? limit : BATCH
    if (batch <= 0) return 0
    const incoming = this.#incoming
    const { descriptor } = this.#socket
    const count = this.#libc.recvmmsg(descriptor, incoming.address(0), batch, MSG_DONTWAIT_TRUNC, 0)
    if (count <= 0) {
      if (!isTransient(this.#libc.errno())) this.checkLink()
      return 0
    }
    let received = 0
    for (let each = 0; each < count; each++) {
      const packet = this.#take(each, slab)
      if (packet === NONE) continue
      slab.time[packet] = now
      into[received++] = packet
    }
    incoming.prepare(count)
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
    if (fits && this.#link.up && this.#outgoing.add(slab.bytes, start, length, now)) return true
    this.counters.transmitDropped++
    return false
  }

  flush(now: Nanoseconds): void {
    if (this.#outgoing.isWaiting) this.#outgoing.send(now)
  }

  readyAt(now: Nanoseconds): Nanoseconds {
    if (!this.#link.up) return NEVER
    const { retryAt } = this.#outgoing
    return retryAt > now ? retryAt : now
  }

  /** Frames come by an outside event; the link is looked at from time to time. */
  pollAt(now: Nanoseconds): Nanoseconds {
    if (this.#closed) return NEVER
    const due = this.#link.wakeAt(now)
    const { retryAt, isWaiting } = this.#outgoing
    return isWaiting && retryAt < due ? retryAt : due
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#link.close()
    this.#outgoing.close()
    this.#socket.close()
    this.#incoming.close()
  }

  /** Moves received frame `i` into a packet; NONE when it is dropped, counted. */
  #take(i: number, slab: PacketSlab): number {
    const incoming = this.#incoming
    const { bytes } = incoming
    const { counters } = this
    const from = incoming.frameStart(i)
    const received = incoming.length(i)
    const status = incoming.hasAuxiliary(i) ? incoming.auxiliary(i, AUX_STATUS) : 0
    const restored = (status & TAG_VALID) !== 0 ? VLAN_TAG_BYTES : 0
    const length = received + restored
    const { maxFrameBytes } = this.capabilities
    if (length > maxFrameBytes && length > maxFrameBytes + (restored || tagBytes(bytes, from, received))) {
      counters.receiveDropped++
      this.details.oversized++
      this.#problems.tell('frame-too-long', TOO_LONG)
      return NONE
    }
    const packet = allocateFor(slab, length, counters)
    if (packet === NONE) return NONE
    const at = packet << META_SHIFT
    const start = slab.meta[at + START]!
    if (restored === 0) copyBytes(bytes, from, received, slab.bytes, start)
    else this.#restoreTag(i, status, slab.bytes, start)
    if ((status & CHECKSUM_NOT_READY) !== 0 && !this.#finishChecksum(slab, packet, start, length)) return NONE
    slab.meta[at + LENGTH] = length
    counters.receivedFrames++
    counters.receivedBytes += length
    return packet
  }

  /** Copies frame `i` to `target` with the tag that the kernel has put beside it. */
  #restoreTag(i: number, status: number, target: Uint8Array, start: number): void {
    const incoming = this.#incoming
    const { bytes } = incoming
    const from = incoming.frameStart(i)
    const tag = incoming.auxiliary(i, AUX_TAG)
    const type = (status & TAG_TYPE_VALID) !== 0 ? tag >>> 16 : 0x8100
    const behind = start + MAC_PAIR_BYTES
    copyBytes(bytes, from, MAC_PAIR_BYTES, target, start)
    target[behind] = type >>> 8
    target[behind + 1] = type
    target[behind + 2] = tag >>> 8
    target[behind + 3] = tag
    const rest = incoming.length(i) - MAC_PAIR_BYTES
    copyBytes(bytes, from + MAC_PAIR_BYTES, rest, target, behind + VLAN_TAG_BYTES)
    this.details.tagsRestored++
  }

  #finishChecksum(slab: PacketSlab, packet: number, start: number, length: number): boolean {
    if (completeChecksum(slab.bytes, start, start + length)) {
      this.details.checksumsCompleted++
      return true
    }
    slab.release(packet)
    this.counters.receiveDropped++
    this.details.checksumsRefused++
    this.#problems.tell('checksum', UNFINISHED)
    return false
  }

  #tick(): void {
    const dropped = this.#socket.takeDropped()
    this.counters.receiveDropped += dropped
    this.details.kernelDropped += dropped
    if (!this.#link.up) this.#outgoing.lose()
    this.#followDevice()
  }

  /** Listens on the device that has the name now, when it is another one. */
  #followDevice(): void {
    const index = this.#link.control.findIndex()
    if (index === this.#index) return
    if (index === 0) {
      this.#link.up = false
      this.#problems.tell('device-gone', `device ${this.device} is gone`)
      return
    }
    try {
      this.#socket.attach(index, this.mac)
    } catch {
      return
    }
    this.#index = index
    this.#problems.tell('device-back', `device ${this.device} is there again`)
    this.#onReturn?.()
  }
}
