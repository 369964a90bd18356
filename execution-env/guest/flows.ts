/**
 * Flows inside a guest: claims, and the two batch entries. The one idea: a record becomes one small object, the
 * claim's handler is called with it, and what it returns becomes three words; what it throws costs its own record.
 *
 * Self-contained: the text of this function runs inside the isolate.
 */
import type { Claim } from '../contract/api/handles.ts'
import type { FlowPage } from '../contract/api/index.ts'
import type { BatchEntry, Host } from '../sandbox/kernel.ts'
import type { Actions } from './actions.ts'
import type { Layout } from './layout.ts'
import type { Resources } from './resources.ts'
import type { Subscriptions } from './subscriptions.ts'
import type { Values } from './values.ts'

export interface FlowsWord {
  readonly verbs: Readonly<Record<string, (...parameters: never[]) => unknown>>
  readonly decide: BatchEntry
  readonly ended: BatchEntry
}

type Decide = (flow: unknown) => unknown

export function createFlows(
  host: Host,
  values: Values,
  resources: Resources,
  actions: Actions,
  subscriptions: Subscriptions,
  layout: Layout,
  settings: { readonly ports: readonly string[]; readonly payloadBytes: number },
): FlowsWord {
  const { refusal, durationNs, formatAddress, handler, show } = values
  const RECORD = layout.flow
  const END = layout.end
  const DECISION = layout.decision
  const { durationMsMax, decisionWords, endWords, endReasons } = layout
  const { syn: SYN, multicast: MULTICAST, fragment: FRAGMENT } = layout.flags
  const flowWords = layout.flowWords + Math.ceil(settings.payloadBytes / 4)
  const noPayload = new Uint8Array(0)
  const claims = new Map<number, Decide>()
  const claimNumbers = new Map<unknown, number>()
  let lastClaim = 0

  class Flow {
    readonly source: number
    readonly destination: number
    readonly protocol: number
    readonly fromPort: number
    readonly toPort: number
    readonly length: number
    readonly payload: Uint8Array
    readonly #flags: number
    readonly #inPort: number
    readonly #arrival: number

    constructor(input: Int32Array, at: number) {
      const ports = input[at + RECORD.ports]!
      const length = input[at + RECORD.length]!
      this.source = input[at + RECORD.source]! >>> 0
      this.destination = input[at + RECORD.destination]! >>> 0
      this.protocol = input[at + RECORD.protocol]!
      this.fromPort = ports >>> 16
      this.toPort = ports & 0xffff
      this.length = length & 0xffff
      this.payload = length >>> 16 === 0 ? noPayload : bytesOf(input, at + RECORD.payload, length >>> 16)
      this.#flags = input[at + RECORD.flags]!
      this.#inPort = input[at + RECORD.inPort]!
      this.#arrival = input[at + RECORD.arrival]!
    }

    get from(): string {
      return formatAddress(this.source)
    }

    get to(): string {
      return formatAddress(this.destination)
    }

    get inPort(): string | undefined {
      return settings.ports[this.#inPort]
    }

    get syn(): boolean {
      return (this.#flags & SYN) !== 0
    }

    get multicast(): boolean {
      return (this.#flags & MULTICAST) !== 0
    }

    get fragment(): boolean {
      return (this.#flags & FRAGMENT) !== 0
    }

    get arrival(): unknown {
      return resources.tunnelNumbered(this.#arrival)
    }
  }
  Object.freeze(Flow.prototype)

  const bytesOf = (words: Int32Array, from: number, count: number): Uint8Array => {
    const bytes = new Uint8Array(count)
    for (let i = 0; i < count; i++) bytes[i] = words[from + (i >> 2)]! >>> ((i & 3) * 8)
    return bytes
  }

  const milliseconds = (value: unknown, place: string): number => {
    const ms = Math.ceil(durationNs(value, place) / 1e6)
    if (ms < 1 || ms > durationMsMax) throw refusal('invalid', `${place}: ${show(value)} is out of bounds`)
    return ms
  }

  /** Writes a decision. Numbers are asked for last, when nothing can throw any more. */
  const write = (decision: Record<string, unknown>, output: Int32Array, at: number): void => {
    const { park, idle } = decision
    if (park !== undefined) {
      const wait = milliseconds(park, 'park')
      const { otherwise } = decision
      output[at + DECISION.action] = otherwise === undefined ? 0 : actions.numberOfFallback(otherwise)
      output[at + DECISION.park] = wait
      return
    }
    const idleMs =
      idle === undefined
        ? decision['drop'] === undefined
          ? 0
          : layout.dropIdleMs
        : milliseconds(idle, 'idle')
    output[at + DECISION.action] = actions.numberOf(decision)
    output[at + DECISION.idle] = idleMs
  }

  const decide: BatchEntry = (input, output, count) => {
    output.fill(0, 0, count * decisionWords)
    actions.trim(layout.actionsKept)
    for (let i = 0; i < count; i++) {
      const at = i * flowWords
      const mark = host.mark()
      try {
        const claim = claims.get(input[at]!)
        if (claim === undefined) continue
        const decision = claim(new Flow(input, at))
        if (decision === undefined || decision === null) continue
        if (typeof decision !== 'object')
          throw refusal('invalid', `a decision: expected an object, got ${show(decision)}`)
        write(decision as Record<string, unknown>, output, i * decisionWords)
      } catch (thrown) {
        host.fault(i, thrown, mark)
      }
    }
  }

  const double = (words: Int32Array, at: number): number => (words[at]! >>> 0) + words[at + 1]! * 2 ** 32

  const endOf = (input: Int32Array, at: number): unknown => {
    const ports = input[at + END.ports]!
    const source = input[at + END.source]! >>> 0
    const destination = input[at + END.destination]! >>> 0
    return {
      source,
      destination,
      from: formatAddress(source),
      to: formatAddress(destination),
      protocol: input[at + END.protocol]! & 255,
      fromPort: ports >>> 16,
      toPort: ports & 0xffff,
      reason: endReasons[input[at + END.protocol]! >>> 8],
      packets: double(input, at + END.packets),
      bytes: double(input, at + END.bytes),
      tunnel: resources.tunnelNumbered(input[at + END.tunnel]!),
    }
  }

  const ended: BatchEntry = (input, _output, count) => {
    const groups = new Map<number, { first: number; ends: unknown[] }>()
    for (let i = 0; i < count; i++) {
      const subscription = input[i * endWords + END.subscription]!
      let group = groups.get(subscription)
      if (group === undefined) groups.set(subscription, (group = { first: i, ends: [] }))
      group.ends.push(endOf(input, i * endWords))
    }
    for (const [subscription, { first, ends }] of groups) {
      const mark = host.mark()
      try {
        subscriptions.call(subscription, [ends])
      } catch (thrown) {
        host.fault(first, thrown, mark)
      }
    }
  }

  const keyOf = (flow: Record<string, unknown>): Record<string, unknown> => {
    if (typeof flow !== 'object' || flow === null)
      throw refusal('invalid', `a flow: expected an object, got ${show(flow)}`)
    const { from, to, protocol, fromPort, toPort } = flow
    return { from, to, protocol, fromPort, toPort }
  }

  const verbs = {
    claim(filter: unknown, decider: Decide, options: Record<string, unknown> = {}): Claim {
      handler(decider, 'flows.claim')
      const { wait, otherwise } = options
      const waitNs = wait === undefined ? layout.waitMsDefault * 1e6 : durationNs(wait, 'wait')
      const action = otherwise === undefined ? {} : { otherwise: actions.fallback(otherwise, 'otherwise') }
      host.request({ do: 'claim', claim: lastClaim + 1, filter, waitNs, ...action } as never)
      const claim: Claim = Object.freeze({})
      claims.set(++lastClaim, decider)
      claimNumbers.set(claim, lastClaim)
      return claim
    },
    unclaim(claim: unknown) {
      const number = claimNumbers.get(claim)
      if (number === undefined) throw refusal('closed', 'flows.unclaim: not a claim of this plugin')
      host.request({ do: 'unclaim', claim: number })
      claims.delete(number)
      claimNumbers.delete(claim)
    },
    pin(flow: Record<string, unknown>, action: Record<string, unknown>) {
      const wire = actions.wire(action, 'flows.pin')
      const idle = action['idle'] === undefined ? {} : { idleNs: durationNs(action['idle'], 'idle') }
      host.request({ do: 'pin', key: keyOf(flow), action: wire, ...idle } as never)
    },
    unpin(flow: Record<string, unknown>) {
      host.request({ do: 'unpin', key: keyOf(flow) } as never)
    },
    ended(filter: unknown, sink: unknown) {
      handler(sink, 'flows.ended')
      return subscriptions.open(sink as () => void, (subscription) => ({
        do: 'follow',
        subscription,
        filter,
      }))
    },
    each(visit: (flow: unknown) => void) {
      handler(visit, 'flows.each')
      let visited = 0
      for (let after = 0; visited < layout.flowsVisited; ) {
        const { rows, next } = host.ask('flows', { after }) as unknown as FlowPage
        for (const row of rows) {
          const [source, destination, ports, protocol, tunnel, packets, bytes, createdNs, lastSeenNs] =
            row as readonly [number, number, number, number, number, number, number, number, number]
          visit({
            ...{ from: formatAddress(source), to: formatAddress(destination), protocol },
            ...{ fromPort: ports >>> 16, toPort: ports & 0xffff, packets, bytes, createdNs, lastSeenNs },
            tunnel: resources.tunnelNumbered(tunnel),
          })
          visited++
        }
        if (next === 0) return
        after = next
      }
    },
  }
  return { verbs, decide, ended }
}
