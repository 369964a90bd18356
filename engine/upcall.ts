/**
 * Upcalls: packets whose flow waits for a decision. The one idea: one question per flow, however many packets of
 * it arrive meanwhile; each question has a deadline after which its fallback action happens, and every table has a
 * limit, per engine and per owner, so that a slow or dead policy costs its own flows and nothing else.
 *
 * Packets of one question hang in arrival order on the slab's NEXT list. A question's handle carries a generation:
 * a late answer to a question that expired is refused instead of hitting a stranger.
 */
import { NEVER } from './clock.ts'
import { Deadlines } from './deadlines.ts'
import { type DropCode, dropCode } from './drop-reason.ts'
import { META_SHIFT, NEXT, NONE, type PacketSlab } from './packet.ts'
import { ParkedFlows } from './parked-flows.ts'
import { SlotList } from './slot-list.ts'

export interface UpcallOptions {
  /** Questions open at once. Default 4096, at most 65536. */
  readonly limit?: number
  /** Questions open at once per owner. Default half of `limit`. */
  readonly ownerLimit?: number
  /** Packets parked per question; further ones are dropped under `upcall-full`. Default 8. */
  readonly packetsPerFlow?: number
  /** Packets parked in all. Default a quarter of the slab: the rest must keep moving. */
  readonly packetLimit?: number
  /** Secret of the hash over flow keys. */
  readonly seed: number
}

/** What an upcall shows to whoever decides; valid until it is answered or expires. */
export interface UpcallView {
  readonly owner: number
  /** First packet of the flow. */
  readonly packet: number
  /** Action row that happens without a decision. */
  readonly otherwise: number
}

/** Keeps the fallback's row alive while its question is open. */
export interface RowReferences {
  retain(row: number): void
}

const FULL = dropCode('upcall-full')
const MOST_SLOTS = 65_536
/** Generations count modulo this, so that a handle, generation * MOST_SLOTS + slot, stays exact. */
const GENERATIONS = 2 ** 31

export class Upcalls {
  readonly #slab: PacketSlab
  readonly #rows: RowReferences
  readonly #ownerLimit: number
  readonly #packetsPerFlow: number
  readonly #packetLimit: number
  readonly #owner: Int32Array
  readonly #generation: Int32Array
  readonly #first: Int32Array
  readonly #last: Int32Array
  /** Packets of a slot; 0 while it is free. */
  readonly #packets: Int32Array
  readonly #otherwise: Int32Array
  readonly #deadlines: Deadlines
  readonly #nextFree: Int32Array
  readonly #flows: ParkedFlows
  readonly #perOwner: number[] = []
  /** Slots that no one has fetched yet. */
  readonly #asked: SlotList
  #free = 0
  #open = 0
  #parked = 0
  /** Packets refused because a limit was reached. */
  refused = 0
  /** Questions answered by their fallback. */
  expired = 0

  constructor(slab: PacketSlab, rows: RowReferences, options: UpcallOptions) {
    const { limit = 4096, packetsPerFlow = 8, packetLimit = Math.max(1, slab.capacity >> 2), seed } = options
    if (!Number.isInteger(limit) || limit < 1 || limit > MOST_SLOTS)
      throw new RangeError(`upcall limit ${limit} is not in 1..${MOST_SLOTS}`)
    this.#slab = slab
    this.#rows = rows
    this.#ownerLimit = options.ownerLimit ?? Math.max(1, limit >> 1)
    this.#packetsPerFlow = packetsPerFlow
    this.#packetLimit = packetLimit
    const words = () => new Int32Array(limit)
    this.#owner = words()
    this.#generation = words()
    this.#first = words()
    this.#last = words()
    this.#packets = words()
    this.#otherwise = words()
    this.#deadlines = new Deadlines(limit)
    this.#nextFree = Int32Array.from({ length: limit }, (_, i) => (i + 1 < limit ? i + 1 : NONE))
    this.#flows = new ParkedFlows(slab, limit, seed)
    this.#asked = new SlotList(limit)
  }

  /** Questions open now. */
  get open(): number {
    return this.#open
  }

  /** Questions that no one has fetched yet. */
  get waiting(): number {
    return this.#asked.size
  }

  /** Packets parked now. */
  get parked(): number {
    return this.#parked
  }

  /** When the next question expires; NEVER when none is open. */
  get pollAt(): number {
    return this.#open === 0 ? NEVER : this.#deadlines.earliest
  }

  /** Parks a packet, asking `owner` if its flow is not asked about yet. Returns 0, or why the packet must go. */
  park(packet: number, owner: number, otherwise: number, deadline: number): DropCode {
    const known = this.#flows.find(packet)
    if (!this.#hasRoom(known, owner)) {
      this.refused++
      return FULL
    }
    this.#slab.meta[(packet << META_SHIFT) + NEXT] = NONE
    this.#parked++
    if (known === NONE) this.#ask(packet, owner, otherwise, deadline)
    else this.#append(known, packet)
    return 0
  }

