/**
 * The packet slab: all frames of an engine in one buffer, addressed by integer descriptors.
 *
 * The one idea: no object per packet. A packet is an integer 0 <= packet < capacity; its bytes lie in a fixed
 * frame of `stride` bytes and its state in META_WORDS consecutive words of `meta`. The frame starts after
 * `headroom` bytes, so that tunnels prepend headers without copying, and headroom + 14 is a multiple of four, so
 * that the IP header of an untagged Ethernet frame can be read as aligned 32-bit words (little-endian views).
 */

/** Words of state per packet (one cache line). Index: `(packet << META_SHIFT) + FIELD`. */
export const META_SHIFT = 4
export const META_WORDS = 1 << META_SHIFT

/** Absolute byte offset of the frame's first byte in `bytes`. */
export const START = 0
/** Frame length in bytes, from START. */
export const LENGTH = 1
/** Absolute byte offset of the network header (IPv4 or label stack). */
export const NETWORK = 2
/** Absolute byte offset of the transport header, or of the IP payload of a later fragment. */
export const TRANSPORT = 3
/** Bit set of FLAG_*. */
export const FLAGS = 4
/** Port the packet came in by (index), or ORIGINATED for packets that the router made. */
export const IN_PORT = 5
/** Port the packet leaves by (index), or NONE before routing. */
export const OUT_PORT = 6
/** Flow key words, in host order: source, destination, source port << 16 | destination port, protocol. */
export const KEY_SOURCE = 7
export const KEY_DESTINATION = 8
export const KEY_PORTS = 9
export const KEY_PROTOCOL = 10
/** Flow entry that matched, or NONE. */
export const FLOW = 11
/** Label of the traffic class chosen by policy, or NONE for the port's default class. */
export const CLASS = 12
/** Arrival: tunnel or tag by which the packet came (index + 1), 0 when it came natively. */
export const ARRIVAL = 13
/** Handle of the neighbour to which the frame is sent, or NONE. */
export const NEIGHBOUR = 14
/** Next packet of the list the packet is on (queue, parking place, free list), or NONE. */
export const NEXT = 15

/** No port, no flow, no packet. */
export const NONE = -1
/** IN_PORT of a packet made by this router. */
export const ORIGINATED = -2

export const FLAG_FRAGMENT = 1 // any fragment
export const FLAG_LATER_FRAGMENT = 2 // has no transport header
export const FLAG_RELATED = 4 // an ICMP error: the key is that of the flow it speaks of
export const FLAG_MULTICAST = 8
export const FLAG_BROADCAST = 16
export const FLAG_TCP_SYN = 32
export const FLAG_TCP_FIN = 64
export const FLAG_TCP_RST = 128
export const FLAG_TCP_ACK = 256
/** The TTL of the present network header was decremented already. */
export const FLAG_TTL_SPENT = 512
/** The present network header was put on by a tunnel of this router; the datagram in it begins at TRANSPORT. */
export const FLAG_ENCAPSULATED = 1024
/** Addresses or ports were rewritten: the KEY_* words still tell what they were. */
export const FLAG_REWRITTEN = 2048
/** Bits 16-19 of FLAGS: how often the packet was decapsulated and sent through classification again. */
export const RECIRCULATION_SHIFT = 16
export const RECIRCULATION_MASK = 0xf << RECIRCULATION_SHIFT

export interface PacketSlabOptions {
  /** Number of packets, 1..2^20. */
  readonly capacity: number
  /** Bytes per packet including headroom: a multiple of 64, 256..65536. Default 2048. */
  readonly stride?: number
  /** Bytes before a received frame; (headroom + 14) % 4 must be 0. Default 130. */
  readonly headroom?: number
}

/** Fixed frames with headroom and integer descriptors. `allocate` and `release` are O(1) and never allocate. */
export class PacketSlab {
  readonly capacity: number
  readonly stride: number
  readonly headroom: number
  /** All frames. */
  readonly bytes: Uint8Array
  /** The same memory as 16- and 32-bit words in machine order. */
  readonly halfs: Uint16Array
  readonly words: Uint32Array
  /** State words, META_WORDS a packet. */
  readonly meta: Int32Array
  /** Time in ns at which the packet was received, parked or queued (whoever holds it writes it). */
  readonly time: Float64Array
  #free: number
  #available: number

