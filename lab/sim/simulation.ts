/**
 * A lab in virtual time: nodes, wires and events on one timeline. The one idea: everything that can differ between
 * two runs follows from the lab's seed by named substreams, so that adding a node or a link does not change the fate
 * of frames elsewhere, and the same lab and seed give the same bytes.
 */
import { type ImpairmentOptions, type Nanoseconds, NEVER, Random } from '../../engine/index.ts'
import { answerBytes } from '../answer-bytes.ts'
import type { Client, EventBody, Lab, LabEvent, Link } from '../file/index.ts'
import { LabPluginError } from '../lab-plugin-error.ts'
import { EndCapture } from './end-capture.ts'
import { SimHost } from './host-node.ts'
import type { LabPlugins } from './lab-plugins.ts'
import { LabSignaling } from './lab-signaling.ts'
import type { Plug, SimNode } from './node.ts'
import { SimRouter } from './router-node.ts'
import type { RouterPlugins } from './router-plugins.ts'
import { Timeline } from './timeline.ts'
import { type HopCounter, Wire, WireEnd } from './wire.ts'

const ETHERNET_HEADER_BYTES = 14
const DEFAULT_QUEUE_FRAMES = 1000

/** Gives the write function of a capture file. */
export type OpenCapture = (name: string) => (block: Uint8Array) => void

export class Simulation {
  readonly lab: Lab
  readonly timeline = new Timeline()
  readonly counter: HopCounter = { hops: 0 }
  readonly hosts: readonly SimHost[]
  readonly routers: readonly SimRouter[]
  readonly #wires = new Map<string, Wire>()
  readonly #nodes = new Map<string, SimNode>()
  readonly #plugins: LabPlugins | undefined
  #eventsLeft: number

  /** @throws EngineError when a router's configuration does not hold */
  constructor(lab: Lab, openCapture?: OpenCapture, plugins?: LabPlugins) {
    this.lab = lab
    this.#plugins = plugins
    const random = Random.fromSeed(lab.seed)
    const plugs = this.#layWires(random.fork('links'), openCapture)
    const nodes = random.fork('nodes')
    const answers = (client: Client) => answerBytes(lab, client)
    const signaling = LabSignaling.of(lab)
    const hosts: SimHost[] = []
    const routers: SimRouter[] = []
    for (const [number, spec] of lab.nodes.entries()) {
      const own = plugs.get(spec.name) ?? []
      const stream = nodes.fork(spec.name)
      const { timeline } = this
      const done = () => this.#clientDone()
      if (spec.kind === 'host')
        hosts.push(new SimHost(spec, number, own, timeline, stream, answers, done, signaling))
      else routers.push(new SimRouter(spec, number, own, timeline, stream, lab.epochMs, plugins, signaling))
    }
    this.hosts = hosts
    this.routers = routers
    for (const node of [...routers, ...hosts]) this.#nodes.set(node.name, node)
    this.#plugIn()
    this.#eventsLeft = lab.events.length
    for (const event of lab.events)
      this.timeline.schedule(event.atNs, { happen: (now) => this.#happen(event, now) })
    // Routers first: a host's first frame finds its gateway there.
    for (const node of this.#nodes.values()) node.start(0)
  }

  /** The end of the run, if it is known; a run without a duration ends by `isDone`. */
  get untilNs(): Nanoseconds | undefined {
    const { durationNs } = this.lab
    return durationNs === NEVER ? undefined : durationNs
  }

  /** Whether every client has made its requests and every event has happened. */
  get isDone(): boolean {
    if (this.lab.durationNs !== undefined) return this.timeline.now >= this.lab.durationNs
    return this.#eventsLeft === 0 && !this.isBusy && this.hosts.every((host) => host.isDone)
  }

  /** Whether a router's administration is at work: the event loop has to get a turn before time goes on. */
  get isBusy(): boolean {
    return this.routers.some((router) => router.plugins?.administration.isBusy === true)
  }

  /** Why the lab cannot go on, once it cannot. */
  get failure(): Error | undefined {
    return this.#plugins?.failure
  }

  /**
   * Lets up to `limit` events happen, none later than `until`; fewer while an administration is at work. The event loop
   * must have had its turn before when `isBusy`. Returns whether anything is left to do after that.
   */
  step(limit: number, until: Nanoseconds): boolean {
    if (this.isDone) return false
    const end = Math.min(until, this.lab.durationNs ?? NEVER)
    const happened = this.timeline.run(end, limit)
    if (this.isDone) return false
    // An administration that an event has set to work goes on at that event's time.
    const isOver = happened < limit && this.timeline.nextAt > end && (happened === 0 || !this.isBusy)
    if (isOver && end !== NEVER) this.timeline.advance(end)
    return !this.isDone && this.timeline.nextAt !== NEVER
  }

  /** A client has made its last request: time stops there if nothing else is to be waited for. */
  #clientDone(): void {
    if (this.lab.durationNs === undefined) this.timeline.interrupt()
  }

  #layWires(random: Random, openCapture: OpenCapture | undefined): Map<string, Plug[]> {
    const plugs = new Map<string, Plug[]>()
    for (const link of this.lab.links) {
      const ends = link.endpoints.map((_, direction) => {
        const stream = random.fork(`${link.name} ${direction}`)
        return new WireEnd(this.timeline, impairmentOf(link), stream, this.counter)
      }) as [WireEnd, WireEnd]
      this.#wires.set(link.name, new Wire(link.name, ends))
      for (const [direction, endpoint] of link.endpoints.entries()) {
        const wire = ends[direction]
        if (openCapture !== undefined) {
          const name = `${endpoint.node}-${endpoint.interface}`
          wire.capture = new EndCapture(name, openCapture(name), Math.floor(this.lab.epochMs / 1000))
        }
        const node = this.lab.nodes.find((each) => each.name === endpoint.node)!
        const spec = node.interfaces.find((each) => each.name === endpoint.interface)!
        plugs.set(node.name, [...(plugs.get(node.name) ?? []), { interface: spec, wire, mtu: link.mtu }])
      }
    }
    // Ports are numbered in the order of the node's interfaces, whatever the order of the links.
    for (const node of this.lab.nodes) {
      const order = (plug: Plug) => node.interfaces.indexOf(plug.interface)
      plugs.get(node.name)?.sort((a, b) => order(a) - order(b))
    }
    return plugs
  }

  #plugIn(): void {
    for (const link of this.lab.links) {
      const wire = this.#wires.get(link.name)!
      for (const [direction, endpoint] of link.endpoints.entries()) {
        const node = this.lab.nodes.find((each) => each.name === endpoint.node)!
        const index = node.interfaces.findIndex((each) => each.name === endpoint.interface)
        wire.ends[1 - direction].far = this.#nodes.get(endpoint.node)!.attachment(index)
      }
    }
  }

