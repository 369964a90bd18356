/**
 * The sockets of the operating system for the applications of hosts: TCP and UDP by Node, echo requests by `ping`. The
 * one idea: the same clients and services as in the simulator, on another machine's network.
 */
import { createSocket, type Socket } from 'node:dgram'
import { connect } from 'node:net'
import { formatIpv4Address, parseIpv4Address } from '../../../engine/wire/index.ts'
import {
  type Sockets,
  StackError,
  type StreamSocket,
  type UdpBinding,
  type UdpBindOptions,
  type UdpDatagram,
} from '../../../host/stack/index.ts'
import { KernelStream } from './kernel-stream.ts'
import { ping } from './ping.ts'

type Request = Parameters<Sockets['tcp']['connect']>[0]
type Datagram = Parameters<Sockets['udp']['send']>[0]

/** A bound UDP port. Without a given one, its number here is not the kernel's: that comes too late to be told. */
interface Bound {
  readonly socket: Socket
  readonly port: number
  readonly address: number
}

const NS_PER_MS = 1e6
const UDP_BUFFER_BYTES = 4 << 20

export class KernelSockets implements Sockets {
  readonly name: string
  readonly random: () => number
  readonly clock = {
    get now(): number {
      return Math.round(performance.now() * NS_PER_MS)
    },
  }
  readonly #bound: Bound[] = []
  #nextPort = 1 << 16

  /** @param random 32 random bits */
  constructor(name: string, random: () => number) {
    this.name = name
    this.random = random
  }

  after(delayNs: number, run: () => void): { cancel(): void } {
    if (delayNs <= 0) {
      const immediate = setImmediate(run)
      return { cancel: () => clearImmediate(immediate) }
    }
    const timer = setTimeout(run, delayNs / NS_PER_MS)
    return { cancel: () => clearTimeout(timer) }
  }

  readonly tcp = { connect: (request: Request): StreamSocket => this.#connect(request) }
  readonly udp = {
    bind: (port: number, handler: (datagram: UdpDatagram) => void, options: UdpBindOptions = {}) =>
      this.#bind(port, handler, options),
    send: (request: Datagram) => this.#send(request),
  }
  readonly icmp = { ping }

  #connect({ to, port, from }: Request): StreamSocket {
    const host = formatIpv4Address(to)
    const local = from === undefined ? {} : { localAddress: formatIpv4Address(from) }
    return new KernelStream(connect({ host, port, ...local, allowHalfOpen: true }))
  }

  #bind(port: number, handler: (datagram: UdpDatagram) => void, options: UdpBindOptions): UdpBinding {
    const { address = 0 } = options
    const socket = createSocket({ type: 'udp4' })
    const bound = { socket, address, port: port === 0 ? this.#nextPort++ : port }
    socket.on('message', (payload, { address: source, port: sourcePort }) =>
      handler({
        source: parseIpv4Address(source)!,
        sourcePort,
        destination: address,
        destinationPort: bound.port,
        payload,
        device: 0,
        group: false,
      }),
    )
    // A port that cannot be had shows in what is not answered.
    socket.on('error', () => socket.close())
    socket.bind({ port, ...(address === 0 ? {} : { address: formatIpv4Address(address) }) }, () => {
      socket.setRecvBufferSize(UDP_BUFFER_BYTES)
    })
    this.#bound.push(bound)
    return { port: bound.port, address, close: () => this.#unbind(bound) }
  }

  #unbind(bound: Bound): void {
    const index = this.#bound.indexOf(bound)
    if (index < 0) return
    this.#bound.splice(index, 1)
    bound.socket.close()
  }

  #send({ to, port, from, fromPort, payload }: Datagram): 'sent' {
    const matches = (each: Bound) =>
      each.port === fromPort && (from === undefined || each.address === 0 || each.address === from)
    const bound = this.#bound.find(matches)
    if (bound === undefined) throw new StackError('closed', `nothing is bound to port ${fromPort}`)
    // What is lost on the way out is lost like any other datagram.
    bound.socket.send(payload, port, formatIpv4Address(to), () => {})
    return 'sent'
  }
}
