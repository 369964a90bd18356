/**
 * A router's port on a simulated link. The one idea: a memory port whose readiness is that of the wire, so that the
 * engine's scheduler, not a queue in the wire, holds what the link cannot take yet.
 */
import { MemoryPort, type MemoryPortOptions, type Nanoseconds } from '../../engine/index.ts'
import type { WireEnd } from './wire.ts'

export class SimPort extends MemoryPort {
  readonly #wire: WireEnd

  constructor(options: MemoryPortOptions, wire: WireEnd) {
    super(options)
    this.#wire = wire
    this.onTransmit = (bytes, start, length, now) => wire.send(bytes.slice(start, start + length), now)
    this.setUp(wire.up)
  }

  override readyAt(now: Nanoseconds): Nanoseconds {
    return Math.max(super.readyAt(now), this.#wire.readyAt)
  }
}
