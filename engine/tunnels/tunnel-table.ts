/**
 * The tunnels of an engine. The one idea: a tunnel is a small integer behind which its kind stays hidden (R-SLR-10,
 * R-PR-05): whoever holds the number sends into it, learns where to route what came out, and asks how it fares.
 * Kinds are told apart by one switch over an integer; a label kind will be one more case.
 *
 * Guarantees: everything that enters or leaves is counted, nothing on the way of a packet allocates, and no ICMP
 * error ever stops a tunnel (RFC 2003 5: its sender is told, and the datagram enters all the same).
 */
import type { Nanoseconds } from '../clock.ts'
import { type DropCode, dropCode } from '../drop-reason.ts'
import { EngineError } from '../errors.ts'
import { ARRIVAL, LENGTH, META_SHIFT, NETWORK, NEXT, NONE, type PacketSlab } from '../packet.ts'
import { fragment } from '../routing/fragment.ts'
import { formatIpv4Address } from '../wire/address.ts'
import { read32 } from '../wire/byte-order.ts'
import { ETHERNET_HEADER_BYTES } from '../wire/ethernet.ts'
import type { AddressSet } from './address-set.ts'
import { DONT_FRAGMENT, decapsulate, encapsulate, IP_IN_IP_OVERHEAD_BYTES } from './ip-in-ip.ts'
import { redirect } from './mac-rewrite.ts'
import type { TunnelRequest } from './tunnel.ts'
import { TUNNEL_LIMIT, TunnelRegistry } from './tunnel-registry.ts'
import { answer, believe, readReport, type TunnelReport } from './tunnel-report.ts'
import { compileTunnel, LEAST_MTU_BYTES, type TunnelResolver } from './tunnel-request.ts'
import {
  BYTES,
  currentMtu,
  currentTrouble,
  DESTINATION,
  DROPS,
  ERRORS,
  KIND,
  KIND_IP_IN_IP,
  KIND_MAC_REWRITE,
  lowerMtu,
  OPEN,
  PACKETS,
  RECEIVED_BYTES,
  RECEIVED_PACKETS,
  SOURCE,
  TTL_PROTOCOL,
  TUNNEL_SHIFT,
  TunnelState,
  USERS,
  VALUE_SHIFT,
} from './tunnel-state.ts'

/** The floor of tunnel MTUs unless told otherwise: below it lies no path of today, but forged reports do. */
export const DEFAULT_LEAST_MTU_BYTES = 576
/** ARRIVAL of a packet that came encapsulated, but by no tunnel of this table. */
export const UNNAMED_ARRIVAL = -1

const CLOSED = dropCode('tunnel-closed')
const UNEXPECTED = dropCode('tunnel-unexpected')
const KIND_NAMES = ['free', 'ip-in-ip', 'mac-rewrite'] as const

export interface TunnelTableOptions {
  /** Addresses of this router; shared with whoever keeps them up to date. */
  readonly own: AddressSet
  /** Where encapsulated packets may come from, besides the far ends of tunnels. Default: anywhere. */
  readonly peers?: AddressSet | undefined
  /** Seed of the hash and of the outer headers' identifications. */
  readonly seed: number
  /** Most tunnels. Default 65536. */
  readonly limit?: number
  /** No report lowers an MTU below this, 88..65535. Default 576. */
  readonly leastMtuBytes?: number
  /** Sets DF in every outer header (RFC 2003 5.1) rather than copying it. Default false. */
  readonly alwaysDontFragment?: boolean
}

/** A tunnel as a query shows it. */
export interface TunnelRow {
  readonly tunnel: number
  readonly kind: (typeof KIND_NAMES)[number]
  readonly from: string
  readonly to: string
  /** Of the outer header; 0 where there is none. */
  readonly ttl: number
  readonly open: boolean
  /** Users besides whoever opened it. */
  readonly users: number
  readonly mtuBytes: number
  readonly reachable: boolean
  readonly packets: number
  readonly bytes: number
  readonly dropped: number
  readonly receivedPackets: number
  readonly receivedBytes: number
  readonly errors: number
}

export class TunnelTable {
  /** ICMP errors about outer headers that named no tunnel, or that their tunnel cannot have caused. */
  reportsRefused = 0
  readonly #state: TunnelState
  readonly #registry: TunnelRegistry
  readonly #peers: AddressSet | undefined

