/**
 * A virtual clock, links that lose, duplicate, delay and reorder, and host stacks on them. The one idea: one heap of
 * events, one seeded generator; the same seed gives the same frames at the same times. Every frame offered to a link
 * is recorded with its fate, so that tests can account for what TCP did.
 */
import { Random } from '../../engine/random.ts'
import { parseIpv4Prefix } from '../../engine/wire/index.ts'
import { HostStack, type HostStackOptions, NEVER, type StackEvent } from '../../host/stack/index.ts'

/** What a link does to frames; times in ns, chances 0..1. */
export interface LinkOptions {
  readonly delayNs?: number
  /** Bits a second; 0 for no limit. */
  readonly rateBps?: number
  /** Frames that wait for the wire; more are dropped. */
  readonly queueFrames?: number
  readonly loss?: number
  readonly duplicate?: number
  /** Chance that a frame is held back by `reorderNs` more. */
  readonly reorder?: number
  readonly reorderNs?: number
  readonly mtu?: number
  /** Frames that chance leaves alone. */
  readonly spare?: (frame: Uint8Array) => boolean
  /** Decides frame by frame, before chance does: false drops it. */
  readonly filter?: (frame: Uint8Array, from: string) => boolean
}

/** A frame that was offered to a link. */
export interface Passage {
  readonly at: number
  readonly from: string
  readonly frame: Uint8Array
  readonly fate: 'delivered' | 'duplicated' | 'held' | 'lost' | 'filtered' | 'queue'
}

interface Event {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

interface Port {
  readonly name: string
  readonly mac: Uint8Array
  readonly receive: (frame: Uint8Array) => void
  /** When the wire from this port is free again. */
  freeAt: number
}

const MICROSECOND = 1000

/** Virtual time and everything that happens in it. */
export class VirtualWorld {
  now = 0
  readonly random: Random
  readonly stacks: HostStack[] = []
  /** Events of all stacks made by `host`. */
  readonly log: (StackEvent & { readonly host: string })[] = []
  readonly #events: Event[] = []
  #order = 0
  #macs = 0

  constructor(seed: number) {
    this.random = Random.fromSeed(seed)
  }

  /** Makes a stack with a generator of its own. */
  host(name: string, options: Partial<HostStackOptions> = {}): HostStack {
    const random = this.random.fork(name)
    const stack = new HostStack({
      name,
      random: () => random.uint32(),
      now: this.now,
      log: (event) => this.log.push({ ...event, host: name }),
      ...options,
    })
    this.stacks.push(stack)
    return stack
  }

  /** Runs `run` at `at`, after what was planned for the same time before. */
  at(at: number, run: () => void): void {
    const heap = this.#events
    heap.push({ at: Math.max(at, this.now), order: this.#order++, run })
    let index = heap.length - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(heap[index]!, heap[parent]!)) break
      ;[heap[index], heap[parent]] = [heap[parent]!, heap[index]!]
      index = parent
    }
  }

  /** A link or a hub: everything sent by one port reaches the others. */
  lan(options: LinkOptions = {}): VirtualLan {
    return new VirtualLan(this, options, this.random.fork(`lan ${this.#macs}`))
  }

  /** A locally administered MAC address that is used nowhere else in this world. */
  mac(): Uint8Array {
    const n = ++this.#macs
    return Uint8Array.of(2, 0, 0, n >> 16, n >> 8, n)
  }

  /** Runs until nothing is left, or until the time `until`, or until `done`. Returns the number of steps. */
  run(until: number = NEVER, done?: () => boolean): number {
    for (let steps = 0; ; steps++) {
      if (done?.()) return steps
      if (steps > 5_000_000) throw new Error('the world does not come to rest')
      let at = this.#events.length === 0 ? NEVER : this.#events[0]!.at
      for (const stack of this.stacks) at = Math.min(at, stack.pollAt())
      if (at === NEVER || at > until) {
        if (until !== NEVER) this.now = Math.max(this.now, until)
        // Whoever calls a stack next must find it at the present time.
        for (const stack of this.stacks) stack.poll(this.now)
        return steps
      }
      this.now = Math.max(this.now, at)
      if (this.#events.length > 0 && this.#events[0]!.at <= this.now) this.#pop().run()
      for (const stack of this.stacks) if (stack.pollAt() <= this.now) stack.poll(this.now)
    }
  }

  /** Lets stacks know the time, then calls `act`: for calls from outside at the present time. */
  act<T>(act: () => T): T {
    for (const stack of this.stacks) stack.poll(this.now)
    return act()
  }

  #pop(): Event {
    const heap = this.#events
    const top = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return top
    heap[0] = last
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, heap[index]!)) break
      ;[heap[index], heap[child]] = [heap[child]!, heap[index]!]
      index = child
    }
    return top
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order)
}

