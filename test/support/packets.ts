/**
 * IP packets and Ethernet frames for tests, built by the wire room, and readers for what comes back. Everything is
 * whole: checksums are right unless a test breaks them.
 */
import { expect } from 'chai'
import {
  checksum,
  createArp,
  createIpv4,
  ETHER_TYPE_ARP,
  ETHER_TYPE_IPV4,
  ETHERNET_HEADER_BYTES,
  echoRest,
  emitArp,
  emitEthernet,
  emitIcmp,
  emitIpv4,
  emitUdp,
  type Ipv4Fields,
  ipv4HeaderBytes,
  parseIpv4Address,
  pseudoHeaderSum,
  read16,
  read32,
  write16,
} from '../../engine/wire/index.ts'

export const TCP_FIN = 1
export const TCP_SYN = 2
export const TCP_RST = 4
export const TCP_ACK = 16

/** The number of a dotted address. */
export function ip(text: string): number {
  const address = parseIpv4Address(text)
  if (address === undefined) throw new Error(`${text} is no address`)
  return address
}

export interface IpOptions extends Partial<Omit<Ipv4Fields, 'source' | 'destination' | 'totalBytes'>> {
  readonly from?: string
  readonly to?: string
}

export interface PortOptions extends IpOptions {
  readonly fromPort?: number
  readonly toPort?: number
}

const FROM = '10.0.1.2'
const TO = '10.0.2.2'

/** An IPv4 packet around a payload. */
export function ipPacket(payload: Uint8Array, options: IpOptions = {}): Uint8Array {
  const { from = FROM, to = TO, ...fields } = options
  const headerBytes = ipv4HeaderBytes(options.options)
  const bytes = new Uint8Array(headerBytes + payload.length)
  const header = { ...createIpv4(), protocol: 89, ...fields, totalBytes: bytes.length }
  emitIpv4(bytes, 0, { ...header, source: ip(from), destination: ip(to) })
  bytes.set(payload, headerBytes)
  return bytes
}

/** A UDP datagram with `data` bytes, or that many bytes of a pattern. */
export function udp(options: PortOptions & { readonly data?: Uint8Array | number } = {}): Uint8Array {
  const { fromPort = 4000, toPort = 53, data = 16, ...rest } = options
  const bytes = typeof data === 'number' ? pattern(data) : data
  const payload = new Uint8Array(8 + bytes.length)
  emitUdp(payload, 0, ip(rest.from ?? FROM), ip(rest.to ?? TO), fromPort, toPort, bytes)
  return ipPacket(payload, { ...rest, protocol: 17 })
}

/** A TCP segment without options. */
export function tcp(
  options: PortOptions & { readonly flags?: number; readonly data?: number; readonly sequence?: number } = {},
): Uint8Array {
  const { fromPort = 4000, toPort = 80, flags = TCP_ACK, data = 0, sequence = 1, ...rest } = options
  const segment = new Uint8Array(20 + data)
  const view = new DataView(segment.buffer)
  view.setUint16(0, fromPort)
  view.setUint16(2, toPort)
  view.setUint32(4, sequence)
  segment[12] = 0x50
  segment[13] = flags
  view.setUint16(14, 65535)
  segment.set(pattern(data), 20)
  const pseudo = pseudoHeaderSum(ip(rest.from ?? FROM), ip(rest.to ?? TO), 6, segment.length)
  write16(segment, 16, checksum(segment, 0, segment.length, pseudo))
  return ipPacket(segment, { ...rest, protocol: 6 })
}

/** An ICMP message. */
export function icmp(
  type: number,
  code: number,
  rest: number,
  data: Uint8Array,
  options: IpOptions = {},
): Uint8Array {
  const message = new Uint8Array(8 + data.length)
  emitIcmp(message, 0, type, code, rest, data)
  return ipPacket(message, { ...options, protocol: 1 })
}

/** An echo request. */
export function echo(
  options: IpOptions & { readonly data?: number; readonly identifier?: number } = {},
): Uint8Array {
  const { data = 56, identifier = 7, ...rest } = options
  return icmp(8, 0, echoRest(identifier, 1), pattern(data), rest)
}

/** An IP-in-IP packet around another. */
export function ipInIp(inner: Uint8Array, options: IpOptions = {}): Uint8Array {
  return ipPacket(inner, { ...options, protocol: 4 })
}

/** The packet cut into fragments whose data has at most `most` bytes. */
export function fragmentsOf(packet: Uint8Array, most: number): Uint8Array[] {
  const headerBytes = (packet[0] & 15) << 2
  const data = packet.subarray(headerBytes)
  const step = most & ~7
  return Array.from({ length: Math.ceil(data.length / step) }, (_, i) => {
    const part = data.subarray(i * step, (i + 1) * step)
    const bytes = new Uint8Array(headerBytes + part.length)
    bytes.set(packet.subarray(0, headerBytes))
    bytes.set(part, headerBytes)
    const more = (i + 1) * step < data.length ? 0x2000 : 0
    write16(bytes, 2, bytes.length)
    write16(bytes, 6, more | ((i * step) >> 3))
    return resealed(bytes)
  })
}

