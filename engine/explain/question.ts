/** What can be asked about a flow that may never have been seen, and the packet that stands for it. */
import { type ProtocolMatch, protocolNumber } from '../classifier/filter.ts'
import { EngineError } from '../errors.ts'
import {
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
  ORIGINATED,
  type PacketSlab,
  START,
  TRANSPORT,
} from '../packet.ts'
import { ETHERNET_HEADER_BYTES, joinPorts, parseIpv4Address, write16, write32 } from '../wire/index.ts'
import { PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/protocol.ts'

/** A flow by its key, as its first packet would show it. */
export interface FlowQuestion {
  readonly from: string
  readonly to: string
  readonly protocol: ProtocolMatch
  /** 0..65535, default 0; ICMP echo: the identifier. */
  readonly fromPort?: number
  readonly toPort?: number
  /** Name of the port by which it comes in. Default: none, which filters that name a port do not match. */
  readonly inPort?: string
}

/** A question as numbers. */
export interface FlowWords {
  readonly source: number
  readonly destination: number
  readonly ports: number
  readonly protocol: number
  readonly inPort: number
  readonly flags: number
}

const NETWORK_BYTES = 20
const TRANSPORT_BYTES = 20
const TTL = 64

/** A question as numbers. @throws EngineError `invalid`, or `unknown` for a port that does not exist */
export function flowWords(
  question: FlowQuestion,
  portIndex: (name: string) => number | undefined,
): FlowWords {
  const { fromPort = 0, toPort = 0, inPort } = question
  const source = address(question.from, 'from')
  const destination = address(question.to, 'to')
  const protocol = protocolNumber(question.protocol)
  const hasPorts = protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP
  portNumber(fromPort, 'fromPort')
  portNumber(toPort, 'toPort')
  if (!hasPorts && (toPort !== 0 || (fromPort !== 0 && protocol !== PROTOCOL_ICMP)))
    throw new EngineError('invalid', 'ports need protocol tcp or udp', 'protocol')
  const index = inPort === undefined ? ORIGINATED : portIndex(inPort)
  if (index === undefined) throw new EngineError('unknown', `no port ${inPort}`, 'inPort')
  const multicast = destination >>> 28 === 14 ? FLAG_MULTICAST : 0
  const syn = protocol === PROTOCOL_TCP ? FLAG_TCP_SYN : 0
  const ports = joinPorts(fromPort, toPort)
  return { source, destination, ports, protocol, inPort: index, flags: multicast | syn }
}

function address(text: string, place: string): number {
  const value = parseIpv4Address(text)
  if (value === undefined)
    throw new EngineError('invalid', `expected an IPv4 address, got ${JSON.stringify(text)}`, place)
  return value
}

function portNumber(value: number, place: string): void {
  if (!Number.isInteger(value) || value < 0 || value > 65_535)
    throw new EngineError('invalid', `expected a port within 0..65535, got ${value}`, place)
}

/** A packet of the flow, parsed, in a frame of the slab; NONE when no frame is free. The caller releases it. */
export function packetOf(words: FlowWords, slab: PacketSlab): number {
  const packet = slab.allocate()
  if (packet === NONE) return NONE
  const { meta, bytes } = slab
  const at = packet << META_SHIFT
  const network = meta[at + START] + ETHERNET_HEADER_BYTES
  const length = ETHERNET_HEADER_BYTES + NETWORK_BYTES + TRANSPORT_BYTES
  bytes.fill(0, meta[at + START], meta[at + START] + length)
  bytes[network] = 0x45
  write16(bytes, network + 2, NETWORK_BYTES + TRANSPORT_BYTES)
  bytes[network + 8] = TTL
  bytes[network + 9] = words.protocol
  write32(bytes, network + 12, words.source)
  write32(bytes, network + 16, words.destination)
  write32(bytes, network + NETWORK_BYTES, words.ports)
  meta[at + LENGTH] = length
  meta[at + NETWORK] = network
  meta[at + TRANSPORT] = network + NETWORK_BYTES
  meta[at + FLAGS] = words.flags
  meta[at + IN_PORT] = words.inPort
  meta[at + KEY_SOURCE] = words.source
  meta[at + KEY_DESTINATION] = words.destination
  meta[at + KEY_PORTS] = words.ports
  meta[at + KEY_PROTOCOL] = words.protocol
  return packet
}
