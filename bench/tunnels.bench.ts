/**
 * Tunnel entry and exit against the copy of one frame: what a hop of service level routing costs beside parsing and
 * lookup. Packets are spread over many tunnels and many frames, so that the caches see what a router's do.
 */
import { IN_PORT, LENGTH, META_SHIFT, NETWORK, PacketSlab, START } from '../engine/packet.ts'
import { AddressSet, TunnelTable } from '../engine/tunnels/index.ts'
import { createIpv4, ETHERNET_HEADER_BYTES, emitIpv4, parseNetwork } from '../engine/wire/index.ts'
import { alternate, type Benchmark, type Figure, figure } from './benchmark.ts'

const PACKETS = 256
const TUNNELS = 1024
const OPERATIONS = 2_000_000
const ENTRY = 0x0a000001
const DATAGRAM_BYTES = 64

function prepare(): { slab: PacketSlab; table: TunnelTable } {
  const slab = new PacketSlab({ capacity: PACKETS })
  const table = new TunnelTable({ own: new AddressSet([ENTRY]), seed: 1 })
  const reach = () => ({ source: ENTRY, mtuBytes: 1500, connected: true })
  for (let i = 0; i < TUNNELS; i++) table.open({ to: `10.1.${i >> 8}.${i & 255}` }, { reach })
  const header = {
    ...createIpv4(),
    totalBytes: DATAGRAM_BYTES,
    protocol: 6,
    source: 0xc6336407,
    destination: 0xc0c00101,
  }
  for (let i = 0; i < PACKETS; i++) {
    const packet = slab.allocate()
    const at = packet << META_SHIFT
    slab.meta[at + NETWORK] = slab.meta[at + START] + ETHERNET_HEADER_BYTES
    slab.meta[at + LENGTH] = ETHERNET_HEADER_BYTES + DATAGRAM_BYTES
    slab.meta[at + IN_PORT] = 0
    emitIpv4(slab.bytes, slab.meta[at + NETWORK], header)
  }
  return { slab, table }
}

/** Puts a packet back to its inner datagram, as if it had just arrived. */
function rewind(slab: PacketSlab, packet: number): void {
  const at = packet << META_SHIFT
  const meta = slab.meta
  meta[at + START] = packet * slab.stride + slab.headroom
  meta[at + NETWORK] = meta[at + START] + ETHERNET_HEADER_BYTES
  meta[at + LENGTH] = ETHERNET_HEADER_BYTES + DATAGRAM_BYTES
}

function run(): Figure[] {
  const { slab, table } = prepare()
  const results = alternate(
    {
      rewind: () => {
        for (let i = 0; i < OPERATIONS; i++) rewind(slab, i & (PACKETS - 1))
        return slab.meta[START]
      },
      parse: () => {
        let sum = 0
        for (let i = 0; i < OPERATIONS; i++) {
          rewind(slab, i & (PACKETS - 1))
          sum += parseNetwork(slab, i & (PACKETS - 1))
        }
        return sum
      },
      entry: () => {
        let sum = 0
        for (let i = 0; i < OPERATIONS; i++) {
          rewind(slab, i & (PACKETS - 1))
          sum += table.enter((i * 7) & (TUNNELS - 1), slab, i & (PACKETS - 1), 0)
        }
        return sum
      },
      entryAndExit: () => {
        let sum = 0
        for (let i = 0; i < OPERATIONS; i++) {
          rewind(slab, i & (PACKETS - 1))
          sum += table.enter((i * 7) & (TUNNELS - 1), slab, i & (PACKETS - 1), 0)
          sum += table.exit(slab, i & (PACKETS - 1))
        }
        return sum
      },
    },
    OPERATIONS,
  )
  const less = (of: readonly number[], than: readonly number[]) =>
    of.map((value, round) => value - than[round])
  const parse = less(results['parse'], results['rewind'])
  const entry = less(results['entry'], results['rewind'])
  const exit = less(results['entryAndExit'], results['entry'])
  return [
    figure('parse of the inner header (baseline)', 'ns', parse),
    figure('tunnel entry', 'ns', entry),
    figure('tunnel exit, tunnel found by its ends', 'ns', exit),
    figure(
      'tunnel entry / parse',
      'x',
      entry.map((value, round) => value / parse[round]),
      { relation: '<=', value: 4 },
    ),
  ]
}

export const bench: Benchmark = {
  name: 'tunnels',
  describes: 'IP-in-IP entry and exit on packets of the slab',
  run,
}
