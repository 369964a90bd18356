/** A configuration file after its form was checked: what the schema guarantees, as types. */
import type { Capabilities, JsonValue, Limits } from '../../execution-env/contract/index.ts'
import type { CpuShare } from '../plugins/plugin-host.ts'
import type { RawAction, RawAddresses, RawPolicy, RawRoute } from '../policy/index.ts'
import type { LocalControl, PortSpec } from './config.ts'

export interface RawPlugin {
  readonly bundle: string
  readonly id?: string
  readonly config?: JsonValue
  readonly priority?: number
  readonly capabilities?: Capabilities
  readonly limits?: Partial<Limits>
  readonly trusted?: boolean
  readonly cpu?: CpuShare
}

export interface RawRemote {
  readonly address?: string
  readonly port: number
  readonly certificate: string
  readonly key: string
}

export interface RawConfig {
  readonly name: string
  readonly ports?: Readonly<Record<string, Partial<Omit<PortSpec, 'name'>>>>
  readonly addresses: RawAddresses
  readonly routes?: readonly RawRoute[]
  readonly policy?: RawPolicy
  readonly fallback?: 'open' | 'closed' | Exclude<RawAction, string>
  readonly plugins?: readonly RawPlugin[]
  readonly trust?: string
  readonly keys?: Readonly<Record<string, string>>
  readonly state?: string
  readonly punt?: string
  readonly signaling?: { readonly port?: number }
  readonly control?: { readonly local?: LocalControl; readonly remote?: RawRemote }
}
