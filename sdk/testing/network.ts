/**
 * The network around a router under test: its engine on ports in memory, and hosts that answer ARP for every address.
 * The one idea: every packet sent bears a number in its identification field, by which it is found again whatever
 * became of it.
 */
import {
  type Change,
  type DropReason,
  dropReason,
  Engine,
  MemoryPort,
  ROUTER_OWNER,
} from '../../engine/index.ts'
import {
  ARP_BYTES,
  ARP_REPLY,
  ARP_REQUEST,
  createArp,
  ETHER_TYPE_ARP,
  ETHERNET_HEADER_BYTES,
  emitArp,
  emitEthernet,
  formatIpv4Address,
  PROTOCOL_ICMP,
  parseArp,
  parseIpv4Prefix,
  prefixMask,
  read16,
  read32,
  write32,
} from '../../engine/wire/index.ts'
import { addressOf, frameOf, readFrame, type SeenFrame } from './packets.ts'
import type { Fate, TestPacket, TestRouterOptions } from './test-router.ts'

const PORTS = { eth0: '10.0.1.1/24', eth1: '10.0.2.1/24' }
const CLIENT = '10.0.1.2'
const FIRST_FROM_PORT = 40_000
const PORT_NUMBERS = 20_000
const IDS = 0xffff
const SLAB_PACKETS = 4_096

interface Network {
  readonly name: string
  readonly port: MemoryPort
  readonly address: number
  readonly mask: number
}

/** Far end of a tunnel that has no header of its own -> how to tell its packets from forwarded ones. */
export type BareTunnels = () => ReadonlySet<string>

export class TestNetwork {
  readonly engine: Engine
  readonly #networks: Network[] = []
  readonly #bareTunnels: BareTunnels
  /** Number of a packet -> what became of it, of its copies too. */
  readonly #fates = new Map<number, Fate[]>()
  #later: Fate[] = []
  #sent = 0
  #sending = 0

