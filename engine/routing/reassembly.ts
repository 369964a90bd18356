/**
 * Reassembly (RFC 791 3.2, RFC 1122 3.3.2) of datagrams that are for this router: tunnel packets at their exit, and
 * what its own services get. The one idea: the frame of the fragment that came first becomes the datagram; data goes
 * straight to its place behind room for the longest header, and a bit for every eight bytes says what is there.
 *
 * Guarantees, against hostile fragments: a fixed number of datagrams, each at most one frame long, for a fixed time,
 * the oldest giving way; bytes that are there are never overwritten: a fragment that is there already is dropped, one
 * that overlaps in part ends its datagram (as RFC 5722 has it). Congestion marked on any fragment marks the datagram
 * (RFC 3168 5.3).
 */
import { type Nanoseconds, NEVER, SECOND } from '../clock.ts'
import { type DropCode, dropCode } from '../drop-reason.ts'
import { LENGTH, META_SHIFT, NETWORK, NONE, type PacketSlab, START, TRANSPORT } from '../packet.ts'
import { read16, read32, write16 } from '../wire/byte-order.ts'
import { checksum } from '../wire/checksum.ts'
import { ETHERNET_HEADER_BYTES } from '../wire/ethernet.ts'
import { ECN_CONGESTION, ECN_MASK } from '../wire/ip-in-ip.ts'
import { IPV4_MAX_HEADER_BYTES } from '../wire/ipv4.ts'
import type { HeldDrop } from './fragment-table.ts'

const MALFORMED = dropCode('fragment-malformed')
const OVERSIZED = dropCode('frame-oversized')
const EXPIRED = dropCode('fragment-expired')
const TABLE_FULL = dropCode('fragment-table-full')

/** Words of a datagram under way. */
const SHIFT = 3
const PACKET = 0 // NONE while the place is free
const SOURCE = 1
const DESTINATION = 2
const IDENTITY = 3 // identification << 8 | protocol
const HEADER_BYTES = 4 // 0 until the first fragment is there
const TOTAL_BYTES = 5 // 0 until the last fragment is there
const BLOCKS = 6 // blocks of eight bytes that are there
const CONGESTED = 7

export interface ReassemblyOptions {
  /** Datagrams under way at a time, 1..1024; each holds one packet. Default 64. */
  readonly datagrams?: number
  /** How long a datagram may take. Default 15 s (RFC 791 3.2). */
  readonly lifetimeNs?: Nanoseconds
}

export interface ReassemblyCounters {
  /** Datagrams completed, and the fragments that became part of another packet. */
  whole: number
  merged: number
  /** Datagrams given up because their fragments contradict each other or make too long a one. */
  refused: number
  /** Datagrams given up for want of time, and of room. */
  expired: number
  evicted: number
}

export class Reassembly {
  readonly counters: ReassemblyCounters = { whole: 0, merged: 0, refused: 0, expired: 0, evicted: 0 }
  readonly #slab: PacketSlab
  readonly #drop: HeldDrop
  readonly #lifetimeNs: Nanoseconds
  readonly #words: Int32Array
  readonly #since: Float64Array
  /** Most data bytes of a datagram, and a bit for every eight of them. */
  readonly #room: number
  readonly #bitmapWords: number
  readonly #bitmap: Int32Array
  readonly #header = new Uint8Array(IPV4_MAX_HEADER_BYTES)
  #held = 0

