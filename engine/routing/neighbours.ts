/**
 * Neighbours: who answers for a next hop on a port (ARP, RFC 826, with the life of an entry after RFC 4861 7.3).
 *
 * The one idea: a next hop is a handle whose ready-made Ethernet header the data path copies; asking, refreshing
 * and expiring happen off the path. Entries, waiting packets and questions are limited; when no more packets may
 * wait, the next hop that has been asked for longest makes room, so that a sweep over silent addresses cannot keep
 * those that do answer from being found. A next hop that stays silent gives its packets back as `arp-unresolved`.
 *
 * States: INCOMPLETE --reply--> REACHABLE --30 s--> STALE --used--> PROBE --reply--> REACHABLE, and after three
 * questions without an answer the entry goes. A live entry changes its MAC only when the old one has not answered
 * two questions and everyone was asked: a stranger cannot take it over by speaking up.
 */
import { type Nanoseconds, NEVER, SECOND } from '../clock.ts'
import { Deadlines } from '../deadlines.ts'
import { type DropCode, dropCode } from '../drop-reason.ts'
import { NONE, type PacketSlab } from '../packet.ts'
import { formatIpv4Address } from '../wire/address.ts'
import { formatMacAddress } from '../wire/index.ts'
import { NeighbourQueues } from './neighbour-queues.ts'
import {
  ADDRESS,
  ATTEMPTS,
  FREE,
  NEIGHBOUR_LIMIT,
  NEIGHBOUR_SHIFT,
  NeighbourTable,
  PORT,
  STATE,
  USED,
} from './neighbour-table.ts'

/** Packets that wait for one neighbour, and for all (or an eighth of the slab, where that is less). */
export const PENDING_PER_NEIGHBOUR = 8
export const PENDING_LIMIT = 1024

const REACHABLE_NS = 30 * SECOND
const RETRY_NS = SECOND
const ATTEMPTS_LIMIT = 3
/** Looks, one every RETRY_NS, after which a stale entry that nobody uses goes. */
const STALE_LOOKS = 300

const INCOMPLETE = 1
const REACHABLE = 2
const STALE = 3
const PROBE = 4
const STATE_NAMES = ['free', 'incomplete', 'reachable', 'stale', 'probe'] as const

const PENDING_FULL = dropCode('arp-pending-full')
const UNRESOLVED = dropCode('arp-unresolved')

/** What the table asks of its owner. All calls happen off the fast path. */
export interface NeighbourSink {
  /** Send an ARP request on a port: broadcast, or to `mac` when it refreshes. */
  ask(port: number, address: number, mac: Uint8Array | undefined, now: Nanoseconds): void
  /** A waiting packet may go now. */
  resolved(packet: number, handle: number, now: Nanoseconds): void
  /** A waiting packet is given up for `code`. */
  unresolved(packet: number, code: DropCode, now: Nanoseconds): void
}

export interface NeighbourRow {
  readonly port: number
  readonly address: string
  readonly mac: string | undefined
  readonly state: (typeof STATE_NAMES)[number]
}

export class Neighbours {
  readonly #sink: NeighbourSink
  readonly #table: NeighbourTable
  readonly #waiting: NeighbourQueues
  readonly #deadlines: Deadlines
  readonly #pendingLimit: number
  readonly #portMac: Uint8Array[] = []
  /** INCOMPLETE ones, in the order in which they were first asked for. */
  readonly #incomplete = new Set<number>()
  /** Claims that were ignored: they contradict a live entry. */
  ignored = 0
  /** Next hops that found no place in the table. */
  refused = 0

  /** @param seed secret of the hash, so that nobody can choose addresses that collide */
  constructor(slab: PacketSlab, sink: NeighbourSink, seed: number, limit = NEIGHBOUR_LIMIT) {
    this.#sink = sink
    this.#table = new NeighbourTable(limit, seed)
    this.#waiting = new NeighbourQueues(slab, this.#table)
    this.#deadlines = new Deadlines(limit)
    this.#pendingLimit = Math.min(PENDING_LIMIT, Math.max(1, slab.capacity >> 3))
  }

  /** Neighbours known or asked for. */
  get size(): number {
    return this.#table.size
  }

