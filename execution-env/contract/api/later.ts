/**
 * Words whose facility this version of the router does not have yet. The one idea: their shape stands here, so that
 * techniques can be thought through against it; every verb throws `unsupported` until the facility is there, and
 * whatever of it has been tried by a plugin may still change then.
 */
import type { JsonValue } from '../json.ts'
import type { Action, AddressMatch, Filter, FlowKey } from './flow.ts'
import type { Subscription, Tag } from './handles.ts'

/** A packet in the hands of a program: read and changed in place, checksums repaired by the router. */
export interface Packet extends FlowKey {
  readonly payload: Uint8Array
  /** A TCP option by its kind, without its first two bytes. */
  option(kind: number): Uint8Array | undefined
  setOption(kind: number, value: Uint8Array | undefined): void
}

/** Programs that see every packet of a filter, in batches (options of dynamic TCP, R-DT-01). */
export interface Packets {
  program(filter: Filter, handler: (packets: readonly Packet[]) => readonly Action[]): Subscription
}

/** Labels (R-TS-03): allocated here, bound to what this router serves, told to neighbours. */
export interface Tags {
  allocate(prefix: string): Tag
  bind(tag: Tag, action: Action): void
}

/** A membership as it is asked for: who asks for which senders (R-MC-10, R-SEC-03). */
export interface Membership {
  readonly group: string
  readonly requester: string
  readonly inPort: string
  readonly permit: readonly AddressMatch[]
  readonly prohibit: readonly AddressMatch[]
}

/** Multicast delivery. */
export interface Groups {
  join(group: string, options?: { readonly permit?: readonly AddressMatch[] }): Subscription
  leave(subscription: Subscription): void
  admit(prefix: string, decide: (membership: Membership) => boolean): Subscription
  deliver(group: string, to: readonly Action[]): Subscription
}

/** Sessions with soft state between routers and hosts (R-SLR-17). */
export interface Peers {
  open(address: string, handler: (state: JsonValue | undefined) => void): Subscription
}