  /** Handle of the oldest unfetched question of any owner, or NONE. */
  fetch(): number {
    const slot = this.#asked.first
    if (slot === NONE) return NONE
    this.#asked.remove(slot)
    return this.#handleOf(slot)
  }

  /** What an open question is about, or undefined when it was answered or has expired. Any number may be asked for. */
  view(handle: number): UpcallView | undefined {
    const slot = this.#slotOf(handle)
    if (slot === NONE) return undefined
    return { owner: this.#owner[slot], packet: this.#first[slot], otherwise: this.#otherwise[slot] }
  }

  /** First packet of an open question, or NONE. Any number may be asked for. */
  packetOf(handle: number): number {
    const slot = this.#slotOf(handle)
    return slot === NONE ? NONE : this.#first[slot]
  }

  /** Owner of an open question, or NONE. */
  ownerOf(handle: number): number {
    const slot = this.#slotOf(handle)
    return slot === NONE ? NONE : this.#owner[slot]
  }

  /**
   * Gives an open question another deadline and another fallback. The caller takes over the reference to the row
   * that was its fallback before.
   */
  defer(handle: number, otherwise: number, deadline: number): void {
    const slot = this.#slotOf(handle)
    if (slot === NONE) return
    this.#rows.retain(otherwise)
    this.#otherwise[slot] = otherwise
    this.#deadlines.set(slot, deadline)
  }

  /**
   * Closes a question and returns its first packet, the others following by NEXT; NONE when it is not open any
   * more. The caller owns the packets then, and the reference to the fallback's row.
   */
  close(handle: number): number {
    const slot = this.#slotOf(handle)
    return slot === NONE ? NONE : this.#close(slot)
  }

  /** Handle of the next question whose deadline has passed, or NONE. The caller closes it at once. */
  nextExpired(now: number): number {
    const slot = this.#deadlines.takeDue(now)
    if (slot === NONE) return NONE
    this.expired++
    return this.#handleOf(slot)
  }

  /** Questions of an owner that are open. */
  countOf(owner: number): number {
    return this.#perOwner[owner] ?? 0
  }

  /** Handles of all open questions, or of those of one owner. Allocates; for the end of an owner or an engine. */
  handles(owner?: number): number[] {
    const handles: number[] = []
    for (let slot = 0; slot < this.#packets.length; slot++)
      if (this.#packets[slot] > 0 && (owner === undefined || this.#owner[slot] === owner))
        handles.push(this.#handleOf(slot))
    return handles
  }

  /** Gives the open questions of one owner to another, whatever its limit. */
  setOwner(from: number, to: number): void {
    if (from === to) return
    for (let slot = 0; slot < this.#packets.length; slot++)
      if (this.#packets[slot] > 0 && this.#owner[slot] === from) this.#owner[slot] = to
    this.#perOwner[to] = this.countOf(to) + this.countOf(from)
    this.#perOwner[from] = 0
  }

  #handleOf(slot: number): number {
    return this.#generation[slot] * MOST_SLOTS + slot
  }

  #slotOf(handle: number): number {
    if (!Number.isSafeInteger(handle) || handle < 0) return NONE
    const slot = handle % MOST_SLOTS
    if (slot >= this.#packets.length || this.#packets[slot] === 0) return NONE
    return this.#generation[slot] === (handle - slot) / MOST_SLOTS ? slot : NONE
  }

  /** Whether a packet may join the question `known` or, if that is NONE, be the first of a new one. */
  #hasRoom(known: number, owner: number): boolean {
    if (this.#parked >= this.#packetLimit) return false
    if (known !== NONE) return this.#packets[known] < this.#packetsPerFlow
    return this.#free !== NONE && this.countOf(owner) < this.#ownerLimit
  }

  #ask(packet: number, owner: number, otherwise: number, deadline: number): void {
    const slot = this.#free
    this.#free = this.#nextFree[slot]
    this.#perOwner[owner] = this.countOf(owner) + 1
    this.#open++
    this.#owner[slot] = owner
    this.#first[slot] = packet
    this.#last[slot] = packet
    this.#packets[slot] = 1
    this.#otherwise[slot] = otherwise
    this.#rows.retain(otherwise)
    this.#deadlines.set(slot, deadline)
    this.#flows.add(slot, packet)
    this.#asked.push(slot)
  }

  #append(slot: number, packet: number): void {
    this.#slab.meta[(this.#last[slot] << META_SHIFT) + NEXT] = packet
    this.#last[slot] = packet
    this.#packets[slot]++
  }

  #close(slot: number): number {
    const first = this.#first[slot]
    this.#flows.remove(slot)
    this.#asked.remove(slot)
    this.#deadlines.remove(slot)
    this.#perOwner[this.#owner[slot]]--
    this.#parked -= this.#packets[slot]
    this.#packets[slot] = 0
    this.#generation[slot] = (this.#generation[slot] + 1) % GENERATIONS
    this.#nextFree[slot] = this.#free
    this.#free = slot
    this.#open--
    return first
  }
}
