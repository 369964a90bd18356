/**
 * The `router` object, API version 1, as a plugin's author sees it. The one idea: one room of the engine, one word;
 * verbs mean the same everywhere. Everything is synchronous for the caller; what takes time comes as a callback.
 *
 * What a call of the router into the plugin asks for (setup, a decision, a timer, a message) is one transaction,
 * carried out when the call has returned: all of it or nothing. What is refused then is in the plugin's log. A verb
 * throws an error with a closed `code` at once where that is clear already: `forbidden` without the capability,
 * `unsupported` where this version has no such facility, `invalid`, `exists`, `closed`.
 */
import type { Answer, ClassRequest, Query } from '../../../engine/index.ts'
import type { JsonValue } from '../json.ts'
import type { JsonSchema } from '../schema.ts'
import type {
  Action,
  ClaimOptions,
  Decision,
  Duration,
  Filter,
  Flow,
  FlowEnd,
  FlowInfo,
  FlowKey,
} from './flow.ts'
import type { Claim, Subscription, TrafficClass, Tunnel } from './handles.ts'
import type { Groups, Packets, Peers, Tags } from './later.ts'
import type { Certificates, Http, Keys } from './services.ts'

/** Flows: who decides about which, and what was decided. */
export interface Flows {
  /**
   * Decides about the flows that match: `decide` is called once per flow, for its first packet. Refused when another
   * claim of the same priority (the operator's) and the same specificity speaks of the same packets.
   */
  claim(filter: Filter, decide: (flow: Flow) => Decision, options?: ClaimOptions): Claim
  /** Ends a claim; flows that are pinned stay. */
  unclaim(claim: Claim): void
  /** Pins a flow within the plugin's claims, or lets one go on that is parked. Pinning again replaces. */
  pin(flow: FlowKey, action: Action & { readonly idle?: Duration }): void
  /** Takes a flow of this plugin out of the table; its next packet is decided anew. */
  unpin(flow: FlowKey): void
  /** Tells, in batches, about this plugin's flows that are over. */
  ended(filter: Filter, handler: (ends: readonly FlowEnd[]) => void): Subscription
  /** Visits this plugin's flows, youngest first, at most 10,000 of them. */
  each(visit: (flow: FlowInfo) => void): void
}

export interface TunnelOptions {
  /** The far end. */
  readonly to: string
  /** Default: `to`, with the kind before it unless that is the default. */
  readonly key?: string
  /** Default `ip-in-ip` (RFC 2003). `mac-rewrite` reaches a far end on a connected network. */
  readonly kind?: 'ip-in-ip' | 'mac-rewrite'
  /** Outer TTL, 1..255. Default 64. */
  readonly ttl?: number
  /** Default: what the outgoing port carries. */
  readonly mtu?: number
}

/** Tunnels: what they are made of stays hidden behind the handle. */
export interface Tunnels {
  open(options: TunnelOptions): Tunnel
  /** Pinned flows keep it until they are over. */
  close(tunnel: Tunnel): void
}

/** A class below `parent`, or below the port's root within the plugin's share of the link. */
export interface ClassOptions extends Omit<ClassRequest, 'name' | 'parent'> {
  /** Its key: letters, digits, `._-`, at most 32. */
  readonly name: string
  readonly parent?: TrafficClass
}

export type ClassChange = Partial<Pick<ClassOptions, 'weight' | 'limitPackets' | 'limitBytes'>> & {
  readonly ceiling?: ClassOptions['ceiling'] | null
}

/** Traffic classes: shares of links (R-SLR-26). */
export interface Classes {
  create(options: ClassOptions): TrafficClass
  set(handle: TrafficClass, change: ClassChange): void
  /** What waits still leaves in its turn. */
  remove(handle: TrafficClass): void
}

/** How the router would send to an address. */
export interface RouteView {
  readonly kind: 'via' | 'connected' | 'local' | 'blackhole' | 'broadcast'
  readonly nextHop: string | undefined
  readonly port: string | undefined
  readonly cost: number
}

export interface Routes {
  /** Undefined without a route. */
  lookup(address: string): RouteView | undefined
  /** Calls with the route now and whenever it has become another one. */
  watch(address: string, handler: (route: RouteView | undefined) => void): Subscription
  unwatch(subscription: Subscription): void
  /** Not in this version. */
  announce(prefix: string, options?: { readonly cost?: number }): void
  /** Not in this version. */
  withdraw(prefix: string): void
}

/** Who sent a message. */
export interface Sender {
  readonly kind: 'plugin' | 'operator' | 'neighbour'
  /** A plugin's id, an operator's name, a neighbour's address. */
  readonly name: string
}

export interface Messages {
  /**
   * Listens to a topic (`host/state`) or to all below one (`host/*`). Bodies that are not of the schema never
   * arrive. What the handler returns is the answer where one is waited for (an operator's call).
   */
  on(
    topic: string,
    handler: (body: JsonValue, from: Sender, topic: string) => unknown,
    schema?: JsonSchema,
  ): Subscription
  off(subscription: Subscription): void
  /** Sends to another plugin of this router by its id, or to all that listen. */
  send(topic: string, body: JsonValue, to?: string): void
  /** Not in this version. */
  toNeighbours(topic: string, body: JsonValue, options?: { readonly hops?: number }): void
}

export interface Queries {
  get(query: Query): Answer
  watch(query: Query, every: Duration, handler: (answer: Answer) => void): Subscription
  unwatch(subscription: Subscription): void
  /** Answers an operator's query of this name about the plugin. */
  answer(name: string, handler: (argument: JsonValue) => JsonValue): Subscription
}

export interface Timers {
  every(period: Duration, handler: () => void): Subscription
  after(delay: Duration, handler: () => void): Subscription
  cancel(subscription: Subscription): void
}

export interface Log {
  debug(...values: unknown[]): void
  info(...values: unknown[]): void
  warn(...values: unknown[]): void
  error(...values: unknown[]): void
}

export interface Router {
  readonly apiVersion: 1
  /** The instance's id. */
  readonly id: string
  readonly flows: Flows
  readonly packets: Packets
  readonly tunnels: Tunnels
  readonly tags: Tags
  readonly groups: Groups
  readonly classes: Classes
  readonly routes: Routes
  readonly messages: Messages
  readonly peers: Peers
  readonly query: Queries
  readonly http: Http
  readonly certificates: Certificates
  readonly keys: Keys
  readonly timers: Timers
  readonly log: Log
  /** Monotonic nanoseconds of this call. */
  now(): number
  /** Calendar milliseconds since 1970 of this call. */
  clock(): number
  /** Uniform in [0, 1), from the instance's seed. */
  random(): number
}
