/**
 * What it costs to find a flow by its five-tuple and to count its packet, with few flows and with a million, against
 * a Map with string keys; what a flow takes in memory; and how long an insertion can hold the path up while the
 * table grows.
 */
import { FlowTable } from '../engine/classifier/flow-table.ts'
import { FLAG_TCP_ACK, KEY_SOURCE, META_SHIFT, META_WORDS } from '../engine/packet.ts'
import { Random } from '../engine/random.ts'
import { alternate, type Benchmark, type Figure, figure, ratio } from './benchmark.ts'

const MILLION = 1 << 20
const FEW = 4096
const QUERIES = 1 << 18
const BATCH = 32
const CHURN = 1 << 16
const TCP = 6
/** Insertions timed together. */
const GROUP = 64

const random = Random.fromSeed(3)
const META = new Int32Array(BATCH * META_WORDS)
const PACKETS = Int32Array.from({ length: BATCH }, (_, i) => i)

/** Four KEY_* words a flow. */
function drawKeys(count: number): Int32Array {
  const keys = new Int32Array(count * 4)
  for (let i = 0; i < keys.length; i += 4)
    keys.set([random.uint32(), 0xc6120000 + random.below(65_536), (random.uint32() << 16) | 80, TCP], i)
  return keys
}

function fill(table: FlowTable, keys: Int32Array): FlowTable {
  for (let i = 0; i < keys.length; i += 4)
    table.insert(keys[i], keys[i + 1], keys[i + 2], keys[i + 3], i & 1023, 0, 0, 0)
  return table
}

/** The keys of random flows, in the order in which they will be asked for, as packets bring them. */
function drawQueries(keys: Int32Array): Int32Array {
  const queries = new Int32Array(QUERIES * 4)
  for (let i = 0; i < queries.length; i += 4) {
    const flow = random.below(keys.length / 4) * 4
    queries.set(keys.subarray(flow, flow + 4), i)
  }
  return queries
}

function lookups(table: FlowTable, queries: Int32Array): number {
  let sum = 0
  for (let i = 0; i < queries.length; i += 4)
    sum += table.lookup(queries[i], queries[i + 1], queries[i + 2], queries[i + 3])
  return sum
}

function passPackets(table: FlowTable, queries: Int32Array): number {
  let sum = 0
  for (let i = 0; i < queries.length; i += 4) {
    const flow = table.lookup(queries[i], queries[i + 1], queries[i + 2], queries[i + 3])
    table.touch(flow, 64, FLAG_TCP_ACK, i)
    sum += table.actionOf(flow)
  }
  return sum
}

/** As `lookups`, in batches whose keys stand in a slab's state words and are warmed up first. */
function batchedLookups(table: FlowTable, queries: Int32Array): number {
  let sum = 0
  for (let first = 0; first < queries.length; first += BATCH * 4) {
    for (let i = 0; i < BATCH; i++)
      for (let word = 0; word < 4; word++)
        META[(i << META_SHIFT) + KEY_SOURCE + word] = queries[first + i * 4 + word]
    sum += table.warm(META, PACKETS, BATCH) & 1
    for (let i = 0; i < BATCH; i++) {
      const at = (i << META_SHIFT) + KEY_SOURCE
      sum += table.lookup(META[at], META[at + 1], META[at + 2], META[at + 3])
    }
  }
  return sum
}

const textOf = (keys: Int32Array, i: number): string =>
  `${keys[i]},${keys[i + 1]},${keys[i + 2]},${keys[i + 3]}`

function mapLookups(map: ReadonlyMap<string, number>, queries: Int32Array): number {
  let sum = 0
  for (let i = 0; i < queries.length; i += 4) sum += map.get(textOf(queries, i))!
  return sum
}

/** @param each whether the target holds for lookups one by one, or for batches */
function measure(name: string, keys: Int32Array, each: boolean): Figure[] {
  const table = fill(new FlowTable({ seed: 7 }), keys)
  const map = new Map<string, number>()
  for (let i = 0; i < keys.length; i += 4) map.set(textOf(keys, i), i)
  const queries = drawQueries(keys)
  const results = alternate(
    {
      lookup: () => lookups(table, queries),
      packet: () => passPackets(table, queries),
      batch: () => batchedLookups(table, queries),
      map: () => mapLookups(map, queries),
    },
    QUERIES,
  )
  const target = { relation: '<=', value: 0.15 } as const
  return [
    figure(`lookup, ${name}`, 'ns', results['lookup']!),
    figure(`lookup, count and action, ${name}`, 'ns', results['packet']!),
    figure(`lookup in warmed batches of ${BATCH}, ${name}`, 'ns', results['batch']!),
    figure(`Map with string keys, ${name}`, 'ns', results['map']!),
    figure(
      `lookup / Map, ${name}`,
      'ratio',
      ratio(results['lookup']!, results['map']!),
      each ? target : undefined,
    ),
    figure(
      `lookup in warmed batches / Map, ${name}`,
      'ratio',
      ratio(results['batch']!, results['map']!),
      each ? undefined : target,
    ),
  ]
}

/** The longest group of insertions while a table grows to a million, and what else happens at that size. */
function growth(keys: Int32Array): Figure[] {
  const shortest = new Float64Array(keys.length / 4 / GROUP).fill(Number.POSITIVE_INFINITY)
  let table = new FlowTable({ seed: 7 })
  for (let round = 0; round < 4; round++) {
    table = new FlowTable({ seed: 7 })
    for (let group = 0; group < shortest.length; group++) {
      const before = performance.now()
      fill(table, keys.subarray(group * GROUP * 4, (group + 1) * GROUP * 4))
      shortest[group] = Math.min(shortest[group], performance.now() - before)
    }
  }
  const order = Int32Array.from({ length: CHURN }, () => random.below(keys.length / 4) * 4)
  const results = alternate(
    {
      churn: () => {
        for (const i of order) {
          table.remove(table.lookup(keys[i], keys[i + 1], keys[i + 2], TCP))
          fill(table, keys.subarray(i, i + 4))
        }
        return table.size
      },
    },
    CHURN,
  )
  const sweep = alternate({ sweep: () => table.sweep(1, MILLION) }, MILLION)
  return [
    figure(
      `longest ${GROUP} insertions while growing to 1M flows`,
      'ms',
      [shortest.reduce((a, b) => Math.max(a, b))],
      {
        relation: '<=',
        value: 1,
      },
    ),
    figure('removal and insertion, 1M flows', 'ns', results['churn']!),
    figure('looking at one entry in a sweep', 'ns', sweep['sweep']!),
    figure('memory of 1M flows', 'MB', [table.byteLength / 1e6], { relation: '<=', value: 134 }),
  ]
}

export const bench: Benchmark = {
  name: 'flow-table',
  describes: 'exact five-tuples, few and a million, against a Map with string keys; growth and memory',
  run: () => {
    const keys = drawKeys(MILLION)
    return [
      ...measure('4k flows', keys.subarray(0, FEW * 4), true),
      ...measure('1M random flows', keys, false),
      ...growth(keys),
    ]
  },
}
