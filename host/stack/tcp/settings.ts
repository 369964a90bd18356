/**
 * What a user of TCP may choose. The one idea: one frozen record of values per listener or connection, defaults
 * from the RFCs, shared by all connections that chose nothing.
 */
import { StackError } from '../errors.ts'
import type { Nanoseconds } from '../time.ts'
import { MILLISECOND, SECOND } from '../time.ts'

/** Choices of one connection, or of all connections of a listener. Every one has a default. */
export interface TcpSettings {
  /** Sends small segments at once instead of waiting for acknowledgments (Nagle's algorithm off). Default false. */
  readonly noDelay: boolean
  /** Most bytes received and not yet taken by the application: the receive window. 1..2^30, default 256 KiB. */
  readonly receiveBytes: number
  /** Most bytes accepted for sending and not yet acknowledged. 1..2^30, default 256 KiB. */
  readonly sendBytes: number
  /** How long an acknowledgment may wait for company, up to 500 ms (RFC 1122 4.2.3.2). Default 40 ms. */
  readonly delayedAckNs: Nanoseconds
  /** Bounds of the retransmission timeout. Defaults 200 ms (RFC 6298 would have 1 s) and 60 s. */
  readonly minimumRtoNs: Nanoseconds
  readonly maximumRtoNs: Nanoseconds
  /** R2 of RFC 9293 3.8.3: how long to go without progress before giving up. Default 100 s. */
  readonly userTimeoutNs: Nanoseconds
  /** How often a SYN is repeated before giving up. Default 6 (127 s). */
  readonly synRetries: number
  /** How long a half-closed connection waits for the peer's FIN without hearing anything. Default 60 s. */
  readonly finWaitNs: Nanoseconds
  /** Idle time after which the peer is probed, NEVER (the default) for no probes. */
  readonly keepAliveNs: Nanoseconds
  /** Offers timestamps, window scaling (RFC 7323) and selective acknowledgment (RFC 2018). Default true. */
  readonly timestamps: boolean
  readonly windowScaling: boolean
  readonly selectiveAcknowledgment: boolean
  /** Initial window in segments, 1..10 (RFC 6928). Default 10. */
  readonly initialSegments: number
  /** Upper bound of the segment size announced and used. Default 65495. */
  readonly maximumSegmentBytes: number
}

export const DEFAULT_SETTINGS: TcpSettings = Object.freeze({
  noDelay: false,
  receiveBytes: 256 * 1024,
  sendBytes: 256 * 1024,
  delayedAckNs: 40 * MILLISECOND,
  minimumRtoNs: 200 * MILLISECOND,
  maximumRtoNs: 60 * SECOND,
  userTimeoutNs: 100 * SECOND,
  synRetries: 6,
  finWaitNs: 60 * SECOND,
  keepAliveNs: Number.POSITIVE_INFINITY,
  timestamps: true,
  windowScaling: true,
  selectiveAcknowledgment: true,
  initialSegments: 10,
  maximumSegmentBytes: 65_495,
})

/** Bounds of each number, both allowed. */
const BOUNDS: readonly (readonly [keyof TcpSettings, number, number])[] = [
  ['receiveBytes', 1, 2 ** 30],
  ['sendBytes', 1, 2 ** 30],
  ['delayedAckNs', 0, 500 * MILLISECOND],
  ['minimumRtoNs', MILLISECOND, 60 * SECOND],
  ['maximumRtoNs', SECOND, 3600 * SECOND],
  ['userTimeoutNs', SECOND, Number.POSITIVE_INFINITY],
  ['synRetries', 0, 30],
  ['finWaitNs', SECOND, Number.POSITIVE_INFINITY],
  ['keepAliveNs', SECOND, Number.POSITIVE_INFINITY],
  ['initialSegments', 1, 10],
  ['maximumSegmentBytes', 48, 65_495],
]

/** The defaults with what was chosen. @throws StackError `invalid` for a value out of its bounds */
export function settingsOf(chosen: Partial<TcpSettings> | undefined): TcpSettings {
  if (chosen === undefined) return DEFAULT_SETTINGS
  const settings = { ...DEFAULT_SETTINGS, ...chosen }
  for (const [name, low, high] of BOUNDS) {
    const value = settings[name] as number
    if (!(value >= low && value <= high))
      throw new StackError('invalid', `${name} ${value} is not in ${low}..${high}`)
  }
  return settings
}
