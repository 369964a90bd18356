/** Packets of a test as bytes, and what can be read from those that left. Everything is whole, checksums included. */
import {
  createIpv4,
  createTcp,
  ETHER_TYPE_IPV4,
  ETHERNET_HEADER_BYTES,
  echoRest,
  emitEthernet,
  emitIcmp,
  emitIpv4,
  emitTcp,
  emitUdp,
  formatIpv4Address,
  ICMP_ECHO_REQUEST,
  ICMP_HEADER_BYTES,
  IPV4_HEADER_BYTES,
  PROTOCOL_ICMP,
  PROTOCOL_IP_IN_IP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  parseIpv4Address,
  read16,
  read32,
  TCP_ACK,
  TCP_FIN,
  TCP_HEADER_BYTES,
  TCP_PSH,
  TCP_RST,
  TCP_SYN,
  UDP_HEADER_BYTES,
} from '../../engine/wire/index.ts'
import type { LeftPacket, TcpFlag, TestPacket } from './test-router.ts'

const NUMBERS = { icmp: PROTOCOL_ICMP, tcp: PROTOCOL_TCP, udp: PROTOCOL_UDP } as const
const FLAG_BITS: Readonly<Record<TcpFlag, number>> = {
  syn: TCP_SYN,
  ack: TCP_ACK,
  fin: TCP_FIN,
  rst: TCP_RST,
  psh: TCP_PSH,
}
const MAX_PAYLOAD_BYTES = 1_400

/** A packet with nothing left open. */
export interface WholePacket extends TestPacket {
  readonly from: string
  readonly fromPort: number
  /** Tells this packet from the others wherever it turns up, 1..65535. */
  readonly id: number
}

/** The unsigned number of a dotted address. @throws TypeError */
export function addressOf(text: string, place: string): number {
  const address = parseIpv4Address(text)
  if (address === undefined)
    throw new TypeError(`${place}: expected an address such as 10.0.1.2, got ${text}`)
  return address
}

/** The Ethernet frame of a packet. @throws TypeError for what is no packet */
export function frameOf(packet: WholePacket, destination: Uint8Array, source: Uint8Array): Uint8Array {
  const [from, to] = [addressOf(packet.from, 'from'), addressOf(packet.to, 'to')]
  const { protocol: given = 'tcp', ttl = 64, id } = packet
  const protocol = typeof given === 'number' ? given : NUMBERS[given]
  const payload = payloadOf(packet)
  const headerBytes =
    {
      [PROTOCOL_TCP]: TCP_HEADER_BYTES,
      [PROTOCOL_UDP]: UDP_HEADER_BYTES,
      [PROTOCOL_ICMP]: ICMP_HEADER_BYTES,
    }[protocol] ?? 0
  const totalBytes = IPV4_HEADER_BYTES + headerBytes + payload.length
  const frame = new Uint8Array(ETHERNET_HEADER_BYTES + totalBytes)
  emitEthernet(frame, 0, destination, source, ETHER_TYPE_IPV4)
  const at = ETHERNET_HEADER_BYTES
  const header = { ...createIpv4(), id, ttl, protocol, totalBytes, source: from, destination: to }
  emitTransport(frame, emitIpv4(frame, at, header), protocol, packet, from, to, payload)
  return frame
}

function payloadOf({ payload = '' }: TestPacket): Uint8Array {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
  if (bytes.length <= MAX_PAYLOAD_BYTES) return bytes
  throw new TypeError(`payload: ${bytes.length} bytes, expected at most ${MAX_PAYLOAD_BYTES}`)
}

function emitTransport(
  frame: Uint8Array,
  at: number,
  protocol: number,
  packet: WholePacket,
  from: number,
  to: number,
  payload: Uint8Array,
): void {
  const { fromPort, toPort = 80, flags = ['syn'] } = packet
  if (protocol === PROTOCOL_TCP) {
    const bits = flags.reduce((sum, flag) => sum | FLAG_BITS[flag], 0)
    const header = { ...createTcp(), sourcePort: fromPort, destinationPort: toPort, sequence: 1 }
    emitTcp(frame, at, from, to, { ...header, flags: bits, window: 65_535 }, undefined, payload)
  } else if (protocol === PROTOCOL_UDP) emitUdp(frame, at, from, to, fromPort, toPort, payload)
  else if (protocol === PROTOCOL_ICMP)
    emitIcmp(frame, at, ICMP_ECHO_REQUEST, 0, echoRest(fromPort, 1), payload)
  else frame.set(payload, at)
}

/** A frame that is on its way out, or was dropped. */
export interface SeenFrame {
  /** As `WholePacket.id`. */
  readonly id: number
  /** Far end of the outermost tunnel that has a header of its own. */
  readonly tunnel: string | undefined
  readonly packet: LeftPacket
}

/** What an Ethernet frame carries; undefined where it is not IPv4. */
export function readFrame(frame: Uint8Array): SeenFrame | undefined {
  let at = ETHERNET_HEADER_BYTES
  if (frame.length < at + IPV4_HEADER_BYTES || read16(frame, 12) !== ETHER_TYPE_IPV4) return undefined
  let tunnel: string | undefined
  while (frame[at + 9] === PROTOCOL_IP_IN_IP && frame.length >= at + 2 * IPV4_HEADER_BYTES) {
    tunnel ??= formatIpv4Address(read32(frame, at + 16))
    at += (frame[at]! & 15) << 2
  }
  return { id: read16(frame, at + 4), tunnel, packet: readPacket(frame, at) }
}

function readPacket(frame: Uint8Array, at: number): LeftPacket {
  const protocol = frame[at + 9]!
  const transport = at + ((frame[at]! & 15) << 2)
  const hasPorts = (protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP) && frame.length >= transport + 4
  const isEcho = protocol === PROTOCOL_ICMP && frame.length >= transport + ICMP_HEADER_BYTES
  return {
    from: formatIpv4Address(read32(frame, at + 12)),
    to: formatIpv4Address(read32(frame, at + 16)),
    fromPort: hasPorts ? read16(frame, transport) : isEcho ? read16(frame, transport + 4) : 0,
    toPort: hasPorts ? read16(frame, transport + 2) : 0,
    protocol,
    ttl: frame[at + 8]!,
  }
}
