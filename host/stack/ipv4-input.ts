/**
 * Receiving IP packets (RFC 791, RFC 1122 3.2.1, 3.3). The one idea: every check drops with a name; what passes is
 * whole, for this host, and goes to the handler of its protocol. All input is attacker-controlled.
 */
import {
  createIpv4,
  ICMP_UNREACHABLE,
  IPV4_HEADER_BYTES,
  OPTION_LOOSE_SOURCE_ROUTE,
  OPTION_STRICT_SOURCE_ROUTE,
  PROTOCOL_IGMP,
  parseIpv4,
  UNREACHABLE_PROTOCOL,
  walkOptions,
} from '../../engine/wire/index.ts'
import { isMulticast, isUnicast, type LocalAddresses } from './addresses.ts'
import type { HostCounters } from './counters.ts'
import type { Datagram, ProtocolHandler } from './network.ts'
import type { Reassembly } from './reassembly.ts'

/** The device of packets that this host sent to itself. */
export const LOOPBACK = -1

export interface InputContext {
  readonly addresses: LocalAddresses
  readonly counters: HostCounters
  /** The handler of a protocol, or undefined. */
  handlerOf(protocol: number): ProtocolHandler | undefined
  /** Whether a multicast packet of this protocol is wanted. */
  acceptsGroup(device: number, group: number, source: number, protocol: number): boolean
  /** The fragments that wait, made when first needed. */
  reassembly(): Reassembly
  /** Reports that a packet cannot be delivered. */
  report(type: number, code: number, bytes: Uint8Array, network: number, end: number, group: boolean): void
}

export class Ipv4Input {
  readonly #context: InputContext
  /** One reusable datagram per nesting of tunnels. */
  readonly #datagrams: Datagram[] = []

  constructor(context: InputContext) {
    this.#context = context
  }

  /**
   * Takes the IP packet at [network, end), which may be padded.
   * @param device index of the device by which it came, or LOOPBACK
   * @param linkGroup its frame was sent to a broadcast or multicast MAC
   * @param depth how many tunnels it came out of
   */
  input(
    bytes: Uint8Array,
    network: number,
    end: number,
    device: number,
    linkGroup: boolean,
    depth: number,
  ): void {
    const { counters, addresses } = this.#context
    const datagram = this.#datagramOf(depth)
    const { header } = datagram
    if (parseIpv4(bytes, network, end, header) !== 0) {
      counters.drop('ip-malformed')
      return
    }
    datagram.bytes = bytes
    datagram.network = network
    datagram.transport = network + header.headerBytes
    datagram.end = network + header.totalBytes
    datagram.device = device
    const { source, destination } = header
    const multicast = isMulticast(destination)
    datagram.group = multicast || addresses.isBroadcast(destination)
    if (header.headerBytes > IPV4_HEADER_BYTES && !optionsAllowed(datagram)) {
      counters.drop('ip-options')
      return
    }
    if (device !== LOOPBACK && !this.#sourceAllowed(datagram)) return
    if (
      multicast
        ? !this.#context.acceptsGroup(device, destination, source, header.protocol)
        : !this.#isForUs(datagram)
    ) {
      counters.drop('not-local')
      return
    }
    if (linkGroup && !datagram.group) {
      counters.drop('link-broadcast')
      return
    }
    if (header.moreFragments || header.fragmentOffset > 0) this.#fragment(datagram)
    else this.#deliver(datagram)
  }

  #fragment(datagram: Datagram): void {
    const { counters } = this.#context
    counters.fragmentsIn++
    const { device, group, depth } = datagram
    const whole = this.#context.reassembly().add(datagram)
    if (whole !== undefined) this.input(whole, 0, whole.length, device, group, depth)
  }

  #deliver(datagram: Datagram): void {
    const { counters } = this.#context
    const handler = this.#context.handlerOf(datagram.header.protocol)
    counters.datagramsIn++
    if (handler !== undefined) {
      handler(datagram)
      return
    }
    counters.drop('protocol-unreachable')
    const { bytes, network, end, group } = datagram
    this.#context.report(ICMP_UNREACHABLE, UNREACHABLE_PROTOCOL, bytes, network, end, group)
  }

  #isForUs({ header, group }: Datagram): boolean {
    return group || this.#context.addresses.has(header.destination)
  }

  #sourceAllowed({ header }: Datagram): boolean {
    const { addresses, counters } = this.#context
    const { source, protocol } = header
    // A querier without an address yet may ask from 0.0.0.0 (RFC 3376 4.2.13 and RFC 4541).
    const nameless = source === 0 && protocol === PROTOCOL_IGMP
    if ((!isUnicast(source) && !nameless) || addresses.isBroadcast(source)) {
      counters.drop('martian-source')
      return false
    }
    if (addresses.has(source)) {
      counters.drop('own-source')
      return false
    }
    return true
  }

  #datagramOf(depth: number): Datagram {
    let datagram = this.#datagrams[depth]
    if (datagram === undefined) {
      datagram = {
        bytes: new Uint8Array(0),
        network: 0,
        transport: 0,
        end: 0,
        header: createIpv4(),
        device: LOOPBACK,
        group: false,
        depth,
      }
      this.#datagrams[depth] = datagram
    }
    return datagram
  }
}

/** Source routes are refused, and so are malformed options. */
function optionsAllowed({ bytes, network, transport }: Datagram): boolean {
  let routed = false
  const wellFormed = walkOptions(bytes, network + IPV4_HEADER_BYTES, transport, (type) => {
    if (type === OPTION_LOOSE_SOURCE_ROUTE || type === OPTION_STRICT_SOURCE_ROUTE) routed = true
  })
  return wellFormed && !routed
}
