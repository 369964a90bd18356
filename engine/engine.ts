/**
 * The forwarding engine: one breath of work at a time. The one idea: `poll(now)` takes what the ports have, sends
 * what they can take and does what is due, `pollAt` says when it next has something to do, so that a simulator and
 * a busy loop drive it alike. It knows no plugin, isolate or certificate; whatever changes it comes through
 * `control`, whatever asks comes through `query`.
 *
 * Guarantees: deterministic for one seed and one sequence of calls; conservation of packets (counters.ts); memory
 * bounded by its options.
 */
import { assemble, type EngineOptions } from './assembly.ts'
import type { FlowSink } from './classifier/flow-table.ts'
import { MILLISECOND, type Nanoseconds, NEVER } from './clock.ts'
import type { DecisionControl, EngineControl } from './control.ts'
import { Controller } from './controller.ts'
import type { PacketBalance } from './counters.ts'
import { createPort, type PortConfig } from './create-port.ts'
import { type DropCode, dropCode } from './drop-reason.ts'
import { type Egress, TRANSMIT_BATCH } from './egress.ts'
import { EngineError } from './errors.ts'
import type { DropNotice, Forwarder } from './forwarder.ts'
import { type Ingress, RECEIVE_BATCH } from './ingress.ts'
import type { LocalServices } from './local.ts'
import type { NamedResources } from './named-resources.ts'
import type { Originator, OutgoingDatagram } from './originator.ts'
import { OwnedFlows } from './owned-flows.ts'
import { Owners } from './owners.ts'
import { META_SHIFT, NEXT, NONE } from './packet.ts'
import type { Port } from './port.ts'
import type { FrameSink } from './ports/frame-sink.ts'
import type { PortDriver } from './ports/port-driver.ts'
import { Tracer } from './ports/tracer.ts'
import { QueryEngine } from './query/query-engine.ts'
import { readQuestion } from './questions.ts'
import type { RouteRow } from './routing/route-table.ts'
import type { Stages } from './stages.ts'

const PORT_DOWN = dropCode('port-down')
const ENGINE_CLOSED = dropCode('engine-closed')

/** Batches taken from a port, and sent by one, in a poll: no port keeps the others waiting. */
const BATCHES = 4
/** How often a slice of the flow table is looked through if nobody says, and how many slices make the whole. */
const SWEEP_NS = 100 * MILLISECOND
const SWEEP_ROUNDS = 20
const SWEEP_LEAST = 64
/** Units of background merging of filters per poll. */
const FILTER_WORK_BUDGET = 4096

/** A closed engine tells nobody anything. */
const SILENT: DropNotice = { about: () => {} }

export class Engine {
  readonly control: EngineControl
  /** The fast path of answers to upcalls. */
  readonly decisions: DecisionControl
  readonly owners = new Owners()
  /** What owners hear of their flows. */
  readonly owned: OwnedFlows = new OwnedFlows(() => this.#stages, this.owners)
  readonly local: LocalServices
  readonly query: QueryEngine
  readonly #stages: Stages
  readonly #ports: Port[] = []
  /** Drivers behind tracers. */
  readonly #traced = new Map<Port, PortDriver>()
  readonly #ingress: Ingress
  readonly #egress: Egress
  readonly #forwarder: Forwarder
  readonly #controller: Controller
  readonly #originator: Originator
  readonly #queueDrop = (packet: number, code: DropCode, now: Nanoseconds): void => {
    this.#stages.counters.queued--
    this.#forwarder.drop(packet, code, now)
  }
  #closed = false
  readonly #sweepNs: Nanoseconds
  #sweptAt: Nanoseconds = 0

