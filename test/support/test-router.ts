/**
 * An engine on memory ports, and frames to feed it. The far ends answer ARP like hosts, so that a test speaks of IP
 * packets only. After every step the packet balance is checked: what is conserved needs no test of its own.
 */
import { expect } from 'chai'
import {
  type Action,
  type Change,
  type DropReason,
  dropReason,
  Engine,
  EngineError,
  type EngineOptions,
  isConserved,
  MemoryPort,
  type Nanoseconds,
  type PortConfig,
  ROUTER_OWNER,
  type Row,
} from '../../engine/index.ts'
import {
  ARP_REPLY,
  ARP_REQUEST,
  createArp,
  ETHER_TYPE_ARP,
  ETHERNET_HEADER_BYTES,
  formatIpv4Address,
  parseArp,
  read16,
} from '../../engine/wire/index.ts'
import { arpFrame, frameOf } from './packets.ts'

export interface TestPort {
  readonly name: string
  /** With prefix length, e.g. `10.0.1.1/24`; several are separated by a space. */
  readonly address: string
  readonly mtu?: number
  readonly scheduler?: PortConfig['scheduler']
}

/** Frames that left a port, without ARP. */
export interface Sent {
  readonly port: string
  readonly frame: Uint8Array
  readonly at: Nanoseconds
}

/** MAC of the host that plays every address behind a port. */
export const HOST_MAC = Uint8Array.of(2, 0xaa, 0, 0, 0, 1)
/** MAC of a second host, for whatever it is up to. */
export const OTHER_MAC = Uint8Array.of(2, 0xbb, 0, 0, 0, 2)
export const BROADCAST = new Uint8Array(6).fill(255)

/** The usual two networks: hosts 10.0.1.x behind `a`, 10.0.2.x behind `b`. */
export const TWO_PORTS: readonly TestPort[] = [
  { name: 'a', address: '10.0.1.1/24' },
  { name: 'b', address: '10.0.2.1/24' },
]

/** A memory port that sends at most one frame per `paceNs`. */
class PacedPort extends MemoryPort {
  paceNs: Nanoseconds = 0
  #freeAt: Nanoseconds = 0

  override transmit(...given: Parameters<MemoryPort['transmit']>): boolean {
    this.#freeAt = given[2] + this.paceNs
    return super.transmit(...given)
  }

  override readyAt(now: Nanoseconds): Nanoseconds {
    return Math.max(super.readyAt(now), this.#freeAt)
  }
}

export class TestRouter {
  readonly engine: Engine
  readonly sent: Sent[] = []
  /** ARP requests that left a port, as `port address`. */
  readonly asked: string[] = []
  /** Every drop, in order. */
  readonly drops: DropReason[] = []
  now: Nanoseconds = 1_000_000
  /** Whether the hosts answer ARP. */
  answersArp = true
  readonly #ports = new Map<string, PacedPort>()

  constructor(ports: readonly TestPort[] = TWO_PORTS, options: Partial<EngineOptions> = {}) {
    this.engine = new Engine({
      seed: 7,
      slab: { capacity: 512 },
      ...options,
      onDrop: (packet, code, now) => {
        this.drops.push(dropReason(code)!)
        options.onDrop?.(packet, code, now)
      },
    })
    for (const [index, { name, address, mtu = 1500, scheduler }] of ports.entries()) {
      const mac = Uint8Array.of(2, 0, 0, 0, 0, index + 1)
      const port = new PacedPort({ name, mac, maxFrameBytes: mtu + ETHERNET_HEADER_BYTES })
      port.onTransmit = (bytes, start, length) => this.#take(name, bytes.slice(start, start + length))
      this.#ports.set(name, port)
      this.engine.addPort({ name, driver: port, mtu, ...(scheduler === undefined ? {} : { scheduler }) })
      for (const each of address.split(' '))
        if (each !== '') this.commit([{ do: 'add-address', port: name, address: each }])
    }
  }

  /** The engine's rooms, for tests that look inside. */
  get stages(): Engine['stages'] {
    return this.engine.stages
  }

  commit(changes: readonly Change[], owner = ROUTER_OWNER): void {
    this.engine.control.commit(owner, changes, this.now)
  }

  /** The refusal of a transaction; fails when it is not refused. */
  refusal(changes: readonly Change[], owner = ROUTER_OWNER): EngineError {
    try {
      this.commit(changes, owner)
    } catch (error) {
      if (error instanceof EngineError) return error
      throw error
    }
    throw new Error('the transaction was not refused')
  }

