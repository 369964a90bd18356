/** A lab file after its form was checked: what the schema guarantees, as types. Quantities are still text. */

export type RawQuantity = string | number

export interface RawClient {
  readonly protocol: 'http' | 'tcp' | 'udp' | 'ping'
  readonly to: string
  readonly from?: string
  readonly rate?: string
  readonly count?: number
  readonly concurrency?: number
  readonly bytes?: RawQuantity
  readonly start?: RawQuantity
  readonly timeout?: RawQuantity
  readonly keepAlive?: boolean
}

export interface RawService {
  readonly protocol: 'http' | 'tcp' | 'udp'
  readonly port: number
  readonly bytes?: RawQuantity
}

export interface RawRoute {
  readonly to: string
  readonly via?: string
  readonly blackhole?: true
  readonly cost?: number
}

export interface RawPlugin {
  readonly plugin?: string
  readonly bundle?: string
  readonly id?: string
  readonly config?: Readonly<Record<string, unknown>>
}

export type RawAddresses = Readonly<Record<string, string | readonly string[]>>

export interface RawHost {
  readonly kind: 'host'
  readonly addresses: RawAddresses
  readonly gateway?: string
  readonly routes?: readonly RawRoute[]
  readonly virtualHosts?: readonly string[]
  readonly clients?: readonly RawClient[]
  readonly services?: readonly RawService[]
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

export interface RawRouter {
  readonly kind: 'router'
  readonly addresses: RawAddresses
  readonly routes?: readonly RawRoute[]
  readonly policy?: RawPolicy
  readonly plugins?: readonly RawPlugin[]
}

export type RawNode = RawHost | RawRouter

export interface RawLink {
  readonly name?: string
  readonly endpoints: readonly [string, string]
  readonly rate?: string
  readonly delay?: RawQuantity
  readonly jitter?: RawQuantity
  readonly loss?: RawQuantity
  readonly reorder?: RawQuantity
  readonly duplicate?: RawQuantity
  readonly corrupt?: RawQuantity
  readonly mtu?: number
  readonly queue?: { readonly packets?: number; readonly bytes?: RawQuantity }
}

export interface RawEvent {
  readonly at: RawQuantity
  readonly fail?: string
  readonly recover?: string
  readonly cut?: string
  readonly heal?: string
  readonly set?: { readonly host: string; readonly load: number }
  readonly load?: RawPlugin & { readonly router: string }
  readonly upgrade?: RawPlugin & { readonly router: string; readonly id: string }
  readonly unload?: { readonly router: string; readonly id: string; readonly flows?: 'drain' | 'purge' }
  readonly kill?: { readonly router: string; readonly part: 'sandbox' | 'process' }
}

export interface RawExpectation {
  readonly path: string
  readonly is: string | number | boolean
}

export interface RawLab {
  readonly name: string
  readonly seed?: number
  readonly rootseed?: number
  readonly epoch?: string
  readonly duration?: RawQuantity
  readonly nodes: Readonly<Record<string, RawNode>>
  readonly links?: readonly RawLink[]
  readonly events?: readonly RawEvent[]
  readonly expect?: readonly RawExpectation[]
}