  /** Packets that wait for an answer. */
  get pending(): number {
    return this.#waiting.size
  }

  get pollAt(): Nanoseconds {
    return this.#deadlines.size === 0 ? NEVER : this.#deadlines.earliest
  }

  /** Ready-made headers, as neighbour-table.ts lays them out. Replaced when the table grows. */
  get headers(): Uint16Array {
    return this.#table.headers
  }

  /** Tells the source MAC of a port. */
  setPort(port: number, mac: Uint8Array): void {
    this.#portMac[port] = mac
  }

  /** The handle of a neighbour that can be sent to, or NONE. Marks it as used. */
  lookup(port: number, address: number): number {
    const table = this.#table
    const neighbour = table.find(port, address)
    if (neighbour === NONE) return NONE
    const at = neighbour << NEIGHBOUR_SHIFT
    if (table.words[at + STATE] < REACHABLE) return NONE
    table.words[at + USED] = 1
    return table.handleOf(neighbour)
  }

  /** Lets a packet wait until its next hop is known, asking for it. Returns 0, or why the packet must go. */
  hold(packet: number, port: number, address: number, now: Nanoseconds): DropCode {
    let neighbour = this.#table.find(port, address)
    if (neighbour !== NONE && this.#waiting.of(neighbour) >= PENDING_PER_NEIGHBOUR) return PENDING_FULL
    if (this.#waiting.size >= this.#pendingLimit) {
      const [oldest = NONE] = this.#incomplete
      if (oldest === neighbour) return PENDING_FULL
      this.#remove(oldest, PENDING_FULL, now)
    }
    if (neighbour === NONE) {
      neighbour = this.#insert(port, address, now)
      if (neighbour === NONE) return PENDING_FULL
      this.#table.words[(neighbour << NEIGHBOUR_SHIFT) + STATE] = INCOMPLETE
      this.#incomplete.add(neighbour)
      this.#question(neighbour, now)
    }
    this.#waiting.append(neighbour, packet)
    return 0
  }

  /**
   * Learns from an ARP message that the port accepted. `solicited`: it answers a question of ours or asks for our
   * own address; anything else only refreshes what is known already.
   */
  learn(port: number, address: number, mac: Uint8Array, solicited: boolean, now: Nanoseconds): void {
    let neighbour = this.#table.find(port, address)
    if (neighbour === NONE) {
      if (!solicited) return
      neighbour = this.#insert(port, address, now)
      if (neighbour === NONE) return
    }
    const at = neighbour << NEIGHBOUR_SHIFT
    const state = this.#table.words[at + STATE]
    if (state < REACHABLE || !this.#hasMac(neighbour, mac)) {
      if (state >= REACHABLE && !(solicited && this.#askedEveryone(neighbour))) {
        this.#contradicted(neighbour, now)
        return
      }
      this.#table.setHeader(neighbour, mac, this.#portMac[port])
    }
    this.#table.words[at + STATE] = REACHABLE
    this.#table.words[at + ATTEMPTS] = 0
    this.#deadlines.set(neighbour, now + REACHABLE_NS)
    if (state !== INCOMPLETE) return
    this.#incomplete.delete(neighbour)
    this.#releasePending(neighbour, now)
  }

  /** Whether we have an open question about an address. */
  isAsked(port: number, address: number): boolean {
    const neighbour = this.#table.find(port, address)
    if (neighbour === NONE) return false
    const state = this.#word(neighbour, STATE)
    return state === INCOMPLETE || state === PROBE
  }

  /** Repeats questions, ages entries. */
  poll(now: Nanoseconds): void {
    for (let due = this.#deadlines.takeDue(now); due !== NONE; due = this.#deadlines.takeDue(now))
      this.#age(due, now)
  }

  /** Forgets what was learnt on a port (link down, end); waiting packets are given up for `code`. */
  forgetPort(port: number, code: DropCode, now: Nanoseconds): void {
    for (let neighbour = 0; neighbour < this.#table.used; neighbour++)
      if (this.#word(neighbour, STATE) !== FREE && this.#word(neighbour, PORT) === port)
        this.#remove(neighbour, code, now)
  }

  rows(): NeighbourRow[] {
    const rows: NeighbourRow[] = []
    for (let neighbour = 0; neighbour < this.#table.used; neighbour++) {
      const state = this.#word(neighbour, STATE)
      if (state === FREE) continue
      rows.push({
        port: this.#word(neighbour, PORT),
        address: formatIpv4Address(this.#word(neighbour, ADDRESS)),
        mac: state >= REACHABLE ? formatMacAddress(this.#table.macOf(neighbour)) : undefined,
        state: STATE_NAMES[state],
      })
    }
    return rows
  }

  #word(neighbour: number, field: number): number {
    return this.#table.words[(neighbour << NEIGHBOUR_SHIFT) + field]
  }

  #age(neighbour: number, now: Nanoseconds): void {
    const words = this.#table.words
    const at = neighbour << NEIGHBOUR_SHIFT
    switch (words[at + STATE]) {
      case REACHABLE:
        words[at + STATE] = STALE
        words[at + USED] = 0
        words[at + ATTEMPTS] = 0
        this.#deadlines.set(neighbour, now + RETRY_NS)
        break
      case STALE:
        if (words[at + USED] !== 0) this.#probe(neighbour, now)
        else if (++words[at + ATTEMPTS] >= STALE_LOOKS) this.#remove(neighbour, UNRESOLVED, now)
        else this.#deadlines.set(neighbour, now + RETRY_NS)
        break
      default:
        if (words[at + ATTEMPTS] >= ATTEMPTS_LIMIT) this.#remove(neighbour, UNRESOLVED, now)
        else this.#question(neighbour, now)
    }
  }

  #probe(neighbour: number, now: Nanoseconds): void {
    this.#table.words[(neighbour << NEIGHBOUR_SHIFT) + STATE] = PROBE
    this.#table.words[(neighbour << NEIGHBOUR_SHIFT) + ATTEMPTS] = 0
    this.#question(neighbour, now)
  }

  #question(neighbour: number, now: Nanoseconds): void {
    this.#table.words[(neighbour << NEIGHBOUR_SHIFT) + ATTEMPTS]++
    this.#deadlines.set(neighbour, now + RETRY_NS)
    const refreshes = this.#word(neighbour, STATE) === PROBE && !this.#askedEveryone(neighbour)
    const mac = refreshes ? this.#table.macOf(neighbour) : undefined
    this.#sink.ask(this.#word(neighbour, PORT), this.#word(neighbour, ADDRESS) >>> 0, mac, now)
  }

  /** The last question of a refresh is broadcast: the neighbour may have a new MAC. */
  #askedEveryone(neighbour: number): boolean {
    return this.#word(neighbour, STATE) === PROBE && this.#word(neighbour, ATTEMPTS) >= ATTEMPTS_LIMIT
  }

  /** Someone else claims the address. An entry that has not been confirmed for long is put to the question. */
  #contradicted(neighbour: number, now: Nanoseconds): void {
    this.ignored++
    if (this.#word(neighbour, STATE) === STALE) this.#probe(neighbour, now)
  }

  #insert(port: number, address: number, now: Nanoseconds): number {
    const neighbour = this.#table.insert(port, address)
    if (neighbour !== NONE) return neighbour
    const victim = this.#table.victim(REACHABLE)
    if (victim === NONE) {
      this.refused++
      return NONE
    }
    this.#remove(victim, UNRESOLVED, now)
    return this.#table.insert(port, address)
  }

  #releasePending(neighbour: number, now: Nanoseconds): void {
    const handle = this.#table.handleOf(neighbour)
    for (let packet = this.#waiting.take(neighbour); packet !== NONE; ) {
      const next = this.#waiting.after(packet)
      this.#sink.resolved(packet, handle, now)
      packet = next
    }
  }

  #remove(neighbour: number, code: DropCode, now: Nanoseconds): void {
    let packet = this.#waiting.take(neighbour)
    this.#incomplete.delete(neighbour)
    this.#deadlines.remove(neighbour)
    this.#table.remove(neighbour)
    while (packet !== NONE) {
      const next = this.#waiting.after(packet)
      this.#sink.unresolved(packet, code, now)
      packet = next
    }
  }

  #hasMac(neighbour: number, mac: Uint8Array): boolean {
    return this.#table.macOf(neighbour).every((byte, i) => byte === mac[i])
  }
}
