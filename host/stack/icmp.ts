/**
 * ICMP of a host (RFC 792, RFC 1122 3.2.2): answers echo, sends and matches its own, reports what cannot be
 * delivered, and hands errors about sent packets to their transport. The one idea: an echo reply returns every byte,
 * from the very address that was asked (R-SLR-24 rests on it); errors are rate limited and never about errors.
 */
import {
  createIcmp,
  echoRest,
  emitIcmp,
  ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST,
  ICMP_HEADER_BYTES,
  ICMP_UNREACHABLE,
  type Icmp,
  IPV4_HEADER_BYTES,
  isIcmpError,
  PROTOCOL_ICMP,
  parseIcmp,
  read16,
  read32,
  UNREACHABLE_FRAGMENTATION_NEEDED,
} from '../../engine/wire/index.ts'
import { isUnicast } from './addresses.ts'
import type { HostCounters } from './counters.ts'
import { FRAME_TRANSPORT } from './frame.ts'
import type { Datagram, Network, QuotedPacket } from './network.ts'
import { type PingRequest, type PingResult, PingTable } from './ping-table.ts'
import type { StackClock } from './time.ts'
import type { TimerQueue } from './timers.ts'
import { TokenBucket } from './token-bucket.ts'

/** Bytes of a packet that an error quotes: all of it stays within 576 (RFC 1812 4.3.2.3). */
const QUOTED_BYTES = 548
const ERRORS_PER_SECOND = 100
const ERRORS_BURST = 50

export interface IcmpContext {
  readonly network: Network
  readonly clock: StackClock
  readonly timers: TimerQueue
  readonly counters: HostCounters
  readonly random: () => number
  /** Gives an error to the transport whose packet it quotes. */
  error(quoted: QuotedPacket): void
}

export class IcmpLayer {
  readonly pings: PingTable
  readonly #context: IcmpContext
  readonly #message: Icmp = createIcmp()
  readonly #limit = new TokenBucket(ERRORS_PER_SECOND, ERRORS_BURST)

  constructor(context: IcmpContext) {
    this.#context = context
    this.pings = new PingTable({
      timers: context.timers,
      clock: context.clock,
      random: context.random,
      send: (request) => {
        const { from, to, identifier, sequence, payload, ttl } = request
        const rest = echoRest(identifier, sequence)
        return this.#send(from, to, ICMP_ECHO_REQUEST, 0, rest, payload, ttl) === 'sent'
      },
    })
  }

  /**
   * Sends an echo request; `done` is called exactly once, never before this returns.
   * @throws StackError `limit`, `exists`
   */
  ping(request: PingRequest, done: (result: PingResult) => void): void {
    this.pings.ping(request, done)
  }

  /** Takes a datagram of protocol 1. */
  input(datagram: Datagram): void {
    const { bytes, transport, end, header } = datagram
    const message = this.#message
    if (parseIcmp(bytes, transport, end, message) !== 0) {
      this.#context.counters.drop('icmp-malformed')
      return
    }
    const { type, payloadOffset, rest } = message
    if (type === ICMP_ECHO_REQUEST) {
      // A broadcast echo would make every host answer at once (RFC 1122 3.2.2.6).
      if (!datagram.group)
        this.#send(
          header.destination,
          header.source,
          ICMP_ECHO_REPLY,
          0,
          rest,
          bytes.subarray(payloadOffset, end),
        )
    } else if (type === ICMP_ECHO_REPLY) {
      const known = this.pings.reply(
        header.source,
        header.destination,
        rest >>> 16,
        rest & 0xffff,
        bytes.subarray(payloadOffset, end),
      )
      if (!known) this.#context.counters.drop('icmp-unexpected')
    } else if (isIcmpError(type)) this.#takeError(message, bytes, end)
    else this.#context.counters.drop('icmp-unexpected')
  }

  /** Reports that the packet in [network, end) cannot be delivered, where the RFCs allow it. */
  report(type: number, code: number, bytes: Uint8Array, network: number, end: number, group: boolean): void {
    const { counters, clock } = this.#context
    const source = read32(bytes, network + 12)
    const destination = read32(bytes, network + 16)
    const headerBytes = (bytes[network] & 15) * 4
    const laterFragment = (read16(bytes, network + 6) & 0x1fff) !== 0
    const aboutError = bytes[network + 9] === PROTOCOL_ICMP && isIcmpError(bytes[network + headerBytes])
    if (group || laterFragment || aboutError || !isUnicast(source)) return
    if (!this.#limit.take(clock.now)) {
      counters.drop('icmp-rate-limited')
      return
    }
    const quote = bytes.subarray(network, Math.min(end, network + QUOTED_BYTES))
    this.#send(destination, source, type, code, 0, quote)
  }

  #takeError(message: Icmp, bytes: Uint8Array, end: number): void {
    const { type, code, rest, payloadOffset: at } = message
    const headerBytes = end > at ? (bytes[at] & 15) * 4 : 0
    const readable = end - at >= IPV4_HEADER_BYTES && bytes[at] >>> 4 === 4
    if (!readable || headerBytes < IPV4_HEADER_BYTES || end - at < headerBytes) {
      this.#context.counters.drop('icmp-malformed')
      return
    }
    const source = read32(bytes, at + 12)
    if (!this.#context.network.isLocal(source)) {
      this.#context.counters.drop('icmp-unexpected')
      return
    }
    const destination = read32(bytes, at + 16)
    const transport = at + headerBytes
    const protocol = bytes[at + 9]
    if (protocol === PROTOCOL_ICMP && end - transport >= ICMP_HEADER_BYTES) {
      if (bytes[transport] === ICMP_ECHO_REQUEST && type === ICMP_UNREACHABLE)
        this.pings.unreachable(destination, read16(bytes, transport + 4), read16(bytes, transport + 6))
      return
    }
    const tooBig = type === ICMP_UNREACHABLE && code === UNREACHABLE_FRAGMENTATION_NEEDED
    this.#context.error({
      type,
      code,
      mtu: tooBig ? rest & 0xffff : 0,
      source,
      destination,
      packetBytes: read16(bytes, at + 2),
      protocol,
      bytes,
      transport,
      end,
    })
  }

  #send(
    from: number,
    to: number,
    type: number,
    code: number,
    rest: number,
    payload: Uint8Array,
    ttl = 64,
  ): string {
    const frame = new Uint8Array(FRAME_TRANSPORT + ICMP_HEADER_BYTES + payload.length)
    emitIcmp(frame, FRAME_TRANSPORT, type, code, rest, payload)
    return this.#context.network.send(frame, from, to, PROTOCOL_ICMP, { ttl })
  }
}