/** A broadcast domain of any number of ports. */
export class VirtualLan {
  options: LinkOptions
  readonly passages: Passage[] = []
  readonly #world: VirtualWorld
  readonly #random: Random
  readonly #ports: Port[] = []

  constructor(world: VirtualWorld, options: LinkOptions, random: Random) {
    this.#world = world
    this.options = options
    this.#random = random
  }

  /** Puts a stack on the link with these addresses (`10.0.0.1/24`). Returns the device's index. */
  attach(stack: HostStack, ...addresses: string[]): number {
    const mac = this.#world.mac()
    const index = stack.devices.length
    this.join(stack.name, mac, (frame) => stack.input(index, frame, this.#world.now))
    const prefixes = addresses.map((address) => parseIpv4Prefix(address)!)
    const mtu = this.options.mtu ?? 1500
    const send = (frame: Uint8Array): void => this.send(stack.name, frame)
    return stack.addDevice({ name: `eth${index}`, mac, mtu, send }, prefixes)
  }

  /** Puts anything on the link. */
  join(name: string, mac: Uint8Array, receive: (frame: Uint8Array) => void): void {
    this.#ports.push({ name, mac, receive, freeAt: 0 })
  }

  /** Sends a frame from the port of this name. */
  send(from: string, frame: Uint8Array): void {
    const port = this.#ports.find((each) => each.name === from)!
    const { filter, rateBps = 0, queueFrames = 1000 } = this.options
    if (filter !== undefined && !filter(frame, from)) {
      this.#record(from, frame, 'filtered')
      return
    }
    const { now } = this.#world
    const wireNs = rateBps === 0 ? 0 : (frame.length * 8e9) / rateBps
    if (rateBps > 0 && port.freeAt - now > queueFrames * wireNs) {
      this.#record(from, frame, 'queue')
      return
    }
    port.freeAt = Math.max(port.freeAt, now) + wireNs
    this.#fly(port, frame, port.freeAt)
  }

  /** The frames of one sender, or of all, that were put on the wire. */
  frames(from?: string): Uint8Array[] {
    return this.passages.filter((each) => from === undefined || each.from === from).map((each) => each.frame)
  }

  #fly(port: Port, frame: Uint8Array, at: number): void {
    const { delayNs = MICROSECOND, loss = 0, duplicate = 0, reorder = 0, reorderNs = 0 } = this.options
    const spared = this.options.spare?.(frame) ?? false
    if (this.#random.float() < loss && !spared) {
      this.#record(port.name, frame, 'lost')
      return
    }
    const held = this.#random.float() < reorder && !spared
    const twice = this.#random.float() < duplicate
    this.#record(port.name, frame, held ? 'held' : twice ? 'duplicated' : 'delivered')
    const arrival = at + delayNs + (held ? reorderNs : 0)
    for (let copies = twice ? 2 : 1; copies > 0; copies--)
      this.#world.at(Math.round(arrival), () => this.#deliver(port, frame))
  }

  #deliver(from: Port, frame: Uint8Array): void {
    const many = (frame[0]! & 1) === 1
    for (const port of this.#ports) {
      if (port === from) continue
      if (many || port.mac.every((byte, i) => byte === frame[i])) port.receive(frame)
    }
  }

  #record(from: string, frame: Uint8Array, fate: Passage['fate']): void {
    this.passages.push({ at: this.#world.now, from, frame, fate })
  }
}

/** Two hosts, a (10.0.0.1) and b (10.0.0.2), on one link. */
export function pair(
  seed: number,
  options: LinkOptions = {},
): { world: VirtualWorld; lan: VirtualLan; a: HostStack; b: HostStack } {
  const world = new VirtualWorld(seed)
  const lan = world.lan(options)
  const a = world.host('a')
  const b = world.host('b')
  lan.attach(a, '10.0.0.1/24')
  lan.attach(b, '10.0.0.2/24')
  return { world, lan, a, b }
}

export const ADDRESS_A = 0x0a000001
export const ADDRESS_B = 0x0a000002
