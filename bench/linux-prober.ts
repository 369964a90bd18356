/**
 * The prober of the benchmarks on real devices, on a thread of its own: one frame at a time into the source, busily
 * waiting for it at the sink. Orders come and answers go by messages.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { PacketSlab } from '../engine/index.ts'
import { AfPacketPort, inNamespace } from '../engine/ports/linux/index.ts'
import { loadFlows } from './linux-flows.ts'

/** Sends `count` frames to this MAC; the answer is how many ns each took. */
export interface Order {
  readonly to: Uint8Array
  readonly count: number
}

const { source, sink } = workerData as { readonly source: string; readonly sink: string }
const FLOWS = 100
const BATCH = 64
/** A frame that takes longer is lost. */
const LOST_NS = 50e6

const near = inNamespace(source, () => AfPacketPort.open({ name: 'near', device: 's0' }))
const now = (): number => Math.round(performance.now() * 1e6)

async function probe({ to, count }: Order): Promise<number[]> {
  const far = inNamespace(sink, () => AfPacketPort.open({ name: 'far', device: 'd0' }))
  const slab = new PacketSlab({ capacity: FLOWS, stride: 256 })
  const packets = loadFlows(slab, FLOWS, to, near.mac)
  const received = new PacketSlab({ capacity: BATCH })
  const into = new Int32Array(BATCH)
  const took: number[] = []
  for (let each = 0; each < count; each++) {
    await new Promise((resolve) => setTimeout(resolve, 1))
    const start = now()
    near.transmit(slab, packets[each % FLOWS]!, start)
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

parentPort!.on('message', async (order: Order) => parentPort!.postMessage(await probe(order)))
