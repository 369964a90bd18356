/**
 * What it costs to find the filter that decides among many wildcard filters, against tuple space search over the
 * same filters; what a filter takes in memory; how long a change of the filters can hold the path up; and what the
 * longest-prefix match of routing costs against one hash table a prefix length.
 */
import type { CompiledFilter } from '../engine/classifier/filter.ts'
import { FilterTable } from '../engine/classifier/filter-table.ts'
import { Random } from '../engine/random.ts'
import { PrefixTable } from '../engine/routing/prefix-table.ts'
import { prefixMask } from '../engine/wire/address.ts'
import { alternate, type Benchmark, type Figure, figure, ratio } from './benchmark.ts'
import { TupleSpace } from './tuple-space.ts'

const QUERIES = 1 << 13
const ADDRESS_COUNT = 1 << 16
const ROUNDS = 7
/** Passes over the queries per round for the quicker contestant, so that the slower one does not cool its caches. */
const PASSES = 16
/** As the engine spends per poll. */
const WORK_BUDGET = 4096
const TCP = 6

type Match = readonly [value: number, mask: number]
type RankedFilter = readonly [CompiledFilter, number]

const random = Random.fromSeed(2)
const pick = <T>(values: readonly T[]): T => values[random.below(values.length)]!
const within = (base: number, mask: number): Match => [(base & mask) >>> 0, mask >>> 0]

/** Where filters' addresses lie. */
const ADDRESSES = {
  any: () => within(random.uint32(), prefixMask(random.below(33))),
  clients: () => within(random.uint32(), pick([0, 0xff000000, 0xffff0000, 0xffffff00, 0xffffffff])),
  services: () => within(0xc6120000 + random.below(131_072), pick([0xffffffff, 0xffffff00, 0xfffe0000])),
  portions: () => within(random.uint32(), pick([0, 3, 7, 15, 31, 0xff000003, 0x0000ff00, 0xff])),
}

function draw(count: number, sources: () => Match, destinations: () => Match): RankedFilter[] {
  return Array.from({ length: count }, () => {
    const [sourceValue, sourceMask] = sources()
    const [destinationValue, destinationMask] = destinations()
    const kind = random.below(8)
    const port = pick([80, 443, 53, 22, 8080, random.below(65_536)])
    const filter: CompiledFilter = {
      sourceValue,
      sourceMask,
      destinationValue,
      destinationMask,
      protocol: kind === 0 ? -1 : TCP,
      sourcePortFrom: 0,
      sourcePortTo: 65_535,
      destinationPortFrom: kind < 3 ? 0 : kind === 3 ? 1024 : port,
      destinationPortTo: kind < 4 ? 65_535 : port,
      inPort: -1,
    }
    return [filter, random.below(4)] as const
  })
}

/** Four words a packet: four of five fall into some filter's addresses and port. */
function packetsFor(filters: readonly RankedFilter[]): Int32Array {
  const packets = new Int32Array(QUERIES * 4)
  for (let i = 0; i < packets.length; i += 4) {
    const [filter] = pick(filters)
    const isNear = random.below(5) > 0
    packets[i] = isNear ? filter.sourceValue | (random.uint32() & ~filter.sourceMask) : random.uint32()
    packets[i + 1] = isNear
      ? filter.destinationValue | (random.uint32() & ~filter.destinationMask)
      : random.uint32()
    packets[i + 2] =
      (random.below(65_536) << 16) | (isNear ? filter.destinationPortFrom : random.below(65_536))
    packets[i + 3] = TCP
  }
  return packets
}

function filled(filters: readonly RankedFilter[]): FilterTable {
  const table = new FilterTable()
  for (const [i, [filter, priority]] of filters.entries()) table.add(filter, priority, i, 0)
  while (table.work(WORK_BUDGET));
  return table
}

function lookups(name: string, filters: readonly RankedFilter[]): Figure[] {
  const table = filled(filters)
  const tuples = new TupleSpace(filters)
  const packets = packetsFor(filters)
  for (let i = 0; i < 4000; i += 4) {
    const found = table.lookup(packets[i], packets[i + 1], packets[i + 2], packets[i + 3], 0, 0)
    const expected = tuples.lookup(packets[i], packets[i + 1], packets[i + 2] & 0xffff, packets[i + 3])
    if ((found < 0 ? -1 : table.payloadOf(found)) !== expected) throw new Error('the contestants disagree')
  }
  const results = alternate(
    {
      table: () => {
        let sum = 0
        for (let pass = 0; pass < PASSES; pass++)
          for (let i = 0; i < packets.length; i += 4)
            sum += table.lookup(packets[i], packets[i + 1], packets[i + 2], packets[i + 3], 0, 0)
        return sum
      },
      tuples: () => {
        let sum = 0
        for (let i = 0; i < packets.length; i += 4)
          sum += tuples.lookup(packets[i], packets[i + 1], packets[i + 2] & 0xffff, packets[i + 3])
        return sum
      },
    },
    QUERIES,
    ROUNDS,
  )
  const own = results['table']!.map((each) => each / PASSES)
  const limit = filters.length > 1000 ? ({ relation: '<=', value: 0.3 } as const) : undefined
  return [
    figure(`lookup, ${name}`, 'ns', own, { relation: '<=', value: 400 }),
    figure(`tuple space search, ${name}: ${tuples.tuples} tuples`, 'ns', results['tuples']!),
    figure(`lookup / tuple space search, ${name}`, 'ratio', ratio(own, results['tuples']!), limit),
    figure(`memory, ${name}`, 'B/filter', [table.byteLength / filters.length]),
  ]
}

