/**
 * Packets for the router's own addresses (RFC 1812 4.3, 5.2.3): echo requests are answered, word from inside
 * tunnels is believed and relayed, registered services get their datagrams, and everything else is refused with
 * the ICMP error that its sender expects. The one idea: the router is a host of few words; what it does not serve
 * itself a `punt` may hand to the operating system. Both see whole datagrams only, up to the length of a frame of
 * the slab.
 */
import type { Nanoseconds } from './clock.ts'
import type { Datagrams } from './datagrams.ts'
import { dropCode } from './drop-reason.ts'
import type { Forwarder } from './forwarder.ts'
import {
  IN_PORT,
  KEY_PROTOCOL,
  LENGTH,
  META_SHIFT,
  NETWORK,
  NONE,
  ORIGINATED,
  type PacketSlab,
  START,
  TRANSPORT,
} from './packet.ts'
import { sourceAddress } from './port.ts'
import type { LocalDelivery, Stages } from './stages.ts'
import { createTunnelReport } from './tunnels/tunnel-report.ts'
import {
  adjust16,
  checksum,
  fold,
  ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST,
  ICMP_HEADER_BYTES,
  isIcmpError,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  read16,
  read32,
  sum,
  transportChecksumOk,
  write16,
  write32,
} from './wire/index.ts'

const ICMP_MALFORMED = dropCode('icmp-malformed')
const NO_SUCH_SERVICE = dropCode('no-such-service')
const TRANSPORT_CHECKSUM = dropCode('transport-checksum')
const REPLY_TTL = 64

/**
 * A service of the router: takes one datagram, whose TCP or UDP checksum is right. It may read the packet but not
 * keep it, and it may change the engine through its control.
 * @returns whether it was taken; otherwise the sender is told that there is no such service
 */
export type LocalService = (slab: PacketSlab, packet: number, now: Nanoseconds) => boolean

export class LocalServices implements LocalDelivery {
  readonly #stages: Stages
  readonly #forwarder: Forwarder
  readonly #datagrams: Datagrams
  readonly #report = createTunnelReport()
  readonly #services = new Map<number, LocalService>()
  /** Takes what no service does: the way to the operating system. */
  punt: LocalService | undefined = undefined

  constructor(stages: Stages, forwarder: Forwarder, datagrams: Datagrams) {
    this.#stages = stages
    this.#forwarder = forwarder
    this.#datagrams = datagrams
  }

  /** Serves a TCP or UDP port or, with port 0, what else there is of a protocol. The last one to register has it. */
  serve(protocol: number, port: number, service: LocalService | undefined): void {
    const key = (protocol << 16) | port
    if (service === undefined) this.#services.delete(key)
    else this.#services.set(key, service)
  }

  deliver(packet: number, now: Nanoseconds): void {
    const datagram = this.#datagrams.whole(packet, now)
    if (datagram === NONE) return
    const { slab } = this.#stages
    const at = datagram << META_SHIFT
    const protocol = slab.bytes[slab.meta[at + NETWORK] + 9]
    if (protocol === PROTOCOL_ICMP) return this.#icmp(datagram, now)
    const ported = protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP
    // The header's own port: it may have been rewritten since the key was read.
    const port = ported ? read16(slab.bytes, slab.meta[at + TRANSPORT] + 2) : 0
    const service = this.#services.get((protocol << 16) | port) ?? this.#services.get(protocol << 16)
    if (service !== undefined && !this.#isIntact(datagram))
      return this.#forwarder.drop(datagram, TRANSPORT_CHECKSUM, now)
    this.#hand(datagram, service, now)
  }

  /** Whether the transport checksum is right, as far as it was for the driver to complete it. */
  #isIntact(packet: number): boolean {
    const { slab, ports } = this.#stages
    const at = packet << META_SHIFT
    const inPort = slab.meta[at + IN_PORT]
    if (inPort >= 0 && !ports[inPort].driver.capabilities.checksumsComplete) return true
    return transportChecksumOk(
      slab.bytes,
      slab.meta[at + NETWORK],
      slab.meta[at + START] + slab.meta[at + LENGTH],
    )
  }

  #hand(packet: number, service: LocalService | undefined, now: Nanoseconds): void {
    const { slab, counters } = this.#stages
    const taken = service?.(slab, packet, now) || this.punt?.(slab, packet, now)
    if (!taken) return this.#forwarder.drop(packet, NO_SUCH_SERVICE, now)
    counters.delivered++
    slab.release(packet)
  }

  #icmp(packet: number, now: Nanoseconds): void {
    const { slab, counters, tunnels } = this.#stages
    const at = packet << META_SHIFT
    const network = slab.meta[at + NETWORK]
    const transport = network + ((slab.bytes[network] & 15) << 2)
    const end = slab.meta[at + START] + slab.meta[at + LENGTH]
    const valid = end - transport >= ICMP_HEADER_BYTES && checksum(slab.bytes, transport, end) === 0
    if (!valid) return this.#forwarder.drop(packet, ICMP_MALFORMED, now)
    const type = slab.bytes[transport]
    if (type === ICMP_ECHO_REQUEST) return this.#echo(packet, transport, now)
    if (isIcmpError(type) && tunnels.relay(slab, packet, now, this.#report)) {
      this.#answerSender(now)
      counters.delivered++
      slab.release(packet)
      return
    }
    if (this.punt !== undefined) return this.#hand(packet, undefined, now)
    // Other ICMP messages ask nothing of a router and no error may answer them.
    counters.delivered++
    slab.release(packet)
  }

  /** Tells the sender of what a tunnel's error quotes, in terms that it understands (RFC 2003 4). */
  #answerSender(now: Nanoseconds): void {
    const { slab, routes, ports, errors } = this.#stages
    const { answerType, answerCode, answerRest, quoteOffset, quoteEnd } = this.#report
    if (answerType === 0) return
    const sender = read32(slab.bytes, quoteOffset + 12)
    const route = routes.lookup(sender)
    if (route < 0 || routes.port[route] < 0) return
    const source = sourceAddress(ports[routes.port[route]], sender)
    if (source === 0) return
    const error = errors.aboutQuote(quoteOffset, quoteEnd, answerType, answerCode, answerRest, source, now)
    if (error !== NONE) this.#forwarder.originate(error, now)
  }

  /** Turns the request into its reply in place: all data returned, addresses exchanged (RFC 1122 3.2.2.6). */
  #echo(packet: number, transport: number, now: Nanoseconds): void {
    const { slab, counters } = this.#stages
    const { bytes, meta } = slab
    const at = packet << META_SHIFT
    const network = meta[at + NETWORK]
    const source = read32(bytes, network + 12)
    write32(bytes, network + 12, read32(bytes, network + 16))
    write32(bytes, network + 16, source)
    bytes[network + 8] = REPLY_TTL
    write16(bytes, network + 10, 0)
    write16(bytes, network + 10, ~fold(sum(bytes, network, transport)) & 0xffff)
    const before = read16(bytes, transport)
    bytes[transport] = ICMP_ECHO_REPLY
    write16(bytes, transport + 2, adjust16(read16(bytes, transport + 2), before, before & 0xff))
    meta[at + IN_PORT] = ORIGINATED
    meta[at + TRANSPORT] = transport
    meta[at + KEY_PROTOCOL] = PROTOCOL_ICMP
    counters.delivered++
    this.#forwarder.originate(packet, now)
  }
}
