/**
 * A router of the simulation: the real engine on simulated ports, configured from the lab file. The one idea: a
 * router that fails loses everything, as by pulling its plug, and comes back with its configuration; its packet
 * balance is the sum over its lives, so that conservation can be asserted across failures.
 */
import {
  type Change,
  dropReason,
  Engine,
  IN_PORT,
  META_SHIFT,
  type Nanoseconds,
  NEVER,
  type PacketBalance,
  type Random,
  ROUTER_OWNER,
} from '../../engine/index.ts'
import type { RouterNode } from '../file/index.ts'
import { labMac } from '../mac-addresses.ts'
import type { RouterReport } from '../report.ts'
import type { LabPlugins } from './lab-plugins.ts'
import type { LabSignaling } from './lab-signaling.ts'
import type { Plug, SimNode } from './node.ts'
import { RouterMemory, RouterPlugins } from './router-plugins.ts'
import { addBalances, classReports } from './router-report.ts'
import { RouterSignaling } from './router-signaling.ts'
import { SimPort } from './sim-port.ts'
import { Alarm, type Timeline, type Wakeable } from './timeline.ts'
import type { Attachment } from './wire.ts'

/** Packets that a simulated router holds; small, since there may be hundreds of routers. */
const SLAB_PACKETS = 2048
const ETHERNET_HEADER_BYTES = 14
/** Turns between engine and plugins at one instant. */
const WAKE_ROUNDS = 1000

export class SimRouter implements SimNode, Wakeable {
  readonly name: string
  readonly #spec: RouterNode
  readonly #number: number
  readonly #plugs: readonly Plug[]
  readonly #timeline: Timeline
  readonly #random: Random
  readonly #labPlugins: LabPlugins | undefined
  readonly #labSignaling: LabSignaling | undefined
  readonly #epochMs: number
  readonly #memory = new RouterMemory()
  readonly #past: PacketBalance[] = []
  #lives = 0
  #arriving = -1
  #engine: Engine | undefined
  #plugins: RouterPlugins | undefined
  #signaling: RouterSignaling | undefined
  #alarm: Alarm | undefined
  #ports: SimPort[] = []

  constructor(
    spec: RouterNode,
    number: number,
    plugs: readonly Plug[],
    timeline: Timeline,
    random: Random,
    epochMs: number,
    plugins: LabPlugins | undefined,
    signaling: LabSignaling | undefined,
  ) {
    this.name = spec.name
    this.#spec = spec
    this.#number = number
    this.#plugs = plugs
    this.#timeline = timeline
    this.#random = random
    this.#epochMs = epochMs
    this.#labPlugins = plugins
    this.#labSignaling = signaling
  }

  /** The running engine; undefined while the router is down. */
  get engine(): Engine | undefined {
    return this.#engine
  }

