/**
 * A place where plugins run. The one idea: whoever uses a sandbox asks and is answered later, by `poll`; what is
 * behind it (a confined child process, or this process for trusted code) changes nothing for the caller.
 *
 * Guarantees: `done` is called exactly once for every request, only from within `poll` or `close`, and in the order
 * of the requests, except that a request that is refused outright overtakes those under way; nothing that a plugin
 * or a dying process does throws out of here.
 */
import type { JsonValue } from '../contract/json.ts'
import type { Batch } from './batch.ts'
import type { Done, Moment } from './effects.ts'
import type { InstanceLimits } from './limits.ts'
import type { VettedCode } from './vetting.ts'

/** What became of a load. */
export interface LoadReport {
  /** Names of the entries that `call` and `decide` may use. */
  readonly calls: readonly string[]
  readonly batches: readonly string[]
  /** Heap of the instance after loading; 0 where it has none of its own. */
  readonly heapBytes: number
}

/** What plugin code may ask for and wait for. Throwing refuses; an error's `code`, if it has one, goes with it. */
export type HostFunction = (argument: JsonValue) => JsonValue

export interface LoadOptions {
  /**
   * Trusted text: an expression that evaluates to a `Runtime`, which makes the plugin's entries out of what its
   * module exports. It runs inside, beside the plugin.
   */
  readonly runtime: string
  /** Four words, not all zero: the state that the plugin's randomness starts from. */
  readonly seed: readonly [number, number, number, number]
  /** Functions that the runtime may ask by name. Default none. */
  readonly host?: Readonly<Record<string, HostFunction>>
  readonly limits?: Partial<InstanceLimits>
}

/** Counters of one instance. */
export interface InstanceStats {
  readonly calls: number
  readonly batches: number
  readonly decisions: number
  /** Requests that failed, for whatever reason. */
  readonly failures: number
  readonly spentNs: number
  /** Heap at the end of the last load or call; 0 where it has none of its own. */
  readonly heapBytes: number
}

export type SandboxState = 'starting' | 'serving' | 'waiting' | 'closed'

export interface SandboxStats {
  readonly kind: 'process' | 'in-process'
  readonly state: SandboxState
  /** The child process, where there is one. */
  readonly pid: number | undefined
  readonly starts: number
  readonly crashes: number
  readonly outstanding: number
  readonly instances: Readonly<Record<string, InstanceStats>>
  readonly quarantined: readonly string[]
  /** What confines the process on this machine, and what could not be had, in words. */
  readonly confinement: { readonly inForce: readonly string[]; readonly missing: readonly string[] }
}

export interface Sandbox {
  /** Runs the code of a new instance and makes its entries. Fails with `exists` for a name in use. */
  load(instance: string, code: VettedCode, options: LoadOptions, at: Moment, done: Done<LoadReport>): void
  /** Ends an instance after the requests before this one. Succeeds for unknown names. */
  unload(instance: string, done?: Done<null>): void
  /** Calls an entry with a JSON value. */
  call(instance: string, entry: string, argument: JsonValue, at: Moment, done: Done<JsonValue>): void
  /** Calls a batch entry. The batch belongs to the sandbox until `done`, and holds the outcome then. */
  decide(instance: string, entry: string, batch: Batch, at: Moment, done: (batch: Batch) => void): void
  /**
   * Hands over the replies that are there; a blocking sandbox first waits until nothing is outstanding.
   * @param now nanoseconds on whatever time line the restarts of this sandbox live
   * @returns the number of replies handed over
   */
  poll(now: number): number
  /** When `poll` has something to do on its own account; infinity when only requests and replies matter. */
  pollAt(): number
  stats(): SandboxStats
  /** Ends everything; what is outstanding fails with `closed`. Resolves when the process, if any, is gone. */
  close(): Promise<void>
}
