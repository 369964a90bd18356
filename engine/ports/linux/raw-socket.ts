/** A raw IPv4 socket: whole packets of one protocol that are for this machine, reassembled by the kernel. */
import { checked, libc } from './libc.ts'

const AF_INET = 2
const SOCK_RAW = 3
const CLOSE_ON_EXEC_NON_BLOCKING = 0x80000 | 0x800
const SOL_SOCKET = 1
const SO_RECEIVE_BUFFER = 8
const RECEIVE_BUFFER_BYTES = 4 << 20

export class RawSocket {
  /** For poll(2); -1 after `close`. */
  descriptor: number

  /** @throws LinuxError `forbidden` without CAP_NET_RAW */
  constructor(protocol: number) {
    const system = libc()
    const attempt = `opening a raw socket for IP protocol ${protocol}`
    const kind = SOCK_RAW | CLOSE_ON_EXEC_NON_BLOCKING
    this.descriptor = checked(system.socket(AF_INET, kind, protocol), attempt, { privilege: 'CAP_NET_RAW' })
    const size = new Uint8Array(Int32Array.of(RECEIVE_BUFFER_BYTES).buffer)
    // The kernel gives what it may.
    system.setsockopt(this.descriptor, SOL_SOCKET, SO_RECEIVE_BUFFER, size, size.length)
  }

  /** The next packet with its IP header. Its length, cut to the room that there is; 0 where there is none. */
  read(into: Uint8Array): number {
    const length = libc().recvfrom(this.descriptor, into, into.length, 0, null, null)
    return length > 0 ? length : 0
  }

  /** Idempotent. */
  close(): void {
    if (this.descriptor >= 0) libc().close(this.descriptor)
    this.descriptor = -1
  }
}
