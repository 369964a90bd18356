/**
 * Flows and what is decided about them, as a plugin's author sees them (API version 1). The one idea: the first
 * packet of a flow is shown once, one plain decision comes back, and the rest of the flow follows it (R-SLR-11).
 */
import type { AddressMatch, Filter } from '../../../engine/index.ts'
import type { TrafficClass, Tunnel } from './handles.ts'

export type { AddressMatch, Filter }

/** `50ms`, `1.5s`, `10m`, `2h`. */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h'}`

/** A flow by its five-tuple. Ports are 0 where the protocol has none (ICMP echo: the identifier as fromPort). */
export interface FlowKey {
  readonly from: string
  readonly to: string
  readonly protocol: number
  readonly fromPort: number
  readonly toPort: number
}

/** The first packet of a flow. Values are attacker-controlled. */
export interface Flow extends FlowKey {
  /** `from` and `to` as unsigned 32-bit numbers; cheaper than the texts. */
  readonly source: number
  readonly destination: number
  /** The router's port by which it came; undefined for what the router made itself. */
  readonly inPort: string | undefined
  /** Bytes of the frame. */
  readonly length: number
  readonly syn: boolean
  readonly multicast: boolean
  readonly fragment: boolean
  /** The tunnel of this plugin by whose far end it came, if it came by one. */
  readonly arrival: Tunnel | undefined
  /** First bytes behind the transport header, as many as capability and packet allow. */
  readonly payload: Uint8Array
}

/** New addresses or ports; at least one. */
export interface Rewrite {
  readonly from?: string
  readonly to?: string
  readonly fromPort?: number
  readonly toPort?: number
}

interface Classed {
  /** Queue the packets in this class of whatever port they leave by: a handle, or a name of the operator's. */
  readonly class?: TrafficClass | string
}

/** Send by the routing table, or to a next hop that must be on a connected network. */
export interface ForwardAction extends Classed {
  readonly forward: true | { readonly via: string }
}

export interface TunnelAction extends Classed {
  readonly tunnel: Tunnel
}

/** `true` is `policy`. */
export interface DropAction {
  readonly drop: true | 'policy' | 'no-server'
}

/** Take off the outer header and decide about what was inside. */
export interface DecapsulateAction {
  readonly decapsulate: true
}

/** Change addresses or ports, then go on (default: forward). */
export interface RewriteAction extends Classed {
  readonly rewrite: Rewrite
  readonly then?: Action
}

/** One copy for each action, 1..64. */
export interface ReplicateAction {
  readonly replicate: readonly Action[]
}

export type Action =
  | ForwardAction
  | TunnelAction
  | DropAction
  | DecapsulateAction
  | RewriteAction
  | ReplicateAction

/** A static choice by a hash of the flow key in proportion to weights 1..65535, once per flow. */
export interface SpreadAction {
  readonly spread: readonly { readonly action: Action; readonly weight: number }[]
}

/** What happens where nobody decides: the router does it alone. */
export type Fallback = Action | SpreadAction

/**
 * What is decided about a flow: an action that holds for its later packets too, until it was `idle` for so long
 * (default: by protocol; a drop: one second). Nothing: the claim's `otherwise`, for this packet only.
 */
export type Decision =
  | (Action & { readonly idle?: Duration })
  | { readonly park: Duration; readonly otherwise?: Fallback }
  | undefined
  | null

/** How a claim is served when it cannot be. */
export interface ClaimOptions {
  /** How long a packet may wait for a decision. Default `300ms`, at most `10s`. */
  readonly wait?: Duration
  /** What happens without a decision. Default: as the operator says, to drop or to forward. */
  readonly otherwise?: Fallback
}

export const FLOW_END_REASONS = ['idle', 'closed', 'removed', 'reused'] as const

/** A flow of this plugin that is over. */
export interface FlowEnd extends FlowKey {
  readonly source: number
  readonly destination: number
  readonly reason: (typeof FLOW_END_REASONS)[number]
  readonly packets: number
  readonly bytes: number
  /** Where it was sent, when that is an open tunnel of this plugin. */
  readonly tunnel: Tunnel | undefined
}

/** A flow of this plugin that is in the table. */
export interface FlowInfo extends FlowKey {
  readonly packets: number
  readonly bytes: number
  readonly createdNs: number
  readonly lastSeenNs: number
  readonly tunnel: Tunnel | undefined
}
