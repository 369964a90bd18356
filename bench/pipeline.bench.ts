/**
 * The whole corridor in memory: frames from one memory port through parse, flow table, encapsulation, a depth-2
 * scheduler with 256 leaves and out of another, without any outside medium.
 */

import { constants, PerformanceObserver } from 'node:perf_hooks'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Engine, MemoryPort, type Nanoseconds, ROUTER_OWNER } from '../engine/index.ts'
import { formatIpv4Address } from '../engine/wire/address.ts'
import { createIpv4, ETHER_TYPE_IPV4, emitEthernet, emitIpv4, emitUdp } from '../engine/wire/index.ts'
import { type Benchmark, type Figure, figure } from './benchmark.ts'

const FLOWS = 4096
const LEAVES = 256
export const BATCH = 64
const PACKETS = 400_000
const ROUNDS = 5
const MAC = {
  in: Uint8Array.of(2, 0, 0, 0, 0, 1),
  out: Uint8Array.of(2, 0, 0, 0, 0, 2),
  host: Uint8Array.of(2, 9, 0, 0, 0, 1),
}

export interface Rig {
  readonly engine: Engine
  readonly frames: readonly Uint8Array[]
  readonly input: MemoryPort
  sent: number
}

export function frameOf(flow: number): Uint8Array {
  const source = 0x0a000100 + (flow & 0xff)
  const destination = 0xc6120000 + (flow >> 8)
  const frame = new Uint8Array(64)
  const at = emitEthernet(frame, 0, MAC.in, MAC.host, ETHER_TYPE_IPV4)
  const header = createIpv4()
  Object.assign(header, { totalBytes: 50, ttl: 64, protocol: 17, source, destination, id: flow })
  emitIpv4(frame, at, header)
  emitUdp(frame, at + 20, source, destination, 1024 + flow, 80, new Uint8Array(22))
  return frame
}

/** A router with 16 classes of 16 leaves, FLOWS pinned flows into a tunnel, and a host that answers ARP. */
export function build(encapsulate: boolean): Rig {
  const engine = new Engine({ seed: 1, slab: { capacity: 8192 } })
  const input = new MemoryPort({ name: 'in', mac: MAC.in })
  const output = new MemoryPort({ name: 'out', mac: MAC.out })
  engine.addPort({ name: 'in', driver: input })
  engine.addPort({ name: 'out', driver: output })
  const rig: Rig = {
    engine,
    frames: Array.from({ length: FLOWS }, (_, flow) => frameOf(flow)),
    input,
    sent: 0,
  }
  output.onTransmit = (bytes, start, length) => {
    if (bytes[start + 12] === 8 && bytes[start + 13] === 6)
      answerArp(output, bytes.slice(start, start + length))
    else rig.sent++
  }
  engine.control.commit(
    ROUTER_OWNER,
    [
      { do: 'add-address', port: 'in', address: '10.0.0.1/16' },
      { do: 'add-address', port: 'out', address: '10.1.0.1/16' },
      { do: 'add-route', prefix: '198.18.0.0/15', target: { kind: 'via', via: '10.1.0.2' } },
      { do: 'open-tunnel', name: 'server', tunnel: { to: '10.1.0.2' } },
      ...Array.from(
        { length: 16 },
        (_, i) => ({ do: 'create-class', class: { name: `p${i}`, port: 'out', weight: 1 + i } }) as const,
      ),
      ...Array.from({ length: LEAVES }, (_, i) => ({
        do: 'create-class' as const,
        class: { name: `c${i}`, port: 'out', parent: `p${i % 16}`, weight: 1 + (i % 7) },
      })),
      ...rig.frames.map((_, flow) => ({
        do: 'install-flow' as const,
        key: {
          from: formatIpv4Address(0x0a000100 + (flow & 0xff)),
          to: formatIpv4Address(0xc6120000 + (flow >> 8)),
          protocol: 17,
          fromPort: 1024 + flow,
          toPort: 80,
        },
        action: {
          kind: 'class' as const,
          class: `c${flow % LEAVES}`,
          // biome-ignore lint/suspicious/noThenProperty: the action's own word for what follows
          then: encapsulate
            ? ({ kind: 'tunnel', tunnel: 'server' } as const)
            : ({ kind: 'forward' } as const),
        },
      })),
    ],
    0,
  )
  return rig
}

