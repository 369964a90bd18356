/**
 * A host of the simulation: the real stack on simulated links, with the services and clients of the lab file. The
 * one idea: a host that fails loses everything, as by pulling its plug, and starts anew when it recovers; its
 * clients then go on with what they had not begun.
 *
 * Load: a host whose processor is busy with other work for a share L of the time lets every arriving frame wait
 * L / (1 - L) times 100 us longer, as a queue in front of a busy server would.
 */
import { type Nanoseconds, type Random, SECOND } from '../../engine/index.ts'
import { parseIpv4Address } from '../../engine/wire/index.ts'
import { DatagramService, HostStack, HttpService, StreamService } from '../../host/stack/index.ts'
import { ClientBooks } from '../client-books.ts'
import type { Client, HostNode, Service } from '../file/index.ts'
import { labMac } from '../mac-addresses.ts'
import type { ClientReport } from '../report.ts'
import { type Application, applicationOf } from '../workload.ts'
import { SimAgent } from './host-agent.ts'
import type { LabSignaling } from './lab-signaling.ts'
import type { Plug, SimNode } from './node.ts'
import { Alarm, type Timeline, type Wakeable } from './timeline.ts'
import type { Attachment } from './wire.ts'

/** Extra waiting of a frame at a load of one half. */
const LOAD_UNIT_NS = SECOND / 10_000
/** Load at which a host stands still but for what was there before: more would be forever. */
const LOAD_LIMIT = 0.999

/** How many bytes the service that a client asks sends for each request. */
export type AnswerBytes = (client: Client) => number

export class SimHost implements SimNode, Wakeable {
  readonly name: string
  readonly #spec: HostNode
  readonly #number: number
  readonly #plugs: readonly Plug[]
  readonly #timeline: Timeline
  readonly #random: Random
  readonly #answerBytes: AnswerBytes
  readonly #onClientDone: () => void
  readonly #signaling: LabSignaling | undefined
  readonly #books: readonly ClientBooks[]
  #applications: (Application | undefined)[] = []
  #stack: HostStack | undefined
  #alarm: Alarm | undefined
  #lives = 0
  #waitNs = 0
  #load: number

  constructor(
    spec: HostNode,
    number: number,
    plugs: readonly Plug[],
    timeline: Timeline,
    random: Random,
    answerBytes: AnswerBytes,
    onClientDone: () => void,
    signaling: LabSignaling | undefined,
  ) {
    this.name = spec.name
    this.#spec = spec
    this.#number = number
    this.#plugs = plugs
    this.#timeline = timeline
    this.#random = random
    this.#answerBytes = answerBytes
    this.#onClientDone = onClientDone
    this.#signaling = signaling
    this.#load = spec.agent?.load ?? 0
    this.#books = spec.clients.map(() => new ClientBooks())
  }

