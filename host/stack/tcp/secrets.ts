/**
 * The numbers that outsiders must not guess: initial sequence numbers (RFC 6528), ephemeral ports (RFC 6056,
 * algorithm 3) and timestamp offsets (RFC 7323 section 7.1). The one idea: a keyed hash of the ends plus something
 * that moves on.
 */
import { drawSipKey, type SipKey, sipHash } from '../siphash.ts'
import type { ConnectionEnds } from '../stack-event.ts'
import type { Nanoseconds } from '../time.ts'

/** The initial sequence number clock ticks every 4 microseconds (RFC 9293 3.4.1). */
const TICK_NS = 4000
export const FIRST_EPHEMERAL_PORT = 16_384
const EPHEMERAL_PORTS = 65_536 - FIRST_EPHEMERAL_PORT

export class TcpSecrets {
  readonly #sequenceKey: SipKey
  readonly #portKey: SipKey
  readonly #timestampKey: SipKey
  readonly tableKey: SipKey
  #portCounter = 0

  constructor(random: () => number) {
    this.#sequenceKey = drawSipKey(random)
    this.#portKey = drawSipKey(random)
    this.#timestampKey = drawSipKey(random)
    this.tableKey = drawSipKey(random)
  }

  /** The initial sequence number of a connection opened at `now`. */
  initialSequence(ends: ConnectionEnds, now: Nanoseconds): number {
    const ports = (ends.localPort << 16) | ends.remotePort
    const hash = sipHash(this.#sequenceKey, ends.local, ends.remote, ports)
    return (hash + (Math.floor(now / TICK_NS) % 0x1_0000_0000)) >>> 0
  }

  /** Offset of the millisecond clock towards one host: the same for all connections, so that it never steps back. */
  timestampOffset(local: number, remote: number): number {
    return sipHash(this.#timestampKey, local, remote, 0)
  }

  /**
   * A port 16384..65535 for which `taken` is false, or -1 when there is none. Ports of one destination follow each
   * other, beginning where only this host knows.
   */
  choosePort(local: number, remote: number, remotePort: number, taken: (port: number) => boolean): number {
    const offset = sipHash(this.#portKey, local, remote, remotePort)
    for (let i = 0; i < EPHEMERAL_PORTS; i++) {
      const port = FIRST_EPHEMERAL_PORT + ((offset + this.#portCounter++) % EPHEMERAL_PORTS)
      if (!taken(port)) return port
    }
    return -1
  }
}
