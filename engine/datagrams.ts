/**
 * Whole datagrams for those who need them: the exit of a tunnel, and the router's own services. The one idea: a
 * fragment that comes to wait counts as parked, and one that became part of another packet as merged, so that
 * reassembly keeps the packet balance.
 */
import type { Nanoseconds } from './clock.ts'
import type { Forwarder } from './forwarder.ts'
import { FLAG_FRAGMENT, FLAGS, META_SHIFT, NONE } from './packet.ts'
import type { Stages } from './stages.ts'
import { parseNetwork } from './wire/parse.ts'

export class Datagrams {
  readonly #stages: Stages
  readonly #forwarder: Forwarder

  constructor(stages: Stages, forwarder: Forwarder) {
    this.#stages = stages
    this.#forwarder = forwarder
  }

  /** The packet itself when it is whole, or that of the datagram that it completes, parsed; NONE until there is one. */
  whole(packet: number, now: Nanoseconds): number {
    const { slab, counters, reassembly } = this.#stages
    if ((slab.meta[(packet << META_SHIFT) + FLAGS] & FLAG_FRAGMENT) === 0) return packet
    const merged = reassembly.counters.merged
    // As if it waited already: whatever reassembly gives up is taken from those that wait.
    counters.parked++
    const datagram = reassembly.collect(packet, now)
    const joined = reassembly.counters.merged - merged
    counters.parked -= joined
    counters.merged += joined
    if (datagram === NONE) return NONE
    counters.parked--
    const code = parseNetwork(slab, datagram)
    if (code === 0) return datagram
    this.#forwarder.drop(datagram, code, now)
    return NONE
  }
}
