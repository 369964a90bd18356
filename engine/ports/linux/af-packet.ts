/**
 * A port on a real device through a raw socket (packet(7)). The one idea: frames come through a ring that the kernel
 * fills, without a system call, and go in batches, one call each, through memory that the kernel knows for ever.
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
import { LinkState } from './link-state.ts'
import { OutgoingFrames } from './outgoing-frames.ts'
import { PacketSocket } from './packet-socket.ts'
import { completeChecksum } from './partial-checksum.ts'
import { ReceiveRing } from './receive-ring.ts'

const MAC_PAIR_BYTES = 12
/** How often a port without frames is asked whether something is wrong with it. */
const ERROR_CHECK_NS: Nanoseconds = 1_000_000

/** TP_STATUS_* of a frame. */
const CHECKSUM_NOT_READY = 1 << 3
const TAG_VALID = 1 << 4
const TAG_TYPE_VALID = 1 << 6

const TOO_LONG =
  'frames longer than the MTU come in and are dropped; turn segmentation and merging off: ' +
  '`ethtool -K DEVICE tx off tso off gso off` where they are sent, `ethtool -K DEVICE gro off lro off` here'
const NARROW = 'has the other end of the link a smaller MTU?'
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
  readonly #socket: PacketSocket
  readonly #link: LinkState
  readonly #problems: ProblemReporter
  readonly #incoming: ReceiveRing
  readonly #outgoing: OutgoingFrames
  readonly #onReturn: (() => void) | undefined
  #index: number
  #closed = false
  #askedAt = Number.NEGATIVE_INFINITY

  /**
   * Takes a device over, up or down; its MTU is what it is now.
   * @throws LinuxError `not-found`, `forbidden` without CAP_NET_RAW, `unsupported` for what is not Ethernet
   */
  static open(options: DevicePortOptions): AfPacketPort {
    const link = new LinkState(options.device)
    let socket: PacketSocket | undefined
    let incoming: ReceiveRing | undefined
    try {
      const { index, mac, mtu } = link.control
      socket = new PacketSocket(options.device)
      incoming = new ReceiveRing(socket.descriptor, mtu + ETHERNET_HEADER_BYTES + VLAN_TAG_BYTES)
      socket.attach(index, mac)
      return new AfPacketPort(options, link, socket, incoming, index)
    } catch (error) {
      incoming?.close()
      socket?.close()
      link.close()
      throw error
    }
  }

  private constructor(
    options: DevicePortOptions,
    link: LinkState,
    socket: PacketSocket,
    incoming: ReceiveRing,
    index: number,
  ) {
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
    this.#incoming = incoming
    const isUp = () => {
      this.checkLink()
      return this.#link.up
    }
    const onHopeless = (bytes: number) =>
      this.#problems.tell('not-taken', `frames of ${bytes} bytes are not taken, and dropped; ${NARROW}`)
    this.#outgoing = new OutgoingFrames(socket, frameBytes, this.counters, isUp, onHopeless)
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
    const incoming = this.#incoming
    let taken = 0
    let received = 0
    while (taken < limit && incoming.next()) {
      const packet = this.#take(slab)
      incoming.release()
      taken++
      if (packet === NONE) continue
      slab.time[packet] = now
      into[received++] = packet
    }
    if (taken === 0 && limit > 0) this.#lookForErrors(now)
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

  /** A device that went away leaves an error on the socket, which ends every sleep until it is asked for. */
  #lookForErrors(now: Nanoseconds): void {
    if (now < this.#askedAt + ERROR_CHECK_NS) return
    this.#askedAt = now
    if (this.#socket.takeError()) this.checkLink()
  }

  /** Moves the ring's present frame into a packet; NONE when it is dropped, counted. */
  #take(slab: PacketSlab): number {
    const { bytes, start: from, length: received, status } = this.#incoming
    const { counters } = this
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
    else this.#restoreTag(slab.bytes, start)
    if ((status & CHECKSUM_NOT_READY) !== 0 && !this.#finishChecksum(slab, packet, start, length)) return NONE
    slab.meta[at + LENGTH] = length
    counters.receivedFrames++
    counters.receivedBytes += length
    return packet
  }

  /** Copies the present frame to `target` with the tag that the kernel has put beside it. */
  #restoreTag(target: Uint8Array, start: number): void {
    const { bytes, start: from, length, status, tag } = this.#incoming
    const type = (status & TAG_TYPE_VALID) !== 0 ? tag >>> 16 : 0x8100
    const behind = start + MAC_PAIR_BYTES
    copyBytes(bytes, from, MAC_PAIR_BYTES, target, start)
    target[behind] = type >>> 8
    target[behind + 1] = type
    target[behind + 2] = tag >>> 8
    target[behind + 3] = tag
    const rest = length - MAC_PAIR_BYTES
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