function answerArp(port: MemoryPort, request: Uint8Array): void {
  const reply = new Uint8Array(60)
  reply.set(request.subarray(6, 12), 0)
  reply.set(MAC.host, 6)
  reply.set([8, 6, 0, 1, 8, 0, 6, 4, 0, 2], 12)
  reply.set(MAC.host, 22)
  reply.set(request.subarray(38, 42), 28)
  reply.set(request.subarray(22, 28), 32)
  reply.set(request.subarray(28, 32), 38)
  port.deliver(reply)
}

/** Pushes packets through in batches of BATCH; returns ns per packet of the engine alone and of the feeding. */
function drive(rig: Rig, packets: number, from: Nanoseconds): { engine: number; feed: number } {
  let inEngine = 0n
  let feeding = 0n
  let now = from
  for (let sent = 0; sent < packets; sent += BATCH) {
    const start = process.hrtime.bigint()
    for (let i = 0; i < BATCH; i++) rig.input.deliver(rig.frames[((sent + i) * 2654435761) & (FLOWS - 1)])
    const fed = process.hrtime.bigint()
    rig.engine.poll(now)
    inEngine += process.hrtime.bigint() - fed
    feeding += fed - start
    now += 20_000
  }
  return { engine: Number(inEngine) / packets, feed: Number(feeding) / packets }
}

function measure(encapsulate: boolean): number[] {
  const rig = build(encapsulate)
  // Counters grow into their final representation and V8 settles only after a million packets or two.
  for (let round = 0; round < ROUNDS; round++) drive(rig, PACKETS, 1_000_000 + round * 1e9)
  const before = rig.sent
  const rounds: number[] = []
  for (let round = 0; round < ROUNDS; round++) rounds.push(drive(rig, PACKETS, 1e12 + round * 1e9).engine)
  const lost = PACKETS * ROUNDS - (rig.sent - before)
  if (lost !== 0)
    throw new Error(
      `${lost} packets of the pipeline benchmark did not come out: ${JSON.stringify(rig.engine.balance())}`,
    )
  return rounds
}

/** Milliseconds for which the corridor must run without a collection of the old generation. */
const STEADY_MS = 10_000

/** Runs the corridor for STEADY_MS and counts the collections of the old generation. */
async function oldCollections(): Promise<number> {
  const rig = build(true)
  drive(rig, PACKETS * 2, 1_000_000)
  globalThis.gc?.()
  await nextTurn()
  let count = 0
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind } = (entry as unknown as { readonly detail: { readonly kind: number } }).detail
      if (kind !== constants.NODE_PERFORMANCE_GC_MINOR) count++
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  const end = performance.now() + STEADY_MS
  for (let round = 0; performance.now() < end; round++) {
    drive(rig, PACKETS / 4, 1e12 + round * 1e9)
    // Observers hear of collections between turns of the loop.
    await nextTurn()
  }
  observer.disconnect()
  return count
}

export const bench: Benchmark = {
  name: 'pipeline',
  describes: 'frames through the whole engine in memory, 256 leaves at depth 2',
  async run(): Promise<Figure[]> {
    return [
      figure('receive, classify, encapsulate, schedule, transmit (4k flows)', 'ns', measure(true), {
        relation: '<=',
        value: 300,
      }),
      figure('receive, classify, forward, schedule, transmit (4k flows)', 'ns', measure(false), {
        relation: '<=',
        value: 300,
      }),
      figure('collections of the old generation in 10 s of it', '', [await oldCollections()], {
        relation: '<=',
        value: 0,
      }),
    ]
  },
}
