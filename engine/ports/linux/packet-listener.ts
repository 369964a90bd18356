/**
 * Listening to everything on a device, both ways (packet(7)), as captures do. The one idea: it only listens, tells of
 * each frame which way it went and when the kernel saw it, and takes nothing from anybody.
 */
import { DeviceControl } from './device-control.ts'
import { checked, libc } from './libc.ts'

const AF_PACKET = 17
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0x800 | 0x80000
const ETH_P_ALL_NETWORK_ORDER = 0x0300
const ADDRESS_BYTES = 20
const PACKET_TYPE_AT = 10
const PACKET_OUTGOING = 4
const SOL_SOCKET = 1
const SO_RCVBUFFORCE = 33
const SOL_PACKET = 263
const PACKET_ADD_MEMBERSHIP = 1
const PACKET_STATISTICS = 6
const MEMBERSHIP_PROMISCUOUS = 1
const MSG_DONTWAIT_TRUNC = 0x40 | 0x20
const SIOCGSTAMPNS = 0x8907
/** Frames wait here between two looks. */
const BUFFER_BYTES = 32 << 20
const LONGEST_FRAME = 65_536 + 64
const NEEDS = { privilege: 'CAP_NET_RAW', feature: 'packet sockets (CONFIG_PACKET)' }

/** A frame that was heard; the listener reuses the object and its bytes. */
export interface HeardFrame {
  /** The frame is `bytes[0..length)`. */
  readonly bytes: Uint8Array
  length: number
  /** Sent by this machine (`out`), or come to it. */
  direction: 'in' | 'out'
  /** Calendar time: whole seconds since 1970, and nanoseconds. */
  seconds: number
  nanoseconds: number
}

export class PacketListener {
  /** File descriptor; -1 after `close`. */
  descriptor: number
  /** Frames that came faster than they were taken, so far. */
  dropped = 0
  readonly #frame: HeardFrame
  readonly #address = new Uint8Array(ADDRESS_BYTES)
  readonly #addressLength = new Uint8Array(4)
  readonly #stamp = new Uint8Array(16)
  readonly #stampView: DataView

  /**
   * Listens on a device of this thread's namespace.
   * @throws LinuxError `not-found`, `forbidden` without CAP_NET_RAW
   */
  static open(device: string): PacketListener {
    const control = new DeviceControl(device)
    try {
      return new PacketListener(device, control.index)
    } finally {
      control.close()
    }
  }

  private constructor(device: string, index: number) {
    this.#frame = {
      bytes: new Uint8Array(LONGEST_FRAME),
      length: 0,
      direction: 'in',
      seconds: 0,
      nanoseconds: 0,
    }
    this.#stampView = new DataView(this.#stamp.buffer)
    const attempt = `listening on ${device}`
    const socket = libc().socket(AF_PACKET, SOCK_RAW_NONBLOCK_CLOEXEC, 0)
    this.descriptor = checked(socket, attempt, NEEDS)
    const address = new Uint8Array(ADDRESS_BYTES)
    const view = new DataView(address.buffer)
    view.setUint16(0, AF_PACKET, true)
    view.setUint16(2, ETH_P_ALL_NETWORK_ORDER, true)
    view.setInt32(4, index, true)
    const membership = new Uint8Array(16)
    new DataView(membership.buffer).setInt32(0, index, true)
    new DataView(membership.buffer).setUint16(4, MEMBERSHIP_PROMISCUOUS, true)
    const { descriptor } = this
    libc().setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, int32(BUFFER_BYTES), 4)
    libc().setsockopt(descriptor, SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership, 16)
    // The first question turns the kernel's timestamps on.
    libc().ioctl(descriptor, SIOCGSTAMPNS, this.#stamp)
    try {
      checked(libc().bind(descriptor, address, ADDRESS_BYTES), attempt, NEEDS)
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** The next frame, or undefined while none waits. */
  read(): HeardFrame | undefined {
    const frame = this.#frame
    this.#addressLength[0] = ADDRESS_BYTES
    const length = libc().recvfrom(
      this.descriptor,
      frame.bytes,
      LONGEST_FRAME,
      MSG_DONTWAIT_TRUNC,
      this.#address,
      this.#addressLength,
    )
    if (length <= 0) return undefined
    frame.length = Math.min(length, LONGEST_FRAME)
    frame.direction = this.#address[PACKET_TYPE_AT] === PACKET_OUTGOING ? 'out' : 'in'
    libc().ioctl(this.descriptor, SIOCGSTAMPNS, this.#stamp)
    frame.seconds = Number(this.#stampView.getBigInt64(0, true))
    frame.nanoseconds = Number(this.#stampView.getBigInt64(8, true))
    return frame
  }

  /** Asks the kernel what it has dropped since; adds it to `dropped`. */
  count(): void {
    const statistics = new Uint8Array(8)
    const result = libc().getsockopt(
      this.descriptor,
      SOL_PACKET,
      PACKET_STATISTICS,
      statistics,
      Uint8Array.of(8, 0, 0, 0),
    )
    if (result >= 0) this.dropped += new DataView(statistics.buffer).getUint32(4, true)
  }

  /** Idempotent. */
  close(): void {
    if (this.descriptor < 0) return
    libc().close(this.descriptor)
    this.descriptor = -1
  }
}

/** An int as the kernel reads it. */
function int32(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer)
}
