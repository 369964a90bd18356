/** The waits of a control server, in milliseconds. Tests shorten them. */
export interface ServerTiming {
  /** Between two looks at a session: an answer to the last ping, progress of a reader. */
  readonly heartbeatMs: number
  /** From a connection to its session: TLS handshake and upgrade together with what they wait for. */
  readonly handshakeMs: number
  /** How long sessions and what they asked for may take to end. */
  readonly closeMs: number
}

export const SERVER_TIMING: ServerTiming = { heartbeatMs: 15_000, handshakeMs: 5_000, closeMs: 2_000 }
