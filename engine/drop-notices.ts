/**
 * Which drops are told to the sender, and how (RFC 1812 5.2.7, 5.3.1). The one idea: a table from drop reason to
 * ICMP type and code; whether the particular packet may be answered at all is for IcmpErrors to judge.
 *
 * The sender knows its datagram as it sent it: what a tunnel put around it is left out of the quote, and what was
 * rewritten is undone in it.
 */
import * as rows from './actions/action-table.ts'
import { rewritePacket } from './actions/rewrite.ts'
import type { Nanoseconds } from './clock.ts'
import { DROP_REASONS, type DropCode, type DropReason, dropCode } from './drop-reason.ts'
import type { DropNotice, Forwarder } from './forwarder.ts'
import {
  FLAG_ENCAPSULATED,
  FLAG_LATER_FRAGMENT,
  FLAG_REWRITTEN,
  FLAGS,
  IN_PORT,
  KEY_DESTINATION,
  KEY_PORTS,
  KEY_PROTOCOL,
  KEY_SOURCE,
  META_SHIFT,
  NETWORK,
  NONE,
  TRANSPORT,
} from './packet.ts'
import { sourceAddress } from './port.ts'
import type { Stages } from './stages.ts'
import {
  ICMP_TIME_EXCEEDED,
  ICMP_UNREACHABLE,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  read16,
  read32,
  TIME_EXCEEDED_TTL,
  UNREACHABLE_FRAGMENTATION_NEEDED,
  UNREACHABLE_HOST,
  UNREACHABLE_NETWORK,
  UNREACHABLE_PORT,
  UNREACHABLE_PROTOCOL,
} from './wire/index.ts'

const NO_SUCH_SERVICE = dropCode('no-such-service')
const EVERYTHING =
  rows.REWRITE_SOURCE | rows.REWRITE_DESTINATION | rows.REWRITE_SOURCE_PORT | rows.REWRITE_DESTINATION_PORT
const FRAGMENT_OFFSET = 0x1fff

/** ICMP type << 8 | code by drop reason; reasons that are absent are silent. */
const NOTICES: Partial<Record<DropReason, number>> = {
  'ttl-expired': (ICMP_TIME_EXCEEDED << 8) | TIME_EXCEEDED_TTL,
  'fragmentation-needed': (ICMP_UNREACHABLE << 8) | UNREACHABLE_FRAGMENTATION_NEEDED,
  'no-route': (ICMP_UNREACHABLE << 8) | UNREACHABLE_NETWORK,
  'arp-unresolved': (ICMP_UNREACHABLE << 8) | UNREACHABLE_HOST,
  'port-down': (ICMP_UNREACHABLE << 8) | UNREACHABLE_HOST,
  'tunnel-unreachable': (ICMP_UNREACHABLE << 8) | UNREACHABLE_HOST,
  'no-server': (ICMP_UNREACHABLE << 8) | UNREACHABLE_HOST,
  'no-such-service': (ICMP_UNREACHABLE << 8) | UNREACHABLE_PORT,
}

const NOTICE_CODES = Int32Array.from(DROP_REASONS, (reason) => NOTICES[reason] ?? -1)

export class DropNotices implements DropNotice {
  readonly #stages: Stages
  readonly #forwarder: Forwarder

  constructor(stages: Stages, forwarder: Forwarder) {
    this.#stages = stages
    this.#forwarder = forwarder
  }

  about(packet: number, code: DropCode, value: number, now: Nanoseconds): void {
    const notice = NOTICE_CODES[code]
    if (notice < 0) return
    const { slab } = this.#stages
    const meta = slab.meta
    const at = packet << META_SHIFT
    // Nobody is told about what the router itself sent, nor about the later fragments of anything.
    if (meta[at + IN_PORT] < 0) return
    const network = meta[at + NETWORK]
    if ((read16(slab.bytes, network + 6) & FRAGMENT_OFFSET) !== 0) return
    if ((meta[at + FLAGS] & FLAG_ENCAPSULATED) === 0)
      return this.#aboutOriginal(packet, code, notice, value, now)
    const transport = meta[at + TRANSPORT]
    meta[at + NETWORK] = transport
    meta[at + TRANSPORT] = transport + ((slab.bytes[transport] & 15) << 2)
    this.#aboutOriginal(packet, code, notice, value, now)
    meta[at + NETWORK] = network
    meta[at + TRANSPORT] = transport
  }

  /** About the datagram at NETWORK, with the addresses and ports that its sender gave it. */
  #aboutOriginal(packet: number, code: DropCode, notice: number, value: number, now: Nanoseconds): void {
    const { slab } = this.#stages
    const { bytes, meta } = slab
    const at = packet << META_SHIFT
    if ((meta[at + FLAGS] & FLAG_REWRITTEN) === 0) return this.#send(packet, code, notice, value, now)
    const flags = meta[at + FLAGS]
    const network = meta[at + NETWORK]
    const source = read32(bytes, network + 12)
    const destination = read32(bytes, network + 16)
    const ports = (flags & FLAG_LATER_FRAGMENT) === 0 ? read32(bytes, meta[at + TRANSPORT]) : 0
    rewritePacket(
      slab,
      packet,
      EVERYTHING,
      meta[at + KEY_SOURCE],
      meta[at + KEY_DESTINATION],
      meta[at + KEY_PORTS],
    )
    this.#send(packet, code, notice, value, now)
    rewritePacket(slab, packet, EVERYTHING, source, destination, ports)
    meta[at + FLAGS] = flags
  }

  #send(packet: number, code: DropCode, notice: number, value: number, now: Nanoseconds): void {
    const { slab, ports, errors } = this.#stages
    const meta = slab.meta
    const at = packet << META_SHIFT
    const sender = read32(slab.bytes, meta[at + NETWORK] + 12)
    const source = sourceAddress(ports[meta[at + IN_PORT]], sender)
    if (source === 0) return
    const protocol = meta[at + KEY_PROTOCOL]
    const hasPorts = protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP
    const icmpCode = code === NO_SUCH_SERVICE && !hasPorts ? UNREACHABLE_PROTOCOL : notice & 0xff
    const error = errors.about(packet, notice >>> 8, icmpCode, value, source, now)
    if (error !== NONE) this.#forwarder.originate(error, now)
  }
}