  /** Installs a filter that matches everything of one protocol, or simply everything. */
  filter(
    name: string,
    action: Action,
    filter: Extract<Change, { do: 'install-filter' }>['filter'] = {},
  ): void {
    this.commit([{ do: 'install-filter', name, filter, action }])
  }

  /** Rows of a query table, all of them. */
  rows(
    table: string,
    where: Readonly<Record<string, string | number | boolean | null>> = {},
  ): readonly Row[] {
    return this.engine.query.get({ table, where, limit: 100_000 }, this.now).rows
  }

  port(name: string): PacedPort {
    const port = this.#ports.get(name)
    if (port === undefined) throw new Error(`no port ${name}`)
    return port
  }

  /** Gives an IP packet to a port and lets the engine work until it rests. */
  inject(port: string, ...packets: readonly Uint8Array[]): void {
    for (const packet of packets) this.injectFrame(port, this.frame(port, packet))
  }

  injectFrame(port: string, frame: Uint8Array): void {
    this.port(port).deliver(frame)
    this.settle()
  }

  /** Gives several IP packets to a port at once. */
  burst(port: string, packets: readonly Uint8Array[]): void {
    for (const packet of packets) this.port(port).deliver(this.frame(port, packet))
    this.settle()
  }

  /** An Ethernet frame from the host behind a port to the router. */
  frame(port: string, packet: Uint8Array): Uint8Array {
    return frameOf(this.port(port).mac, HOST_MAC, packet)
  }

  /** Connects or disconnects a port's medium. */
  setUp(port: string, up: boolean): void {
    this.port(port).setUp(up)
    this.settle()
  }

  /** Polls until nothing moves. */
  settle(): void {
    for (let round = 0; round < 100; round++) {
      const moved = this.engine.poll(this.now)
      this.expectConserved()
      if (moved === 0) return
    }
    throw new Error('the engine does not come to rest')
  }

  /** Moves time forward in steps of what the engine wants to be woken for. */
  advance(by: Nanoseconds): void {
    const until = this.now + by
    for (let round = 0; round < 10_000; round++) {
      this.settle()
      const next = Math.max(this.engine.pollAt(this.now), this.now + 1)
      if (next > until) break
      this.now = next
    }
    this.now = until
    this.settle()
  }

  /** IP packets that left a port (every port) since the last call, without their Ethernet headers. */
  take(port?: string): Uint8Array[] {
    return this.takeFrames(port).map((frame) => frame.subarray(ETHERNET_HEADER_BYTES))
  }

  /** The same with their Ethernet headers. */
  takeFrames(port?: string): Uint8Array[] {
    const taken = this.sent.filter((each) => port === undefined || each.port === port)
    this.sent.length = 0
    return taken.map(({ frame }) => frame)
  }

  /** Drops so far, by reason. */
  get dropped(): Readonly<Record<string, number>> {
    return this.engine.balance().dropped
  }

  /** Fails unless every packet is accounted for, in the balance and in the slab. */
  expectConserved(): void {
    const balance = this.engine.balance()
    if (!isConserved(balance)) expect.fail(`not conserved: ${JSON.stringify(balance)}`)
    const { slab } = this.stages
    const held = balance.parked + balance.queued
    if (slab.capacity - slab.available !== held)
      expect.fail(`${slab.capacity - slab.available} packets in use, ${held} accounted for`)
  }

  #take(port: string, frame: Uint8Array): void {
    if (read16(frame, 12) === ETHER_TYPE_ARP) this.#answer(port, frame)
    else this.sent.push({ port, frame, at: this.now })
  }

  #answer(port: string, frame: Uint8Array): void {
    const arp = createArp()
    if (parseArp(frame, ETHERNET_HEADER_BYTES, frame.length, arp) !== 0) throw new Error('malformed ARP')
    if (arp.operation !== ARP_REQUEST) return
    const target = formatIpv4Address(arp.targetAddress)
    this.asked.push(`${port} ${target}`)
    if (!this.answersArp) return
    this.port(port).deliver(
      arpFrame({
        operation: ARP_REPLY,
        senderMac: HOST_MAC,
        sender: target,
        targetMac: arp.senderMac,
        target: formatIpv4Address(arp.senderAddress),
        destination: arp.senderMac,
      }),
    )
  }
}
