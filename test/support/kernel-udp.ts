/** A UDP socket of the kernel's in a namespace of a test's, used synchronously. */
import { checked, inNamespace, libc } from '../../engine/ports/linux/index.ts'
import { parseIpv4Address } from '../../engine/wire/index.ts'

const AF_INET = 2
const SOCK_DGRAM_NONBLOCK = 2 | 0x800
const SOL_UDP = 17
const UDP_SEGMENT = 103

export class KernelUdp {
  readonly #socket: number

  /** Bound to `address:port` in the namespace at `path`. */
  constructor(path: string, address: string, port: number) {
    this.#socket = inNamespace(path, () =>
      checked(libc().socket(AF_INET, SOCK_DGRAM_NONBLOCK, 0), 'opening a UDP socket'),
    )
    checked(libc().bind(this.#socket, socketAddress(address, port), 16), `binding to ${address}:${port}`)
  }

  send(bytes: Uint8Array, address: string, port: number): void {
    const to = socketAddress(address, port)
    checked(libc().sendto(this.#socket, bytes, bytes.length, 0, to, 16), `sending to ${address}`)
  }

  /** From now on long messages leave as datagrams of this length, cut as late as possible. */
  segment(length: number): void {
    const value = new Uint8Array(Int32Array.of(length).buffer)
    checked(libc().setsockopt(this.#socket, SOL_UDP, UDP_SEGMENT, value, 4), 'asking for segmentation')
  }

  /** The next datagram; undefined when none has come. */
  receive(): Uint8Array | undefined {
    const into = new Uint8Array(65536)
    const length = libc().recvfrom(this.#socket, into, into.length, 0, null, null)
    return length < 0 ? undefined : into.slice(0, length)
  }

  close(): void {
    libc().close(this.#socket)
  }
}

/** A struct sockaddr_in. */
function socketAddress(address: string, port: number): Uint8Array {
  const bytes = new Uint8Array(16)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, AF_INET, true)
  view.setUint16(2, port, false)
  view.setUint32(4, parseIpv4Address(address)!, false)
  return bytes
}
