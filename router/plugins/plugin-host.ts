/**
 * What the router asks of whoever runs plugins. The one idea: promises and plain data, so that the environment manager
 * may be beside the engine in another thread, or a double in a test. Whatever it refuses is an error with a `code`.
 */
import type { Change } from '../../engine/index.ts'
import type { Capabilities, JsonValue, Limits } from '../../execution-env/contract/index.ts'

/** Share of the processor: weight among others, what is promised, and the most, both 0..1. */
export interface CpuShare {
  readonly weight?: number
  readonly guarantee?: number
  readonly ceiling?: number
}

/** What the operator says about a plugin. */
export interface PluginSettings {
  readonly config: JsonValue
  /** Of its claims among those of other plugins; higher goes first. */
  readonly priority: number
  /** What this router gives at most. Absent: all that the signer was granted. */
  readonly allow?: Capabilities
  /** Ceilings; what is absent is bounded by the contract alone. */
  readonly limits: Partial<Limits>
  /** Runs unisolated in the router's own process: only for what the operator trusts like the router itself. */
  readonly trusted: boolean
  readonly cpu?: CpuShare
}

/** What a load or an upgrade would bring. */
export interface DryRun {
  readonly id: string
  readonly version: string
  readonly signer: string
  readonly warnings: readonly string[]
  /** What would be granted, a line for each word. */
  readonly granted: readonly string[]
  /** What would change in the engine. */
  readonly changes: readonly Change[]
}

/** An instance as lists show it. */
export interface PluginReport {
  readonly id: string
  readonly name: string
  readonly version: string
  /** SHA-256 of what was signed. */
  readonly digest: string
  readonly signer: string
  /** A state of the environment's life, or `refused` where it could not even be installed. */
  readonly state: string
  readonly trusted: boolean
  /** Version that a rollback would bring back. */
  readonly previous: string | undefined
  readonly granted: readonly string[]
  readonly restarts: number
  readonly flows: number
  readonly decisions: number
  readonly lastFailure: string
}

/** A line of a plugin's log. */
export interface PluginLogLine {
  /** Monotonic nanoseconds. */
  readonly atNs: number
  readonly by: 'plugin' | 'router'
  readonly level: string
  /** Untrusted, bounded, one line. */
  readonly text: string
}

/** A place where plugins of one signer run. */
export interface SandboxReport {
  readonly signer: string
  readonly kind: 'process' | 'in-process'
  readonly state: string
  /** The child process, where there is one. */
  readonly pid: number | undefined
  readonly starts: number
  readonly crashes: number
  readonly quarantined: readonly string[]
  /** What confines it on this machine, and what could not be had, in words. */
  readonly confinement: { readonly inForce: readonly string[]; readonly missing: readonly string[] }
}

export interface PluginHost {
  /** What loading, or upgrading where the instance is there, would bring. Changes nothing. */
  dryRun(bundle: Uint8Array, id: string | undefined, settings: PluginSettings): Promise<DryRun>
  /**
   * Authenticates, installs and starts. What could not be started is as if it had never been there, unless it is
   * restored: then it stays, as `failed`.
   * @param occasion `restore` for what this router had accepted before it was restarted
   * @returns the instance
   */
  load(
    bundle: Uint8Array,
    id: string | undefined,
    settings: PluginSettings,
    occasion: 'load' | 'restore',
  ): Promise<PluginReport>
  /**
   * Brings another version with its state; when refused, what served serves on.
   * @param occasion `restore` for a version that this router had accepted before. Default `load`
   */
  upgrade(
    id: string,
    bundle: Uint8Array,
    settings: PluginSettings,
    state: 'move' | 'discard',
    occasion?: 'load' | 'restore',
  ): Promise<PluginReport>
  /** Goes back to `previous` of the report; only where there is one. */
  rollback(id: string): Promise<PluginReport>
  /** Ends and forgets an instance; its flows go on until they are over, or end with it. */
  unload(id: string, flows: 'drain' | 'purge'): Promise<void>
  list(): readonly PluginReport[]
  /** The sandboxes of this router, or those that it shares. */
  sandboxes(): readonly SandboxReport[]
  /** The last lines, oldest first; a line is the same object each time. */
  logs(id: string): readonly PluginLogLine[]
  /** Delivers an operator's message; answers with what the handler returns. */
  call(id: string, topic: string, body: JsonValue, operator: string): Promise<JsonValue>
  /** Asks a query that the plugin answers. */
  ask(id: string, name: string, argument: JsonValue): Promise<JsonValue>
}
