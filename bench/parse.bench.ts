/**
 * What it costs to read a frame into a packet's state words: the quick path (plain TCP), the careful one (the same
 * packets, read from bytes) and a mix of traffic, against a parser of the same fields, checks and results written
 * here with a DataView.
 */
import {
  FLAGS,
  KEY_DESTINATION,
  KEY_PORTS,
  KEY_PROTOCOL,
  KEY_SOURCE,
  LENGTH,
  META_SHIFT,
  NETWORK,
  PacketSlab,
  START,
  TRANSPORT,
} from '../engine/packet.ts'
import {
  createIpv4,
  createTcp,
  ETHER_TYPE_IPV4,
  emitEthernet,
  emitIcmp,
  emitIpv4,
  emitTcp,
  emitUdp,
  etherTypeOf,
  type Ipv4Fields,
  ipv4HeaderBytes,
  parsePacket,
  ROUTER_ALERT,
} from '../engine/wire/index.ts'
import { parseCarefully } from '../engine/wire/parse-network.ts'
import { alternate, type Benchmark, type Figure, figure, ratio } from './benchmark.ts'

const PACKETS = 256
const OPERATIONS = 2_000_000
const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1)
const NOTHING = new Uint8Array(8)

type Emit = (bytes: Uint8Array, offset: number, source: number, destination: number) => number

const tcp: Emit = (bytes, offset, source, destination) =>
  emitTcp(
    bytes,
    offset,
    source,
    destination,
    { ...createTcp(), sourcePort: source & 0xffff, flags: 16 },
    undefined,
    NOTHING,
  )
const udp: Emit = (bytes, offset, source, destination) =>
  emitUdp(bytes, offset, source, destination, source & 0xffff, 53, NOTHING)
const echo: Emit = (bytes, offset, source) => emitIcmp(bytes, offset, 8, 0, source, NOTHING)

function frame(
  i: number,
  protocol: number,
  emit: Emit,
  fields: Partial<Ipv4Fields> = {},
  vlan = -1,
): Uint8Array {
  const header = {
    ...createIpv4(),
    source: 0x0a000000 + i * 7919,
    destination: 0xc0c00100 + i,
    protocol,
    ...fields,
  }
  const bytes = new Uint8Array(128)
  const network = emitEthernet(bytes, 0, MAC, MAC, ETHER_TYPE_IPV4, vlan)
  const end = emit(bytes, network + ipv4HeaderBytes(header.options), header.source, header.destination)
  emitIpv4(bytes, network, { ...header, totalBytes: end - network })
  return bytes.subarray(0, Math.max(60, end))
}

/** Of 16 packets: 11 TCP (one tagged, one to a group), 3 UDP (one with Router Alert), an echo, a later fragment. */
function mixed(i: number): Uint8Array {
  const kind = i & 15
  if (kind < 9) return frame(i, 6, tcp)
  if (kind === 9) return frame(i, 6, tcp, {}, 7)
  if (kind === 10) return frame(i, 6, tcp, { destination: 0xef010203 })
  if (kind < 13) return frame(i, 17, udp)
  if (kind === 13) return frame(i, 17, udp, { options: ROUTER_ALERT })
  if (kind === 14) return frame(i, 1, echo)
  return frame(i, 17, udp, { fragmentOffset: 1480 })
}

