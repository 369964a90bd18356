/**
 * A router's health. The one idea: one answer for all who ask, operators by the protocol and watchdogs by a plain HTTP
 * request: well is a router whose plugins all run, that came up without a warning, and whose audit log is complete.
 */
import type { Router } from '../router.ts'
import type { ServerCounters } from './counters.ts'
import type { Peer } from './peer.ts'

/** Where a plain HTTP request asks for it, on the same doors and with the same rights as operators. */
export const HEALTH_PATH = '/health'

export interface Health {
  readonly router: string
  readonly version: string
  readonly well: boolean
  readonly plugins: number
  readonly unwell: readonly { readonly id: string; readonly state: string; readonly lastFailure: string }[]
  readonly warnings: readonly string[]
  readonly auditLinesLost: number
  readonly sessions: number
  readonly you: { readonly via: string; readonly name: string; readonly roles: readonly string[] }
}

export function healthOf(router: Router, peer: Peer, counters: ServerCounters): Health {
  const plugins = router.list()
  // One that an operator has ended, and whose flows drain, is as it should be.
  const unwell = plugins.filter(({ state }) => state !== 'running' && state !== 'stopping')
  const { lost } = router.audit
  return {
    router: router.name,
    version: router.version,
    well: unwell.length === 0 && router.warnings.length === 0 && lost === 0,
    plugins: plugins.length,
    unwell: unwell.map(({ id, state, lastFailure }) => ({ id, state, lastFailure })),
    warnings: router.warnings,
    auditLinesLost: lost,
    sessions: counters.sessions,
    you: { via: peer.via, name: peer.name, roles: [...peer.roles] },
  }
}
