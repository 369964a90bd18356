/**
 * The classic short path: parse, flow look-up and count, TTL and checksum, IP-in-IP encapsulation, with 4k live flows
 * and with a million random ones, against finding the same flows in a Map with string keys. Frames lie in the slab,
 * as a driver leaves them there; each packet's addresses and ports are those of the next random flow.
 */
import { spendTtl } from '../engine/actions/rewrite.ts'
import { FlowTable } from '../engine/classifier/flow-table.ts'
import {
  FLAGS,
  KEY_DESTINATION,
  KEY_PORTS,
  KEY_PROTOCOL,
  KEY_SOURCE,
  LENGTH,
  META_SHIFT,
  PacketSlab,
  START,
} from '../engine/packet.ts'
import { Random } from '../engine/random.ts'
import { AddressSet } from '../engine/tunnels/address-set.ts'
import { TunnelTable } from '../engine/tunnels/tunnel-table.ts'
import { createIpv4, ETHER_TYPE_IPV4, emitEthernet, emitIpv4, emitUdp } from '../engine/wire/index.ts'
import { parsePacket } from '../engine/wire/parse.ts'
import { alternate, type Benchmark, type Figure, figure, ratio } from './benchmark.ts'

const MILLION = 1 << 20
const FEW = 4096
const QUERIES = 1 << 18
const BATCH = 32
const FRAME_BYTES = 64
const DESTINATION = 0xc6120050
const TUNNELS = 8
const ROUTER = 0x0a000001

const random = Random.fromSeed(5)

/** Flows as what differs between their packets: source, ports, and the header checksum that goes with them. */
interface Traffic {
  readonly sources: Uint32Array
  readonly ports: Uint32Array
  readonly checksums: Uint16Array
}

interface Rig {
  readonly slab: PacketSlab
  readonly packets: Int32Array
  readonly table: FlowTable
  readonly tunnels: TunnelTable
  readonly traffic: Traffic
  readonly text: Map<string, number>
}

function frame(source: number, ports: number): Uint8Array {
  const bytes = new Uint8Array(FRAME_BYTES)
  const at = emitEthernet(
    bytes,
    0,
    Uint8Array.of(2, 0, 0, 0, 0, 1),
    Uint8Array.of(2, 0, 0, 0, 0, 2),
    ETHER_TYPE_IPV4,
  )
  const header = { ...createIpv4(), totalBytes: 50, ttl: 64, protocol: 17, source, destination: DESTINATION }
  emitIpv4(bytes, at, header)
  emitUdp(bytes, at + 20, source, DESTINATION, ports >>> 16, ports & 0xffff, new Uint8Array(22))
  return bytes
}

function build(flows: number): Rig {
  const slab = new PacketSlab({ capacity: 1024 })
  const tunnels = new TunnelTable({ own: new AddressSet([ROUTER]), seed: 1 })
  const reach = { reach: () => ({ source: ROUTER, mtuBytes: 1500, connected: true }) }
  for (let i = 0; i < TUNNELS; i++) tunnels.open({ to: `10.0.1.${i + 1}` }, reach)
  const table = new FlowTable({ seed: 9, capacity: flows })
  const text = new Map<string, number>()
  const sources = Uint32Array.from({ length: flows }, () => 0x0b000000 + random.below(0x50000000))
  const ports = Uint32Array.from({ length: flows }, () => ((random.below(60_000) + 1024) * 65_536 + 80) >>> 0)
  for (let i = 0; i < flows; i++) {
    if (table.lookup(sources[i], DESTINATION, ports[i] | 0, 17) >= 0) continue
    table.insert(sources[i], DESTINATION, ports[i] | 0, 17, i % TUNNELS, 0, 0, 0)
    text.set(`${sources[i]},${DESTINATION},${ports[i]},17`, i % TUNNELS)
  }
  const packets = Int32Array.from({ length: BATCH }, () => slab.load(frame(1, 1)))
  return { slab, packets, table, tunnels, traffic: draw(sources, ports), text }
}