  constructor(slab: PacketSlab, drop: HeldDrop, options: ReassemblyOptions = {}) {
    const { datagrams = 64, lifetimeNs = 15 * SECOND } = options
    if (!Number.isInteger(datagrams) || datagrams < 1 || datagrams > 1024)
      throw new RangeError(`${datagrams} datagrams are not in 1..1024`)
    this.#slab = slab
    this.#drop = drop
    this.#lifetimeNs = lifetimeNs
    this.#words = new Int32Array(datagrams << SHIFT)
    for (let at = 0; at < this.#words.length; at += 1 << SHIFT) this.#words[at + PACKET] = NONE
    this.#since = new Float64Array(datagrams)
    this.#room = slab.room - ETHERNET_HEADER_BYTES - IPV4_MAX_HEADER_BYTES
    this.#bitmapWords = (this.#room + 255) >>> 8
    this.#bitmap = new Int32Array(datagrams * this.#bitmapWords)
  }

  /** Packets held: one for each datagram under way. */
  get held(): number {
    return this.#held
  }

  /**
   * Takes a parsed fragment: it becomes the packet of its datagram, is merged into it and released, or is dropped.
   * Returns the packet of a datagram that is whole now, the caller's from then on and to be parsed again
   * (`parseNetwork`), or NONE.
   */
  collect(packet: number, now: Nanoseconds): number {
    this.expire(now)
    const bytes = this.#slab.bytes
    const network = this.#slab.meta[(packet << META_SHIFT) + NETWORK]
    const headerBytes = (bytes[network] & 15) << 2
    const position = read16(bytes, network + 6)
    const offset = (position & 0x1fff) << 3
    const dataBytes = read16(bytes, network + 2) - headerBytes
    const place = this.#placeOf(packet, now)
    const at = place << SHIFT
    const last = (position & 0x2000) === 0
    const code = this.#claim(place, offset, dataBytes, last)
    if (code < 0) {
      // A copy; what came first stays.
      this.#drop(packet, MALFORMED, now)
      return NONE
    }
    if (code > 0) return this.#refuse(packet, place, code, now)
    if ((bytes[network + 1] & ECN_MASK) === ECN_CONGESTION) this.#words[at + CONGESTED] = 1
    this.#store(packet, at, offset, headerBytes, dataBytes)
    return this.#finish(at)
  }

  /** Gives up datagrams that took too long. */
  expire(now: Nanoseconds): void {
    for (let place = this.#oldest(); place !== NONE; place = this.#oldest()) {
      if (this.#since[place] + this.#lifetimeNs > now) return
      this.counters.expired++
      this.#drop(this.#free(place), EXPIRED, now)
    }
  }

  /** Gives up everything. */
  clear(code: DropCode, now: Nanoseconds): void {
    for (let place = 0; place < this.#since.length; place++)
      if (this.#words[(place << SHIFT) + PACKET] !== NONE) this.#drop(this.#free(place), code, now)
  }

  /** When `expire` should be called; NEVER when nothing is under way. */
  pollAt(): Nanoseconds {
    const place = this.#oldest()
    return place === NONE ? NEVER : this.#since[place] + this.#lifetimeNs
  }

  /** The place of a fragment's datagram; a new one when there is none. */
  #placeOf(packet: number, now: Nanoseconds): number {
    const bytes = this.#slab.bytes
    const network = this.#slab.meta[(packet << META_SHIFT) + NETWORK]
    const source = read32(bytes, network + 12) | 0
    const destination = read32(bytes, network + 16) | 0
    const identity = (read16(bytes, network + 4) << 8) | bytes[network + 9]
    const words = this.#words
    let vacant = NONE
    for (let at = 0; at < words.length; at += 1 << SHIFT) {
      if (words[at + PACKET] === NONE) vacant = at >> SHIFT
      else if (words[at + IDENTITY] === identity && words[at + SOURCE] === source)
        if (words[at + DESTINATION] === destination) return at >> SHIFT
    }
    if (vacant === NONE) {
      vacant = this.#oldest()
      this.counters.evicted++
      this.#drop(this.#free(vacant), TABLE_FULL, now)
    }
    const at = vacant << SHIFT
    words.fill(0, at, at + (1 << SHIFT))
    words[at + PACKET] = packet
    words[at + SOURCE] = source
    words[at + DESTINATION] = destination
    words[at + IDENTITY] = identity
    this.#bitmap.fill(0, vacant * this.#bitmapWords, (vacant + 1) * this.#bitmapWords)
    this.#since[vacant] = now
    this.#held++
    return vacant
  }

  /** Marks a range as there. Returns 0, -1 when all of it was there, or why the datagram is given up. */
  #claim(place: number, offset: number, dataBytes: number, last: boolean): number {
    const words = this.#words
    const at = place << SHIFT
    const end = offset + dataBytes
    if (end > this.#room) return OVERSIZED
    const total = words[at + TOTAL_BYTES]
    if (total !== 0 && end > total) return MALFORMED
    const from = offset >>> 3
    const to = (end + 7) >>> 3
    const base = place * this.#bitmapWords
    let present = 0
    for (let block = from; block < to; block++)
      present += (this.#bitmap[base + (block >>> 5)] >>> (block & 31)) & 1
    if (present > 0) return present === to - from && last === (total === end) ? -1 : MALFORMED
    if (last && this.#highest(base) > to) return MALFORMED
    for (let block = from; block < to; block++) this.#bitmap[base + (block >>> 5)] |= 1 << (block & 31)
    words[at + BLOCKS] += to - from
    if (last) words[at + TOTAL_BYTES] = end
    return 0
  }

  /** One more than the highest block that is there. */
  #highest(base: number): number {
    for (let word = this.#bitmapWords - 1; word >= 0; word--) {
      const bits = this.#bitmap[base + word]
      if (bits !== 0) return word * 32 + 32 - Math.clz32(bits)
    }
    return 0
  }

  /** Puts a fragment's data, and the header of the first one, where they belong; frees what is merged. */
  #store(packet: number, at: number, offset: number, headerBytes: number, dataBytes: number): void {
    const { bytes, meta } = this.#slab
    const words = this.#words
    const network = meta[(packet << META_SHIFT) + NETWORK]
    const data = this.#dataOf(words[at + PACKET])
    const header = this.#header
    // Set aside: in the frame's own fragment, header and data move into each other's bytes.
    for (let i = 0; i < headerBytes; i++) header[i] = bytes[network + i]
    bytes.copyWithin(data + offset, network + headerBytes, network + headerBytes + dataBytes)
    if (offset === 0) {
      words[at + HEADER_BYTES] = headerBytes
      for (let i = 0; i < headerBytes; i++) bytes[data - headerBytes + i] = header[i]
    }
    if (packet === words[at + PACKET]) return
    this.counters.merged++
    this.#slab.release(packet)
  }

  /** The packet of a datagram once header and all data are there, with a header of its own; else NONE. */
  #finish(at: number): number {
    const words = this.#words
    const total = words[at + TOTAL_BYTES]
    const headerBytes = words[at + HEADER_BYTES]
    if (total === 0 || headerBytes === 0 || words[at + BLOCKS] !== (total + 7) >>> 3) return NONE
    const { bytes, meta } = this.#slab
    const congested = words[at + CONGESTED]
    const packet = this.#free(at >> SHIFT)
    const network = this.#dataOf(packet) - headerBytes
    meta[(packet << META_SHIFT) + START] = network - ETHERNET_HEADER_BYTES
    meta[(packet << META_SHIFT) + LENGTH] = ETHERNET_HEADER_BYTES + headerBytes + total
    meta[(packet << META_SHIFT) + NETWORK] = network
    meta[(packet << META_SHIFT) + TRANSPORT] = network + headerBytes
    if (congested !== 0) bytes[network + 1] |= ECN_CONGESTION
    write16(bytes, network + 2, headerBytes + total)
    write16(bytes, network + 6, 0)
    write16(bytes, network + 10, 0)
    write16(bytes, network + 10, checksum(bytes, network, network + headerBytes))
    this.counters.whole++
    return packet
  }

  /** Drops a datagram and the fragment that contradicts it. */
  #refuse(packet: number, place: number, code: DropCode, now: Nanoseconds): number {
    const held = this.#free(place)
    this.counters.refused++
    this.#drop(held, code, now)
    if (packet !== held) this.#drop(packet, code, now)
    return NONE
  }

  /** Gives up a place and returns its packet. */
  #free(place: number): number {
    const packet = this.#words[(place << SHIFT) + PACKET]
    this.#words[(place << SHIFT) + PACKET] = NONE
    this.#held--
    return packet
  }

  #oldest(): number {
    let oldest = NONE
    if (this.#held === 0) return oldest
    for (let place = 0; place < this.#since.length; place++) {
      if (this.#words[(place << SHIFT) + PACKET] === NONE) continue
      if (oldest === NONE || this.#since[place] < this.#since[oldest]) oldest = place
    }
    return oldest
  }

  /** Where the data of a datagram begins in its frame: four-byte aligned, behind the longest header. */
  #dataOf(packet: number): number {
    const { stride, headroom } = this.#slab
    return packet * stride + headroom + ETHERNET_HEADER_BYTES + IPV4_MAX_HEADER_BYTES
  }
}