  constructor(options: PacketSlabOptions) {
    const { capacity, stride = 2048, headroom = 130 } = options
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > 1 << 20)
      throw new RangeError(`capacity ${capacity} is not in 1..${1 << 20}`)
    if (stride % 64 !== 0 || stride < 256 || stride > 65536)
      throw new RangeError(`stride ${stride} is not a multiple of 64 in 256..65536`)
    if ((headroom + 14) % 4 !== 0 || headroom < 2 || headroom >= stride)
      throw new RangeError(`headroom ${headroom} does not align the IP header to four bytes`)
    this.capacity = capacity
    this.stride = stride
    this.headroom = headroom
    const memory = new ArrayBuffer(capacity * stride)
    this.bytes = new Uint8Array(memory)
    this.halfs = new Uint16Array(memory)
    this.words = new Uint32Array(memory)
    this.meta = new Int32Array(capacity * META_WORDS)
    this.time = new Float64Array(capacity)
    for (let packet = 0; packet < capacity; packet++)
      this.meta[(packet << META_SHIFT) + NEXT] = packet + 1 < capacity ? packet + 1 : NONE
    this.#free = 0
    this.#available = capacity
  }

  /** Packets that can still be allocated. */
  get available(): number {
    return this.#available
  }

  /** Longest frame that fits behind the headroom, in bytes. */
  get room(): number {
    return this.stride - this.headroom
  }

  /** Takes a packet whose START stands behind the headroom and whose state is cleared; NONE when all are out. */
  allocate(): number {
    const packet = this.#free
    if (packet === NONE) return NONE
    const meta = this.meta
    const at = packet << META_SHIFT
    this.#free = meta[at + NEXT]
    this.#available--
    meta[at + START] = packet * this.stride + this.headroom
    meta[at + LENGTH] = 0
    meta[at + FLAGS] = 0
    meta[at + IN_PORT] = ORIGINATED
    meta[at + OUT_PORT] = NONE
    meta[at + FLOW] = NONE
    meta[at + CLASS] = NONE
    meta[at + ARRIVAL] = 0
    meta[at + NEIGHBOUR] = NONE
    meta[at + NEXT] = NONE
    return packet
  }

  /** Gives a packet back. The caller must hold it; giving one back twice corrupts the free list. */
  release(packet: number): void {
    this.meta[(packet << META_SHIFT) + NEXT] = this.#free
    this.#free = packet
    this.#available++
  }

  /** Takes a packet holding a copy of `frame`; NONE when no packet is free or the frame does not fit. */
  load(frame: Uint8Array): number {
    if (frame.length > this.room) return NONE
    const packet = this.allocate()
    if (packet === NONE) return NONE
    const at = packet << META_SHIFT
    this.bytes.set(frame, this.meta[at + START])
    this.meta[at + LENGTH] = frame.length
    return packet
  }

  /** Takes a second packet with the same bytes and state; NONE when no packet is free. */
  copy(packet: number): number {
    const twin = this.allocate()
    if (twin === NONE) return NONE
    const from = packet << META_SHIFT
    const to = twin << META_SHIFT
    const meta = this.meta
    const shift = (twin - packet) * this.stride
    meta.copyWithin(to, from, from + META_WORDS)
    meta[to + START] = meta[from + START] + shift
    meta[to + NETWORK] = meta[from + NETWORK] + shift
    meta[to + TRANSPORT] = meta[from + TRANSPORT] + shift
    meta[to + NEXT] = NONE
    this.time[twin] = this.time[packet]
    const start = meta[from + START]
    this.bytes.copyWithin(meta[to + START], start, start + meta[from + LENGTH])
    return twin
  }

  /** The frame's bytes as a view into the slab: valid until the packet is released. Allocates; not for the data path. */
  frame(packet: number): Uint8Array {
    const at = packet << META_SHIFT
    const start = this.meta[at + START]
    return this.bytes.subarray(start, start + this.meta[at + LENGTH])
  }
}
