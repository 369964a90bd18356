/**
 * A raw socket on one device (packet(7)). The one idea: everything a driver wants of the kernel is asked for here,
 * once: whole frames both ways, none of our own back.
 */
import { checked, libc } from './libc.ts'

const AF_PACKET = 17
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0x800 | 0x80000
const ETH_P_ALL_NETWORK_ORDER = 0x0300
const ADDRESS_BYTES = 20

const SOL_SOCKET = 1
const SO_SNDBUFFORCE = 32
const SO_ERROR = 4

const SOL_PACKET = 263
const PACKET_ADD_MEMBERSHIP = 1
const PACKET_STATISTICS = 6
const PACKET_QDISC_BYPASS = 20
const PACKET_IGNORE_OUTGOING = 23
const MEMBERSHIP_ALL_MULTICAST = 2
const MEMBERSHIP_UNICAST = 3
/** Of the kernel's memory, which it counts generously: some thousand short frames. */
const BUFFER_BYTES = 8 << 20

const NEEDS = { privilege: 'CAP_NET_RAW', feature: 'packet sockets (CONFIG_PACKET, Linux 4.20 or later)' }

export class PacketSocket {
  /** File descriptor for poll(2); -1 after `close`. */
  descriptor: number
  readonly #device: string
  readonly #answer = new Uint32Array(2)
  readonly #answerBytes: Uint8Array
  readonly #length = new Uint8Array(4)

  /**
   * Opens a socket that hears nothing before `attach`.
   * @throws LinuxError `forbidden` without CAP_NET_RAW, `unsupported` where the kernel lacks packet sockets
   */
  constructor(device: string) {
    this.#device = device
    this.#answerBytes = new Uint8Array(this.#answer.buffer)
    const socket = libc().socket(AF_PACKET, SOCK_RAW_NONBLOCK_CLOEXEC, 0)
    this.descriptor = checked(socket, `opening a raw socket on ${device}`, NEEDS)
    try {
      this.#set(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
      this.#set(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
    } catch (error) {
      this.close()
      throw error
    }
    // More than the system's limit needs CAP_NET_ADMIN; without it less waits below and more above.
    const { descriptor } = this
    libc().setsockopt(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, int32(BUFFER_BYTES), 4)
  }

  /**
   * Hears the device of this number from now on, its multicast and what is sent to `mac`.
   * @throws LinuxError `not-found` when it is gone
   */
  attach(index: number, mac: Uint8Array): void {
    const address = new Uint8Array(ADDRESS_BYTES)
    const view = new DataView(address.buffer)
    view.setUint16(0, AF_PACKET, true)
    view.setUint16(2, ETH_P_ALL_NETWORK_ORDER, true)
    view.setInt32(4, index, true)
    checked(libc().bind(this.descriptor, address, ADDRESS_BYTES), `listening on ${this.#device}`, NEEDS)
    this.#join(index, MEMBERSHIP_ALL_MULTICAST, new Uint8Array(0))
    this.#join(index, MEMBERSHIP_UNICAST, mac)
  }

  /** Frames that the kernel dropped because nobody took them in time, since the last call. */
  takeDropped(): number {
    this.#length.set([8, 0, 0, 0])
    const { descriptor } = this
    const result = libc().getsockopt(
      descriptor,
      SOL_PACKET,
      PACKET_STATISTICS,
      this.#answerBytes,
      this.#length,
    )
    return result < 0 ? 0 : this.#answer[1]!
  }

  /** Whether something has happened to the device since the last call; until it is asked, poll(2) returns at once. */
  takeError(): boolean {
    this.#length.set([4, 0, 0, 0])
    const { descriptor } = this
    const result = libc().getsockopt(descriptor, SOL_SOCKET, SO_ERROR, this.#answerBytes, this.#length)
    return result < 0 || this.#answer[0] !== 0
  }

  /** Idempotent. */
  close(): void {
    if (this.descriptor < 0) return
    libc().close(this.descriptor)
    this.descriptor = -1
  }

  #set(level: number, option: number, value: number): void {
    const result = libc().setsockopt(this.descriptor, level, option, int32(value), 4)
    checked(result, `preparing a raw socket on ${this.#device}`, NEEDS)
  }

  #join(index: number, kind: number, mac: Uint8Array): void {
    const request = new Uint8Array(16)
    const view = new DataView(request.buffer)
    view.setInt32(0, index, true)
    view.setUint16(4, kind, true)
    view.setUint16(6, mac.length, true)
    request.set(mac, 8)
    // A device that cannot filter hears everything anyway.
    libc().setsockopt(this.descriptor, SOL_PACKET, PACKET_ADD_MEMBERSHIP, request, 16)
  }
}

/** An int as the kernel reads it. */
function int32(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer)
}