  /** Brings the router up with its configuration. @throws EngineError when the configuration does not hold */
  start(now: Nanoseconds): void {
    if (this.#engine !== undefined) return
    const engine = new Engine({
      seed: this.#random.fork(`life ${this.#lives++}`).int32(),
      slab: { capacity: SLAB_PACKETS, stride: this.#stride() },
      onDrop: (packet, code, at) => this.#showDrop(packet, code, at),
    })
    this.#engine = engine
    this.#alarm = new Alarm(this.#timeline, this)
    this.#ports = this.#plugs.map((plug, index) => this.#addPort(engine, plug, index))
    engine.control.commit(ROUTER_OWNER, this.#configuration(), now)
    this.#startPlugins(engine)
    this.#startSignaling(engine)
    this.#alarm.ring(now)
  }

  /** Pulls the plug: all state is lost, its packets are counted under `engine-closed`. */
  fail(now: Nanoseconds): void {
    const engine = this.#engine
    if (engine === undefined) return
    this.#plugins?.fail()
    this.#plugins = undefined
    this.#signaling = undefined
    engine.close(now)
    this.#past.push(engine.balance())
    this.#alarm?.stop()
    this.#engine = undefined
  }

  wake(now: Nanoseconds): Nanoseconds {
    const engine = this.#engine!
    const plugins = this.#plugins
    const signaling = this.#signaling?.server
    signaling?.poll(now)
    engine.poll(now)
    const at = signaling?.pollAt ?? NEVER
    if (plugins === undefined) return Math.min(engine.pollAt(now), at)
    // What a plugin decides lets packets move, which may ask it again.
    for (let round = 0; round < WAKE_ROUNDS && plugins.poll(now) > 0; round++) engine.poll(now)
    return Math.min(engine.pollAt(now), plugins.manager.pollAt(now), at)
  }

  /** The running plugins; undefined while the router is down or where the lab has none. */
  get plugins(): RouterPlugins | undefined {
    return this.#plugins
  }

  /** Its side of signaling with hosts; undefined while it is down, and where no host of the lab has an agent. */
  get signaling(): RouterSignaling | undefined {
    return this.#signaling
  }

  /** Wakes the router after something was asked of it from outside. */
  ring(now: Nanoseconds): void {
    this.#alarm?.ring(now)
  }

  /** What a frame on interface `index` arrives at. */
  attachment(index: number): Attachment {
    return {
      arrive: (frame, now) => this.#arrive(index, frame, now),
      linkChanged: (up, now) => {
        if (this.#engine === undefined) return
        this.#ports[index].setUp(up)
        this.#alarm!.ring(now)
      },
    }
  }

  report(): RouterReport {
    const engine = this.#engine
    const balances = engine === undefined ? this.#past : [...this.#past, engine.balance()]
    const packets = addBalances(balances)
    if (engine === undefined) return { packets, flows: 0, tunnels: 0, classes: {}, plugins: [] }
    return {
      packets,
      flows: engine.stages.flows.size,
      tunnels: engine.stages.tunnels.size,
      classes: classReports(engine),
      plugins: this.#plugins?.report() ?? [],
    }
  }

  #startPlugins(engine: Engine): void {
    const plugins = this.#labPlugins
    if (plugins === undefined) return
    const timeline = this.#timeline
    this.#plugins = new RouterPlugins({
      lab: plugins.lab,
      router: this.name,
      engine,
      plugins,
      memory: this.#memory,
      epochMs: this.#epochMs,
      random: this.#random.fork(`plugins of life ${this.#lives}`),
      life: this.#lives,
      now: () => timeline.now,
      wake: () => this.ring(timeline.now),
      pause: () => timeline.interrupt(),
    })
    this.#plugins.begin(this.#spec.plugins)
  }

  #startSignaling(engine: Engine): void {
    if (this.#labSignaling === undefined) return
    const random = this.#random.fork(`signaling of life ${this.#lives}`)
    this.#signaling = new RouterSignaling(engine, this.#labSignaling, random, ({ topic, body, from }, now) =>
      this.#plugins?.dispatcher.tell(topic, body, { kind: 'neighbour', name: from }, now),
    )
  }

  #stride(): number {
    const most = Math.max(...this.#plugs.map((plug) => plug.mtu), 1500)
    // Headroom for nested headers, and room for a VLAN tag.
    return Math.ceil((most + 256) / 64) * 64
  }

  #addPort(engine: Engine, plug: Plug, index: number): SimPort {
    const { name } = plug.interface
    const mac = labMac(this.#number, index)
    const port = new SimPort({ name, mac, maxFrameBytes: plug.mtu + ETHERNET_HEADER_BYTES }, plug.wire)
    engine.addPort({ name, driver: port, mtu: plug.mtu })
    return port
  }

  #configuration(): Change[] {
    const addresses = this.#plugs.flatMap((plug) =>
      plug.interface.addresses.map(
        ({ address, prefixLength }): Change => ({
          do: 'add-address',
          port: plug.interface.name,
          address: `${address}/${prefixLength}`,
        }),
      ),
    )
    const routes = this.#spec.routes.map(
      ({ prefix, target, cost }): Change => ({ do: 'add-route', prefix, target, cost }),
    )
    return [...addresses, ...routes, ...this.#spec.policy]
  }

  #arrive(index: number, frame: Uint8Array, now: Nanoseconds): void {
    const { capture } = this.#plugs[index].wire
    this.#arriving = index
    capture?.arrive(frame)
    if (this.#engine === undefined) capture?.dropArriving('node-down')
    else {
      this.#ports[index].deliver(frame)
      this.#alarm!.ring(now)
    }
    this.#arriving = -1
    capture?.settle(now)
  }

  /**
   * Shows a drop in a capture: on the frame that is arriving when it is that one, else as a record of its own at
   * the port that the packet came in by.
   */
  #showDrop(packet: number, code: number, now: Nanoseconds): void {
    const { slab } = this.#engine!.stages
    const port = slab.meta[(packet << META_SHIFT) + IN_PORT]
    const capture = this.#plugs[port]?.wire.capture
    if (capture === undefined) return
    const reason = dropReason(code)!
    if (port === this.#arriving && slab.time[packet] === now) capture.dropArriving(reason)
    else capture.dropHeld(slab.frame(packet), reason, now)
  }
}
