/**
 * What a packet costs in the scheduler: one enqueue and one dequeue with every leaf backlogged or close to it, random
 * arrivals, beside a bare 4-ary heap of as many entries (one push and one pop) in the same run.
 */
import { getHeapStatistics } from 'node:v8'
import { LENGTH, META_SHIFT, PacketSlab } from '../engine/packet.ts'
import { LinkScheduler } from '../engine/scheduler/link-scheduler.ts'
import { ROOT, StartTimeFair } from '../engine/scheduler/start-time-fair.ts'
import { alternate, type Benchmark, type Figure, figure, ratio } from './benchmark.ts'

const OPERATIONS = 200_000
const PACKETS_PER_LEAF = 2

/** A stream of indexes below `bound`, cheap enough not to be what is measured. */
function indexes(bound: number): Int32Array {
  let state = 7
  return Int32Array.from({ length: 1 << 16 }, () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return (state >>> 8) % bound
  })
}

/** Parents for a tree of `leaves` leaves at `depth`: levels of equal fan-out, top down. */
function levels(depth: number, leaves: number): number[] {
  const fan = Math.round(leaves ** (1 / depth))
  return Array.from({ length: depth }, (_, level) => (level + 1 === depth ? leaves : fan ** (level + 1)))
}

const weightOf = (index: number): number => 1 + ((index * 7) % 13)

/** Push and pop on a bare heap that stays at `size` entries. */
function bareHeap(size: number): () => number {
  const keys = new Float64Array(size + 1)
  const values = new Int32Array(size + 1)
  const random = indexes(size)
  let length = 0
  const push = (key: number, value: number): void => {
    let at = length++
    while (at > 0) {
      const above = (at - 1) >> 2
      if (keys[above] <= key) break
      keys[at] = keys[above]
      values[at] = values[above]
      at = above
    }
    keys[at] = key
    values[at] = value
  }
  const pop = (): number => {
    const top = values[0]
    const key = keys[--length]
    const value = values[length]
    let at = 0
    for (;;) {
      const first = at * 4 + 1
      if (first >= length) break
      const end = Math.min(first + 4, length)
      let least = first
      for (let child = first + 1; child < end; child++) if (keys[child] < keys[least]) least = child
      if (keys[least] >= key) break
      keys[at] = keys[least]
      values[at] = values[least]
      at = least
    }
    keys[at] = key
    values[at] = value
    return top
  }
  for (let i = 0; i < size; i++) push(random[i], i)
  return () => {
    let sum = 0
    for (let i = 0; i < OPERATIONS; i++) {
      const key = keys[0]
      const value = pop()
      push(key + 1 + random[i & 0xffff], value)
      sum = (sum + value) | 0
    }
    return sum
  }
}

/** The algorithm alone: activate, pick, account over counts instead of packets. */
function startTimeFair(depth: number, leaves: number): () => number {
  const fair = new StartTimeFair({ limit: 1 << 17 })
  let above = [ROOT]
  for (const width of levels(depth, leaves))
    above = Array.from({ length: width }, (_, i) =>
      fair.addNode(above[Math.floor((i * above.length) / width)], weightOf(i)),
    )
  const leaf = Int32Array.from(above)
  const waiting = new Int32Array(fair.size)
  for (const each of leaf) {
    waiting[each] = PACKETS_PER_LEAF
    fair.activate(each)
  }
  const random = indexes(leaves)
  return () => {
    for (let i = 0; i < OPERATIONS; i++) {
      const served = fair.pick()
      waiting[served]--
      fair.account(64 + (i & 1023), waiting[served] > 0)
      const next = leaf[random[i & 0xffff]]
      if (waiting[next]++ === 0) fair.activate(next)
    }
    return fair.virtualTime(ROOT)
  }
}