/** The same packet with a right header checksum: for tests that change the header by hand. */
export function resealed(packet: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(packet)
  write16(bytes, 10, 0)
  write16(bytes, 10, checksum(bytes, 0, (bytes[0] & 15) << 2))
  return bytes
}

/** A copy with some bytes replaced. */
export function patched(
  packet: Uint8Array,
  ...changes: readonly (readonly [at: number, value: number])[]
): Uint8Array {
  const bytes = Uint8Array.from(packet)
  for (const [at, value] of changes) bytes[at] = value
  return bytes
}

/** Bytes 0, 7, 14 ... with a step at every wrap, so that no two stretches are equal. */
export function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255)
}

/** An Ethernet frame around a packet. */
export function frameOf(
  destination: Uint8Array,
  source: Uint8Array,
  packet: Uint8Array,
  etherType = ETHER_TYPE_IPV4,
  vlan = -1,
): Uint8Array {
  const frame = new Uint8Array(ETHERNET_HEADER_BYTES + (vlan < 0 ? 0 : 4) + packet.length)
  frame.set(packet, emitEthernet(frame, 0, destination, source, etherType, vlan))
  return frame
}

export interface ArpOptions {
  readonly operation: number
  readonly senderMac: Uint8Array
  readonly sender: string
  readonly target: string
  readonly targetMac?: Uint8Array
  /** Of the Ethernet header, when they differ from what the message says. */
  readonly source?: Uint8Array
  readonly destination?: Uint8Array
  readonly vlan?: number
}

/** A frame with an ARP message. */
export function arpFrame(options: ArpOptions): Uint8Array {
  const { operation, senderMac, targetMac = new Uint8Array(6), source = senderMac } = options
  const message = createArp()
  message.operation = operation
  message.senderMac.set(senderMac)
  message.senderAddress = ip(options.sender)
  message.targetMac.set(targetMac)
  message.targetAddress = ip(options.target)
  const bytes = new Uint8Array(46)
  emitArp(bytes, 0, message)
  const destination = options.destination ?? new Uint8Array(6).fill(255)
  return frameOf(destination, source, bytes, ETHER_TYPE_ARP, options.vlan)
}

/** What a test asks of an IP packet. */
export interface Seen {
  readonly from: string
  readonly to: string
  readonly protocol: number
  readonly ttl: number
  readonly totalBytes: number
  readonly dontFragment: boolean
  readonly fragmentOffset: number
  readonly moreFragments: boolean
  /** What is behind the header. */
  readonly payload: Uint8Array
}

/** Reads a packet that must be sound: version, lengths and every checksum that can be checked. */
export function seen(packet: Uint8Array): Seen {
  expectSound(packet)
  const headerBytes = (packet[0] & 15) << 2
  const fragment = read16(packet, 6)
  const totalBytes = read16(packet, 2)
  return {
    from: dotted(read32(packet, 12)),
    to: dotted(read32(packet, 16)),
    protocol: packet[9],
    ttl: packet[8],
    totalBytes,
    dontFragment: (fragment & 0x4000) !== 0,
    moreFragments: (fragment & 0x2000) !== 0,
    fragmentOffset: (fragment & 0x1fff) << 3,
    payload: packet.subarray(headerBytes, totalBytes),
  }
}

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
}

/** Asserts version, lengths, the header's checksum and, outside fragments, that of TCP, UDP and ICMP. */
export function expectSound(packet: Uint8Array): void {
  const headerBytes = (packet[0] & 15) << 2
  expect(packet[0] >>> 4, 'version').to.equal(4)
  expect(headerBytes, 'header length').to.be.within(20, 60)
  const totalBytes = read16(packet, 2)
  expect(totalBytes, 'total length').to.be.within(headerBytes, packet.length)
  expect(checksum(packet, 0, headerBytes), 'header checksum').to.equal(0)
  if ((read16(packet, 6) & 0x3fff) !== 0) return
  expect(transportSum(packet.subarray(0, totalBytes), headerBytes), 'transport checksum').to.equal(0)
}

/** 0 when the checksum behind the header is right or there is none. */
function transportSum(packet: Uint8Array, headerBytes: number): number {
  const protocol = packet[9]
  const end = packet.length
  if (protocol === 1) return checksum(packet, headerBytes, end)
  if (protocol !== 6 && protocol !== 17) return 0
  if (protocol === 17 && read16(packet, headerBytes + 6) === 0) return 0
  const pseudo = pseudoHeaderSum(read32(packet, 12), read32(packet, 16), protocol, end - headerBytes)
  return checksum(packet, headerBytes, end, pseudo)
}
