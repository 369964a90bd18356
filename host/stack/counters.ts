/**
 * What a host counts below TCP. The one idea: every dropped frame or datagram has a name; names that never occurred
 * cost nothing.
 */

/** Every reason for which the stack drops what it receives or is to send (TCP counts its segments itself). */
export type HostDrop =
  // frames
  | 'frame-malformed'
  | 'not-for-this-mac'
  | 'ethertype-unsupported'
  | 'inbox-full'
  // ARP
  | 'arp-malformed'
  | 'arp-spoofed'
  | 'arp-cache-full'
  | 'arp-pending-full'
  | 'arp-unresolved'
  // IPv4
  | 'ip-malformed'
  | 'ip-options'
  | 'martian-source'
  | 'own-source'
  | 'not-local'
  | 'link-broadcast'
  | 'no-route'
  | 'too-big'
  | 'fragment-malformed'
  | 'fragment-overlap'
  | 'fragment-limit'
  | 'fragment-timeout'
  // protocols
  | 'protocol-unreachable'
  | 'icmp-malformed'
  | 'icmp-rate-limited'
  | 'icmp-unexpected'
  | 'igmp-malformed'
  | 'udp-malformed'
  | 'udp-checksum'
  | 'udp-no-port'
  // tunnels
  | 'tunnel-malformed'
  | 'tunnel-ecn'
  | 'tunnel-depth'
  | 'tunnel-source'
  | 'tunnel-not-local'

/** Monotonic counters of one host. */
export class HostCounters {
  framesIn = 0
  framesOut = 0
  bytesIn = 0
  bytesOut = 0
  datagramsIn = 0
  fragmentsIn = 0
  reassembled = 0
  fragmentsOut = 0
  decapsulated = 0
  #drops: Map<HostDrop, number> | null = null

  drop(reason: HostDrop): void {
    this.#drops ??= new Map()
    this.#drops.set(reason, (this.#drops.get(reason) ?? 0) + 1)
  }

  /** How often the reason occurred. */
  dropped(reason: HostDrop): number {
    return this.#drops?.get(reason) ?? 0
  }

  /** All reasons that occurred. */
  drops(): Partial<Record<HostDrop, number>> {
    return Object.fromEntries(this.#drops ?? [])
  }
}
