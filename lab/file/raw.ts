/** A lab file after its form was checked: what the schema guarantees, as types. Quantities are still text. */
import type { RawQuantity } from '../../document/index.ts'
import type { RawAddresses, RawPolicy, RawRoute } from '../../router/policy/index.ts'

export type { RawQuantity } from '../../document/index.ts'
export type { RawAddresses, RawRoute } from '../../router/policy/index.ts'

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

export interface RawPlugin {
  readonly plugin?: string
  readonly bundle?: string
  readonly id?: string
  readonly config?: Readonly<Record<string, unknown>>
}

export interface RawAgent {
  readonly routers: readonly string[]
  readonly interval?: RawQuantity
  readonly load?: number
}

export interface RawHost {
  readonly kind: 'host'
  readonly addresses: RawAddresses
  readonly gateway?: string
  readonly routes?: readonly RawRoute[]
  readonly virtualHosts?: readonly string[]
  readonly agent?: RawAgent
  readonly clients?: readonly RawClient[]
  readonly services?: readonly RawService[]
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