  /** @throws EngineError `invalid` */
  constructor(options: TunnelTableOptions) {
    const { own, peers, seed, limit = TUNNEL_LIMIT } = options
    const { leastMtuBytes = DEFAULT_LEAST_MTU_BYTES, alwaysDontFragment = false } = options
    if (!Number.isInteger(leastMtuBytes) || leastMtuBytes < LEAST_MTU_BYTES || leastMtuBytes > 65_535)
      throw new EngineError(
        'invalid',
        `expected ${LEAST_MTU_BYTES}..65535, got ${leastMtuBytes}`,
        'leastMtuBytes',
      )
    this.#state = new TunnelState(own, leastMtuBytes, alwaysDontFragment ? DONT_FRAGMENT : 0)
    this.#registry = new TunnelRegistry(this.#state, limit, seed)
    this.#peers = peers
  }

  /** Tunnels in use, closed ones that someone retains included. */
  get size(): number {
    return this.#registry.size
  }

  /**
   * Opens a tunnel and returns its number. Several tunnels may have the same ends.
   * @throws EngineError `invalid`, `unknown` (no route leads there), `unsupported` or `limit`
   */
  open(request: TunnelRequest, resolver: TunnelResolver, place = 'tunnel'): number {
    return this.#registry.open(compileTunnel(request, resolver, this.#state.own, place), place)
  }

  /** Closes a tunnel: it works on while someone retains it. @throws EngineError `unknown` when it is not open */
  close(tunnel: number): void {
    this.#registry.close(tunnel)
  }

  /** Counts one more user. @throws EngineError `unknown` */
  retain(tunnel: number): void {
    this.#registry.retain(tunnel)
  }

  /** Counts one user less; the last one of a closed tunnel frees its number. @throws EngineError `unknown` */
  release(tunnel: number): void {
    this.#registry.release(tunnel)
  }

  /**
   * Sends a parsed datagram, its TTL already spent, into a tunnel. Returns 0: the packet is ready to be routed on
   * `nextHopOf(tunnel)`; NEEDS_FRAGMENTS: call `enterInPieces`; else a drop code, the packet unchanged. On
   * `fragmentation-needed` the sender is told `innerMtu(tunnel, now)`.
   */
  enter(tunnel: number, slab: PacketSlab, packet: number, now: Nanoseconds): number {
    const state = this.#state
    let code: number
    switch (state.words[(tunnel << TUNNEL_SHIFT) + KIND]) {
      case KIND_IP_IN_IP:
        code = encapsulate(state, tunnel, slab, packet, now)
        break
      case KIND_MAC_REWRITE:
        code = redirect(state, tunnel, slab, packet)
        break
      default:
        return CLOSED
    }
    const at = tunnel << VALUE_SHIFT
    if (code === 0) {
      state.values[at + PACKETS]++
      state.values[at + BYTES] += slab.meta[(packet << META_SHIFT) + LENGTH] - ETHERNET_HEADER_BYTES
    } else if (code > 0) state.values[at + DROPS]++
    return code
  }

  /**
   * Fragments a datagram for which `enter` said NEEDS_FRAGMENTS and sends the pieces into the tunnel. Returns the
   * first of them, the others following through NEXT, or the negated drop code; the datagram stays the caller's.
   */
  enterInPieces(tunnel: number, slab: PacketSlab, packet: number, now: Nanoseconds): number {
    const head = fragment(slab, packet, this.innerMtu(tunnel, now))
    if (head < 0) {
      this.#state.values[(tunnel << VALUE_SHIFT) + DROPS]++
      return head
    }
    for (let piece = head; piece !== NONE; piece = slab.meta[(piece << META_SHIFT) + NEXT]) {
      const code = this.enter(tunnel, slab, piece, now)
      if (code !== 0) throw new Error(`a fragment made for tunnel ${tunnel} does not enter it: ${code}`)
    }
    return head
  }

  /** The address to route on after entry, unsigned. */
  nextHopOf(tunnel: number): number {
    return this.#state.words[(tunnel << TUNNEL_SHIFT) + DESTINATION] >>> 0
  }

  /** Whether the tunnel works only while its far end is on a connected network. */
  needsLink(tunnel: number): boolean {
    return this.#state.words[(tunnel << TUNNEL_SHIFT) + KIND] === KIND_MAC_REWRITE
  }

