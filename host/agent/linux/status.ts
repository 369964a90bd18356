/** How an agent is, as plain data. */
import type { HostState, LoadReport, SessionCounters, SessionPhase } from '../index.ts'
import type { ExitCounters } from './bpf-exit.ts'
import type { ExitKind } from './config.ts'

export interface HostStatus {
  readonly name: string
  readonly state: HostState
  readonly address: string
  readonly virtualHosts: readonly string[]
  readonly exit: { readonly kind: ExitKind } & Partial<ExitCounters>
  readonly load: LoadReport
  readonly routers: readonly {
    readonly router: string
    readonly phase: SessionPhase
    /** Why the router does not take this host in. */
    readonly refusal?: string
    readonly counters: Readonly<SessionCounters>
  }[]
}
