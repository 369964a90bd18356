/**
 * UDP of a host (RFC 768, RFC 1122 4.1). The one idea: a handler per port; a datagram without one is answered with
 * port unreachable, unless it was sent to many.
 */
import {
  createUdp,
  emitUdp,
  IPV4_MAX_BYTES,
  PROTOCOL_UDP,
  parseUdp,
  read16,
  UDP_HEADER_BYTES,
  type Udp,
  udpChecksumOk,
} from '../../engine/wire/index.ts'
import type { HostCounters } from './counters.ts'
import { StackError } from './errors.ts'
import { FRAME_TRANSPORT } from './frame.ts'
import type { Datagram, Network, QuotedPacket, SendOptions, SendResult } from './network.ts'

/** A received UDP datagram. Attacker-controlled; `payload` is a view that stays valid and is never written to. */
export interface UdpDatagram {
  readonly source: number
  readonly sourcePort: number
  readonly destination: number
  readonly destinationPort: number
  readonly payload: Uint8Array
  /** Index of the device by which it came; -1 for the host itself. */
  readonly device: number
  /** Sent to a broadcast or multicast address. */
  readonly group: boolean
}

/** An ICMP error about a datagram sent from a bound port. Attacker-controlled. */
export interface UdpError {
  readonly type: number
  readonly code: number
  readonly destination: number
  readonly destinationPort: number
}

export interface UdpSend extends SendOptions {
  readonly to: number
  readonly port: number
  /** A local address; by default the one the route implies. */
  readonly from?: number
  readonly fromPort: number
  /** 0..65507 bytes; may be used again after the call. */
  readonly payload: Uint8Array
}

export interface UdpBindOptions {
  /** Only datagrams to this address. Default 0: any. */
  readonly address?: number
  readonly onError?: (error: UdpError) => void
}

/** A bound port. */
export interface UdpBinding {
  readonly port: number
  readonly address: number
  /** Stops receiving. Idempotent. */
  close(): void
}

interface Bound extends UdpBinding {
  readonly handler: (datagram: UdpDatagram) => void
  readonly onError: ((error: UdpError) => void) | undefined
}

export interface UdpContext {
  readonly network: Network
  readonly counters: HostCounters
  readonly random: () => number
  /** Nobody has bound the port of this datagram. */
  portUnreachable(datagram: Datagram): void
}

const FIRST_EPHEMERAL_PORT = 16_384
const MAXIMUM_PAYLOAD = IPV4_MAX_BYTES - 28

export class UdpLayer {
  readonly #context: UdpContext
  readonly #bound = new Map<number, Bound[]>()
  readonly #header: Udp = createUdp()
  #nextPort = -1

  constructor(context: UdpContext) {
    this.#context = context
  }

  /**
   * Receives datagrams to `port`; 0 chooses a free one.
   * @throws StackError `exists` when port and address are taken, `invalid`, `limit` when no port is free
   */
  bind(port: number, handler: (datagram: UdpDatagram) => void, options: UdpBindOptions = {}): UdpBinding {
    const { address = 0, onError } = options
    if (!Number.isInteger(port) || port < 0 || port > 65_535)
      throw new StackError('invalid', `port ${port} is not in 0..65535`)
    const chosen = port === 0 ? this.#freePort() : port
    const others = this.#bound.get(chosen) ?? []
    if (others.some((each) => each.address === address))
      throw new StackError('exists', `UDP port ${chosen} is taken`)
    const bound: Bound = {
      port: chosen,
      address,
      handler,
      onError,
      close: () => this.#unbind(bound),
    }
    this.#bound.set(chosen, [...others, bound])
    return bound
  }

  /** Sends a datagram. */
  send(request: UdpSend): SendResult {
    const { to, port, from = 0, fromPort, payload } = request
    if (payload.length > MAXIMUM_PAYLOAD) return 'too-big'
    const { network, counters } = this.#context
    const source = from === 0 ? network.sourceFor(to) : from
    if (source === 0) {
      counters.drop('no-route')
      return 'no-source'
    }
    const transport = FRAME_TRANSPORT + (request.ipOptions?.length ?? 0)
    const frame = new Uint8Array(transport + UDP_HEADER_BYTES + payload.length)
    emitUdp(frame, transport, source, to, fromPort, port, payload)
    return network.send(frame, source, to, PROTOCOL_UDP, request)
  }

  /** Takes a datagram of protocol 17. */
  input(datagram: Datagram): void {
    const { bytes, transport, end, header } = datagram
    const udp = this.#header
    const { counters } = this.#context
    if (parseUdp(bytes, transport, end, udp) !== 0) {
      counters.drop('udp-malformed')
      return
    }
    if (!udpChecksumOk(bytes, transport, end, header.source, header.destination)) {
      counters.drop('udp-checksum')
      return
    }
    const bound = this.#find(header.destination, udp.destinationPort)
    if (bound === undefined) {
      counters.drop('udp-no-port')
      if (!datagram.group) this.#context.portUnreachable(datagram)
      return
    }
    bound.handler({
      source: header.source,
      sourcePort: udp.sourcePort,
      destination: header.destination,
      destinationPort: udp.destinationPort,
      payload: bytes.subarray(transport + UDP_HEADER_BYTES, transport + udp.lengthBytes),
      device: datagram.device,
      group: datagram.group,
    })
  }

  /** Takes an ICMP error that quotes a datagram of this host. */
  error(quoted: QuotedPacket): void {
    const { bytes, transport, end, source, destination, type, code } = quoted
    if (end - transport < 4) return
    const bound = this.#find(source, read16(bytes, transport))
    bound?.onError?.({ type, code, destination, destinationPort: read16(bytes, transport + 2) })
  }

  #find(address: number, port: number): Bound | undefined {
    const all = this.#bound.get(port)
    return all?.find((each) => each.address === address) ?? all?.find((each) => each.address === 0)
  }

  #unbind(bound: Bound): void {
    const rest = (this.#bound.get(bound.port) ?? []).filter((each) => each !== bound)
    if (rest.length === 0) this.#bound.delete(bound.port)
    else this.#bound.set(bound.port, rest)
  }

  /** A free port, beginning where only this host knows (RFC 6056). */
  #freePort(): number {
    const span = 65_536 - FIRST_EPHEMERAL_PORT
    if (this.#nextPort < 0) this.#nextPort = this.#context.random() % span
    for (let i = 0; i < span; i++) {
      const port = FIRST_EPHEMERAL_PORT + this.#nextPort
      this.#nextPort = (this.#nextPort + 1) % span
      if (!this.#bound.has(port)) return port
    }
    throw new StackError('limit', 'no free UDP port')
  }
}
