/**
 * What the main thread and the engine's thread say to each other. The one idea: one call at a time named by its
 * facility and method, one answer each, and now and then a picture of what has changed; all of it plain data.
 */
import type { Row } from '../../engine/index.ts'
import type { ServiceAnswer } from '../../execution-env/contract/api/index.ts'
import type { AuthenticBundle, ServiceRequest } from '../../execution-env/index.ts'
import type { ControlErrorCode, ControlProblem } from '../control/errors.ts'
import type { EngineAccess } from '../engine-access.ts'
import type { PluginHost, PluginLogLine, PluginReport, SandboxReport } from '../plugins/plugin-host.ts'
import type { SignalingDatagram, Tidings } from '../signaling/index.ts'

/** What is called: everything of these that answers with a promise. */
export interface Facilities {
  readonly engine: EngineAccess
  readonly plugins: Pick<PluginHost, 'dryRun' | 'load' | 'upgrade' | 'rollback' | 'unload' | 'call' | 'ask'>
}

/** What the engine's thread is made of. */
export interface EngineThreadOptions {
  /** 32-bit secret of the hash functions. */
  readonly seed: number
}

export interface Call {
  readonly call: number
  readonly facility: keyof Facilities
  readonly method: string
  readonly parameters: readonly unknown[]
  /** The bundle among the parameters, judged and vetted. */
  readonly judged?: AuthenticBundle
}

/** What signaling shows of itself, as rows of the tables `hosts` and `signaling`. */
export interface SignalingPicture {
  readonly hosts: readonly Row[]
  readonly counters: readonly Row[]
  /** Milliseconds since 1970 at the zero of the times in it: threads begin to count at different moments. */
  readonly originMs: number
}

/** What came of datagrams of hosts. */
export interface Signals {
  /** Datagrams that are judged. */
  readonly judged: number
  readonly send: readonly SignalingDatagram[]
  /** For plugins. */
  readonly tell: readonly Tidings[]
  /** Where it has changed since the last one. */
  readonly picture?: SignalingPicture
}

/** What a plugin asks of the proxies. */
export interface ServiceCall {
  readonly number: number
  readonly request: ServiceRequest
}

/** What came of it. */
export interface Served {
  readonly number: number
  readonly answer: ServiceAnswer
}

export type Request =
  | Call
  | { readonly signals: Signals }
  | { readonly served: Served }
  | { readonly close: true; readonly drainMs: number }

/** A refusal on its way. */
export interface SentError {
  readonly code: ControlErrorCode
  readonly message: string
  readonly place: string
  readonly cause: string | undefined
  readonly problems: readonly ControlProblem[]
}

export type Reply = { readonly reply: number } & ({ readonly value: unknown } | { readonly error: SentError })

/** New lines of one instance's log; `kept` is how many there are in all. */
export interface LogNews {
  readonly id: string
  readonly lines: readonly PluginLogLine[]
  readonly kept: number
}

/** What the main thread shows without asking. */
export interface Picture {
  readonly plugins: readonly PluginReport[]
  readonly sandboxes: readonly SandboxReport[]
  readonly logs: readonly LogNews[]
}

export type Message =
  | Reply
  | { readonly picture: Picture }
  | { readonly signal: SignalingDatagram }
  | { readonly service: ServiceCall }
  | { readonly closed: true }
