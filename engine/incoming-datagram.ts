/** A UDP datagram for a service of the router, read out of its packet: plain data that outlives it. */
import { META_SHIFT, NETWORK, type PacketSlab, TRANSPORT } from './packet.ts'
import { read16, read32, UDP_HEADER_BYTES } from './wire/index.ts'

/** Attacker-controlled. Addresses are unsigned. */
export interface IncomingDatagram {
  readonly from: number
  readonly fromPort: number
  readonly to: number
  readonly toPort: number
  /** A copy. */
  readonly payload: Uint8Array
}

/** The datagram in a packet that a `LocalService` for UDP was given. */
export function readDatagram(slab: PacketSlab, packet: number): IncomingDatagram {
  const { bytes, meta } = slab
  const at = packet << META_SHIFT
  const network = meta[at + NETWORK]
  const transport = meta[at + TRANSPORT]
  // Where checksums are left to the driver nobody has compared the two lengths.
  const end = Math.min(transport + read16(bytes, transport + 4), network + read16(bytes, network + 2))
  return {
    from: read32(bytes, network + 12),
    fromPort: read16(bytes, transport),
    to: read32(bytes, network + 16),
    toPort: read16(bytes, transport + 2),
    payload: bytes.slice(transport + UDP_HEADER_BYTES, Math.max(end, transport + UDP_HEADER_BYTES)),
  }
}