  constructor(options: EngineOptions) {
    this.#sweepNs = options.sweepNs ?? SWEEP_NS
    const flowSink = options.flows?.ended
    const ended: FlowSink = (flow, end) => {
      this.owned.ended(flow, end)
      flowSink?.(flow, end)
    }
    const { stages, forwarder, ingress, egress, local, originator } = assemble(
      { ...options, flows: { ...options.flows, ended } },
      this.#ports,
    )
    this.#stages = stages
    this.#forwarder = forwarder
    this.#ingress = ingress
    this.#egress = egress
    this.local = local
    this.#originator = originator
    this.#controller = new Controller(stages, this.owners, (packet, row, now) =>
      ingress.apply(packet, row, now),
    )
    this.control = this.#controller
    this.decisions = this.#controller.decisions
    this.query = new QueryEngine({ stages, owners: this.owners, names: this.#controller.names })
  }

  /** Adds a port; its number is the count of ports before it. @throws EngineError `exists`, `invalid` */
  addPort(config: PortConfig): Port {
    if (this.#ports.some(({ name }) => name === config.name))
      throw new EngineError('exists', `port ${config.name} exists`, 'name')
    const { slab, neighbours } = this.#stages
    const port = createPort(config, this.#ports.length, slab, this.#queueDrop)
    this.#ports.push(port)
    neighbours.setPort(port.index, Uint8Array.from(port.driver.mac))
    return port
  }

  /** Shows every frame of a port to `sink` from now on, or to nobody. @throws EngineError `unknown` */
  trace(name: string, sink: FrameSink | undefined): void {
    const port = this.#ports.find((each) => each.name === name)
    if (port === undefined) throw new EngineError('unknown', `no port ${name}`, 'port')
    const plain = this.#traced.get(port) ?? port.driver
    if (sink === undefined) this.#traced.delete(port)
    else this.#traced.set(port, plain)
    port.driver = sink === undefined ? plain : new Tracer(plain, sink)
  }

  /** Does all that can be done at `now`, ports in turn. Returns the number of frames moved. */
  poll(now: Nanoseconds): number {
    if (this.#closed) return 0
    const ports = this.#ports
    let moved = 0
    // By index: an iterator would be an object for every poll.
    for (let i = 0; i < ports.length; i++) {
      if (ports[i].up !== ports[i].driver.up) this.#linkChanged(ports[i], now)
      moved += this.#receive(ports[i], now)
    }
    this.#tick(now)
    for (let i = 0; i < ports.length; i++) moved += this.#transmit(ports[i], now)
    return moved
  }

  /** When `poll` next has something to do, without outside events; `now` or earlier: at once. */
  pollAt(now: Nanoseconds): Nanoseconds {
    if (this.#closed) return NEVER
    const { upcalls, neighbours, fragments, reassembly, flows, filters } = this.#stages
    let at = Math.min(upcalls.pollAt, neighbours.pollAt, fragments.pollAt(), reassembly.pollAt())
    at = Math.min(at, this.query.pollAt)
    if (flows.size > 0) at = Math.min(at, this.#sweptAt + this.#sweepNs)
    if (filters.pending) at = now
    for (let i = 0; i < this.#ports.length; i++) {
      const port = this.#ports[i]
      at = Math.min(at, port.driver.pollAt(now))
      const eligible = port.urgent.length > 0 ? now : port.scheduler.nextEligibleAt(now)
      if (eligible !== NEVER) at = Math.min(at, Math.max(eligible, port.driver.readyAt(now)))
    }
    return at
  }

  /**
   * Sends a UDP datagram of the router's own. It leaves with the next `poll`. Returns whether it set out (there was
   * room for it, a route and an address); what did not is counted under its drop reason.
   */
  sendDatagram(datagram: OutgoingDatagram, now: Nanoseconds): boolean {
    return !this.#closed && this.#originator.sendDatagram(datagram, now)
  }

  /**
   * Sends the IPv4 packet in [start, start + length) of `bytes`, copied, as one of the router's own machine: its
   * source must be an address of the router. It leaves with the next `poll`. Returns whether it set out; what did
   * not, malformed or without room, is counted under its drop reason.
   */
  sendPacket(bytes: Uint8Array, start: number, length: number, now: Nanoseconds): boolean {
    return !this.#closed && this.#originator.sendPacket(bytes, start, length, now)
  }

  /** Asks of whoever decides: the next upcall that nobody has fetched, or NONE. */
  nextUpcall(): number {
    return this.#stages.upcalls.fetch()
  }

  /**
   * Writes what an upcall asks (QUESTION_*) from `into[at]` on, with up to `payloadBytes` behind the transport header.
   * Returns false when it is not open any more.
   */
  readQuestion(upcall: number, into: Int32Array, at: number, payloadBytes: number): boolean {
    return readQuestion(this.#stages, upcall, into, at, payloadBytes)
  }

  /** Names of the ports, by index. */
  get portNames(): readonly string[] {
    return this.#ports.map((port) => port.name)
  }

  /** Number of the owner whom an open upcall asks, or NONE. */
  askedBy(upcall: number): number {
    return this.#stages.upcalls.ownerOf(upcall)
  }

  /** How a packet to an unsigned 32-bit address would be routed, or undefined. */
  lookupRoute(address: number): RouteRow | undefined {
    return this.#stages.routes.view(address)
  }

  /** Grows with every change of routing. */
  get routeGeneration(): number {
    return this.#stages.routes.generation
  }

  /** The stages, for the query engine and for benchmarks. Nobody else looks inside. */
  get stages(): Stages {
    return this.#stages
  }

  get names(): NamedResources {
    return this.#controller.names
  }

  /** Packet balance; `isConserved` holds between any two calls. */
  balance(): PacketBalance {
    return this.#stages.counters.balance()
  }

  /** Gives up all packets and closes the drivers. Idempotent. */
  close(now: Nanoseconds): void {
    if (this.#closed) return
    const { fragments, reassembly } = this.#stages
    this.#forwarder.notice = SILENT
    this.#dropParked(now)
    fragments.clear(ENGINE_CLOSED, now)
    reassembly.clear(ENGINE_CLOSED, now)
    for (const port of this.#ports) {
      this.#empty(port, ENGINE_CLOSED, now)
      port.driver.close()
    }
    this.#closed = true
  }

  #dropParked(now: Nanoseconds): void {
    const { upcalls, slab, actions, counters } = this.#stages
    for (const upcall of upcalls.handles()) {
      const row = upcalls.view(upcall)!.otherwise
      for (let packet = upcalls.close(upcall); packet !== NONE; ) {
        const next = slab.meta[(packet << META_SHIFT) + NEXT]
        counters.parked--
        this.#forwarder.drop(packet, ENGINE_CLOSED, now)
        packet = next
      }
      actions.release(row)
    }
  }

  /** What is on the way to a port whose medium went away is lost, and with it whom the port knew. */
  #linkChanged(port: Port, now: Nanoseconds): void {
    port.up = port.driver.up
    if (!port.up) this.#empty(port, PORT_DOWN, now)
  }

  /** Drops what waits for a port. */
  #empty(port: Port, code: DropCode, now: Nanoseconds): void {
    this.#stages.neighbours.forgetPort(port.index, code, now)
    port.scheduler.purge(code, now)
    for (let packet = port.urgent.shift(); packet !== NONE; packet = port.urgent.shift())
      this.#queueDrop(packet, code, now)
  }

  #receive(port: Port, now: Nanoseconds): number {
    let received = 0
    for (let batch = 0; batch < BATCHES; batch++) {
      const count = this.#ingress.receive(port, now)
      received += count
      if (count < RECEIVE_BATCH) break
    }
    return received
  }

  #transmit(port: Port, now: Nanoseconds): number {
    let sent = 0
    for (let batch = 0; batch < BATCHES; batch++) {
      const count = this.#egress.transmit(port, now)
      sent += count
      if (count < TRANSMIT_BATCH) break
    }
    return sent
  }

  #tick(now: Nanoseconds): void {
    const { upcalls, neighbours, fragments, reassembly, flows, filters } = this.#stages
    if (neighbours.pollAt <= now) neighbours.poll(now)
    if (upcalls.pollAt <= now) this.#expireUpcalls(now)
    if (fragments.pollAt() <= now) fragments.expire(now)
    if (reassembly.pollAt() <= now) reassembly.expire(now)
    if (flows.size > 0 && now - this.#sweptAt >= this.#sweepNs) {
      // The whole table once in SWEEP_ROUNDS intervals, however large it is.
      flows.sweep(now, Math.ceil(flows.entries / SWEEP_ROUNDS) + SWEEP_LEAST)
      this.#sweptAt = now
    }
    if (this.query.pollAt <= now) this.query.poll(now)
    if (filters.pending) filters.work(FILTER_WORK_BUDGET)
  }

  #expireUpcalls(now: Nanoseconds): void {
    const { upcalls } = this.#stages
    for (let upcall = upcalls.nextExpired(now); upcall !== NONE; upcall = upcalls.nextExpired(now))
      this.#controller.answer(upcall, now)
  }
}
