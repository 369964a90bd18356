/**
 * The flow of fragments. The one idea: only the first fragment of a datagram shows its ports, so its key is
 * remembered under (source, destination, identification, protocol) and given to the fragments that follow; those
 * that come before their first wait for it. Nothing is reassembled.
 *
 * Guarantees, against hostile fragments: every bound is fixed (datagrams, waiting packets in all and for one
 * datagram, time); the hash is seeded; a fragment that overlaps the first one of its datagram, and a second first
 * one that contradicts it, are refused (RFC 1858, 3128), so that what was classified is what arrives.
 */
import { type Nanoseconds, NEVER, SECOND } from '../clock.ts'
import { type DropCode, dropCode } from '../drop-reason.ts'
import {
  FLAG_RELATED,
  FLAGS,
  KEY_DESTINATION,
  KEY_PORTS,
  KEY_PROTOCOL,
  KEY_SOURCE,
  META_SHIFT,
  NETWORK,
  NEXT,
  NONE,
  type PacketSlab,
} from '../packet.ts'
import { read16, read32 } from '../wire/byte-order.ts'
import { PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/protocol.ts'
import {
  COMPLETE,
  ENTRY_SHIFT,
  FIRST_BYTES,
  FLOW_DESTINATION,
  FLOW_PORTS,
  FLOW_PROTOCOL,
  FLOW_SOURCE,
  FragmentEntries,
  HEAD,
  HELD,
  KNOWN,
  RELATED,
  SEEN_BYTES,
  STATE,
  TAIL,
  TOTAL_BYTES,
  WAITING,
} from './fragment-entries.ts'

/** Answer of `recall`: the table keeps the packet until its first fragment comes or time is over. */
export const FRAGMENT_HELD = -1

const MALFORMED = dropCode('fragment-malformed')
const UNKNOWN = dropCode('fragment-unknown')
const TABLE_FULL = dropCode('fragment-table-full')

export interface FragmentTableOptions {
  /** Datagrams remembered, 1..65536. Default 4096. */
  readonly datagrams?: number
  /** Most packets that wait for their first fragments, in all. Default 256. */
  readonly held?: number
  /** The same for one datagram. Default 16. */
  readonly heldPerDatagram?: number
  /** How long a datagram is remembered and waited for. Default 5 s. */
  readonly lifetimeNs?: Nanoseconds
  readonly seed: number
}

/** Gives up a packet that the table held; the packet is the callee's from then on. */
export type HeldDrop = (packet: number, code: DropCode, now: Nanoseconds) => void

export interface FragmentCounters {
  /** First fragments learnt. */
  learnt: number
  /** Later fragments that got their key at once, and after waiting. */
  recalled: number
  released: number
  /** Fragments that came to wait. */
  held: number
  /** Contradictions and overlaps refused. */
  refused: number
  /** Datagrams forgotten before their time for want of room. */
  evicted: number
}

export class FragmentTable {
  readonly counters: FragmentCounters = {
    learnt: 0,
    recalled: 0,
    released: 0,
    held: 0,
    refused: 0,
    evicted: 0,
  }
  readonly #slab: PacketSlab
  readonly #drop: HeldDrop
  readonly #entries: FragmentEntries
  readonly #lifetimeNs: Nanoseconds
  readonly #heldLimit: number
  readonly #heldPerDatagram: number
  #held = 0
  #released = NONE

  constructor(slab: PacketSlab, drop: HeldDrop, options: FragmentTableOptions) {
    const { datagrams = 4096, held = 256, heldPerDatagram = 16, lifetimeNs = 5 * SECOND, seed } = options
    this.#slab = slab
    this.#drop = drop
    this.#entries = new FragmentEntries(datagrams, seed)
    this.#lifetimeNs = lifetimeNs
    this.#heldLimit = held
    this.#heldPerDatagram = heldPerDatagram
  }

  /** Datagrams remembered now. */
  get size(): number {
    return this.#entries.size
  }

  /** Packets that wait now. */
  get held(): number {
    return this.#held
  }

  /**
   * Learns the key of a parsed first fragment. Returns 0, and then `takeReleased` has what waited for it; or
   * `fragment-malformed` when it contradicts an earlier first fragment.
   */
  learn(packet: number, now: Nanoseconds): DropCode {
    this.expire(now)
    if (!this.#hasPorts(packet)) return 0
    const words = this.#entries.words
    let entry = this.#find(packet)
    if (entry !== NONE) {
      const state = words[(entry << ENTRY_SHIFT) + STATE]
      if (state === KNOWN && this.#agrees(packet, entry << ENTRY_SHIFT)) return 0
      if (state === KNOWN) return this.#refuse()
      if (state === COMPLETE) {
        this.#entries.retire(entry)
        entry = NONE
      }
    }
    if (entry === NONE) entry = this.#create(packet, now)
    this.#remember(packet, entry << ENTRY_SHIFT)
    this.counters.learnt++
    this.#release(entry << ENTRY_SHIFT, now)
    return 0
  }

  /**
   * Gives a parsed later fragment the key of its flow. Returns 0 with the KEY_* words set, FRAGMENT_HELD (the
   * packet is the table's), or a drop code: `fragment-malformed`, `fragment-table-full`.
   */
  recall(packet: number, now: Nanoseconds): number {
    this.expire(now)
    if (!this.#hasPorts(packet)) return 0
    const words = this.#entries.words
    let entry = this.#find(packet)
    if (entry !== NONE && words[(entry << ENTRY_SHIFT) + STATE] !== WAITING) {
      if (this.#offset(packet) < words[(entry << ENTRY_SHIFT) + FIRST_BYTES]) return this.#refuse()
      this.#progress(packet, entry << ENTRY_SHIFT)
      this.#giveKey(packet, entry << ENTRY_SHIFT)
      this.counters.recalled++
      return 0
    }
    if (this.#held >= this.#heldLimit) return TABLE_FULL
    if (entry === NONE) entry = this.#create(packet, now)
    if (words[(entry << ENTRY_SHIFT) + HELD] >= this.#heldPerDatagram) return TABLE_FULL
    this.#hold(packet, entry << ENTRY_SHIFT)
    return FRAGMENT_HELD
  }

  /** What waited for the first fragment just learnt: the first of a list through NEXT, with keys, or NONE. */
  takeReleased(): number {
    const head = this.#released
    this.#released = NONE
    return head
  }

  /** Forgets what is too old; what waited for it is dropped as `fragment-unknown`. */
  expire(now: Nanoseconds): void {
    const entries = this.#entries
    while (entries.size > 0 && entries.bornAt(entries.oldest) + this.#lifetimeNs <= now)
      this.#removeOldest(UNKNOWN, now)
  }

  /** Forgets everything; what waits is dropped under `code`. */
  clear(code: DropCode, now: Nanoseconds): void {
    while (this.#entries.size > 0) this.#removeOldest(code, now)
  }

  /** When `expire` should be called for the sake of waiting packets; NEVER when none waits. */
  pollAt(): Nanoseconds {
    return this.#held === 0 ? NEVER : this.#entries.bornAt(this.#entries.oldest) + this.#lifetimeNs
  }

  #refuse(): DropCode {
    this.counters.refused++
    return MALFORMED
  }

  #create(packet: number, now: Nanoseconds): number {
    if (this.#entries.full) {
      this.counters.evicted++
      this.#removeOldest(TABLE_FULL, now)
    }
    const bytes = this.#slab.bytes
    const network = this.#network(packet)
    return this.#entries.create(
      read32(bytes, network + 12),
      read32(bytes, network + 16),
      identity(bytes, network),
      now,
    )
  }

  #removeOldest(code: DropCode, now: Nanoseconds): void {
    const record = this.#entries.oldest << ENTRY_SHIFT
    this.#entries.removeOldest()
    let packet = this.#takeHeld(record)
    while (packet !== NONE) {
      const next = this.#slab.meta[(packet << META_SHIFT) + NEXT]
      this.#drop(packet, code, now)
      packet = next
    }
  }

  #hold(packet: number, record: number): void {
    const words = this.#entries.words
    const meta = this.#slab.meta
    meta[(packet << META_SHIFT) + NEXT] = NONE
    if (words[record + HELD] === 0) words[record + HEAD] = packet
    else meta[(words[record + TAIL] << META_SHIFT) + NEXT] = packet
    words[record + TAIL] = packet
    words[record + HELD]++
    this.#held++
    this.counters.held++
    this.#progress(packet, record)
  }

  /** Empties an entry's list of waiting packets and returns its first, or NONE. */
  #takeHeld(record: number): number {
    const words = this.#entries.words
    const head = words[record + HELD] === 0 ? NONE : words[record + HEAD]
    this.#held -= words[record + HELD]
    words[record + HELD] = 0
    return head
  }

  /** Moves what waits for an entry that is known now to the list of the released. */
  #release(record: number, now: Nanoseconds): void {
    const meta = this.#slab.meta
    let last = NONE
    for (let packet = this.#takeHeld(record); packet !== NONE; ) {
      const next = meta[(packet << META_SHIFT) + NEXT]
      meta[(packet << META_SHIFT) + NEXT] = NONE
      if (this.#offset(packet) < this.#entries.words[record + FIRST_BYTES]) {
        this.#drop(packet, this.#refuse(), now)
      } else {
        this.#giveKey(packet, record)
        this.counters.released++
        if (last === NONE) this.#released = packet
        else meta[(last << META_SHIFT) + NEXT] = packet
        last = packet
      }
      packet = next
    }
  }

  #remember(packet: number, record: number): void {
    const words = this.#entries.words
    const meta = this.#slab.meta
    const at = packet << META_SHIFT
    words[record + STATE] = KNOWN
    words[record + FLOW_SOURCE] = meta[at + KEY_SOURCE]
    words[record + FLOW_DESTINATION] = meta[at + KEY_DESTINATION]
    words[record + FLOW_PORTS] = meta[at + KEY_PORTS]
    words[record + FLOW_PROTOCOL] = meta[at + KEY_PROTOCOL]
    words[record + RELATED] = meta[at + FLAGS] & FLAG_RELATED
    words[record + FIRST_BYTES] = this.#dataBytes(packet)
    this.#progress(packet, record)
  }

  #giveKey(packet: number, record: number): void {
    const words = this.#entries.words
    const meta = this.#slab.meta
    const at = packet << META_SHIFT
    meta[at + KEY_SOURCE] = words[record + FLOW_SOURCE]
    meta[at + KEY_DESTINATION] = words[record + FLOW_DESTINATION]
    meta[at + KEY_PORTS] = words[record + FLOW_PORTS]
    meta[at + KEY_PROTOCOL] = words[record + FLOW_PROTOCOL]
    meta[at + FLAGS] |= words[record + RELATED]
  }

  /** Whether a first fragment says what the one before it said: then it is a copy. */
  #agrees(packet: number, record: number): boolean {
    const words = this.#entries.words
    const meta = this.#slab.meta
    const at = packet << META_SHIFT
    return (
      meta[at + KEY_PORTS] === words[record + FLOW_PORTS] &&
      meta[at + KEY_SOURCE] === words[record + FLOW_SOURCE] &&
      meta[at + KEY_DESTINATION] === words[record + FLOW_DESTINATION] &&
      this.#dataBytes(packet) === words[record + FIRST_BYTES]
    )
  }

  /** Counts bytes: once as many went by as the last fragment promised, the identification may be used again. */
  #progress(packet: number, record: number): void {
    const words = this.#entries.words
    const data = this.#dataBytes(packet)
    const more = this.#slab.bytes[this.#network(packet) + 6] & 0x20
    words[record + SEEN_BYTES] += data
    if (more === 0) words[record + TOTAL_BYTES] = this.#offset(packet) + data
    const total = words[record + TOTAL_BYTES]
    if (total > 0 && words[record + SEEN_BYTES] >= total && words[record + STATE] === KNOWN)
      words[record + STATE] = COMPLETE
  }

  #find(packet: number): number {
    const bytes = this.#slab.bytes
    const network = this.#network(packet)
    return this.#entries.find(
      read32(bytes, network + 12),
      read32(bytes, network + 16),
      identity(bytes, network),
    )
  }

  /** Whether the packet's key has ports, or the identifier of an echo; the fragments of others need no memory. */
  #hasPorts(packet: number): boolean {
    const protocol = this.#slab.bytes[this.#network(packet) + 9]
    return protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP || protocol === PROTOCOL_ICMP
  }

  #network(packet: number): number {
    return this.#slab.meta[(packet << META_SHIFT) + NETWORK]
  }

  #dataBytes(packet: number): number {
    const network = this.#network(packet)
    return read16(this.#slab.bytes, network + 2) - ((this.#slab.bytes[network] & 15) << 2)
  }

  #offset(packet: number): number {
    return (read16(this.#slab.bytes, this.#network(packet) + 6) & 0x1fff) << 3
  }
}

function identity(bytes: Uint8Array, network: number): number {
  return (read16(bytes, network + 4) << 8) | bytes[network + 9]
}