/** Milliseconds of each of a series of calls, of which the shortest of several equal series is kept. */
class Stalls {
  readonly #shortest: number[] = []
  #call = 0

  begin(): void {
    this.#call = 0
  }

  time(act: () => void): void {
    const before = performance.now()
    act()
    const elapsed = performance.now() - before
    this.#shortest[this.#call] = Math.min(elapsed, this.#shortest[this.#call] ?? elapsed)
    this.#call++
  }

  /** The longest call: what is left when other programs on the machine do not interfere every time. */
  get worst(): number {
    return this.#shortest.reduce((most, each) => Math.max(most, each), 0)
  }
}

/** Adds and removes filters of a table of 10k while it merges them, several times over. */
function stalls(filters: readonly RankedFilter[]): Figure[] {
  const changes = new Stalls()
  const work = new Stalls()
  for (let round = 0; round < ROUNDS; round++) {
    const table = filled(filters)
    const recent: number[] = []
    changes.begin()
    work.begin()
    for (const [i, [filter, priority]] of filters.slice(0, 2000).entries()) {
      changes.time(() => recent.push(table.add(filter, priority, i, 0)))
      if (i % 3 === 2) changes.time(() => table.remove(recent[i >> 1]!))
      work.time(() => table.work(WORK_BUDGET))
    }
    for (let i = 0; i < 400; i++) work.time(() => table.work(WORK_BUDGET))
  }
  const target = { relation: '<=', value: 1 } as const
  return [
    figure('longest addition or removal among 10k filters', 'ms', [changes.worst], target),
    figure('longest slice of merging 10k filters', 'ms', [work.worst], target),
  ]
}

/** Longest-prefix match by one Map a length. */
class MapPerLength {
  readonly #maps = Array.from({ length: 33 }, () => new Map<number, number>())
  readonly #lengths: number[] = []

  insert(address: number, length: number, value: number): void {
    this.#maps[length]!.set(address & prefixMask(length), value)
    if (this.#lengths.includes(length)) return
    this.#lengths.push(length)
    this.#lengths.sort((a, b) => b - a)
  }

  lookup(address: number): number {
    for (const length of this.#lengths) {
      const value = this.#maps[length]!.get(address & prefixMask(length))
      if (value !== undefined) return value
    }
    return -1
  }
}

function prefixes(count: number): Figure[] {
  const trie = new PrefixTable()
  const maps = new MapPerLength()
  const addresses = new Int32Array(ADDRESS_COUNT)
  const drawn: [number, number][] = []
  for (let i = 0; i < count; i++) {
    const length = pick([8, 16, 20, 22, 23, 24, 24, 24, 24, 32])
    const address = random.uint32() & prefixMask(length)
    drawn.push([address, length])
    trie.insert(address, length, i)
    maps.insert(address, length, i)
  }
  for (let i = 0; i < ADDRESS_COUNT; i++) {
    const [address, length] = pick(drawn)
    addresses[i] = random.below(8) === 0 ? random.uint32() : address | (random.uint32() & ~prefixMask(length))
  }
  const contestants = {
    trie: () => {
      let sum = 0
      for (let i = 0; i < ADDRESS_COUNT; i++) sum += trie.lookup(addresses[i])
      return sum
    },
    maps: () => {
      let sum = 0
      for (let i = 0; i < ADDRESS_COUNT; i++) sum += maps.lookup(addresses[i])
      return sum
    },
  }
  if (contestants.trie() !== contestants.maps()) throw new Error('the contestants disagree')
  const results = alternate(contestants, ADDRESS_COUNT, 15)
  return [
    figure(`longest prefix, ${count} prefixes`, 'ns', results['trie']!, { relation: '<=', value: 17 }),
    figure(
      `longest prefix / a Map a length, ${count} prefixes`,
      'ratio',
      ratio(results['trie']!, results['maps']!),
      { relation: '<=', value: 0.3 },
    ),
  ]
}

export const bench: Benchmark = {
  name: 'classifier',
  describes: 'wildcard filters against tuple space search; longest prefix against a Map a length',
  run: () => [
    ...lookups('1k scattered filters', draw(1000, ADDRESSES.any, ADDRESSES.any)),
    ...lookups('10k scattered filters', draw(10_000, ADDRESSES.any, ADDRESSES.any)),
    ...lookups('10k filters of clients and services', draw(10_000, ADDRESSES.clients, ADDRESSES.services)),
    ...lookups('10k filters with gaps in masks', draw(10_000, ADDRESSES.portions, ADDRESSES.any)),
    ...stalls(draw(10_000, ADDRESSES.clients, ADDRESSES.services)),
    ...prefixes(1000),
    ...prefixes(10_000),
  ],
}
