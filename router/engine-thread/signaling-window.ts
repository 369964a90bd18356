/**
 * Signaling on the engine's side: datagrams of hosts on their way to the main thread. The one idea: judging takes time
 * that an engine does not have, so datagrams are handed over, and only so many at once that whoever judges keeps up;
 * what finds no room is lost, as on any busy link, and counted.
 */
import {
  type Engine,
  type LocalService,
  MILLISECOND,
  type Row,
  readDatagram,
  type SignalingView,
} from '../../engine/index.ts'
import { PROTOCOL_UDP } from '../../engine/wire/index.ts'
import type { SignalingDatagram } from '../signaling/index.ts'
import type { SignalingPicture } from './messages.ts'

/** Datagrams handed over and not yet judged. */
const WINDOW = 64

export class SignalingWindow implements SignalingView {
  readonly #hand: (datagram: SignalingDatagram) => void
  #underWay = 0
  #hosts: readonly Row[] = []
  #counters: readonly Row[] = []
  /** Datagrams that found no room. */
  lost = 0

  /** @param hand gives a datagram to whoever judges */
  constructor(engine: Engine, port: number, hand: (datagram: SignalingDatagram) => void) {
    this.#hand = hand
    engine.local.serve(PROTOCOL_UDP, port, this.#take)
    engine.query.signaling = this
  }

  /** Takes what is shown from now on, to plugins and operators alike; `originMs` is this thread's own. */
  show(picture: SignalingPicture, originMs: number): void {
    const shiftNs = (picture.originMs - originMs) * MILLISECOND
    this.#hosts = picture.hosts.map((row) => ({
      ...row,
      heardAtNs: Math.round(Number(row['heardAtNs']) + shiftNs),
    }))
    this.#counters = picture.counters
  }

  hosts(): readonly Row[] {
    return this.#hosts
  }

  /** Those of the judge, and what never came to it. */
  counters(): readonly Row[] {
    return [...this.#counters, { name: 'lost', value: this.lost }]
  }

  /** One of them has been judged. */
  judged(): void {
    this.#underWay--
  }

  readonly #take: LocalService = (slab, packet) => {
    if (this.#underWay >= WINDOW) {
      this.lost++
      return true
    }
    this.#underWay++
    const datagram = readDatagram(slab, packet)
    this.#hand({ ...datagram, payload: datagram.payload.slice() })
    return true
  }
}