/** The rival: the same job for untagged TCP and UDP, read through a DataView. */
function dataViewParser(slab: PacketSlab): (packet: number) => number {
  const view = new DataView(slab.bytes.buffer)
  const meta = slab.meta
  return (packet) => {
    const at = packet << META_SHIFT
    const start = meta[at + START]!
    const length = meta[at + LENGTH]!
    if (length < 34 || view.getUint16(start + 12) !== 0x0800) return 1
    const network = start + 14
    const headerBytes = (view.getUint8(network) & 15) << 2
    const totalBytes = view.getUint16(network + 2)
    if (view.getUint8(network) >>> 4 !== 4 || headerBytes < 20 || headerBytes > length - 14) return 2
    if (totalBytes < headerBytes || totalBytes > length - 14) return 3
    let sum = 0
    for (let offset = 0; offset < headerBytes; offset += 2) sum += view.getUint16(network + offset)
    if ((sum & 0xffff) + (sum >>> 16) !== 0xffff) return 4
    const source = view.getInt32(network + 12)
    const destination = view.getInt32(network + 16)
    const from = source >>> 24
    const to = destination >>> 24
    if (from === 0 || from === 127 || from >= 224 || to === 0 || to === 127 || to >= 240) return 5
    if ((view.getUint16(network + 6) & 0x3fff) !== 0) return 6
    const protocol = view.getUint8(network + 9)
    const transport = network + headerBytes
    if ((protocol !== 6 && protocol !== 17) || totalBytes - headerBytes < (protocol === 6 ? 20 : 8)) return 7
    let flags = meta[at + FLAGS]! & ~0x1ff
    if (to >= 224) flags |= 8
    if (protocol === 6) {
      const bits = view.getUint8(transport + 13)
      flags |= ((bits & 18) << 4) | ((bits & 1) << 6) | ((bits & 4) << 5)
    }
    meta[at + LENGTH] = totalBytes + 14
    meta[at + NETWORK] = network
    meta[at + TRANSPORT] = transport
    meta[at + FLAGS] = flags
    meta[at + KEY_SOURCE] = source
    meta[at + KEY_DESTINATION] = destination
    meta[at + KEY_PORTS] = view.getInt32(transport)
    meta[at + KEY_PROTOCOL] = protocol
    return 0
  }
}

/** Loads PACKETS frames, and fails unless all of them parse. */
function loaded(make: (i: number) => Uint8Array): { slab: PacketSlab; packets: Int32Array } {
  const slab = new PacketSlab({ capacity: PACKETS })
  const packets = Int32Array.from({ length: PACKETS }, (_, i) => slab.load(make(i)))
  for (const packet of packets) if (parsePacket(slab, packet) !== 0) throw new Error('a packet did not parse')
  return { slab, packets }
}

function run(): Figure[] {
  const plain = loaded((i) => frame(i, 6, tcp))
  const mix = loaded(mixed)
  const rival = dataViewParser(plain.slab)
  const rounds = alternate(
    {
      quick: () => {
        let sum = 0
        for (let i = 0; i < OPERATIONS; i++) sum += parsePacket(plain.slab, plain.packets[i & (PACKETS - 1)]!)
        return sum
      },
      careful: () => {
        let sum = 0
        for (let i = 0; i < OPERATIONS; i++) {
          const packet = plain.packets[i & (PACKETS - 1)]!
          sum += etherTypeOf(plain.slab, packet) + parseCarefully(plain.slab, packet)
        }
        return sum
      },
      mixed: () => {
        let sum = 0
        for (let i = 0; i < OPERATIONS; i++) sum += parsePacket(mix.slab, mix.packets[i & (PACKETS - 1)]!)
        return sum
      },
      dataView: () => {
        let sum = 0
        for (let i = 0; i < OPERATIONS; i++) sum += rival(plain.packets[i & (PACKETS - 1)]!)
        return sum
      },
    },
    OPERATIONS,
  )
  return [
    figure('parse plain TCP', 'ns', rounds['quick']!),
    figure('parse plain TCP, careful path alone', 'ns', rounds['careful']!),
    figure('parse mixed traffic', 'ns', rounds['mixed']!),
    figure('parse plain TCP with a DataView', 'ns', rounds['dataView']!),
    figure('plain TCP to DataView', 'ratio', ratio(rounds['quick']!, rounds['dataView']!), {
      relation: '<=',
      value: 1.1,
    }),
  ]
}

export const bench: Benchmark = {
  name: 'parse',
  describes: 'Reading frames into packet state: nanoseconds a packet, and the ratio to a DataView parser.',
  run,
}
