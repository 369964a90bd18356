/**
 * EngineControl: the one interface through which anything changes the engine (interface 1130, engine side).
 *
 * The one idea: changes are plain data, grouped in transactions. `commit` applies all of a transaction or none of
 * it. Everything created is tagged with its owner; a resource is named within (owner, kind), may be referenced by
 * others, and lives as long as someone refers to it. `removeOwner` is idempotent.
 */
import type { Action } from './actions/action.ts'
import type { Filter } from './classifier/filter.ts'
import type { Nanoseconds } from './clock.ts'
import type { TunnelRequest } from './tunnels/tunnel.ts'

/** A flow by its five-tuple; ports are 0 where the protocol has none (ICMP echo: the identifier as fromPort). */
export interface FlowKey {
  readonly from: string
  readonly to: string
  readonly protocol: number
  readonly fromPort: number
  readonly toPort: number
}

/** Token bucket: long-term rate and burst. */
export interface Ceiling {
  readonly rateBps: number
  /** Bytes; default 10 ms at the rate, at least two MTUs. */
  readonly burstBytes?: number
}

/** A traffic class below `parent` (default: the port's root) on one port, or on every port when `port` is absent. */
export interface ClassRequest {
  readonly name: string
  readonly port?: string
  readonly parent?: string
  /** Relative share among siblings, > 0, at most 1e6. */
  readonly weight: number
  readonly ceiling?: Ceiling
  /** Queue limits of a leaf. Defaults 1000 packets, 1.5 MB. */
  readonly limitPackets?: number
  readonly limitBytes?: number
  /** Default `tail`. */
  readonly dropPolicy?: 'tail' | 'codel'
}

/** Where packets for a prefix go when no flow or filter says otherwise. */
export type RouteTarget =
  | { readonly kind: 'via'; readonly via: string; readonly port?: string }
  | { readonly kind: 'connected'; readonly port: string }
  | { readonly kind: 'local' }
  | { readonly kind: 'blackhole' }

export type Change =
  | { readonly do: 'open-tunnel'; readonly name: string; readonly tunnel: TunnelRequest }
  | { readonly do: 'close-tunnel'; readonly name: string }
  | {
      readonly do: 'install-filter'
      readonly name: string
      readonly filter: Filter
      readonly action: Action
      /** Higher wins; default 0; ties: more specific, then older. */
      readonly priority?: number
    }
  | { readonly do: 'remove-filter'; readonly name: string }
  | {
      readonly do: 'install-flow'
      readonly key: FlowKey
      readonly action: Action
      /** Idle time after which the entry goes; default by protocol and TCP state. */
      readonly idleNs?: Nanoseconds
    }
  | { readonly do: 'remove-flow'; readonly key: FlowKey }
  | { readonly do: 'resume'; readonly upcall: number; readonly action: Action; readonly idleNs?: Nanoseconds }
  | { readonly do: 'create-class'; readonly class: ClassRequest }
  | {
      readonly do: 'set-class'
      readonly name: string
      readonly port?: string
      readonly weight?: number
      readonly ceiling?: Ceiling | null
      readonly limitPackets?: number
      readonly limitBytes?: number
    }
  | { readonly do: 'remove-class'; readonly name: string; readonly port?: string }
  | {
      readonly do: 'add-route'
      readonly prefix: string
      readonly target: RouteTarget
      readonly cost?: number
    }
  | { readonly do: 'remove-route'; readonly prefix: string }
  | { readonly do: 'add-address'; readonly port: string; readonly address: string }
  | { readonly do: 'remove-address'; readonly port: string; readonly address: string }

/** Who asks. The router's own configuration is `router`; a plugin instance is its id. */
export type Owner = string

export interface EngineControl {
  /**
   * Applies all changes in order or none.
   * @throws EngineError whose `place` starts with `changes[i]`
   */
  commit(owner: Owner, changes: readonly Change[], now: Nanoseconds): void
  /** Removes filters, flows (or lets them drain), classes, routes and names of an owner. Idempotent. */
  removeOwner(owner: Owner, flows: 'purge' | 'drain', now: Nanoseconds): void
  /** Gives all that `from` owns to `to` (hot upgrade). @throws EngineError `conflict` when names collide */
  adopt(from: Owner, to: Owner): void
}

/** An upcall was answered: its flow is pinned. */
export const ANSWER_PINNED = 0
/** The answer came too late: the upcall was answered or has expired. Nothing happened. */
export const ANSWER_LATE = 1
/** The packets went their way, but the flow is not pinned: the table or the owner's part of it is full. */
export const ANSWER_UNPINNED = 2
/** The flow had been pinned by another owner meanwhile; the packets followed that. */
export const ANSWER_ELSEWHERE = 3

/** The fast path of answers, beside `commit`: actions are compiled once, answers allocate nothing. */
export interface DecisionControl {
  /**
   * Compiles an action for repeated use. What it needs, a tunnel above all, lives until `release`.
   * @throws EngineError as for the same action in a change
   */
  prepare(owner: Owner, action: Action, place?: string): number
  release(prepared: number): void
  /**
   * Answers an upcall with an action of its owner: pins its flow for `idleNs` (0: default by protocol) and lets its
   * packets go. @returns ANSWER_*
   */
  resume(upcall: number, prepared: number, idleNs: Nanoseconds, now: Nanoseconds): number
  /**
   * Lets an upcall wait `waitNs` from now, after which `prepared` (undefined: what was to happen anyway) happens.
   * @returns false when it is not open any more
   */
  defer(upcall: number, prepared: number | undefined, waitNs: Nanoseconds, now: Nanoseconds): boolean
  /** Lets happen what was to happen without an answer. @returns false when the upcall is not open any more */
  giveUp(upcall: number, now: Nanoseconds): boolean
}
