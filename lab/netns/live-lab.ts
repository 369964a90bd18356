/**
 * A lab that is up in namespaces, from its first to its last process. The one idea: time is the wall clock's, counted
 * from the moment when everything is up; events happen in their order, each when the one before has happened.
 */
import type { EventBody, Lab, LabEvent } from '../file/index.ts'
import { LabFailure } from '../lab-failure.ts'
import type { Measurements } from '../report.ts'
import { NetnsHost } from './host.ts'
import { NetnsRouter } from './router.ts'
import type { Surroundings } from './surroundings.ts'

const NS_PER_MS = 1e6
const NS_PER_SECOND = 1e9

export class LiveLab {
  readonly #lab: Lab
  readonly #surroundings: Surroundings
  readonly #hosts: readonly NetnsHost[]
  readonly #routers: readonly NetnsRouter[]
  #zeroMs = 0
  #eventsBegun = 0
  #eventsDone = 0
  #happening: Promise<void> = Promise.resolve()
  #failure: Error | undefined

  constructor(surroundings: Surroundings, hasCurl: boolean) {
    const { lab } = surroundings
    this.#lab = lab
    this.#surroundings = surroundings
    this.#hosts = lab.nodes.flatMap((node) =>
      node.kind === 'host' ? [new NetnsHost(node, surroundings, hasCurl)] : [],
    )
    this.#routers = lab.nodes.flatMap((node) =>
      node.kind === 'router' ? [new NetnsRouter(node, surroundings)] : [],
    )
  }

  /**
   * Starts everything, then the lab's time and its clients.
   * @param tell hears what is being done
   * @throws LabFailure, LabPluginError
   */
  async start(tell: (stage: string) => void): Promise<void> {
    // Routers first: what a host says when it comes up finds them there.
    tell('starting routers')
    await together(this.#routers, (router) => router.start())
    tell('starting hosts')
    await together(this.#hosts, (host) => host.start())
    tell('waiting for routers to know their hosts')
    await Promise.all(this.#hosts.map((host) => host.greeted()))
    this.#zeroMs = performance.now()
    for (const host of this.#hosts) host.begin(0)
  }

  /** Time since everything was up, in ns. */
  get now(): number {
    return Math.max(0, performance.now() - this.#zeroMs) * NS_PER_MS
  }

  /** Whether its duration is over, or, without one, all is done that there was to do. */
  get isDone(): boolean {
    const { durationNs, events } = this.#lab
    if (durationNs !== undefined) return this.now >= durationNs
    return this.#eventsDone === events.length && this.#hosts.every((host) => host.isDone)
  }

  /** Lets the events happen that are due, and looks after the processes. @throws what ends the lab */
  tend(): void {
    const { events } = this.#lab
    while (this.#eventsBegun < events.length && events[this.#eventsBegun]!.atNs <= this.now)
      this.#begin(events[this.#eventsBegun++]!)
    if (this.#failure !== undefined) throw this.#failure
    for (const node of [...this.#hosts, ...this.#routers]) {
      const lost = node.processes.find((each) => each.isLost)
      if (lost !== undefined) throw lost.failure
    }
  }

  /** Asks all nodes how far they are, and answers with what was measured so far. */
  async measure(): Promise<Measurements> {
    await Promise.all([...this.#hosts, ...this.#routers].map((node) => node.refresh()))
    return this.measured
  }

  /** What was measured when the nodes were last asked. */
  get measured(): Measurements {
    const clients = this.#hosts.map((host) => [host.name, host.reports()] as const)
    return {
      lab: this.#lab.name,
      backend: 'netns',
      seed: this.#lab.seed,
      virtualSeconds: this.now / NS_PER_SECOND,
      clients: Object.fromEntries(clients.filter(([, reports]) => reports.length > 0)),
      routers: Object.fromEntries(this.#routers.map((router) => [router.name, router.report()])),
      wall: {},
    }
  }

  /** Resolves when no event is under way any more. */
  async settle(): Promise<void> {
    await this.#happening
  }

  #begin(event: LabEvent): void {
    this.#happening = this.#happening
      .then(() => (this.#failure === undefined ? this.#happen(event) : undefined))
      .then(
        () => {
          this.#eventsDone++
        },
        (error: Error) => {
          this.#failure ??= error
        },
      )
  }

  async #happen(event: EventBody): Promise<void> {
    const { network } = this.#surroundings
    switch (event.kind) {
      case 'fail':
        return await this.#node(event.node).fail()
      case 'recover':
        return await this.#node(event.node).recover(this.now)
      case 'cut':
        return network.setLink(event.link, false)
      case 'heal':
        return network.setLink(event.link, true)
      case 'kill':
        return await this.#router(event.router).kill(event.part)
      case 'load':
        return await this.#router(event.router).load(event.plugin)
      case 'upgrade':
        return await this.#router(event.router).upgrade(event.id, event.plugin)
      case 'unload':
        return await this.#router(event.router).unload(event.id, event.flows)
      case 'set':
        return this.#hosts.find((host) => host.name === event.host)!.setLoad(event.load)
      default:
        throw new LabFailure('this version does not know an event of the lab')
    }
  }

  #node(name: string): NetnsHost | NetnsRouter {
    return this.#hosts.find((host) => host.name === name) ?? this.#router(name)
  }

  #router(name: string): NetnsRouter {
    return this.#routers.find((router) => router.name === name)!
  }
}

/** A few at a time: starting costs more processor than there may be. */
const AT_ONCE = 4

async function together<Node>(nodes: readonly Node[], start: (node: Node) => Promise<void>): Promise<void> {
  for (let from = 0; from < nodes.length; from += AT_ONCE)
    await Promise.all(nodes.slice(from, from + AT_ONCE).map(start))
}
