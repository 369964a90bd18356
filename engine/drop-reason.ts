/**
 * Every reason for which the engine drops a packet. The one idea: no drop without a name. Reasons are small
 * integers on the data path and kebab-case names everywhere else; the list only grows at its end of each group.
 */

export const DROP_REASONS = [
  'none', // 0: not dropped
  // Ethernet and ports
  'frame-truncated',
  'frame-oversized',
  'not-for-this-mac',
  'vlan-unknown',
  'ethertype-unsupported',
  'port-down',
  'slab-full',
  'transmit-failed',
  // ARP
  'arp-malformed',
  'arp-spoofed',
  'arp-unresolved',
  'arp-pending-full',
  // IPv4
  'ip-truncated',
  'ip-version',
  'ip-header-length',
  'ip-total-length',
  'ip-checksum',
  'ip-options',
  'martian-source',
  'martian-destination',
  'own-source',
  'ttl-expired',
  'fragmentation-needed',
  'fragment-malformed',
  'fragment-unknown',
  'fragment-table-full',
  'fragment-unsupported',
  'fragment-expired',
  // transport
  'transport-truncated',
  'transport-checksum',
  // forwarding
  'no-route',
  'blackhole',
  'multicast-unwanted',
  'no-such-service',
  'recirculation-limit',
  // MPLS
  'label-malformed',
  'label-unknown',
  // tunnels
  'tunnel-closed',
  'tunnel-recursion',
  'tunnel-unexpected',
  'tunnel-malformed',
  'tunnel-ecn',
  'tunnel-ttl',
  'tunnel-unreachable',
  'tunnel-fragmented',
  // policy and upcall
  'policy',
  'no-server',
  'upcall-full',
  'upcall-expired',
  'flow-table-full',
  // queues
  'queue-packet-limit',
  'queue-byte-limit',
  'queue-codel',
  'class-removed',
  'copy-limit',
  // messages addressed to the router itself
  'icmp-malformed',
  'icmp-rate-limited',
  'igmp-malformed',
  'engine-closed',
] as const

/** The name of a drop reason, as reports, captures and counters show it. */
export type DropReason = (typeof DROP_REASONS)[number]

/** A drop reason on the data path: its index in DROP_REASONS; 0 means "not dropped". */
export type DropCode = number

const codes = new Map<string, DropCode>(DROP_REASONS.map((name, code) => [name, code]))

/** The code of a reason's name. Resolve it once at module load, never per packet. */
export function dropCode(name: DropReason): DropCode {
  return codes.get(name)!
}

/** The name of a code, or undefined where no such reason exists. */
export function dropReason(code: DropCode): DropReason | undefined {
  return DROP_REASONS[code]
}
