/**
 * Real ports: what a frame costs that the engine forwards between two veths over raw sockets, its flow looked up
 * among 50k and encapsulated, against plain ip_forward of the kernel with the same sender: sendmmsg(2) of 64 frames.
 *
 * Everything happens on one thread, burst by burst, and the median burst counts, so that a busy machine spoils little.
 * The kernel forwards while the sender sends, so a frame costs it both; the engine has a processor of its own, so a
 * frame costs it a poll. On two idle processors the ratio of the rates is that of these costs.
 *
 * Beside it: what a frame costs to cross, latency while the engine sleeps between frames, and what sleeping costs.
 */
import { Worker } from 'node:worker_threads'
import { Engine, PacketSlab, ROUTER_OWNER } from '../engine/index.ts'
import { AfPacketPort, describeDevice, inNamespace, Waiter } from '../engine/ports/linux/index.ts'
import { memoryLink } from '../engine/ports/memory-link.ts'
import type { PortDriver } from '../engine/ports/port-driver.ts'
import { formatIpv4Address } from '../engine/wire/index.ts'
import { EngineLoop } from '../router/engine-thread/engine-loop.ts'
import { alternate, type Benchmark, type Figure, figure, ratio } from './benchmark.ts'
import { flowOf, loadFlows } from './linux-flows.ts'
import type { Order } from './linux-prober.ts'
import { ADDRESSES, LinuxRig, missing } from './linux-rig.ts'

const FLOWS = 50_000
/** Between one frame's flow and the next one's: a prime, so that all have their turn in no near order. */
const STEP = 16_411
const ROUNDS = 5
const LATENCY_ROUNDS = 3
const BURSTS = 1500
const SETTLE_MS = 200
const PROBES = 300
const IDLE_MS = 2000
const CROSSINGS = 64_000
const BATCH = 64

const clock = (): number => Math.round(performance.now() * 1e6)
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** A router of two raw sockets with FLOWS flows pinned into a tunnel. */
class Forwarder {
  readonly engine = new Engine({ seed: 1, slab: { capacity: 8192 } })
  readonly ports: readonly AfPacketPort[]
  #loop: { end(): Promise<void> } | undefined

  constructor(rig: LinuxRig) {
    this.ports = inNamespace(rig.path(rig.router), () =>
      ['r0', 'r1'].map((device) => AfPacketPort.open({ name: device, device })),
    )
    for (const driver of this.ports) this.engine.addPort({ name: driver.name, driver })
    const flows = Array.from({ length: FLOWS }, (_, flow) => {
      const { source, destination, port } = flowOf(flow)
      const [from, to] = [formatIpv4Address(source), formatIpv4Address(destination)]
      const key = { from, to, protocol: 17, fromPort: port, toPort: 80 }
      return { do: 'install-flow' as const, key, action: { kind: 'tunnel' as const, tunnel: 'server' } }
    })
    const { control } = this.engine
    control.commit(
      ROUTER_OWNER,
      [
        { do: 'add-address', port: 'r0', address: `${ADDRESSES.router}/16` },
        { do: 'add-address', port: 'r1', address: `${ADDRESSES.routerOut}/16` },
        { do: 'add-route', prefix: ADDRESSES.flows, target: { kind: 'via', via: ADDRESSES.sink } },
        { do: 'open-tunnel', name: 'server', tunnel: { to: ADDRESSES.sink } },
        ...flows,
      ],
      clock(),
    )
  }

  /** Lets the next hop answer, so that no frame waits for it later. */
  async meetNeighbours(): Promise<void> {
    const { engine } = this
    engine.poll(clock())
    for (let round = 0; round < 20; round++) {
      await pause(5)
      engine.poll(clock())
    }
  }