  /** Largest datagram that enters the tunnel whole, in bytes: what a sender is told (RFC 2003 5.1). */
  innerMtu(tunnel: number, now: Nanoseconds): number {
    const kind = this.#state.words[(tunnel << TUNNEL_SHIFT) + KIND]
    return currentMtu(this.#state, tunnel, now) - (kind === KIND_IP_IN_IP ? IP_IN_IP_OVERHEAD_BYTES : 0)
  }

  /**
   * The ICMP error, `type << 8 | code`, that a sender into this tunnel should get, asked before its datagram enters
   * the tunnel all the same, so that a change for the better is noticed (RFC 2003 5); 0 when all is well.
   */
  troubleOf(tunnel: number, now: Nanoseconds): number {
    return currentTrouble(this.#state, tunnel, now)
  }

  /** Takes note that the port to the exit carries datagrams of `mtuBytes` at most, outer header included. */
  limitMtu(tunnel: number, mtuBytes: number, now: Nanoseconds): void {
    lowerMtu(this.#state, tunnel, mtuBytes, LEAST_MTU_BYTES, now)
  }

  /** The oldest tunnel from one address to another, or NONE. */
  find(source: number, destination: number): number {
    return this.#registry.find(source, destination)
  }

  /**
   * Takes the outer header off a packet of protocol 4 for this router. Returns 0 with ARRIVAL set (tunnel + 1, or
   * UNNAMED_ARRIVAL) and the packet at its inner datagram, to be parsed and classified again; or a drop code, among
   * them `tunnel-unexpected` for a sender that is no peer.
   */
  exit(slab: PacketSlab, packet: number): DropCode {
    const meta = slab.meta
    const at = packet << META_SHIFT
    const outer = meta[at + NETWORK]
    const sender = read32(slab.bytes, outer + 12)
    const tunnel = this.#registry.find(read32(slab.bytes, outer + 16), sender)
    if (tunnel === NONE && this.#peers !== undefined && !this.#peers.has(sender)) return UNEXPECTED
    const code = decapsulate(slab, packet)
    if (code !== 0) return code
    meta[at + ARRIVAL] = tunnel === NONE ? UNNAMED_ARRIVAL : tunnel + 1
    if (tunnel !== NONE) {
      const values = this.#state.values
      values[(tunnel << VALUE_SHIFT) + RECEIVED_PACKETS]++
      values[(tunnel << VALUE_SHIFT) + RECEIVED_BYTES] += meta[at + LENGTH] - ETHERNET_HEADER_BYTES
    }
    return 0
  }

  /**
   * Takes an ICMP packet for this router as word from inside a tunnel (RFC 2003 4). Returns whether it speaks of an
   * outer header at all; then `into` holds what was understood: `tunnel` is NONE when it was refused, and
   * `answerType` is not 0 when the sender of the quoted datagram should be told (`IcmpErrors.aboutQuote`).
   */
  relay(slab: PacketSlab, packet: number, now: Nanoseconds, into: TunnelReport): boolean {
    if (!readReport(slab, packet, into)) return false
    const registry = this.#registry
    let tunnel = registry.find(into.source, into.destination)
    for (; tunnel !== NONE; tunnel = registry.nextLike(tunnel))
      if (believe(this.#state, tunnel, into, now) && into.tunnel === NONE) into.tunnel = tunnel
    if (into.tunnel === NONE) this.reportsRefused++
    else answer(slab, into, currentMtu(this.#state, into.tunnel, now))
    return true
  }

  /** A tunnel as a query shows it. @throws EngineError `unknown` */
  describe(tunnel: number, now: Nanoseconds): TunnelRow {
    const at = this.#registry.checked(tunnel)
    const { words, values } = this.#state
    const value = (field: number): number => values[(tunnel << VALUE_SHIFT) + field]
    const kind = words[at + KIND]
    return {
      tunnel,
      kind: KIND_NAMES[kind],
      from: formatIpv4Address(words[at + SOURCE]),
      to: formatIpv4Address(words[at + DESTINATION]),
      ttl: words[at + TTL_PROTOCOL] & 0xff,
      open: words[at + OPEN] !== 0,
      users: words[at + USERS] - words[at + OPEN],
      mtuBytes: currentMtu(this.#state, tunnel, now),
      reachable: currentTrouble(this.#state, tunnel, now) === 0,
      packets: value(PACKETS),
      bytes: value(BYTES),
      dropped: value(DROPS),
      receivedPackets: value(RECEIVED_PACKETS),
      receivedBytes: value(RECEIVED_BYTES),
      errors: value(ERRORS),
    }
  }

  /** Numbers in use, ascending. */
  numbers(): number[] {
    return this.#registry.numbers()
  }
}
