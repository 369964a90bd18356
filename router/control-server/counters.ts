/** What a control server counts; every exit of a connection has its own counter. */
export interface ServerCounters {
  sessions: number
  opened: number
  requests: number
  refused: number
  /** Connections that did not become sessions. */
  notAuthenticated: number
  notUpgraded: number
  tooManySessions: number
  /** Sessions that were ended. */
  slowReaders: number
  silent: number
  malformed: number
  expired: number
  /** News of watches that were sent. */
  updates: number
  /** Updates that were left out for slow readers. */
  updatesSkipped: number
}

export function createCounters(): ServerCounters {
  return {
    sessions: 0,
    opened: 0,
    requests: 0,
    refused: 0,
    notAuthenticated: 0,
    notUpgraded: 0,
    tooManySessions: 0,
    slowReaders: 0,
    silent: 0,
    malformed: 0,
    expired: 0,
    updates: 0,
    updatesSkipped: 0,
  }
}
