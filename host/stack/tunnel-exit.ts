/**
 * The end of an IP-in-IP tunnel (RFC 2003, RFC 6040; R-SLR-05, R-SLR-09). The one idea: an accepted outer packet is
 * taken off and the inner one comes in again as it is, congestion marks aside, as if it had arrived on the wire; only
 * packets for this host pass, from the entries it was told of, and only so many tunnels deep.
 */
import {
  adjust16,
  createIpv4,
  ECN_DROP,
  ecnAtExit,
  type Ipv4Prefix,
  parseIpv4,
  read16,
  write16,
} from '../../engine/wire/index.ts'
import { inPrefix } from './addresses.ts'
import type { HostCounters } from './counters.ts'
import type { Datagram, Network } from './network.ts'

export interface TunnelExitOptions {
  /** Tunnel entries whose packets are accepted. Default: any. */
  readonly from?: readonly Ipv4Prefix[]
  /** How many tunnels a packet may come out of, 1..4. Default 1. */
  readonly depth?: number
  /** Sees each accepted packet before it comes in: the inner IP packet and the entry's address. */
  readonly onPacket?: (inner: Uint8Array, entry: number) => void
}

export interface TunnelExitContext {
  readonly network: Network
  readonly counters: HostCounters
  /** Takes the IP packet in [network, end) as one that arrived. */
  inputPacket(bytes: Uint8Array, network: number, end: number, device: number, depth: number): void
}

/** The handler of protocol 4. */
export function createTunnelExit(
  context: TunnelExitContext,
  options: TunnelExitOptions,
): (datagram: Datagram) => void {
  const { counters, network } = context
  const { from, depth = 1, onPacket } = options
  const inner = createIpv4()
  return (datagram) => {
    const { bytes, transport, end, header } = datagram
    if (from !== undefined && !from.some((prefix) => inPrefix(header.source, prefix))) {
      counters.drop('tunnel-source')
      return
    }
    if (datagram.depth >= depth) {
      counters.drop('tunnel-depth')
      return
    }
    if (parseIpv4(bytes, transport, end, inner) !== 0) {
      counters.drop('tunnel-malformed')
      return
    }
    if (!network.isLocal(inner.destination)) {
      counters.drop('tunnel-not-local')
      return
    }
    const tos = ecnAtExit(inner.tos, header.tos)
    if (tos === ECN_DROP) {
      counters.drop('tunnel-ecn')
      return
    }
    counters.decapsulated++
    const innerEnd = transport + inner.totalBytes
    const packet =
      tos === inner.tos ? bytes.subarray(transport, innerEnd) : marked(bytes, transport, innerEnd, tos)
    onPacket?.(packet, header.source)
    context.inputPacket(packet, 0, packet.length, datagram.device, datagram.depth + 1)
  }
}

/** A copy of the packet with another TOS: frames are never written to. */
function marked(bytes: Uint8Array, from: number, to: number, tos: number): Uint8Array {
  const packet = bytes.slice(from, to)
  const before = read16(packet, 0)
  packet[1] = tos
  write16(packet, 10, adjust16(read16(packet, 10), before, read16(packet, 0)))
  return packet
}
