/** Datagrams for tests: built by the wire room, loaded into a slab, parsed as ingress would. */
import { expect } from 'chai'
import { LENGTH, META_SHIFT, NETWORK, PacketSlab } from '../../../engine/packet.ts'
import {
  checksum,
  createIpv4,
  emitEthernet,
  emitIcmp,
  emitIpv4,
  emitUdp,
  type Ipv4Fields,
  ipv4HeaderBytes,
  parseIpv4Address,
  parsePacket,
  read16,
} from '../../../engine/wire/index.ts'

const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1)

/** The number of a dotted address. */
export function ip(text: string): number {
  const address = parseIpv4Address(text)
  if (address === undefined) throw new Error(`${text} is no address`)
  return address
}

export interface DatagramOptions extends Partial<Omit<Ipv4Fields, 'source' | 'destination'>> {
  readonly from?: string
  readonly to?: string
}

/** An IPv4 datagram with this payload; UDP by name only: the payload is taken as it is. */
export function datagram(payload: Uint8Array, options: DatagramOptions = {}): Uint8Array {
  const { from = '198.51.100.7', to = '192.192.1.1', ...fields } = options
  const headerBytes = ipv4HeaderBytes(options.options)
  const bytes = new Uint8Array(headerBytes + payload.length)
  const header = { ...createIpv4(), protocol: 17, totalBytes: bytes.length, ...fields }
  emitIpv4(bytes, 0, { ...header, source: ip(from), destination: ip(to) })
  bytes.set(payload, headerBytes)
  return bytes
}

/** A UDP datagram with `length` bytes of data, none alike. */
export function udp(
  length: number,
  options: DatagramOptions & { fromPort?: number; toPort?: number } = {},
): Uint8Array {
  const { fromPort = 4000, toPort = 53, ...rest } = options
  const payload = new Uint8Array(8 + length)
  const data = pattern(length)
  emitUdp(payload, 0, ip(rest.from ?? '198.51.100.7'), ip(rest.to ?? '192.192.1.1'), fromPort, toPort, data)
  return datagram(payload, rest)
}

/** An ICMP message about `quote`. */
export function icmpError(
  type: number,
  code: number,
  rest: number,
  quote: Uint8Array,
  options: DatagramOptions = {},
): Uint8Array {
  const message = new Uint8Array(8 + quote.length)
  emitIcmp(message, 0, type, code, rest, quote)
  return datagram(message, { from: '10.9.9.9', to: '10.0.0.1', protocol: 1, ...options })
}

/** Bytes 0, 1, 2 ... with a step at every wrap, so that no two stretches are equal. */
export function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255)
}

/** An Ethernet frame around a datagram. */
export function frameOf(ipBytes: Uint8Array, vlan = -1): Uint8Array {
  const frame = new Uint8Array(14 + (vlan < 0 ? 0 : 4) + ipBytes.length)
  const offset = emitEthernet(frame, 0, MAC, MAC, 0x0800, vlan)
  frame.set(ipBytes, offset)
  return frame
}

export function slabOf(capacity = 16, stride = 2048): PacketSlab {
  return new PacketSlab({ capacity, stride })
}

/** Loads a datagram as a received frame and parses it. */
export function receive(slab: PacketSlab, ipBytes: Uint8Array, inPort = 0): number {
  const packet = slab.load(frameOf(ipBytes))
  expect(packet).to.be.at.least(0)
  slab.meta[(packet << META_SHIFT) + 5] = inPort
  expect(parsePacket(slab, packet), 'parses').to.equal(0)
  return packet
}

/** The IP datagram of a packet as its state words describe it. */
export function bytesOf(slab: PacketSlab, packet: number): Uint8Array {
  const at = packet << META_SHIFT
  const network = slab.meta[at + NETWORK]
  return slab.bytes.slice(network, network + slab.meta[at + LENGTH] - 14)
}

/** Asserts version, lengths and header checksum. */
export function expectSoundHeader(datagramBytes: Uint8Array): void {
  const headerBytes = (datagramBytes[0] & 15) << 2
  expect(datagramBytes[0] >>> 4, 'version').to.equal(4)
  expect(read16(datagramBytes, 2), 'total length').to.equal(datagramBytes.length)
  expect(checksum(datagramBytes, 0, headerBytes), 'header checksum').to.equal(0)
}
