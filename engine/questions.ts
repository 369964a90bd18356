/**
 * What whoever decides is told about an upcall: the flow key, where its first packet came from, and its first bytes,
 * as words of a record. The one idea: it is copied out of the slab once; nobody who decides ever sees the slab.
 */
import {
  ARRIVAL,
  FLAG_FRAGMENT,
  FLAG_LATER_FRAGMENT,
  FLAG_MULTICAST,
  FLAG_TCP_SYN,
  FLAGS,
  IN_PORT,
  KEY_DESTINATION,
  KEY_PORTS,
  KEY_PROTOCOL,
  KEY_SOURCE,
  LENGTH,
  META_SHIFT,
  NETWORK,
  NONE,
  TRANSPORT,
} from './packet.ts'
import type { Stages } from './stages.ts'
import { PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP, read16 } from './wire/index.ts'

/** Offsets in a question. */
export const QUESTION = {
  /** Filter that asked, or -1 when another one would decide by now. */
  filter: 0,
  source: 1,
  destination: 2,
  /** Source port << 16 | destination port. */
  ports: 3,
  protocol: 4,
  /** Index of the port, or negative. */
  inPort: 5,
  /** QUESTION_SYN and the like. */
  flags: 6,
  /** Bytes of the frame in the low half, of the payload that follows in the high half. */
  length: 7,
  /** Tunnel by which it came, plus 1; 0: natively. */
  arrival: 8,
  payload: 9,
} as const
/** Words of a question before its payload. */
export const QUESTION_WORDS = 9

export const QUESTION_SYN = 1
export const QUESTION_MULTICAST = 2
export const QUESTION_FRAGMENT = 4

/** Bytes of payload that a question may hold. */
export const QUESTION_PAYLOAD_LIMIT = 128

const ICMP_HEADER_BYTES = 8
const UDP_HEADER_BYTES = 8
const TCP_OFFSET_FIELD = 12

/**
 * Writes what an open upcall asks from `into[at]` on.
 * @param payloadBytes most bytes behind the transport header, 0..QUESTION_PAYLOAD_LIMIT; words are little-endian
 * @returns false when it is answered or has expired; nothing is written then
 */
export function readQuestion(
  stages: Stages,
  upcall: number,
  into: Int32Array,
  at: number,
  payloadBytes: number,
): boolean {
  const { upcalls, slab, filters } = stages
  const packet = upcalls.packetOf(upcall)
  if (packet === NONE) return false
  const meta = slab.meta
  const state = packet << META_SHIFT
  const source = meta[state + KEY_SOURCE]
  const destination = meta[state + KEY_DESTINATION]
  const ports = meta[state + KEY_PORTS]
  const protocol = meta[state + KEY_PROTOCOL]
  const inPort = meta[state + IN_PORT]
  const flags = meta[state + FLAGS]
  into[at] = filters.lookup(source, destination, ports, protocol, inPort, flags)
  into[at + 1] = source
  into[at + 2] = destination
  into[at + 3] = ports
  into[at + 4] = protocol
  into[at + 5] = inPort
  into[at + 6] = flagsOf(flags)
  const payload =
    payloadBytes === 0 ? 0 : copyPayload(stages, packet, into, at + QUESTION_WORDS, payloadBytes)
  into[at + 7] = (meta[state + LENGTH] & 0xffff) | (payload << 16)
  into[at + 8] = meta[state + ARRIVAL]
  return true
}

function flagsOf(flags: number): number {
  return (
    ((flags & FLAG_TCP_SYN) !== 0 ? QUESTION_SYN : 0) |
    ((flags & FLAG_MULTICAST) !== 0 ? QUESTION_MULTICAST : 0) |
    ((flags & FLAG_FRAGMENT) !== 0 ? QUESTION_FRAGMENT : 0)
  )
}

/** Copies the first bytes behind the transport header. Returns how many. */
function copyPayload(stages: Stages, packet: number, into: Int32Array, at: number, most: number): number {
  const { meta, bytes } = stages.slab
  const state = packet << META_SHIFT
  const network = meta[state + NETWORK]
  const end = network + read16(bytes, network + 2)
  const start = meta[state + TRANSPORT] + transportBytes(stages, packet, end)
  const count = Math.max(0, Math.min(most, end - start, QUESTION_PAYLOAD_LIMIT))
  for (let word = 0; word < (most + 3) >> 2; word++) into[at + word] = 0
  for (let i = 0; i < count; i++) into[at + (i >> 2)] |= bytes[start + i] << ((i & 3) * 8)
  return count
}

function transportBytes(stages: Stages, packet: number, end: number): number {
  const { meta, bytes } = stages.slab
  const state = packet << META_SHIFT
  if ((meta[state + FLAGS] & FLAG_LATER_FRAGMENT) !== 0) return 0
  const transport = meta[state + TRANSPORT]
  switch (meta[state + KEY_PROTOCOL]) {
    case PROTOCOL_TCP:
      return transport + TCP_OFFSET_FIELD < end ? (bytes[transport + TCP_OFFSET_FIELD] >>> 4) * 4 : 0
    case PROTOCOL_UDP:
      return UDP_HEADER_BYTES
    case PROTOCOL_ICMP:
      return ICMP_HEADER_BYTES
    default:
      return 0
  }
}
