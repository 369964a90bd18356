/**
 * The engine and its plugins as the engine's thread has them. The one idea: everything that a router in one thread
 * would have beside it is put together here around a loop, once the configuration is known; the thread's program only
 * passes calls on.
 */
import { Engine, MILLISECOND, type Nanoseconds, Random } from '../../engine/index.ts'
import { Waiter } from '../../engine/ports/linux/index.ts'
import { Dispatcher, EnvironmentManager, SandboxPool } from '../../execution-env/index.ts'
import type { RouterConfig } from '../config/index.ts'
import { LocalEngine } from '../engine-access.ts'
import { ManagedPlugins } from '../plugins/managed-plugins.ts'
import type { SignalingDatagram } from '../signaling/index.ts'
import { EngineLoop } from './engine-loop.ts'
import { HandedVerifier } from './judge.ts'
import type { Served, ServiceCall, Signals } from './messages.ts'
import { type OpenPort, openPort } from './ports.ts'
import { Punt } from './punt.ts'
import { ServiceWindow } from './service-window.ts'
import { SignalingWindow } from './signaling-window.ts'

/** Packets that the router holds: two full default queues on each of four ports. */
const SLAB_PACKETS = 16_384
/** Headroom for nested headers and a VLAN tag beside the largest packet. */
const SLAB_SPARE_BYTES = 256
const STANDARD_MTU = 1_500
/** How late the end of a flow may be seen while nothing else happens. */
const SWEEP_NS = 500 * MILLISECOND
const DRAIN_INTERVAL_MS = 5

/** Monotonic time in whole nanoseconds: captures have no finer. */
const clock = (): Nanoseconds => Math.floor(performance.now() * MILLISECOND)

/** Tells whoever reads the router's log. */
const say = (problem: string): void => void process.stderr.write(`${problem}\n`)

const sayOfPort = (problem: string): void => say(`port ${problem}`)

/** Where things go that nobody asked for. */
export interface FacilitySinks {
  /** Told of what ended the loop. */
  fault(error: unknown): void
  /** A host's datagram, to be judged. */
  signal(datagram: SignalingDatagram): void
  /** What a plugin asks of the proxies. */
  service(call: ServiceCall): void
}

export class EngineFacilities {
  readonly verifier = new HandedVerifier()
  readonly sandboxes = new SandboxPool({ blocking: false, user: 'own' })
  readonly engine: LocalEngine
  readonly plugins: ManagedPlugins
  readonly #engine: Engine
  readonly #manager: EnvironmentManager
  readonly #waiter = new Waiter()
  readonly #loop: EngineLoop
  readonly #ports: OpenPort[]
  readonly #punt: Punt | undefined
  readonly #dispatcher: Dispatcher
  readonly #signaling: SignalingWindow | undefined
  readonly #services: ServiceWindow
  readonly #descriptors: number[] = []

  /**
   * Opens the ports of a configuration and begins to turn.
   * @param seed 32-bit secret
   * @throws LinuxError, EngineError; nothing stays open
   */
  constructor(config: RouterConfig, seed: number, sinks: FacilitySinks) {
    const calendar = () => Date.now()
    const random = Random.fromSeed(seed)
    this.#ports = []
    try {
      for (const spec of config.ports) this.#ports.push(openPort(spec, random.fork('links'), sayOfPort))
      this.#engine = engineOn(config, this.#ports, seed)
      this.#punt = config.punt === undefined ? undefined : new Punt(this.#engine, config.punt, say)
    } catch (error) {
      for (const each of this.#ports) each.close()
      this.#waiter.close()
      throw error
    }
    const engine = this.#engine
    const services = new ServiceWindow((call) => sinks.service(call))
    this.#services = services
    const dispatcher = new Dispatcher({ engine, calendar, awaitsDescriptors: true, services })
    const { verifier, sandboxes } = this
    const manager = new EnvironmentManager({
      dispatcher,
      verifier,
      sandboxes,
      random: random.fork('plugins'),
    })
    this.#manager = manager
    const host = {
      poll: (now: Nanoseconds) => manager.poll(now),
      pollAt: (now: Nanoseconds) => (sandboxes.isSending ? now : manager.pollAt(now)),
    }
    this.#loop = new EngineLoop({
      workers: this.#punt === undefined ? [engine, host] : [this.#punt, engine, host],
      waiting: this.#waiter,
      descriptors: () => this.#waitedFor(),
      clock,
      onFault: sinks.fault,
    })
    const wake = () => this.#loop.wake()
    const { fallback, signaling } = config
    if (signaling !== undefined)
      this.#signaling = new SignalingWindow(engine, signaling.port, (datagram) => sinks.signal(datagram))
    this.#dispatcher = dispatcher
    this.engine = new LocalEngine(engine, clock, () => this.#changed())
    this.plugins = new ManagedPlugins({
      manager,
      dispatcher,
      sandboxes,
      fallback: () => fallback,
      now: clock,
      wake,
    })
    this.#loop.start()
  }

  /** Grows whenever anything was done. */
  get worked(): number {
    return this.#loop.worked
  }

  /** Carries out what came of signaling. */
  signals({ judged, send, tell, picture }: Signals): void {
    const now = clock()
    // Before the tidings: whoever hears of a host finds it in the table.
    if (picture !== undefined) this.#signaling?.show(picture, performance.timeOrigin)
    for (let each = 0; each < judged; each++) this.#signaling?.judged()
    for (const datagram of send) this.#engine.sendDatagram(datagram, now)
    for (const { topic, body, from } of tell)
      this.#dispatcher.tell(topic, body, { kind: 'neighbour', name: from }, now)
    this.#loop.wake()
  }

  /** Carries out what the proxies have answered. */
  served(served: Served): void {
    this.#services.served(served)
    this.#loop.wake()
  }

  /** Lets what waits leave for a bounded time, then gives up everything. */
  async close(drainMs: number): Promise<void> {
    const until = performance.now() + drainMs
    while (this.#engine.balance().queued > 0 && performance.now() < until)
      await new Promise((resolve) => setTimeout(resolve, DRAIN_INTERVAL_MS))
    this.#loop.stop()
    this.#manager.close()
    this.#punt?.close()
    this.#engine.close(clock())
    this.giveBack()
    await this.sandboxes.close()
    this.#waiter.close()
  }

  /** Gives the devices back, at once. Idempotent. */
  giveBack(): void {
    for (const each of this.#ports) each.close()
  }

  #changed(): void {
    this.#punt?.sync()
    this.#loop.wake()
  }

  #waitedFor(): readonly number[] {
    const descriptors = this.#descriptors
    descriptors.length = 0
    for (const each of this.#ports) descriptors.push(each.descriptor)
    if (this.#punt !== undefined) descriptors.push(this.#punt.descriptor)
    this.sandboxes.addDescriptors(descriptors)
    return descriptors
  }
}

function engineOn({ ports }: RouterConfig, open: readonly OpenPort[], seed: number): Engine {
  const largest = Math.max(STANDARD_MTU, ...open.map(({ driver }) => driver.capabilities.maxFrameBytes))
  const stride = Math.ceil((largest + SLAB_SPARE_BYTES) / 64) * 64
  const engine = new Engine({ seed, slab: { capacity: SLAB_PACKETS, stride }, sweepNs: SWEEP_NS })
  for (const [index, { name, mtu }] of ports.entries())
    engine.addPort({ name, driver: open[index]!.driver, ...(mtu === undefined ? {} : { mtu }) })
  return engine
}