  /** Forwards, sleeping while there is nothing to do. */
  start(): void {
    const waiter = new Waiter()
    const { engine } = this
    const loop = new EngineLoop({
      workers: [{ poll: (now) => engine.poll(now), pollAt: (now) => engine.pollAt(now) }],
      waiting: waiter,
      descriptors: () => this.ports.map((each) => each.descriptor),
      clock,
      onFault: (error) => {
        throw error
      },
    })
    loop.start()
    this.#loop = {
      end: async () => {
        loop.stop()
        await pause(5)
        waiter.close()
      },
    }
  }

  async close(): Promise<void> {
    await this.#loop?.end()
    for (const each of this.ports) each.close()
  }
}

/** The prober's thread. */
class Prober {
  readonly #worker: Worker

  constructor(rig: LinuxRig) {
    const workerData = { source: rig.path(rig.source), sink: rig.path(rig.sink) }
    this.#worker = new Worker(new URL('./linux-prober.ts', import.meta.url), { workerData })
  }

  probe(order: Order): Promise<number[]> {
    const answer = new Promise<number[]>((resolve, reject) => {
      this.#worker.removeAllListeners()
      this.#worker.once('message', resolve)
      this.#worker.once('error', reject)
    })
    this.#worker.postMessage(order)
    return answer
  }

  async end(): Promise<void> {
    await this.#worker.terminate()
  }
}

/** Rounds of each contestant, alternating. */
async function contest(
  rig: LinuxRig,
  rounds: number,
  engine: (forwarder: Forwarder) => number | Promise<number>,
  kernel: () => number | Promise<number>,
): Promise<Record<'kernel' | 'engine', number[]>> {
  const measured = { kernel: [] as number[], engine: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    rig.setForwarding(false)
    const forwarder = new Forwarder(rig)
    measured.engine.push(await engine(forwarder))
    await forwarder.close()
    rig.setForwarding(true)
    measured.kernel.push(await kernel())
  }
  return measured
}

/** What a frame costs both, in ns. */
async function costs(rig: LinuxRig, to: Uint8Array): Promise<Record<'kernel' | 'engine', number[]>> {
  const sender = inNamespace(rig.path(rig.source), () => AfPacketPort.open({ name: 'out', device: 's0' }))
  const slab = new PacketSlab({ capacity: FLOWS, stride: 256 })
  const packets = loadFlows(slab, FLOWS, to, sender.mac)
  let next = 0
  const fill = (): void => {
    const now = clock()
    for (let each = 0; each < BATCH; each++) {
      sender.transmit(slab, packets[next]!, now)
      next = (next + STEP) % FLOWS
    }
  }
  const bursts = (work: () => number): number => {
    const before = rig.arrived()
    const taken = Float64Array.from({ length: BURSTS }, () => {
      fill()
      return work() / BATCH
    })
    const lost = BURSTS * BATCH - (rig.arrived() - before)
    if (lost > 0) throw new Error(`${lost} of ${BURSTS * BATCH} frames did not arrive`)
    return taken.sort()[BURSTS >> 1]!
  }
  const timed = (work: () => void): number => {
    const start = process.hrtime.bigint()
    work()
    return Number(process.hrtime.bigint() - start)
  }
  const kernel = (): number => bursts(() => timed(() => sender.flush(clock())))
  const engine = async (forwarder: Forwarder): Promise<number> => {
    fill()
    sender.flush(clock())
    await forwarder.meetNeighbours()
    return bursts(() => {
      sender.flush(clock())
      return timed(() => forwarder.engine.poll(clock()))
    })
  }
  // The code settles only after some hundred thousand frames.
  await contest(rig, 2, engine, kernel)
  const measured = await contest(rig, ROUNDS, engine, kernel)
  sender.close()
  return measured
}

/** The middle of what the probes took, in microseconds. */
async function latency(prober: Prober, to: Uint8Array): Promise<number> {
  const took = await prober.probe({ to, count: PROBES })
  if (took.length < PROBES * 0.9) throw new Error(`only ${took.length} of ${PROBES} probes arrived`)
  return took.sort((a, b) => a - b)[took.length >> 1]! / 1000
}

