/**
 * The transports of one host, each made when first used, and the dispatch by protocol number to them and to raw
 * handlers.
 */
import {
  ALL_SYSTEMS_GROUP,
  ICMP_UNREACHABLE,
  PROTOCOL_ICMP,
  PROTOCOL_IGMP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  UNREACHABLE_PORT,
} from '../../engine/wire/index.ts'
import type { HostCounters } from './counters.ts'
import { StackError } from './errors.ts'
import { IcmpLayer } from './icmp.ts'
import { IgmpLayer } from './igmp.ts'
import type { Network, ProtocolHandler, QuotedPacket } from './network.ts'
import { PathMtuCache } from './path-mtu.ts'
import type { StackLog } from './stack-event.ts'
import type { TcpLimits } from './tcp/tables.ts'
import { TcpLayer } from './tcp/tcp.ts'
import type { StackClock } from './time.ts'
import type { TimerQueue } from './timers.ts'
import { UdpLayer } from './udp.ts'

/** What the layers need of the stack. */
export interface LayersContext {
  readonly network: Network
  readonly clock: StackClock
  readonly timers: TimerQueue
  readonly counters: HostCounters
  readonly random: () => number
  readonly log: StackLog | undefined
  readonly tcpLimits: TcpLimits
  adviseUnreachable(remote: number): void
}

export class Layers {
  readonly #context: LayersContext
  readonly #handlers = new Map<number, ProtocolHandler>()
  #tcp: TcpLayer | null = null
  #udp: UdpLayer | null = null
  #icmp: IcmpLayer | null = null
  #igmp: IgmpLayer | null = null

  constructor(context: LayersContext) {
    this.#context = context
  }

  get tcp(): TcpLayer {
    if (this.#tcp !== null) return this.#tcp
    const { network, clock, timers, random, log, tcpLimits, adviseUnreachable } = this.#context
    const paths = new PathMtuCache()
    this.#tcp = new TcpLayer({
      network,
      clock,
      timers,
      random,
      log,
      limits: tcpLimits,
      paths,
      adviseUnreachable,
    })
    return this.#tcp
  }

  get udp(): UdpLayer {
    if (this.#udp !== null) return this.#udp
    const { network, counters, random } = this.#context
    this.#udp = new UdpLayer({
      network,
      counters,
      random,
      portUnreachable: ({ bytes, network: at, end, group }) =>
        this.icmp.report(ICMP_UNREACHABLE, UNREACHABLE_PORT, bytes, at, end, group),
    })
    return this.#udp
  }

  get icmp(): IcmpLayer {
    this.#icmp ??= new IcmpLayer({ ...this.#context, error: (quoted) => this.#error(quoted) })
    return this.#icmp
  }

  get igmp(): IgmpLayer {
    this.#igmp ??= new IgmpLayer(this.#context)
    return this.#igmp
  }

  /** Whether a multicast packet is wanted; queries about a group are, whoever may send to it. */
  acceptsGroup(device: number, group: number, source: number, protocol: number): boolean {
    if (group === ALL_SYSTEMS_GROUP) return true
    if (this.#igmp === null) return false
    return protocol === PROTOCOL_IGMP
      ? this.#igmp.isMember(device, group)
      : this.#igmp.accepts(device, group, source)
  }

  /** The handler of a protocol, or undefined. */
  handlerOf(protocol: number): ProtocolHandler | undefined {
    const known = this.#handlers.get(protocol)
    if (known !== undefined) return known
    const handler = this.#builtIn(protocol)
    if (handler !== undefined) this.#handlers.set(protocol, handler)
    return handler
  }

  /** Gives a protocol a handler, or takes it away. @throws StackError `exists` for TCP, UDP, ICMP and IGMP */
  setHandler(protocol: number, handler: ProtocolHandler | undefined): void {
    if (this.#builtIn(protocol) !== undefined)
      throw new StackError('exists', `protocol ${protocol} is the stack's own`)
    if (handler === undefined) this.#handlers.delete(protocol)
    else this.#handlers.set(protocol, handler)
  }

  #builtIn(protocol: number): ProtocolHandler | undefined {
    if (protocol === PROTOCOL_TCP) return (datagram) => this.tcp.input(datagram)
    if (protocol === PROTOCOL_UDP) return (datagram) => this.udp.input(datagram)
    if (protocol === PROTOCOL_ICMP) return (datagram) => this.icmp.input(datagram)
    if (protocol === PROTOCOL_IGMP) return (datagram) => this.igmp.input(datagram)
    return undefined
  }

  #error(quoted: QuotedPacket): void {
    if (quoted.protocol === PROTOCOL_TCP) this.#tcp?.error(quoted)
    else if (quoted.protocol === PROTOCOL_UDP) this.#udp?.error(quoted)
  }
}
