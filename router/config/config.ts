/**
 * A router's configuration as the router sees it. The one idea: no units, no defaults left open and no names left
 * unresolved; plain data, deeply readonly, so that two of them can be compared (plan.ts).
 */
import type { Action, Change, ImpairmentOptions } from '../../engine/index.ts'
import type { Role } from '../control/roles.ts'
import type { PluginSettings } from '../plugins/plugin-host.ts'
import type { Interface, RouterRoute } from '../policy/index.ts'

/** A port: its name, the machine's device behind it, and its MTU where it is not the device's own. */
export interface PortSpec {
  readonly name: string
  readonly device: string
  readonly mtu?: number
  /** How frames are exchanged with the device. Default: as packets of an existing one. */
  readonly driver?: 'af-packet' | 'tap'
  /** Takes the device even where the machine's default route leads by it. */
  readonly takeUplink?: boolean
  /** A faulty link in front of it, each way: for laboratories. */
  readonly impairment?: ImpairmentOptions
}

/** A plugin that the file wants to run. */
export interface PluginDeclaration extends PluginSettings {
  /** Undefined: the plugin's own name. */
  readonly id: string | undefined
  /** Absolute path of the bundle. */
  readonly file: string
}

export type Fallback = 'open' | 'closed' | Action

/** Where operators of this machine come in: a group for a role's socket, else its owner alone. */
export type LocalControl = Readonly<Partial<Record<Role, string | number>>>

/** Where operators of other machines come in. */
export interface RemoteControl {
  readonly host: string
  readonly port: number
  /** Absolute paths of the router's own certificate and key. */
  readonly certificate: string
  readonly key: string
}

export interface RouterConfig {
  readonly name: string
  /** In the order of the file. */
  readonly ports: readonly PortSpec[]
  readonly interfaces: readonly Interface[]
  readonly routes: readonly RouterRoute[]
  /** Tunnels, classes and filters, in an order that can be committed as one transaction. */
  readonly policy: readonly Change[]
  /** What happens to a flow whose plugin does not answer and says nothing else: forward, drop, or this. */
  readonly fallback: Fallback
  readonly plugins: readonly PluginDeclaration[]
  /** Folder or file of what is trusted; absolute. */
  readonly trust: string | undefined
  /** Keys that plugins may sign with: name -> absolute path. */
  readonly keys: Readonly<Record<string, string>>
  /** Folder of what must outlive the router; absolute. Undefined: the default of the machine. */
  readonly state: string | undefined
  /** Device through which the machine's own programs use the router's addresses; undefined: they cannot. */
  readonly punt: string | undefined
  /** Where hosts tell of themselves (R-SLR-17); undefined: nowhere. */
  readonly signaling: { readonly port: number } | undefined
  readonly local: LocalControl
  readonly remote: RemoteControl | undefined
}