/** Percent of a processor that an engine without traffic takes. */
async function idle(rig: LinuxRig): Promise<number> {
  rig.setForwarding(false)
  const forwarder = new Forwarder(rig)
  forwarder.start()
  await pause(SETTLE_MS)
  const before = process.cpuUsage()
  await pause(IDLE_MS)
  const { user, system } = process.cpuUsage(before)
  await forwarder.close()
  return (user + system) / IDLE_MS / 10
}

/** Frames through transmit, flush and receive, in bursts. */
function crossing(near: PortDriver, far: PortDriver): () => number {
  const slab = new PacketSlab({ capacity: 256 })
  const into = new Int32Array(BATCH)
  const packet = slab.load(new Uint8Array(60).fill(2))
  return () => {
    let received = 0
    for (let burst = 0; burst < CROSSINGS / BATCH; burst++) {
      const now = clock()
      for (let each = 0; each < BATCH; each++) near.transmit(slab, packet, now)
      near.flush(now)
      for (let count = 1; count > 0; received += count) {
        count = far.receive(slab, into, BATCH, now)
        for (let each = 0; each < count; each++) slab.release(into[each]!)
      }
    }
    return received
  }
}

function crossings(rig: LinuxRig): Figure[] {
  rig.setForwarding(false)
  const near = inNamespace(rig.path(rig.source), () => AfPacketPort.open({ name: 'near', device: 's0' }))
  const far = inNamespace(rig.path(rig.router), () => AfPacketPort.open({ name: 'far', device: 'r0' }))
  const mac = Uint8Array.of(2, 0, 0, 0, 0, 1)
  const [one, other] = memoryLink({ name: 'one', mac }, { name: 'other', mac })
  const rounds = alternate({ real: crossing(near, far), memory: crossing(one, other) }, CROSSINGS)
  near.close()
  far.close()
  const { real, memory } = rounds as Record<'real' | 'memory', number[]>
  return [
    figure('raw socket to raw socket over a veth, 60 bytes, sending included', 'ns', real),
    figure('memory link, 60 bytes', 'ns', memory),
  ]
}

async function measure(rig: LinuxRig): Promise<Figure[]> {
  const prober = new Prober(rig)
  try {
    const { mac } = inNamespace(rig.path(rig.router), () => describeDevice('r0'))
    const cost = await costs(rig, mac)
    const probe = (): Promise<number> => latency(prober, mac)
    const delays = await contest(
      rig,
      LATENCY_ROUNDS,
      (forwarder) => {
        forwarder.start()
        return probe()
      },
      probe,
    )
    const added = delays.engine.map((each, round) => each - delays.kernel[round]!)
    const target = { relation: '>=', value: 0.7 } as const
    return [
      figure('ip_forward of the kernel, a frame with its sending', 'ns', cost.kernel),
      figure('engine over raw sockets, 50k flows, IP-in-IP, a frame', 'ns', cost.engine),
      figure(
        'frames a processor forwards, engine to ip_forward',
        'ratio',
        ratio(cost.kernel, cost.engine),
        target,
      ),
      figure('latency of ip_forward at 1000 frames/s, p50', 'us', delays.kernel),
      figure('latency the engine adds while it sleeps between frames, p50', 'us', added, {
        relation: '<=',
        value: 150,
      }),
      figure('processor time without traffic', '%', [await idle(rig)], { relation: '<=', value: 0.5 }),
      ...crossings(rig),
    ]
  } finally {
    await prober.end()
  }
}

export const bench: Benchmark = {
  name: 'linux-ports',
  describes: 'real devices: the engine over raw sockets against ip_forward (Linux, root)',
  async run() {
    const reason = missing()
    if (reason !== undefined) {
      process.stderr.write(`  linux-ports is skipped: ${reason}\n`)
      return []
    }
    const rig = new LinuxRig()
    try {
      return await measure(rig)
    } finally {
      rig.remove()
    }
  },
}
