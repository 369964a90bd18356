/**
 * A TCP/IP host: devices below, TCP, UDP, ICMP, IGMP and raw protocols above. The one idea: time and randomness are
 * given; `input` and `poll` are the only ways in, `device.send` the only way out, and the same calls give the same
 * frames. Layers are made when first used, so that an idle host is small.
 */
import {
  ICMP_TIME_EXCEEDED,
  type Ipv4Prefix,
  PROTOCOL_IP_IN_IP,
  parseIpv4Prefix,
  prefixMask,
  TIME_EXCEEDED_REASSEMBLY,
} from '../../engine/wire/index.ts'
import { LocalAddresses } from './addresses.ts'
import type { NetworkDevice } from './attachment.ts'
import { HostCounters } from './counters.ts'
import { StackError } from './errors.ts'
import { FRAME_NETWORK, FRAME_TRANSPORT } from './frame.ts'
import type { IcmpLayer } from './icmp.ts'
import type { IgmpLayer } from './igmp.ts'
import { Inbox, type Waiting } from './inbox.ts'
import { Ipv4Input, LOOPBACK } from './ipv4-input.ts'
import { Ipv4Output } from './ipv4-output.ts'
import { Layers } from './layers.ts'
import { type Gate, LinkLayer } from './link-layer.ts'
import type { Network, ProtocolHandler, SendOptions, SendResult } from './network.ts'
import { DEFAULT_REASSEMBLY_LIMITS, Reassembly, type ReassemblyLimits } from './reassembly.ts'
import { RouteTable } from './routes.ts'
import type { StackLog } from './stack-event.ts'
import { DEFAULT_TCP_LIMITS, type TcpLimits } from './tcp/tables.ts'
import type { TcpLayer } from './tcp/tcp.ts'
import type { Nanoseconds, StackClock } from './time.ts'
import { Timer, TimerQueue } from './timers.ts'
import { createTunnelExit, type TunnelExitOptions } from './tunnel-exit.ts'
import type { UdpLayer } from './udp.ts'

export interface HostStackOptions {
  readonly name: string
  /** Uniform unsigned 32-bit numbers from a seeded generator. */
  readonly random: () => number
  readonly now: Nanoseconds
  readonly log?: StackLog
  readonly tcp?: Partial<TcpLimits>
  readonly reassembly?: Partial<ReassemblyLimits>
}

/** Where a route leads: to the gateway `via`, or straight onto the link of `device`. */
export type RouteTarget = { readonly via: number } | { readonly device: number }

/** A one-shot timer of an application. */
export interface StackTimer {
  /** Idempotent. */
  cancel(): void
}

/**
 * One host. Calls from outside of its callbacks act at the time of the last `input` or `poll`: poll first when time
 * has passed since. After any call, ask `pollAt` when to poll next.
 */
export class HostStack {
  readonly name: string
  readonly counters = new HostCounters()
  readonly clock: StackClock
  readonly random: () => number
  readonly log: StackLog | undefined
  /** Sending as the transports do it, for protocols of the application's own. */
  readonly network: Network
  readonly #timers = new TimerQueue()
  readonly #gate: Gate = { busy: false }
  readonly #links: LinkLayer
  readonly #addresses = new LocalAddresses()
  readonly #routes = new RouteTable()
  readonly #inbox: Inbox
  readonly #layers: Layers
  readonly #input: Ipv4Input
  readonly #reassemblyLimits: ReassemblyLimits
  #reassembly: Reassembly | null = null

