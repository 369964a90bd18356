/**
 * Signaling of a simulated router (R-SLR-17): the real server as a service of the engine, in the engine's own time. The
 * one idea: what a datagram says is heard by plugins at the instant at which it arrives.
 */
import { type Engine, type Nanoseconds, type Random, readDatagram } from '../../engine/index.ts'
import { SIGNALING_PORT } from '../../engine/signaling/message.ts'
import { PROTOCOL_UDP } from '../../engine/wire/index.ts'
import { SignalingServer, type Tidings } from '../../router/signaling/index.ts'
import type { LabSignaling } from './lab-signaling.ts'

export class RouterSignaling {
  readonly server: SignalingServer

  /** @param deliver hears what plugins are to hear */
  constructor(
    engine: Engine,
    signaling: LabSignaling,
    random: Random,
    deliver: (tidings: Tidings, now: Nanoseconds) => void,
  ) {
    const server = new SignalingServer({
      trust: () => signaling.trust,
      calendarMs: (now) => signaling.epochMs + Math.floor(now / 1e6),
      randomBytes: (count) => Uint8Array.from({ length: count }, () => random.uint32() & 255),
      send: (datagram, now) => void engine.sendDatagram(datagram, now),
      deliver,
    })
    this.server = server
    engine.query.signaling = server.view
    engine.local.serve(PROTOCOL_UDP, SIGNALING_PORT, (slab, packet, now) => {
      server.receive(readDatagram(slab, packet), now)
      return true
    })
  }
}
