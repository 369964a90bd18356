/**
 * A lab as every backend sees it. The one idea: no units, no defaults left open and no names left unresolved:
 * times in nanoseconds, rates in bits a second, sizes in bytes, shares 0..1. Plain data, deeply readonly.
 */
import type { Change, Nanoseconds } from '../../engine/index.ts'
import type { Interface, RawPolicy, RouterRoute } from '../../router/policy/index.ts'
import type { Expectation } from '../expectation.ts'

export type { Interface, InterfaceAddress, RouterRoute } from '../../router/policy/index.ts'

/** A route of a host; `via` is the address of a neighbour. */
export interface HostRoute {
  readonly prefix: string
  readonly via: string
}

export type ClientProtocol = 'http' | 'tcp' | 'udp' | 'ping'
export type ServiceProtocol = 'http' | 'tcp' | 'udp'

/**
 * A source of requests. A request is one HTTP request, one TCP connection that carries a stream both ways, one
 * datagram and its answer, or one echo.
 */
export interface Client {
  readonly protocol: ClientProtocol
  readonly address: string
  /** 1..65535; 0 for ping. */
  readonly port: number
  /** Own source address, or undefined for the outgoing interface's. */
  readonly fromAddress: string | undefined
  /** When the first request starts. */
  readonly startNs: Nanoseconds
  /** Requests that start per second, whatever becomes of them; undefined: each starts when another has ended. */
  readonly ratePerSecond: number | undefined
  /** Requests in all; undefined: until the lab ends. */
  readonly count: number | undefined
  /** Requests at the same time where there is no rate. */
  readonly concurrency: number
  /** What the client sends with each request (HTTP body, stream, payload); 0 sends an HTTP GET. */
  readonly bytes: number
  /** A request without an end after this time has failed. */
  readonly timeoutNs: Nanoseconds
  /** HTTP: requests share connections. */
  readonly keepAlive: boolean
}

export interface Service {
  readonly protocol: ServiceProtocol
  readonly port: number
  /** What the service sends for each request; undefined: tcp and udp send back what came. Defined for http. */
  readonly bytes: number | undefined
}

export interface HostNode {
  readonly kind: 'host'
  readonly name: string
  readonly interfaces: readonly Interface[]
  readonly gateway: string | undefined
  readonly routes: readonly HostRoute[]
  /** Prefixes whose every address is the host's own; a host that has some takes packets out of tunnels. */
  readonly virtualHosts: readonly string[]
  /** Undefined: the host tells no router of itself. It has virtual hosts otherwise. */
  readonly agent: AgentSpec | undefined
  readonly clients: readonly Client[]
  readonly services: readonly Service[]
}

/** Signaling of a host with routers: hello, then its state and load at intervals (R-SLR-17). */
export interface AgentSpec {
  /** Addresses of routers of the lab. */
  readonly routers: readonly string[]
  /** How often the host would like to report. */
  readonly intervalNs: Nanoseconds
  /** What it reports at first; a `set` event changes it. */
  readonly load: number
}

/** A plugin to run: a source folder or a built bundle, as an absolute path. */
export interface PluginSource {
  readonly form: 'folder' | 'bundle'
  readonly path: string
}

export interface PluginSpec {
  /** Undefined: the plugin's own name. */
  readonly id: string | undefined
  readonly source: PluginSource
  readonly config: Readonly<Record<string, unknown>>
}

export interface RouterNode {
  readonly kind: 'router'
  readonly name: string
  readonly interfaces: readonly Interface[]
  readonly routes: readonly RouterRoute[]
  /** The static policy, in an order that can be committed as one transaction; empty without a policy. */
  readonly policy: readonly Change[]
  /** The policy in the words of the file, which are those of a router's configuration; undefined without one. */
  readonly policySource: RawPolicy | undefined
  readonly plugins: readonly PluginSpec[]
}

export type LabNode = HostNode | RouterNode

export interface Endpoint {
  readonly node: string
  readonly interface: string
}

/** A point-to-point link; everything holds for each direction on its own. */
export interface Link {
  /** Given, or `c1:eth0-r1:eth0`. */
  readonly name: string
  readonly endpoints: readonly [Endpoint, Endpoint]
  /** Undefined: sending takes no time. */
  readonly rateBps: number | undefined
  readonly delayNs: Nanoseconds
  /** Delay varies by up to this much more, evenly distributed; order is kept. */
  readonly jitterNs: Nanoseconds
  readonly loss: number
  readonly reorder: number
  readonly duplicate: number
  readonly corrupt: number
  /** Largest IP packet in bytes. */
  readonly mtu: number
  /** Bounds of the queue in front of the link; undefined: the backend's own. */
  readonly queuePackets: number | undefined
  readonly queueBytes: number | undefined
}

/** What an event does. */
export type EventBody =
  | { readonly kind: 'fail' | 'recover'; readonly node: string }
  | { readonly kind: 'cut' | 'heal'; readonly link: string }
  | { readonly kind: 'set'; readonly host: string; readonly load: number }
  | { readonly kind: 'load'; readonly router: string; readonly plugin: PluginSpec }
  | { readonly kind: 'upgrade'; readonly router: string; readonly id: string; readonly plugin: PluginSpec }
  | {
      readonly kind: 'unload'
      readonly router: string
      readonly id: string
      readonly flows: 'drain' | 'purge'
    }
  | { readonly kind: 'kill'; readonly router: string; readonly part: 'sandbox' | 'process' }

/** What happens at `atNs`; `index` is its place in the file. */
export type LabEvent = { readonly atNs: Nanoseconds; readonly index: number } & EventBody

/** Calendar time at virtual zero where the file does not say: 2026-01-01T00:00:00Z. */
export const DEFAULT_EPOCH_MS = 1_767_225_600_000

export interface Lab {
  readonly name: string
  /** Every random choice of the lab follows from it. 0..2^32-1, default 1. */
  readonly seed: number
  /** Keys and certificates follow from it; default: the seed. */
  readonly rootSeed: number
  /** Calendar time at virtual zero in ms since 1970; default DEFAULT_EPOCH_MS. */
  readonly epochMs: number
  /** Undefined: until every client has made its `count` and every event has happened. */
  readonly durationNs: Nanoseconds | undefined
  /** In the order of the file. */
  readonly nodes: readonly LabNode[]
  readonly links: readonly Link[]
  /** By time, then by their order in the file. */
  readonly events: readonly LabEvent[]
  readonly expectations: readonly Expectation[]
}

/** The hosts of a lab. */
export function hostsOf(lab: Lab): HostNode[] {
  return lab.nodes.filter((node) => node.kind === 'host')
}

/** The routers of a lab. */
export function routersOf(lab: Lab): RouterNode[] {
  return lab.nodes.filter((node) => node.kind === 'router')
}
