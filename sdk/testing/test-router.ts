/**
 * What a test of a plugin speaks to (`pronto-router/sdk/testing`). The one idea: packets, messages and time go in,
 * plain data comes out; whatever is between is the router's own engine, dispatcher and plugin environment.
 *
 * Time stands still but for `advance`: sending, deciding and calling take none.
 */
import type {
  Duration,
  ExportedState,
  PluginDefinition,
  Sender,
  ServiceErrorCode,
} from '../../execution-env/contract/api/index.ts'
import type { Capabilities, JsonSchema, JsonValue } from '../../execution-env/contract/index.ts'

/** Where a plugin comes from: its folder (relative to the working directory), or the thing itself. */
export type PluginUnderTest = string | PluginDefinition<never>

/** What a server answers: a response, `{ code: 'timeout' }` and the like, or nothing where there is none. */
export type TestWeb = (
  url: string,
) =>
  | { readonly status?: number; readonly contentType?: string; readonly body?: string }
  | { readonly code: ServiceErrorCode }
  | undefined

export interface TestRouterOptions {
  /** The operator's configuration. Default: an empty object. */
  readonly config?: unknown
  /** The most that the operator allows. Default: what the manifest asks for; for a definition, everything. */
  readonly capabilities?: Capabilities
  /** Name of the instance. Default: the plugin's name; for a definition, `plugin`. */
  readonly id?: string
  /** Ports and their addresses, `10.0.1.1/24`. Default: `eth0` in 10.0.1.0/24, `eth1` in 10.0.2.0/24. */
  readonly ports?: Readonly<Record<string, string>>
  /** Prefix -> next hop. Default: everything by the last port's last address. */
  readonly routes?: Readonly<Record<string, string>>
  /** Where all randomness comes from. Default 1. */
  readonly seed?: number
  /** Calendar time at the beginning. Default 2026-01-01T00:00:00Z, a Thursday. */
  readonly clock?: string
  /** What a handler that throws does: fail the test, or what it does on a router. Default `throw`. */
  readonly faults?: 'throw' | 'log'
  /** Further plugins, by their ids, that listen to every topic and do nothing else. Default `other`. */
  readonly others?: readonly string[]
  /** The web, for `http.get`. Default: the router has no such proxy (`unsupported`). */
  readonly http?: TestWeb
  /** Name -> certificate in PEM, believed. Default: the router has no such proxy. */
  readonly certificates?: Readonly<Record<string, string>>
  /** Name -> Ed25519 private key in PEM, for `keys`. */
  readonly keys?: Readonly<Record<string, string>>
  /** Of a definition: the form of its configuration. */
  readonly configSchema?: JsonSchema
}

export type TcpFlag = 'syn' | 'ack' | 'fin' | 'rst' | 'psh'

/** A packet that a host sends to the router. */
export interface TestPacket {
  readonly to: string
  /** Default 10.0.1.2. */
  readonly from?: string
  /** `icmp` is an echo request whose identifier is `fromPort`. Default `tcp`. */
  readonly protocol?: 'tcp' | 'udp' | 'icmp' | number
  /** Default: one that was not used yet, so that the packet begins a flow. */
  readonly fromPort?: number
  /** Default 80. */
  readonly toPort?: number
  /** Of TCP. Default: only `syn`. */
  readonly flags?: readonly TcpFlag[]
  /** Behind the transport header. Default: nothing. */
  readonly payload?: string | Uint8Array
  /** 1..255. Default 64. */
  readonly ttl?: number
  /** By which port it comes. Default: the one in whose network `from` is, else the first. */
  readonly inPort?: string
}

/** A packet as it left the router, without tunnel headers. */
export interface LeftPacket {
  readonly from: string
  readonly to: string
  readonly fromPort: number
  readonly toPort: number
  readonly protocol: number
  readonly ttl: number
}

/** What became of a packet: one of the first seven, and where it left, how. */
export interface Fate {
  /** Sent into the tunnel with this far end. */
  readonly tunnel?: string
  /** Sent on to this neighbour. */
  readonly forward?: string
  /** Dropped for this reason. */
  readonly drop?: string
  /** Waits for a decision. */
  readonly parked?: true
  /** Waits for its turn on a link. */
  readonly queued?: true
  /** It was for the router itself. */
  readonly delivered?: true
  /** Several of them left, or were dropped. */
  readonly copies?: readonly Fate[]
  /** The port that it left by. */
  readonly port?: string
  readonly packet?: LeftPacket
}

/** A row of one of the router's tables. */
export type TestRow = Readonly<Record<string, string | number | boolean | null>>

export interface TestFlow extends TestRow {
  readonly protocol: string
  readonly from: string
  readonly fromPort: number
  readonly to: string
  readonly toPort: number
  /** In words: `tunnel 10.0.2.2`. */
  readonly action: string
  readonly packets: number
  readonly bytes: number
}

export interface TestLogLine {
  readonly atNs: number
  /** The plugin itself, or the router about it. */
  readonly by: 'plugin' | 'router'
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly text: string
}

/** A message of the plugin's that another plugin got. */
export interface TestMessage {
  readonly plugin: string
  readonly topic: string
  readonly body: JsonValue
}

/** How the instance is. */
export interface TestReport {
  readonly version: string
  readonly state: string
  readonly flows: number
  readonly tunnels: number
  readonly claims: number
  readonly decisions: number
  readonly faults: number
  readonly granted: readonly string[]
  readonly lastFailure: string
}

export interface TestUpgradeOptions {
  /** Default: the one it has. */
  readonly config?: unknown
  /** `discard` begins without the state of the version before. Default `move`. */
  readonly state?: 'move' | 'discard'
}

/** A router with one plugin. */
export interface TestRouter {
  /** Nanoseconds since the beginning. */
  readonly now: number
  /** Sends a packet to the router; tells what has become of it so far. @throws what a handler throws */
  send(packet: TestPacket): Fate
  /**
   * Lets time go by, with everything that is due in it.
   * @returns what became of packets that had waited, in order
   * @throws what a handler throws
   */
  advance(by: Duration): readonly Fate[]
  /** Delivers a message from a plugin, a neighbour (default: 10.0.2.2) or an operator. @throws where it is refused */
  message(topic: string, body: unknown, from?: Sender): void
  /** What the other plugins have got from this one since the beginning. */
  received(): readonly TestMessage[]
  /** Sends a message as `pronto call` does. @returns the handler's answer @throws where it is refused */
  call(topic: string, body?: unknown): JsonValue
  /** Asks what the plugin answers by `query.answer`. @throws where it is refused */
  query(name: string, argument?: unknown): JsonValue
  /** The plugin's flows that are in the table. */
  flows(): readonly TestFlow[]
  /** A table of the router: tunnels, filters, flows, classes, queues, routes, counters ... */
  table(name: string): readonly TestRow[]
  /** All that was logged since the beginning. */
  logs(): readonly TestLogLine[]
  report(): TestReport
  /** The state as an upgrade would take it along; undefined where the plugin exports none. */
  state(): ExportedState | undefined
  /** Puts another version in the place of this one, with its state. Rejects where a router would go on with this one. */
  upgrade(plugin: PluginUnderTest, options?: TestUpgradeOptions): Promise<void>
  /** Goes back to the version before the last upgrade. @throws where there is none */
  rollback(): void
  /** Ends the plugin; its flows go on. */
  unload(): void
  close(): void
}
