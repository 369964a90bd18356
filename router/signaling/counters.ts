/** Everything that is counted of a router's signaling. */

/** Why a message had no effect. Closed. */
export const IGNORED = [
  'malformed',
  'unexpected', // of a type that only routers send
  'rate',
  'cookie', // an introduction without a right one
  'replay', // a cookie used before, or a sequence number that is not new
  'foreign-address', // a session spoken to from elsewhere
  'unknown-session',
  'signature',
  'beyond-grant', // loads of prefixes that the host did not introduce
  'not-believed', // the certificate has expired or was revoked since
] as const

export type Ignored = (typeof IGNORED)[number]

export interface SignalingCounters {
  received: number
  sent: number
  challenges: number
  welcomes: number
  reports: number
  byes: number
  restarts: number
  expired: number
  /** Introductions that were refused, by reason. */
  readonly refused: Record<string, number>
  /** Messages without effect, by reason. */
  readonly ignored: Record<Ignored, number>
}

export function createCounters(): SignalingCounters {
  const ignored = Object.fromEntries(IGNORED.map((reason) => [reason, 0])) as Record<Ignored, number>
  return {
    received: 0,
    sent: 0,
    challenges: 0,
    welcomes: 0,
    reports: 0,
    byes: 0,
    restarts: 0,
    expired: 0,
    refused: { certificate: 0, 'beyond-grant': 0, address: 0, busy: 0 },
    ignored,
  }
}
