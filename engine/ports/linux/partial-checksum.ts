/**
 * Finishing checksums that a sender left to hardware. The one idea: on a virtual link there is no hardware: the
 * kernel marks such frames (CHECKSUM_PARTIAL), their TCP or UDP checksum holds only the pseudo header's sum, and
 * whoever takes them off the link has to finish it. Frames behind IP-in-IP headers are finished inside.
 */
import { read16, read32, write16 } from '../../wire/byte-order.ts'
import { checksum, pseudoHeaderSum } from '../../wire/checksum.ts'
import { ETHER_TYPE_IPV4, ETHER_TYPE_SERVICE_VLAN, ETHER_TYPE_VLAN } from '../../wire/ethernet.ts'
import { PROTOCOL_IP_IN_IP, PROTOCOL_TCP, PROTOCOL_UDP } from '../../wire/protocol.ts'

const MAC_PAIR_BYTES = 12
const MOST_TAGS = 2
const MOST_TUNNELS = 4
const FRAGMENT_BITS = 0x3fff

/**
 * Writes the transport checksum of the IPv4 packet in the frame bytes[start, end). False, with nothing written,
 * when it is not TCP or UDP over IPv4 or its lengths contradict: such a frame cannot be finished.
 */
export function completeChecksum(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start + MAC_PAIR_BYTES
  for (let tags = 0; ; tags++) {
    if (at + 2 > end) return false
    const type = read16(bytes, at)
    if (type === ETHER_TYPE_IPV4) return completePacket(bytes, at + 2, end)
    if ((type !== ETHER_TYPE_VLAN && type !== ETHER_TYPE_SERVICE_VLAN) || tags === MOST_TAGS) return false
    at += 4
  }
}

function completePacket(bytes: Uint8Array, network: number, end: number): boolean {
  for (let tunnels = 0; tunnels <= MOST_TUNNELS; tunnels++) {
    if (end - network < 20 || bytes[network]! >>> 4 !== 4) return false
    const transport = network + ((bytes[network]! & 15) << 2)
    const packetEnd = network + read16(bytes, network + 2)
    if (transport < network + 20 || packetEnd > end || transport > packetEnd) return false
    if ((read16(bytes, network + 6) & FRAGMENT_BITS) !== 0) return false
    const protocol = bytes[network + 9]!
    if (protocol !== PROTOCOL_IP_IN_IP)
      return completeTransport(bytes, network, transport, packetEnd, protocol)
    network = transport
  }
  return false
}

function completeTransport(
  bytes: Uint8Array,
  network: number,
  transport: number,
  end: number,
  protocol: number,
): boolean {
  const length = end - transport
  const field = protocol === PROTOCOL_TCP ? 16 : 6
  if (protocol === PROTOCOL_TCP ? length < 20 : protocol !== PROTOCOL_UDP || length < 8) return false
  const source = read32(bytes, network + 12)
  const destination = read32(bytes, network + 16)
  write16(bytes, transport + field, 0)
  const value = checksum(bytes, transport, end, pseudoHeaderSum(source, destination, protocol, length))
  // Zero would say "no checksum" in UDP (RFC 768).
  write16(bytes, transport + field, value === 0 && protocol === PROTOCOL_UDP ? 0xffff : value)
  return true
}
