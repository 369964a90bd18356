/**
 * What the stack reports to whoever watches it. The one idea: plain data handed to one `log` function, so that a
 * test or an operator can account for every retransmission seen in a capture. Without a `log` nothing is made.
 */
import type { Nanoseconds } from './time.ts'

/** The two ends of a connection: unsigned addresses and ports. */
export interface ConnectionEnds {
  readonly local: number
  readonly localPort: number
  readonly remote: number
  readonly remotePort: number
}

/**
 * Why bytes were sent again: `rto` the retransmission timer expired; `fast` three duplicate acknowledgments or as
 * much selectively acknowledged above; `sack` a further hole of the same recovery; `probe` the peer's window is
 * zero or just opened; `syn` the handshake's timer expired or the peer repeated its SYN; `mtu` a router could not
 * forward the segment at its size.
 */
export type RetransmitCause = 'rto' | 'fast' | 'sack' | 'probe' | 'syn' | 'mtu'

/** One event. `at` is the stack's clock. */
export type StackEvent =
  | {
      readonly kind: 'retransmit'
      readonly cause: RetransmitCause
      readonly connection: ConnectionEnds
      /** Sequence number of the segment. */
      readonly sequence: number
      /** Sequence space it occupies: bytes, and one each for SYN and FIN. */
      readonly length: number
      readonly at: Nanoseconds
    }
  | {
      readonly kind: 'state'
      readonly connection: ConnectionEnds
      readonly from: string
      readonly to: string
      readonly at: Nanoseconds
    }

/** Receives events; must not call the stack. */
export type StackLog = (event: StackEvent) => void