/** Random picks among the flows, in the order in which their packets come. */
function draw(sources: Uint32Array, ports: Uint32Array): Traffic {
  const picks = Int32Array.from({ length: QUERIES }, () => random.below(sources.length))
  const checksum = (source: number) => {
    const bytes = frame(source, 0)
    return bytes[24] | (bytes[25] << 8)
  }
  return {
    sources: Uint32Array.from(picks, (pick) => swap(sources[pick])),
    ports: Uint32Array.from(picks, (pick) => swap(ports[pick])),
    checksums: Uint16Array.from(picks, (pick) => checksum(sources[pick])),
  }
}

function swap(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0
}

/** Lays the next packet of a flow into its frame, as it was received. */
function receive({ slab, traffic }: Rig, packet: number, query: number): void {
  const at = packet << META_SHIFT
  const start = packet * slab.stride + slab.headroom
  slab.meta[at + START] = start
  slab.meta[at + LENGTH] = FRAME_BYTES
  slab.meta[at + FLAGS] = 0
  // The last encapsulation wrote over the type.
  slab.halfs[(start + 12) >>> 1] = 0x0008
  const word = (start + 14) >>> 2
  slab.words[word + 2] = 64 | (17 << 8) | (traffic.checksums[query] << 16)
  slab.words[word + 3] = traffic.sources[query]
  slab.words[word + 5] = traffic.ports[query]
}

/** The path itself; returns how many packets were encapsulated. */
function pass(rig: Rig, warm: boolean): number {
  const { slab, packets, table, tunnels } = rig
  const { meta } = slab
  let passed = 0
  for (let query = 0; query < QUERIES; query += BATCH) {
    for (let i = 0; i < BATCH; i++) {
      receive(rig, packets[i], query + i)
      if (parsePacket(slab, packets[i]) !== 0) throw new Error('the benchmark made a bad packet')
    }
    if (warm) table.warm(meta, packets, BATCH)
    for (let i = 0; i < BATCH; i++) {
      const packet = packets[i]
      const at = packet << META_SHIFT
      const flow = table.lookup(
        meta[at + KEY_SOURCE],
        meta[at + KEY_DESTINATION],
        meta[at + KEY_PORTS],
        meta[at + KEY_PROTOCOL],
      )
      table.touch(flow, FRAME_BYTES, meta[at + FLAGS], query)
      if (spendTtl(slab, packet) && tunnels.enter(table.actionOf(flow), slab, packet, query) === 0) passed++
    }
  }
  if (passed !== QUERIES) throw new Error(`${QUERIES - passed} packets did not pass`)
  return passed
}

/** What finding the flow alone costs with text for a key. */
function lookUpText({ traffic, text }: Rig): number {
  let sum = 0
  for (let query = 0; query < QUERIES; query++)
    sum += text.get(`${swap(traffic.sources[query])},${DESTINATION},${swap(traffic.ports[query])},17`)!
  return sum
}

function measure(flows: number, name: string, target: number): Figure[] {
  const rig = build(flows)
  const rounds = alternate({ path: () => pass(rig, flows > FEW), text: () => lookUpText(rig) }, QUERIES)
  return [
    figure(`parse, look-up, count, TTL, encapsulate: ${name}`, 'ns', rounds['path']!, {
      relation: '<=',
      value: target,
    }),
    figure(`look-up in a Map with string keys alone: ${name}`, 'ns', rounds['text']!),
    figure(`whole path to string-keyed look-up: ${name}`, 'ratio', ratio(rounds['path']!, rounds['text']!)),
  ]
}

export const bench: Benchmark = {
  name: 'path',
  describes: 'the short path of a pinned flow, from the frame in memory to the encapsulated frame',
  run: () => [...measure(FEW, '4k flows', 100), ...measure(MILLION, '1M random flows', 300)],
}