  /** Whether every client has made all its requests and each has ended. */
  get isDone(): boolean {
    return this.#spec.clients.every((client, i) => {
      if (client.count === undefined) return false
      const application = this.#applications[i]
      return application === undefined ? this.#books[i].attempted >= client.count : application.done
    })
  }

  get clientReports(): readonly ClientReport[] {
    return this.#books.map((books, i) => books.report(this.#applications[i]?.report))
  }

  start(now: Nanoseconds): void {
    if (this.#stack !== undefined) return
    const random = this.#random.fork(`life ${this.#lives++}`)
    const stack = new HostStack({ name: this.name, random: () => random.uint32(), now })
    this.#stack = stack
    this.#alarm = new Alarm(this.#timeline, this)
    this.#configure(stack)
    for (const service of this.#spec.services) serve(stack, service)
    this.#startAgent(stack)
    this.#applications = this.#spec.clients.map(() => undefined)
    for (const [i, client] of this.#spec.clients.entries())
      stack.after(Math.max(0, client.startNs - now), () => this.#begin(stack, i, client))
    this.#alarm.ring(now)
  }

  fail(_now: Nanoseconds): void {
    if (this.#stack === undefined) return
    for (const [i, application] of this.#applications.entries())
      if (application !== undefined) this.#books[i].close(application.report)
    this.#applications = []
    this.#alarm?.stop()
    this.#stack = undefined
  }

  /** Sets the share of its processor, 0..1, that other work takes, and what its agent reports. */
  setLoad(load: number): void {
    this.#load = load
    const busy = Math.min(Math.max(load, 0), LOAD_LIMIT)
    this.#waitNs = Math.round((busy / (1 - busy)) * LOAD_UNIT_NS)
  }

  wake(now: Nanoseconds): Nanoseconds {
    const stack = this.#stack!
    stack.poll(now)
    return stack.pollAt()
  }

  attachment(index: number): Attachment {
    return {
      arrive: (frame, now) => this.#arrive(index, frame, now),
      // Frames are lost while a cable is out; nothing else changes for a host.
      linkChanged: () => {},
    }
  }

  #startAgent(stack: HostStack): void {
    const { agent: spec, virtualHosts, interfaces } = this.#spec
    const address = interfaces[0]?.addresses[0]?.address
    if (this.#signaling === undefined || spec === undefined || address === undefined) return
    const credential = this.#signaling.credential(this.#spec)
    const random = this.#random.fork(`agent of life ${this.#lives}`)
    const load = () => this.#load
    new SimAgent({ stack, spec, address, virtualHosts, credential, random, load }).start()
  }

  #begin(stack: HostStack, index: number, client: Client): void {
    const left = client.count === undefined ? undefined : client.count - this.#books[index].attempted
    if (left !== undefined && left <= 0) return
    const application = applicationOf(stack, client, left, this.#answerBytes(client), this.#onClientDone)
    this.#applications[index] = application
    application.begin()
  }

  #arrive(index: number, frame: Uint8Array, now: Nanoseconds): void {
    const { capture } = this.#plugs[index].wire
    capture?.arrive(frame)
    if (this.#stack === undefined) capture?.dropArriving('node-down')
    else if (this.#waitNs === 0) this.#input(index, frame, now)
    else this.#inputLater(index, frame, now)
    capture?.settle(now)
  }

  #inputLater(index: number, frame: Uint8Array, now: Nanoseconds): void {
    const stack = this.#stack
    this.#timeline.schedule(now + this.#waitNs, {
      happen: (at) => {
        if (this.#stack === stack) this.#input(index, frame, at)
      },
    })
  }

  #input(index: number, frame: Uint8Array, now: Nanoseconds): void {
    this.#stack!.input(index, frame, now)
    this.#alarm!.set(this.#stack!.pollAt())
  }

  #configure(stack: HostStack): void {
    for (const [i, plug] of this.#plugs.entries()) {
      const { name, addresses } = plug.interface
      stack.addDevice(
        {
          name,
          mac: labMac(this.#number, i),
          mtu: plug.mtu,
          send: (frame) => plug.wire.send(frame, this.#timeline.now),
        },
        addresses.map(({ address, prefixLength }) => ({
          address: parseIpv4Address(address)!,
          length: prefixLength,
        })),
      )
    }
    const { gateway, routes, virtualHosts } = this.#spec
    if (gateway !== undefined) stack.addRoute('0.0.0.0/0', { via: parseIpv4Address(gateway)! })
    for (const { prefix, via } of routes) stack.addRoute(prefix, { via: parseIpv4Address(via)! })
    for (const prefix of virtualHosts) stack.addLocalPrefix(prefix)
    if (virtualHosts.length > 0) stack.enableTunnelExit()
  }
}

function serve(stack: HostStack, { protocol, port, bytes }: Service): void {
  if (protocol === 'http') new HttpService(stack, { port, ...(bytes === undefined ? {} : { bytes }) })
  else if (protocol === 'tcp') new StreamService(stack, { port })
  else new DatagramService(stack, { port })
}
