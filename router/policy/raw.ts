/** A router's addresses, routes and policy after their form was checked: what the schema guarantees, as types. */
import type { RawQuantity } from '../../document/index.ts'

export type RawAddresses = Readonly<Record<string, string | readonly string[]>>

export interface RawRoute {
  readonly to: string
  readonly via?: string
  readonly blackhole?: true
  readonly cost?: number
}

export type RawAddressMatch = string | { readonly value: string; readonly mask: string }

export interface RawActionBody {
  readonly forward?: { readonly via?: string }
  readonly drop?: string
  readonly tunnel?: string
  readonly decapsulate?: Readonly<Record<string, never>>
  readonly rewrite?: {
    readonly from?: string
    readonly to?: string
    readonly fromPort?: number
    readonly toPort?: number
  }
  readonly class?: string
  readonly replicate?: readonly RawAction[]
  readonly spread?: readonly RawAction[]
  readonly then?: RawAction
  readonly idle?: RawQuantity
  readonly weight?: number
}

export type RawAction = 'forward' | 'drop' | 'decapsulate' | RawActionBody

export interface RawTunnel {
  readonly to: string
  readonly from?: string
  readonly kind?: 'ip-in-ip' | 'mac-rewrite'
  readonly ttl?: number
  readonly mtu?: number
}

export interface RawClass {
  readonly name: string
  readonly port?: string
  readonly parent?: string
  readonly weight: number
  readonly ceiling?: string
  readonly burst?: RawQuantity
  readonly limit?: { readonly packets?: number; readonly bytes?: RawQuantity }
  readonly discard?: 'tail' | 'codel'
}

export interface RawFilter {
  readonly name?: string
  readonly priority?: number
  readonly from?: RawAddressMatch
  readonly to?: RawAddressMatch
  readonly protocol?: string | number
  readonly fromPort?: string | number
  readonly toPort?: string | number
  readonly inPort?: string
  readonly action: RawAction
}

export interface RawPolicy {
  readonly tunnels?: Readonly<Record<string, string | RawTunnel>>
  readonly classes?: readonly RawClass[]
  readonly filters?: readonly RawFilter[]
  readonly decapsulate?: boolean | readonly string[]
}
