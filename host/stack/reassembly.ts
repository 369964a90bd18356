/**
 * Putting fragments together again (RFC 791 3.2, RFC 815, RFC 1858). The one idea: fragments of a datagram must fit
 * together like tiles. A repeated tile is ignored; any other overlap condemns the datagram (the spirit of RFC 5722),
 * since only an attacker sends it. Datagrams, fragments and bytes are bounded: the oldest datagram makes room.
 */
import { fold, IPV4_MAX_BYTES, sum, write16 } from '../../engine/wire/index.ts'
import type { HostCounters } from './counters.ts'
import type { Datagram } from './network.ts'
import { type Nanoseconds, SECOND, type StackClock } from './time.ts'
import { Timer, type TimerQueue } from './timers.ts'

export interface ReassemblyLimits {
  /** Datagrams at once. Default 64. */
  readonly datagrams: number
  /** Payload bytes held. Default 512 KiB. */
  readonly bytes: number
  /** Fragments of one datagram. Default 1024. */
  readonly fragments: number
  /** How long to wait for the rest. Default 30 s. */
  readonly timeoutNs: Nanoseconds
}

export const DEFAULT_REASSEMBLY_LIMITS: ReassemblyLimits = {
  datagrams: 64,
  bytes: 512 * 1024,
  fragments: 1024,
  timeoutNs: 30 * SECOND,
}

interface Tile {
  readonly offset: number
  readonly bytes: Uint8Array
}

interface Partial {
  readonly key: string
  readonly expiresAt: Nanoseconds
  /** Sorted by offset, disjoint. */
  readonly tiles: Tile[]
  bytes: number
  /** Payload length once the last fragment is here, -1 before. */
  total: number
  /** IP header of the first fragment, and its first bytes for an ICMP error. */
  header: Uint8Array | null
  condemned: boolean
}

export class Reassembly {
  readonly #clock: StackClock
  readonly #timers: TimerQueue
  readonly #counters: HostCounters
  readonly #limits: ReassemblyLimits
  /** Oldest first. */
  readonly #partials = new Map<string, Partial>()
  readonly #timer = new Timer(() => this.#expire())
  /** Told of a datagram that was given up, as an IP packet of header and first tile. */
  readonly #onTimeout: (packet: Uint8Array) => void
  #bytes = 0

  constructor(
    shared: { readonly clock: StackClock; readonly timers: TimerQueue; readonly counters: HostCounters },
    limits: ReassemblyLimits,
    onTimeout: (packet: Uint8Array) => void,
  ) {
    this.#clock = shared.clock
    this.#timers = shared.timers
    this.#counters = shared.counters
    this.#limits = limits
    this.#onTimeout = onTimeout
  }

