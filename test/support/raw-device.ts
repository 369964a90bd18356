/** The far side of a real device, for tests: a plain raw socket that shares no code with the driver under test. */
import { checked, inNamespace, libc } from '../../engine/ports/linux/index.ts'

const AF_PACKET = 17
const SOCK_RAW_NONBLOCK = 3 | 0x800
const SIOCGIFINDEX = 0x8933
const ALL = 0x0003
const MOST_BYTES = 65536

export class RawDevice {
  readonly #socket: number
  readonly #buffer = new Uint8Array(MOST_BYTES)

  /**
   * Hears and sends on `device` in the namespace at `path`.
   * @param type the only Ethernet type that is heard; all by default
   */
  constructor(path: string, device: string, type = ALL) {
    this.#socket = inNamespace(path, () =>
      checked(libc().socket(AF_PACKET, SOCK_RAW_NONBLOCK, 0), 'opening a raw socket'),
    )
    const request = new Uint8Array(40)
    request.set(Buffer.from(device))
    checked(libc().ioctl(this.#socket, SIOCGIFINDEX, request), `looking for ${device}`)
    const address = new Uint8Array(20)
    const view = new DataView(address.buffer)
    view.setUint16(0, AF_PACKET, true)
    view.setUint16(2, type, false)
    address.set(request.subarray(16, 20), 4)
    checked(libc().bind(this.#socket, address, 20), `listening on ${device}`)
  }

  send(frame: Uint8Array): void {
    checked(libc().sendto(this.#socket, frame, frame.length, 0, null, 0), 'sending a frame')
  }

  /** Frames that came since the last call, without those this machine sent through the device itself. */
  taken(): Uint8Array[] {
    const frames: Uint8Array[] = []
    const sender = new Uint8Array(20)
    for (;;) {
      const length = new Uint8Array(Int32Array.of(20).buffer)
      const received = libc().recvfrom(this.#socket, this.#buffer, MOST_BYTES, 0, sender, length)
      if (received < 0) return frames
      const outgoing = sender[10] === 4
      if (!outgoing) frames.push(this.#buffer.slice(0, received))
    }
  }

  close(): void {
    libc().close(this.#socket)
  }
}
