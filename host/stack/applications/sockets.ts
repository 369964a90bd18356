/**
 * What the applications ask of the machine they run on. The one idea: a host stack gives it, and so can an operating
 * system; the applications, and what they send, are the same on both.
 */
import type { StackTimer } from '../host-stack.ts'
import type { SendResult } from '../network.ts'
import type { PingRequest, PingResult } from '../ping-table.ts'
import type { CloseReason } from '../tcp/control-block.ts'
import type { ConnectRequest } from '../tcp/open-request.ts'
import type { Nanoseconds } from '../time.ts'
import type { UdpBinding, UdpBindOptions, UdpDatagram, UdpSend } from '../udp.ts'

/** A TCP connection; see TcpConnection for what each member guarantees. */
export interface StreamSocket {
  onEstablished: () => void
  onData: (bytes: Uint8Array) => void
  onWritable: () => void
  onEnd: () => void
  onClosed: (reason: CloseReason) => void
  send(bytes: Uint8Array): number
  close(): void
  abort(): void
}

/** A HostStack, or what stands for one; its members do and throw what those of HostStack do. */
export interface Sockets {
  readonly name: string
  readonly clock: { readonly now: Nanoseconds }
  readonly random: () => number
  after(delayNs: Nanoseconds, run: () => void): StackTimer
  readonly tcp: { connect(request: ConnectRequest): StreamSocket }
  readonly udp: {
    bind(port: number, handler: (datagram: UdpDatagram) => void, options?: UdpBindOptions): UdpBinding
    send(request: UdpSend): SendResult
  }
  readonly icmp: { ping(request: PingRequest, done: (result: PingResult) => void): void }
}