/** The whole of a port's scheduler: queues, limits, counters, delays, classes. */
function linkScheduler(depth: number, leaves: number): () => number {
  const slab = new PacketSlab({ capacity: 1 << 16, stride: 256 })
  const options = { slab, limitClasses: 1 << 16, limitPackets: 1 << 16 }
  const scheduler = new LinkScheduler({ ...options, onDrop: (packet) => slab.release(packet) })
  const { classes } = scheduler
  let label = 0
  let above: string[] = []
  for (const width of levels(depth, leaves))
    above = Array.from({ length: width }, (_, i) => {
      const parent = above.length === 0 ? {} : { parent: above[Math.floor((i * above.length) / width)] }
      const name = `class-${label}`
      classes.create({ name, weight: weightOf(i), ...parent }, label++, 0)
      return name
    })
  const leaf = Int32Array.from({ length: leaves }, (_, i) => classes.leafOf(label - leaves + i))
  for (const [i, each] of leaf.entries())
    for (let count = 0; count < PACKETS_PER_LEAF; count++) {
      const packet = slab.allocate()
      slab.meta[(packet << META_SHIFT) + LENGTH] = 64 + (i & 1023)
      scheduler.enqueue(packet, each, 0)
    }
  const random = indexes(leaves)
  let now = 0
  return () => {
    let sum = 0
    for (let i = 0; i < OPERATIONS; i++) {
      now += 100
      const packet = scheduler.dequeue(now)
      scheduler.enqueue(packet, leaf[random[i & 0xffff]], now)
      sum = (sum + packet) | 0
    }
    return sum
  }
}

/** Bytes that the runtime's heap gave out for each packet, once all is compiled: one number object would be 16. */
function allocatedBytes(run: () => number): number[] {
  return Array.from({ length: 5 }, () => {
    const before = getHeapStatistics().total_allocated_bytes
    run()
    return (getHeapStatistics().total_allocated_bytes - before) / OPERATIONS
  })
}

/** The longest single `addNode` while a node gets `count` children: what a growing table makes the others wait. */
function slowestAddUs(count: number): number {
  const fair = new StartTimeFair({ limit: 1 << 17 })
  let slowest = 0
  for (let i = 0; i < count; i++) {
    const before = process.hrtime.bigint()
    fair.addNode(ROOT, 1)
    slowest = Math.max(slowest, Number(process.hrtime.bigint() - before))
  }
  return slowest / 1000
}

export const bench: Benchmark = {
  name: 'scheduler',
  describes: 'one enqueue and one dequeue in the fair scheduler, against a bare heap of the same size',
  run(): Figure[] {
    const sizes = [
      { leaves: 4096, depth: 2, targetNs: 180 },
      { leaves: 16_384, depth: 4, targetNs: 260 },
    ]
    const figures = sizes.flatMap(({ leaves, depth, targetNs }) => {
      const link = linkScheduler(depth, leaves)
      const contestants = { heap: bareHeap(leaves), fair: startTimeFair(depth, leaves), link }
      const rounds = alternate(contestants, OPERATIONS, 7)
      const what = `${leaves} leaves, depth ${depth}`
      return [
        figure(`bare heap, ${leaves} entries: push + pop`, 'ns', rounds['heap']),
        figure(`start-time fair, ${what}`, 'ns', rounds['fair']),
        figure(`link scheduler, ${what}: enqueue + dequeue`, 'ns', rounds['link'], {
          relation: '<=',
          value: targetNs,
        }),
        figure(`start-time fair / bare heap, ${what}`, 'x', ratio(rounds['fair'], rounds['heap']), {
          relation: '<=',
          value: 2,
        }),
        figure(`link scheduler / bare heap, ${what}`, 'x', ratio(rounds['link'], rounds['heap'])),
        figure(`link scheduler, ${what}: allocated per packet`, 'B', allocatedBytes(link), {
          relation: '<=',
          value: 4,
        }),
      ]
    })
    const adds = Array.from({ length: 5 }, () => slowestAddUs(32_768))
    return [...figures, figure('slowest of 32768 addNode below one node', 'us', adds)]
  },
}
