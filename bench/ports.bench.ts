/**
 * What a frame costs to cross between two engines in memory: allocate, transmit, receive and release, in bursts of
 * 32, against a bare copy of the same bytes within one array (each crossing copies twice).
 */
import { PacketSlab } from '../engine/packet.ts'
import { FaultInjector } from '../engine/ports/fault-injector.ts'
import { Impairment } from '../engine/ports/impairment.ts'
import { type MemoryPort, memoryLink } from '../engine/ports/memory-link.ts'
import type { PortDriver } from '../engine/ports/port-driver.ts'
import { Random } from '../engine/random.ts'
import { alternate, type Benchmark, type Figure, figure, ratio } from './benchmark.ts'

const FRAMES = 320_000
const BURST = 32
const LENGTHS = [60, 1514] as const

const link = (): [MemoryPort, MemoryPort] =>
  memoryLink(
    { name: 'near', mac: Uint8Array.of(2, 0, 0, 0, 0, 1) },
    { name: 'far', mac: Uint8Array.of(2, 0, 0, 0, 0, 2) },
  )

/** Sends frames from one port to the other, burst by burst; time moves on by a microsecond a burst. */
function crossing(near: PortDriver, far: PortDriver, length: number): () => number {
  const slab = new PacketSlab({ capacity: 256 })
  const into = new Int32Array(BURST)
  const packet = slab.load(new Uint8Array(length).fill(1))
  let now = 0
  return () => {
    let received = 0
    for (let burst = 0; burst < FRAMES / BURST; burst++) {
      now += 1000
      for (let each = 0; each < BURST; each++) near.transmit(slab, packet, now)
      near.flush(now)
      const count = far.receive(slab, into, BURST, now)
      for (let each = 0; each < count; each++) slab.release(into[each]!)
      received += count
    }
    return received
  }
}

/** Copies from one half of an array to the other, through as many slots as a slab of 256 packets has. */
function copying(length: number): () => number {
  const slots = 256
  const bytes = new Uint8Array(2 * slots * 2048)
  return () => {
    let sum = 0
    for (let each = 0; each < FRAMES; each++) {
      const from = (each % slots) * 2048
      bytes.copyWithin(from + slots * 2048, from, from + length)
      sum += bytes[from + slots * 2048]!
    }
    return sum
  }
}

function figures(length: number): Figure[] {
  const [near, far] = link()
  const [faultyNear, faultyFar] = link()
  const faults = { delayNs: 500, loss: 0.01, duplicate: 0.01, corrupt: 0.01 }
  const injector = new FaultInjector(faultyNear, { transmit: new Impairment(faults, Random.fromSeed(1)) })
  const rounds = alternate(
    {
      copy: copying(length),
      link: crossing(near, far, length),
      faulty: crossing(injector, faultyFar, length),
    },
    FRAMES,
  )
  const { copy, link: memory, faulty } = rounds as Record<'copy' | 'link' | 'faulty', number[]>
  return [
    figure(`copy of ${length} bytes`, 'ns', copy),
    figure(`memory link, ${length} bytes`, 'ns', memory),
    figure(
      `memory link, ${length} bytes`,
      'Mframes/s',
      memory.map((ns) => 1000 / ns),
    ),
    figure(`memory link to copy, ${length} bytes`, 'ratio', ratio(memory, copy)),
    figure(`fault injector to memory link, ${length} bytes`, 'ratio', ratio(faulty, memory)),
  ]
}

export const bench: Benchmark = {
  name: 'ports',
  describes: 'frames across a link in memory, plain and with faults, against a bare copy',
  run: () => LENGTHS.flatMap(figures),
}