  /** Datagrams and payload bytes held now. */
  get size(): { readonly datagrams: number; readonly bytes: number } {
    return { datagrams: this.#partials.size, bytes: this.#bytes }
  }

  /** Takes a fragment. Returns the whole IP packet once it is complete. */
  add(fragment: Datagram): Uint8Array | undefined {
    const { header, transport, end, bytes, network } = fragment
    const length = end - transport
    const offset = header.fragmentOffset
    const odd = header.moreFragments && (length & 7) !== 0
    if (length === 0 || odd || offset + length + header.headerBytes > IPV4_MAX_BYTES) {
      this.#counters.drop('fragment-malformed')
      return undefined
    }
    const partial = this.#partialOf(fragment)
    if (partial.condemned) {
      this.#counters.drop('fragment-overlap')
      return undefined
    }
    const tile = { offset, bytes: bytes.slice(transport, end) }
    if (!this.#place(partial, tile, header.moreFragments)) return undefined
    if (offset === 0 && partial.header === null) partial.header = bytes.slice(network, transport)
    return this.#complete(partial)
  }

  #partialOf(fragment: Datagram): Partial {
    const { source, destination, id, protocol } = fragment.header
    const key = `${source},${destination},${id},${protocol}`
    const known = this.#partials.get(key)
    if (known !== undefined) return known
    if (this.#partials.size >= this.#limits.datagrams) this.#evictOldest()
    const expiresAt = this.#clock.now + this.#limits.timeoutNs
    const partial = { key, expiresAt, tiles: [], bytes: 0, total: -1, header: null, condemned: false }
    this.#partials.set(key, partial)
    if (!this.#timer.armed) this.#timers.arm(this.#timer, expiresAt)
    return partial
  }

  /** Puts the tile into its place. False when it is a repetition or condemns the datagram. */
  #place(partial: Partial, tile: Tile, more: boolean): boolean {
    const { tiles } = partial
    const end = tile.offset + tile.bytes.length
    let index = tiles.length
    while (index > 0 && tiles[index - 1].offset >= tile.offset) index--
    const below = index > 0 ? tiles[index - 1] : undefined
    const above = tiles[index]
    if (above !== undefined && repeats(above, tile)) return false
    const overlaps =
      (below !== undefined && below.offset + below.bytes.length > tile.offset) ||
      (above !== undefined && above.offset < end)
    const beyond = partial.total >= 0 && (end > partial.total || (!more && end !== partial.total))
    const last = tiles.at(-1)
    const short = !more && last !== undefined && last.offset + last.bytes.length > end
    if (overlaps || beyond || short) {
      this.#counters.drop('fragment-overlap')
      this.#empty(partial)
      partial.condemned = true
      return false
    }
    if (tiles.length >= this.#limits.fragments) {
      this.#counters.drop('fragment-limit')
      return false
    }
    tiles.splice(index, 0, tile)
    partial.bytes += tile.bytes.length
    this.#bytes += tile.bytes.length
    if (!more) partial.total = end
    while (this.#bytes > this.#limits.bytes && this.#evictOldest() !== partial.key);
    return true
  }

  #complete(partial: Partial): Uint8Array | undefined {
    if (partial.total < 0 || partial.bytes !== partial.total || partial.header === null) return undefined
    const { header, tiles } = partial
    const packet = join(header, tiles, partial.total)
    this.#remove(partial)
    this.#counters.reassembled++
    return packet
  }

  /** Drops the oldest datagram; returns its key. */
  #evictOldest(): string | undefined {
    for (const oldest of this.#partials.values()) {
      this.#counters.drop('fragment-limit')
      this.#remove(oldest)
      return oldest.key
    }
    return undefined
  }

  #empty(partial: Partial): void {
    this.#bytes -= partial.bytes
    partial.bytes = 0
    partial.tiles.length = 0
    partial.header = null
  }

  #remove(partial: Partial): void {
    this.#empty(partial)
    this.#partials.delete(partial.key)
  }

  #expire(): void {
    for (const partial of this.#partials.values()) {
      if (partial.expiresAt > this.#clock.now) {
        this.#timers.arm(this.#timer, partial.expiresAt)
        return
      }
      const { header, tiles, condemned } = partial
      const packet = header === null ? undefined : join(header, tiles.slice(0, 1), tiles[0].bytes.length)
      this.#remove(partial)
      if (condemned) continue
      this.#counters.drop('fragment-timeout')
      if (packet !== undefined) this.#onTimeout(packet)
    }
  }
}

function repeats(known: Tile, tile: Tile): boolean {
  if (known.offset !== tile.offset || known.bytes.length !== tile.bytes.length) return false
  return known.bytes.every((byte, i) => byte === tile.bytes[i])
}

/** One packet of a header, made unfragmented, and tiles. */
function join(header: Uint8Array, tiles: readonly Tile[], payloadBytes: number): Uint8Array {
  const packet = new Uint8Array(header.length + payloadBytes)
  packet.set(header)
  for (const { offset, bytes } of tiles) packet.set(bytes, header.length + offset)
  write16(packet, 2, packet.length)
  write16(packet, 6, 0)
  write16(packet, 10, 0)
  write16(packet, 10, ~fold(sum(packet, 0, header.length)) & 0xffff)
  return packet
}
