/**
 * What can be done with a packet: one closed union, plain data. Modifiers (`class`, `rewrite`) name the action
 * that follows as `then`; everything else ends the chain. apply.ts is the only place that switches over it.
 */
import type { DropReason } from '../drop-reason.ts'

/** Send by the routing table, or to a next hop that must be on a connected network. */
export interface ForwardAction {
  readonly kind: 'forward'
  /** Next hop address; without it the packet's destination is looked up. */
  readonly via?: string
}

/** Drop and count under `reason` (default `policy`). */
export interface DropAction {
  readonly kind: 'drop'
  readonly reason?: DropReason
}

/** Send into a tunnel. The name is the owner's own unless it is qualified as `owner/name`. */
export interface TunnelAction {
  readonly kind: 'tunnel'
  readonly tunnel: string
}

/** Take off the outer header (RFC 2003) and classify what was inside, a bounded number of times. */
export interface DecapsulateAction {
  readonly kind: 'decapsulate'
}

/**
 * Change addresses or ports, repair the checksums, then go on. An ICMP error that speaks of the flow keeps its own.
 */
export interface RewriteAction {
  readonly kind: 'rewrite'
  readonly from?: string
  readonly to?: string
  readonly fromPort?: number
  readonly toPort?: number
  readonly then: Action
}

/** One copy for each action, 1..64 of them. */
export interface ReplicateAction {
  readonly kind: 'replicate'
  readonly to: readonly Action[]
}

/** Queue the packet in the named traffic class of whatever port it leaves by, then go on. */
export interface ClassAction {
  readonly kind: 'class'
  readonly class: string
  readonly then: Action
}

/**
 * Park the packet, as it came, and ask the owner for a decision; after `waitNs` without one, `otherwise` happens.
 * Modifiers that stand before it are part of what happens otherwise; an answer brings its own.
 */
export interface DecideAction {
  readonly kind: 'decide'
  /** At most 60 s. */
  readonly waitNs: number
  readonly otherwise: Action
}

/**
 * Choose among 1..256 actions by a seeded hash of the flow's key, in proportion to the weights, once per flow: the
 * choice is pinned in the flow table, with the modifiers that stand before it, so that later packets follow it
 * whatever changes (R-SLR-11). Within a replicate it chooses alike for every packet of a flow, but pins nothing.
 */
export interface SpreadAction {
  readonly kind: 'spread'
  /** Weights are whole numbers 1..65535. */
  readonly to: readonly { readonly action: Action; readonly weight: number }[]
  /** Idle time of the pinned flow; default by protocol. */
  readonly idleNs?: number
}

export type Action =
  | ForwardAction
  | DropAction
  | TunnelAction
  | DecapsulateAction
  | RewriteAction
  | ReplicateAction
  | ClassAction
  | DecideAction
  | SpreadAction
