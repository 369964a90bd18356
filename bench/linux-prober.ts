/**
 * The sender of the benchmarks on real devices, on a thread of its own: frames in order of their flows by sendmmsg(2)
 * from a raw socket. Probes go one at a time, busily waited for at the sink; a flood goes in batches of 64, as fast
 * as the kernel takes them or at a rate. Orders come and answers go by messages.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { PacketSlab } from '../engine/index.ts'
import { AfPacketPort, inNamespace } from '../engine/ports/linux/index.ts'
import { loadFlows } from './linux-flows.ts'

/** Where the sender is. */
export interface ProberPlace {
  /** Paths of namespaces. */
  readonly source: string
  readonly sink: string
  /** Devices in them. Default s0 and d0. */
  readonly near?: string
  readonly far?: string
}

/** What is sent, to this MAC. */
export type Order = { readonly to: Uint8Array } & (
  | { readonly count: number } // so many probes; the answer is how many ns each took
  | { readonly ms: number; readonly rate: number } // frames for so long, at most `rate` a second; how many were sent
)

const { source, sink, near: nearDevice = 's0', far: farDevice = 'd0' } = workerData as ProberPlace
const PROBED = 100
const FLOWS = 50_000
/** Between one frame's flow and the next one's: a prime, so that all have their turn in no near order. */
const STEP = 16_411
const BATCH = 64
/** A probe that takes longer is lost. */
const LOST_NS = 50e6

const near = inNamespace(source, () => AfPacketPort.open({ name: 'near', device: nearDevice }))
const now = (): number => Math.round(performance.now() * 1e6)
const slab = new PacketSlab({ capacity: FLOWS, stride: 256 })
let packets: Int32Array | undefined
let next = 0

async function probe(frames: Int32Array, count: number): Promise<number[]> {
  const far = inNamespace(sink, () => AfPacketPort.open({ name: 'far', device: farDevice }))
  const received = new PacketSlab({ capacity: BATCH })
  const into = new Int32Array(BATCH)
  const took: number[] = []
  for (let each = 0; each < count; each++) {
    await new Promise((resolve) => setTimeout(resolve, 1))
    const start = now()
    near.transmit(slab, frames[each % PROBED]!, start)
    near.flush(start)
    for (let found = 0; found === 0 && now() - start < LOST_NS; ) {
      found = far.receive(received, into, BATCH, now())
      for (let i = 0; i < found; i++) received.release(into[i]!)
      if (found > 0) took.push(now() - start)
    }
  }
  far.close()
  return took
}

/** The sender keeps its pace in batches: what it was too late for, it does not send faster later. */
function flood(frames: Int32Array, ms: number, rate: number): number {
  const { counters } = near
  const before = counters.transmittedFrames
  const start = now()
  const everyNs = (BATCH * 1e9) / rate
  let due = start
  for (let at = start; at - start < ms * 1e6; at = now()) {
    if (at < due) continue
    due = Math.max(due + everyNs, at - everyNs)
    for (let each = 0; each < BATCH; each++) {
      near.transmit(slab, frames[next]!, at)
      next = (next + STEP) % FLOWS
    }
    near.flush(at)
  }
  near.flush(now())
  return counters.transmittedFrames - before
}

parentPort!.on('message', async (order: Order) => {
  packets ??= loadFlows(slab, FLOWS, order.to, near.mac)
  const answer = 'count' in order ? await probe(packets, order.count) : [flood(packets, order.ms, order.rate)]
  parentPort!.postMessage(answer)
})