  #happen(event: LabEvent, now: Nanoseconds): void {
    this.#eventsLeft--
    this.apply(event, now)
    this.#clientDone()
  }

  /** Carries out what an event of the file, or an operator, asks for. */
  apply(event: EventBody, now: Nanoseconds): void {
    switch (event.kind) {
      case 'fail':
        return this.#nodes.get(event.node)!.fail(now)
      case 'recover':
        return this.#nodes.get(event.node)!.start(now)
      case 'cut':
        return this.#wires.get(event.link)!.setUp(false, now)
      case 'heal':
        return this.#wires.get(event.link)!.setUp(true, now)
      case 'set':
        return this.hosts.find((host) => host.name === event.host)!.setLoad(event.load)
      case 'kill':
        return this.#kill(event.router, event.part, now)
      case 'load':
        return this.#askPlugins(event.router, now, (plugins) => plugins.load(event.plugin))
      case 'upgrade':
        return this.#askPlugins(event.router, now, (plugins) => plugins.upgrade(event.id, event.plugin))
      case 'unload':
        return this.#askPlugins(event.router, now, (plugins) => plugins.unload(event.id, event.flows))
      default:
        throw new Error('the simulator does not know this event')
    }
  }

  /** A router that is down has no plugins to change: the lab's author learns it. */
  #askPlugins(name: string, now: Nanoseconds, ask: (plugins: RouterPlugins) => void): void {
    const router = this.routers.find((each) => each.name === name)!
    if (router.plugins === undefined) throw new LabPluginError(`${name}: is down at ${now / 1e9} s`)
    ask(router.plugins)
  }

  /**
   * A router's process dies and is started again at once: its state is lost. Or those of its sandboxes: it lives on.
   * A router that is down has neither.
   */
  #kill(name: string, part: 'sandbox' | 'process', now: Nanoseconds): void {
    const router = this.routers.find((each) => each.name === name)!
    if (router.engine === undefined) return
    if (part === 'process') {
      router.fail(now)
      router.start(now)
    } else {
      router.plugins?.killSandboxes(now)
      router.ring(now)
    }
  }
}

function impairmentOf(link: Link): ImpairmentOptions {
  const maxFrameBytes = link.mtu + ETHERNET_HEADER_BYTES
  return {
    ...(link.rateBps === undefined ? {} : { rateBps: link.rateBps }),
    delayNs: link.delayNs,
    jitterNs: Math.min(link.jitterNs, link.delayNs),
    loss: link.loss,
    ...(link.reorder > 0 ? { reorder: { probability: link.reorder } } : {}),
    duplicate: link.duplicate,
    corrupt: link.corrupt,
    maxFrameBytes,
    queueBytes: link.queueBytes ?? (link.queuePackets ?? DEFAULT_QUEUE_FRAMES) * maxFrameBytes,
  }
}