  /** @throws TypeError for what is no address, EngineError for what is no configuration */
  constructor(options: TestRouterOptions, bareTunnels: BareTunnels) {
    const { ports = PORTS, seed = 1 } = options
    this.#bareTunnels = bareTunnels
    this.engine = new Engine({
      seed,
      slab: { capacity: SLAB_PACKETS },
      onDrop: (packet, code) => this.#dropped(this.engine.stages.slab.frame(packet), dropReason(code)!),
    })
    for (const [name, address] of Object.entries(ports)) this.#addPort(name, address)
    this.engine.control.commit(ROUTER_OWNER, [...this.#addresses(ports), ...this.#routes(options)], 0)
  }

  /** Sends a packet and lets `settle` do what follows at once. */
  send(packet: TestPacket, settle: () => void): Fate {
    const { from = CLIENT, fromPort = FIRST_FROM_PORT + (this.#sent % PORT_NUMBERS) } = packet
    const id = (this.#sent++ % IDS) + 1
    const { port } = this.#networkOf(packet.inPort, addressOf(from, 'from'))
    const fates: Fate[] = []
    this.#fates.set(id, fates)
    const before = this.engine.balance()
    this.#sending = id
    try {
      port.deliver(frameOf({ ...packet, from, fromPort, id }, port.mac, hostMac(addressOf(from, 'from'))))
      settle()
    } finally {
      this.#sending = 0
    }
    if (fates.length > 1) return { copies: fates }
    if (fates.length === 1) return fates[0]!
    const { delivered, merged, parked, queued } = this.engine.balance()
    if (delivered + merged > before.delivered + before.merged) return { delivered: true }
    return queued > before.queued || parked === 0 ? { queued: true } : { parked: true }
  }

  /** What became since the last call of packets that had waited. */
  takeLater(): readonly Fate[] {
    const later = this.#later
    this.#later = []
    return later
  }

  #addPort(name: string, text: string): void {
    const prefix = parseIpv4Prefix(text)
    if (prefix === undefined || prefix.length === 32)
      throw new TypeError(`ports.${name}: expected an address with its prefix, 10.0.1.1/24, got ${text}`)
    const mac = Uint8Array.of(2, 0, 0, 0, 0, this.#networks.length + 1)
    const port = new MemoryPort({ name, mac })
    port.onTransmit = (bytes, start, length) => this.#left(name, port, bytes.slice(start, start + length))
    this.engine.addPort({ name, driver: port, mtu: 1500 })
    this.#networks.push({ name, port, address: prefix.address, mask: prefixMask(prefix.length) })
  }

  #addresses(ports: Readonly<Record<string, string>>): Change[] {
    return Object.entries(ports).map(([port, address]) => ({ do: 'add-address', port, address }))
  }

  #routes({ routes }: TestRouterOptions): Change[] {
    const { address, mask } = this.#networks.at(-1)!
    const last = formatIpv4Address((address | ~mask) - 1)
    return Object.entries(routes ?? { '0.0.0.0/0': last }).map(([prefix, via]) => ({
      do: 'add-route',
      prefix,
      target: { kind: 'via', via },
    }))
  }

  #networkOf(name: string | undefined, from: number): Network {
    const isNear = ({ address, mask }: Network): boolean => (from & mask) === (address & mask)
    const found = this.#networks.find((each) => (name === undefined ? isNear(each) : each.name === name))
    if (found === undefined && name !== undefined)
      throw new TypeError(`inPort: expected one of ${this.#networks.map((each) => each.name)}, got ${name}`)
    return found ?? this.#networks[0]!
  }

  #left(port: string, driver: MemoryPort, frame: Uint8Array): void {
    if (read16(frame, 12) === ETHER_TYPE_ARP) return answerArp(driver, frame)
    const seen = readFrame(frame)
    if (seen === undefined || this.#isOwnAnswer(seen)) return
    const { tunnel, packet } = seen
    const neighbour = formatIpv4Address(read32(frame, 2))
    const far = tunnel ?? (this.#bareTunnels().has(neighbour) ? neighbour : undefined)
    this.#note(seen, { ...(far === undefined ? { forward: neighbour } : { tunnel: far }), port, packet })
  }

  /** The router's own echo replies and errors bear numbers of their own. */
  #isOwnAnswer({ packet }: SeenFrame): boolean {
    if (packet.protocol !== PROTOCOL_ICMP) return false
    return this.#networks.some(({ address }) => formatIpv4Address(address) === packet.from)
  }

  #dropped(frame: Uint8Array, drop: DropReason): void {
    const seen = readFrame(frame)
    if (seen !== undefined) this.#note(seen, { drop })
  }

  #note({ id }: SeenFrame, fate: Fate): void {
    const fates = this.#fates.get(id)
    if (fates === undefined) return
    fates.push(fate)
    if (id !== this.#sending) this.#later.push(fate)
  }
}

/** The MAC of the host that plays an address: the address is in it. */
function hostMac(address: number): Uint8Array {
  const mac = Uint8Array.of(2, 0xaa, 0, 0, 0, 0)
  write32(mac, 2, address)
  return mac
}

function answerArp(port: MemoryPort, frame: Uint8Array): void {
  const arp = createArp()
  if (parseArp(frame, ETHERNET_HEADER_BYTES, frame.length, arp) !== 0) return
  if (arp.operation !== ARP_REQUEST) return
  const mac = hostMac(arp.targetAddress)
  const reply = new Uint8Array(ETHERNET_HEADER_BYTES + ARP_BYTES)
  const at = emitEthernet(reply, 0, arp.senderMac, mac, ETHER_TYPE_ARP)
  emitArp(reply, at, {
    operation: ARP_REPLY,
    senderMac: mac,
    senderAddress: arp.targetAddress,
    targetMac: arp.senderMac,
    targetAddress: arp.senderAddress,
  })
  port.deliver(reply)
}
