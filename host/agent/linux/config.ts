/** A host agent's configuration: no units, no defaults left open, paths absolute; deeply readonly. */
import type { RoutePrefix } from '../../../engine/ports/linux/index.ts'
import type { HostState } from '../index.ts'

export type ExitKind = 'bpf' | 'tun' | 'none'

/** Where the load comes from. `full` is what counts as fully loaded, where the source knows no such thing itself. */
export type LoadSpec =
  | { readonly source: 'load-average' }
  | { readonly source: 'connections'; readonly full: number }
  | { readonly source: 'command'; readonly command: readonly string[]; readonly intervalMs: number }
  | { readonly source: 'http'; readonly url: string; readonly intervalMs: number }
  | { readonly source: 'file'; readonly file: string }

/** Certificate and key: paths. */
export interface IdentityFiles {
  readonly certificate: string
  readonly key: string
  /** Whom to believe, to check the own certificate before routers do. */
  readonly trust: string | undefined
}

export interface VirtualHosts {
  /** `198.18.0.0/15` */
  readonly text: string
  readonly prefix: RoutePrefix
}

export interface HostConfig {
  readonly name: string
  /** The host's own address, which tunnels lead to; unsigned. */
  readonly address: number
  /** Devices by which tunnels and clients' packets come in. */
  readonly devices: readonly string[]
  readonly virtualHosts: readonly VirtualHosts[]
  readonly routers: readonly number[]
  readonly signalingPort: number
  /** Where answers to ICMP messages of virtual addresses go. */
  readonly gateway: number | undefined
  /** There where routers are. */
  readonly identity: IdentityFiles | undefined
  readonly intervalMs: number
  readonly exit: ExitKind
  readonly load: LoadSpec
  readonly state: HostState
}
