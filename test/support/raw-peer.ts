/**
 * A peer that says exactly what a test tells it to: it answers ARP, records the TCP segments it gets, and sends any
 * segment or packet. For provoking what no honest stack would do.
 */
import {
  ARP_REPLY,
  ARP_REQUEST,
  createArp,
  createIpv4,
  createTcp,
  createTcpOptions,
  ETHER_TYPE_ARP,
  ETHER_TYPE_IPV4,
  emitArp,
  emitEthernet,
  emitIpv4,
  emitTcp,
  ipv4HeaderBytes,
  PROTOCOL_TCP,
  parseArp,
  parseIpv4,
  parseTcp,
  parseTcpOptions,
  read16,
  TCP_ACK,
  TCP_SYN,
  type TcpOptions,
  tcpChecksumOk,
  tcpOptionsBytes,
} from '../../engine/wire/index.ts'
import type { VirtualLan, VirtualWorld } from './virtual-link.ts'

/** A segment as received, decoded. */
export interface SeenSegment {
  readonly at: number
  readonly sourcePort: number
  readonly destinationPort: number
  readonly sequence: number
  readonly acknowledgment: number
  readonly flags: number
  readonly window: number
  readonly options: TcpOptions
  readonly payload: Uint8Array
  readonly dontFragment: boolean
}

/** A segment to send; what is left out comes from the peer's own idea of the connection. */
export interface RawSegment {
  readonly flags?: number
  readonly sequence?: number
  readonly acknowledgment?: number
  readonly window?: number
  readonly payload?: Uint8Array
  readonly options?: Partial<TcpOptions>
  readonly sourcePort?: number
  readonly destinationPort?: number
}

/** Decodes the TCP segment of a frame; undefined when it has none. */
export function decodeTcp(frame: Uint8Array, at: number): SeenSegment | undefined {
  if (read16(frame, 12) !== ETHER_TYPE_IPV4) return undefined
  const ip = createIpv4()
  if (parseIpv4(frame, 14, frame.length, ip) !== 0 || ip.protocol !== PROTOCOL_TCP) return undefined
  const from = 14 + ip.headerBytes
  const end = 14 + ip.totalBytes
  const tcp = createTcp()
  if (parseTcp(frame, from, end, tcp) !== 0) return undefined
  if (!tcpChecksumOk(frame, from, end, ip.source, ip.destination)) throw new Error('bad TCP checksum sent')
  const options = createTcpOptions()
  parseTcpOptions(frame, from + 20, from + tcp.headerBytes, options)
  const { sourcePort, destinationPort, sequence, acknowledgment, flags, window } = tcp
  const payload = frame.slice(from + tcp.headerBytes, end)
  const ends = { sourcePort, destinationPort, sequence, acknowledgment, flags, window }
  return { at, ...ends, options, payload, dontFragment: ip.dontFragment }
}

export class RawPeer {
  readonly address: number
  readonly mac: Uint8Array
  /** Segments received since the last `take`. */
  seen: SeenSegment[] = []
  /** Frames received that carry no TCP and no ARP. */
  others: Uint8Array[] = []
  /** Next sequence number to send and to expect; what the peer's ports are. */
  next = 1000
  expected = 0
  port = 5000
  peerPort = 80
  peer: number
  readonly #world: VirtualWorld
  readonly #lan: VirtualLan
  readonly #name: string
  #peerMac: Uint8Array | undefined

  constructor(world: VirtualWorld, lan: VirtualLan, address: number, peer: number, name = 'raw') {
    this.#world = world
    this.#lan = lan
    this.#name = name
    this.address = address
    this.peer = peer
    this.mac = world.mac()
    lan.join(name, this.mac, (frame) => this.#receive(frame))
  }

  /** Learns the peer's MAC, so that frames can be sent. Lets time pass. */
  meet(): void {
    this.sendArp(ARP_REQUEST, this.address, this.peer)
    this.settle()
    if (this.#peerMac === undefined) throw new Error('the peer does not answer ARP')
  }

  /** Runs the world for `ns`, 10 microseconds unless told. */
  settle(ns = 10_000): void {
    this.#world.run(this.#world.now + ns)
  }

  /** What was received since the last call. */
  take(): SeenSegment[] {
    const seen = this.seen
    this.seen = []
    return seen
  }

  /** Sends one segment, and lets it be answered. */
  send(segment: RawSegment): SeenSegment[] {
    const { payload = new Uint8Array(0), flags = TCP_ACK } = segment
    const options = { ...createTcpOptions(), ...segment.options }
    const header = {
      sourcePort: segment.sourcePort ?? this.port,
      destinationPort: segment.destinationPort ?? this.peerPort,
      sequence: (segment.sequence ?? this.next) >>> 0,
      acknowledgment: (segment.acknowledgment ?? this.expected) >>> 0,
      flags,
      window: segment.window ?? 65_535,
      urgent: 0,
    }
    const tcp = new Uint8Array(20 + tcpOptionsBytes(options) + payload.length)
    emitTcp(tcp, 0, this.address, this.peer, header, options, payload)
    this.sendIp(PROTOCOL_TCP, tcp)
    this.settle()
    return this.take()
  }

  /** Sends an IP packet with this payload. */
  sendIp(protocol: number, payload: Uint8Array, fields: Partial<ReturnType<typeof createIpv4>> = {}): void {
    const at = 14 + ipv4HeaderBytes(fields.options)
    const frame = new Uint8Array(at + payload.length)
    emitEthernet(frame, 0, this.#peerMac!, this.mac, ETHER_TYPE_IPV4)
    const header = { ...createIpv4(), totalBytes: frame.length - 14, protocol }
    emitIpv4(frame, 14, { ...header, source: this.address, destination: this.peer, ...fields })
    frame.set(payload, at)
    this.#lan.send(this.#name, frame)
  }

  sendArp(
    operation: number,
    senderAddress: number,
    targetAddress: number,
    to?: Uint8Array,
    mac = this.mac,
  ): void {
    const frame = new Uint8Array(42)
    emitEthernet(frame, 0, to ?? Uint8Array.of(255, 255, 255, 255, 255, 255), this.mac, ETHER_TYPE_ARP)
    emitArp(frame, 14, {
      operation,
      senderMac: mac,
      senderAddress,
      targetMac: new Uint8Array(6),
      targetAddress,
    })
    this.#lan.send(this.#name, frame)
  }

  /** Opens a connection to the peer's listener with these options; returns the SYN-ACK. */
  open(options: Partial<TcpOptions> = { mss: 1460 }): SeenSegment {
    const [answer] = this.send({ flags: TCP_SYN, acknowledgment: 0, options })
    if (answer === undefined || answer.flags !== (TCP_SYN | TCP_ACK)) throw new Error('no SYN-ACK')
    this.next++
    this.expected = (answer.sequence + 1) >>> 0
    this.send({})
    return answer
  }

  #receive(frame: Uint8Array): void {
    const type = read16(frame, 12)
    if (type === ETHER_TYPE_ARP) {
      const arp = createArp()
      parseArp(frame, 14, frame.length, arp)
      if (arp.senderAddress === this.peer) this.#peerMac = arp.senderMac.slice()
      if (arp.operation === ARP_REQUEST && arp.targetAddress === this.address)
        this.sendArp(ARP_REPLY, this.address, arp.senderAddress, arp.senderMac.slice())
      return
    }
    const segment = decodeTcp(frame, this.#world.now)
    if (segment === undefined) this.others.push(frame)
    else this.seen.push(segment)
  }
}
