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

/** Change addresses or ports, repair the checksums, then go on. */
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

/** Park the packet and ask the owner for a decision; after `waitNs` without one, `otherwise` happens. */
export interface DecideAction {
  readonly kind: 'decide'
  readonly waitNs: number
  readonly otherwise: Action
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
