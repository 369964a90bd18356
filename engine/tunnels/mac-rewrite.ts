/**
 * MAC rewrite (R-SLR-10): a tunnel to an exit on a connected network. The one idea: nothing is prepended; the
 * datagram goes out unchanged, and only its frame is addressed to the exit, because the exit's address is the next
 * hop. So all that entry has to do is to refuse what would come straight back.
 */
import { type DropCode, dropCode } from '../drop-reason.ts'
import { META_SHIFT, NETWORK, type PacketSlab } from '../packet.ts'
import { read32 } from '../wire/byte-order.ts'
import { DESTINATION, TUNNEL_SHIFT, type TunnelState } from './tunnel-state.ts'

const TTL = dropCode('tunnel-ttl')
const RECURSION = dropCode('tunnel-recursion')

/** Bytes that the kind adds: none, and fragmentation is left to the port that the datagram leaves by. */
export const MAC_REWRITE_OVERHEAD_BYTES = 0

/** Checks a parsed datagram. Returns 0, `tunnel-ttl` (TTL 0) or `tunnel-recursion` (it came from the exit). */
export function redirect(state: TunnelState, tunnel: number, slab: PacketSlab, packet: number): DropCode {
  const network = slab.meta[(packet << META_SHIFT) + NETWORK]
  if (slab.bytes[network + 8] === 0) return TTL
  const source = read32(slab.bytes, network + 12) | 0
  return source === state.words[(tunnel << TUNNEL_SHIFT) + DESTINATION] ? RECURSION : 0
}
