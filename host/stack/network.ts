/**
 * What the transports need of the layer below. The one idea: a narrow interface, so that TCP, UDP, ICMP and IGMP
 * know nothing of routes, links or ARP, and the IP layer knows nothing of them.
 */
import type { Ipv4 } from '../../engine/wire/index.ts'

/** How a packet is to be sent beyond its ends. */
export interface SendOptions {
  readonly dontFragment?: boolean
  /** 1..255. Default 64, and 1 for multicast. */
  readonly ttl?: number
  readonly tos?: number
  /** Device to send by, whatever the routes say. */
  readonly device?: number
  /** IP options, a multiple of four bytes up to 40: the transport then begins that much later in the frame. */
  readonly ipOptions?: Uint8Array
}

/** Why a packet was not sent. */
export type SendResult = 'sent' | 'unreachable' | 'too-big' | 'no-source'

/** Sending, and what routes and links imply. Addresses are unsigned. */
export interface Network {
  /** Sends the frame, whose transport part is complete, and takes it over. */
  send(
    frame: Uint8Array,
    source: number,
    destination: number,
    protocol: number,
    options?: SendOptions,
  ): SendResult
  /** The address from which this host speaks to `destination`; 0 when it cannot. */
  sourceFor(destination: number): number
  /** MTU of the link towards `destination`; 576 when there is none. */
  linkMtu(destination: number): number
  /** Whether the address is this host's: of a device or of a local prefix. */
  isLocal(address: number): boolean
}

/** A received IP datagram for this host: one reusable object. All it points to is attacker-controlled. */
export interface Datagram {
  /** Frame or reassembled packet; never written to. */
  bytes: Uint8Array
  /** Offset of the IP header, of what follows it, and the end. */
  network: number
  transport: number
  end: number
  readonly header: Ipv4
  /** Index of the device by which it came; -1 for the host itself. */
  device: number
  /** Sent to a broadcast or multicast address. */
  group: boolean
  /** How many tunnels it came out of. */
  depth: number
}

/** Takes datagrams of one IP protocol. */
export type ProtocolHandler = (datagram: Datagram) => void

/** The packet an ICMP error speaks of, as far as it is quoted. Attacker-controlled. */
export interface QuotedPacket {
  readonly type: number
  readonly code: number
  /** Next hop's MTU of "fragmentation needed", 0 when it is not said. */
  readonly mtu: number
  /** Ends and total length the quoted IP header claims: the source is this host. */
  readonly source: number
  readonly destination: number
  readonly packetBytes: number
  readonly protocol: number
  /** The quoted transport header is in [transport, end). */
  readonly bytes: Uint8Array
  readonly transport: number
  readonly end: number
}