  constructor(options: HostStackOptions) {
    const { name, random, now, log } = options
    this.name = name
    this.random = random
    this.log = log
    this.clock = { now }
    this.#inbox = new Inbox(this.counters)
    this.#reassemblyLimits = { ...DEFAULT_REASSEMBLY_LIMITS, ...options.reassembly }
    const shared = { clock: this.clock, timers: this.#timers, counters: this.counters, random, log }
    this.#links = new LinkLayer({
      ...shared,
      gate: this.#gate,
      inputIp: (bytes, at, end, device, group) => this.#input.input(bytes, at, end, device, group, 0),
    })
    this.network = new Ipv4Output({
      ...shared,
      attachments: this.#links.attachments,
      addresses: this.#addresses,
      routes: this.#routes,
      loop: (frame) => this.#wait('frame', LOOPBACK, frame),
    })
    this.#layers = new Layers({
      ...shared,
      network: this.network,
      tcpLimits: { ...DEFAULT_TCP_LIMITS, ...options.tcp },
      adviseUnreachable: (remote) => this.#doubtNextHop(remote),
    })
    this.#input = new Ipv4Input(this.#inputContext())
  }

  get tcp(): TcpLayer {
    return this.#layers.tcp
  }

  get udp(): UdpLayer {
    return this.#layers.udp
  }

  get icmp(): IcmpLayer {
    return this.#layers.icmp
  }

  get igmp(): IgmpLayer {
    return this.#layers.igmp
  }

  /** Devices by index, with their addresses. */
  get devices(): readonly { readonly device: NetworkDevice; readonly prefixes: readonly Ipv4Prefix[] }[] {
    return this.#links.attachments
  }

  /** Whole prefixes that are local. */
  get localPrefixes(): readonly Ipv4Prefix[] {
    return this.#addresses.prefixes
  }

  /**
   * Adds a device with its addresses; their subnets become reachable through it. Returns its index.
   * @throws StackError `invalid`, `limit`
   */
  addDevice(device: NetworkDevice, prefixes: readonly Ipv4Prefix[]): number {
    const { index } = this.#links.add(device, prefixes)
    for (const prefix of prefixes) {
      this.#addresses.addDeviceAddress(prefix)
      if (prefix.length < 32) this.addRoute(prefix, { device: index })
    }
    return index
  }

  /**
   * Adds a route or replaces the one of the same prefix.
   * @param prefix as text or numbers; `0.0.0.0/0` for the default
   * @throws StackError `invalid`, `unreachable` when the gateway is on no link of this host, `limit`
   */
  addRoute(prefix: string | Ipv4Prefix, target: RouteTarget): void {
    const parsed = prefixOf(prefix)
    if ('via' in target) {
      const link = this.#routes.find(target.via)
      if (link === undefined || link.via !== 0)
        throw new StackError('unreachable', 'the gateway is on no link of this host')
      this.#routes.add({ prefix: parsed, device: link.device, via: target.via })
      return
    }
    const { index } = this.#links.attachment(target.device)
    this.#routes.add({ prefix: parsed, device: index, via: 0 })
  }

  /** @throws StackError `unknown` */
  removeRoute(prefix: string | Ipv4Prefix): void {
    this.#routes.remove(prefixOf(prefix))
  }

  /**
   * Tells the link of a device which addresses are here now, so that neighbours ask anew.
   * @throws StackError `unknown`
   */
  announce(device: number): void {
    const attachment = this.#links.attachment(device)
    for (const { address } of attachment.prefixes) attachment.announce(address)
  }

  /** Makes every address of a prefix this host's own (R-SLR-09). It is not announced, and ARP is not answered. */
  addLocalPrefix(prefix: string | Ipv4Prefix): void {
    this.#addresses.addPrefix(prefixOf(prefix))
  }

  /** @throws StackError `unknown` */
  removeLocalPrefix(prefix: string | Ipv4Prefix): void {
    if (!this.#addresses.removePrefix(prefixOf(prefix)))
      throw new StackError('unknown', 'no such local prefix')
  }

  /**
   * Receives an Ethernet frame: hostile bytes, which the stack may keep views of and never writes to.
   * @throws StackError `unknown` for an index that is no device
   */
  input(device: number, frame: Uint8Array, now: Nanoseconds): void {
    const attachment = this.#links.attachment(device)
    this.#advance(now)
    if (this.#gate.busy) this.#wait('frame', device, frame)
    else this.#run(() => this.#links.input(attachment, frame))
  }

  /** Receives an IP packet as if `device` had brought it (from a control channel or a tunnel), at the next poll. */
  inject(packet: Uint8Array, device = 0): void {
    this.#wait('packet', device, packet)
  }

  /** Runs what is due at `now`. Call it before calling anything else at a new time. */
  poll(now: Nanoseconds): void {
    this.#advance(now)
    if (!this.#gate.busy) this.#run(() => this.#timers.run(this.clock.now))
  }

  /** When `poll` is due: NEVER while only frames can cause work. */
  pollAt(): Nanoseconds {
    return this.#inbox.size > 0 ? this.clock.now : this.#timers.next()
  }

  /** Calls `run` once, `delayNs` from now, from within `poll`. */
  after(delayNs: Nanoseconds, run: () => void): StackTimer {
    const timer = new Timer(run)
    this.#timers.arm(timer, this.clock.now + Math.max(0, delayNs))
    return { cancel: () => this.#timers.cancel(timer) }
  }

  /**
   * Gives datagrams of an IP protocol to `handler`, undefined for nobody.
   * @throws StackError `exists` for the protocols the stack speaks itself
   */
  rawProtocol(protocol: number, handler: ProtocolHandler | undefined): void {
    this.#layers.setHandler(protocol, handler)
  }

  /** Sends an IP packet with this payload (copied). */
  sendRaw(
    protocol: number,
    from: number,
    to: number,
    payload: Uint8Array,
    options: SendOptions = {},
  ): SendResult {
    const transport = FRAME_TRANSPORT + (options.ipOptions?.length ?? 0)
    const frame = new Uint8Array(transport + payload.length)
    frame.set(payload, transport)
    return this.network.send(frame, from, to, protocol, options)
  }

  /** Makes this host the exit of IP-in-IP tunnels: the handler of protocol 4. @throws StackError `invalid` */
  enableTunnelExit(options: TunnelExitOptions = {}): void {
    const { depth = 1 } = options
    if (!Number.isInteger(depth) || depth < 1 || depth > 4)
      throw new StackError('invalid', `depth ${depth} is not in 1..4`)
    const exit = createTunnelExit(
      {
        network: this.network,
        counters: this.counters,
        inputPacket: (bytes, network, end, device, level) =>
          this.#input.input(bytes, network, end, device, false, level),
      },
      options,
    )
    this.#layers.setHandler(PROTOCOL_IP_IN_IP, exit)
  }

  #inputContext(): ConstructorParameters<typeof Ipv4Input>[0] {
    const layers = this.#layers
    return {
      addresses: this.#addresses,
      counters: this.counters,
      handlerOf: (protocol) => layers.handlerOf(protocol),
      acceptsGroup: (device, group, source, protocol) => layers.acceptsGroup(device, group, source, protocol),
      reassembly: () => this.#reassemblyOnUse(),
      report: (type, code, bytes, network, end, group) =>
        layers.icmp.report(type, code, bytes, network, end, group),
    }
  }

  #reassemblyOnUse(): Reassembly {
    const shared = { clock: this.clock, timers: this.#timers, counters: this.counters }
    this.#reassembly ??= new Reassembly(shared, this.#reassemblyLimits, (packet) =>
      this.#layers.icmp.report(ICMP_TIME_EXCEEDED, TIME_EXCEEDED_REASSEMBLY, packet, 0, packet.length, false),
    )
    return this.#reassembly
  }

  #advance(now: Nanoseconds): void {
    if (now > this.clock.now) this.clock.now = now
  }

  /** Runs something that must not be re-entered, then what waited. */
  #run(work: () => void): void {
    this.#gate.busy = true
    try {
      work()
      this.#inbox.drain((each) => this.#takeWaiting(each))
    } finally {
      this.#gate.busy = false
    }
  }

  #wait(kind: Waiting['kind'], device: number, bytes: Uint8Array): void {
    this.#inbox.push({ kind, device, bytes })
  }

  #takeWaiting({ kind, device, bytes }: Waiting): void {
    if (kind === 'packet') this.#input.input(bytes, 0, bytes.length, device, false, 0)
    else if (device === LOOPBACK) this.#input.input(bytes, FRAME_NETWORK, bytes.length, LOOPBACK, false, 0)
    else this.#links.input(this.#links.attachment(device), bytes)
  }

  #doubtNextHop(remote: number): void {
    const route = this.#routes.find(remote)
    if (route === undefined) return
    this.#links.attachments[route.device].neighbours.doubt(route.via === 0 ? remote : route.via)
  }
}

function prefixOf(prefix: string | Ipv4Prefix): Ipv4Prefix {
  const parsed = typeof prefix === 'string' ? parseIpv4Prefix(prefix) : prefix
  if (parsed === undefined) throw new StackError('invalid', `${String(prefix)} is not a prefix`)
  return { address: (parsed.address & prefixMask(parsed.length)) >>> 0, length: parsed.length }
}
