/**
 * The way out: schedule > transmit. The one idea: a port is asked when it can take the next frame, and only then
 * does the scheduler choose one, so that the choice is as late as it can be (the theory's "server is free").
 */
import type { Nanoseconds } from './clock.ts'
import { dropCode } from './drop-reason.ts'
import type { Forwarder } from './forwarder.ts'
import * as slabWords from './packet.ts'
import type { Port } from './port.ts'
import * as layout from './routing/neighbour-table.ts'
import type { Stages } from './stages.ts'

// An imported binding is loaded and checked at each use; a constant of this module is folded into the code.
const { NEIGHBOUR, START, META_SHIFT, NONE } = slabWords
const { HANDLE_MASK, HANDLE_SHIFT, HEADER_GENERATION, HEADER_SHIFT } = layout

/** Most frames sent by one port before the next one has its turn. */
export const TRANSMIT_BATCH = 64

const TRANSMIT_FAILED = dropCode('transmit-failed')
const UNRESOLVED = dropCode('arp-unresolved')

export class Egress {
  readonly #stages: Stages
  readonly #forwarder: Forwarder

  constructor(stages: Stages, forwarder: Forwarder) {
    this.#stages = stages
    this.#forwarder = forwarder
  }

  /** Sends what a port can take now, up to TRANSMIT_BATCH frames. Returns how many it took from the queues. */
  transmit(port: Port, now: Nanoseconds): number {
    const { slab, counters, neighbours } = this.#stages
    const { driver, scheduler, urgent } = port
    let taken = 0
    while (taken < TRANSMIT_BATCH && driver.readyAt(now) <= now) {
      let packet = urgent.shift()
      let code = 0
      if (packet === NONE) {
        packet = scheduler.dequeue(now)
        if (packet === NONE) break
        if (!writeHeader(slab.meta, slab.halfs, neighbours.headers, packet)) code = UNRESOLVED
      }
      counters.queued--
      taken++
      if (code === 0 && !driver.transmit(slab, packet, now)) code = TRANSMIT_FAILED
      if (code !== 0) {
        this.#forwarder.drop(packet, code, now)
        continue
      }
      counters.out++
      slab.release(packet)
    }
    if (taken > 0) {
      driver.flush(now)
      scheduler.busyUntil(driver.readyAt(now))
    }
    return taken
  }
}

/**
 * Seven half words in front of the IP header: the neighbour's MAC, ours, the type. START is even by construction.
 * False when the neighbour went away while the packet was queued: its number may be another one's by now.
 */
function writeHeader(meta: Int32Array, halfs: Uint16Array, headers: Uint16Array, packet: number): boolean {
  const at = packet << META_SHIFT
  const handle = meta[at + NEIGHBOUR]
  const from = (handle & HANDLE_MASK) << HEADER_SHIFT
  if (headers[from + HEADER_GENERATION] !== handle >>> HANDLE_SHIFT) return false
  const to = meta[at + START] >> 1
  halfs[to] = headers[from]
  halfs[to + 1] = headers[from + 1]
  halfs[to + 2] = headers[from + 2]
  halfs[to + 3] = headers[from + 3]
  halfs[to + 4] = headers[from + 4]
  halfs[to + 5] = headers[from + 5]
  halfs[to + 6] = headers[from + 6]
  return true
}
