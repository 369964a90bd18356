/**
 * The flow key: source, destination, ports, protocol, as four integers. The one idea: a key is numbers on the data
 * path (the KEY_* words of a packet) and text only for people. Hashes are seeded, so that nobody outside can
 * choose keys that collide.
 */
import { formatIpv4Address } from './address.ts'
import { PROTOCOL_ICMP, PROTOCOL_IGMP, PROTOCOL_IP_IN_IP, PROTOCOL_TCP, PROTOCOL_UDP } from './protocol.ts'

const NAMES: Readonly<Record<number, string>> = {
  [PROTOCOL_ICMP]: 'icmp',
  [PROTOCOL_IGMP]: 'igmp',
  [PROTOCOL_IP_IN_IP]: 'ip-in-ip',
  [PROTOCOL_TCP]: 'tcp',
  [PROTOCOL_UDP]: 'udp',
}

/** The KEY_PORTS word: source port in the high half, destination port in the low half; signed. */
export function joinPorts(sourcePort: number, destinationPort: number): number {
  return (sourcePort << 16) | (destinationPort & 0xffff)
}

/** The KEY_PORTS word of the opposite direction. ICMP echo keys keep their identifier in place instead. */
export function reversePorts(ports: number): number {
  return (ports << 16) | (ports >>> 16)
}

/**
 * A key as people read it: `tcp 10.0.0.1:4000 > 10.0.0.2:80`, `icmp 10.0.0.1 > 10.0.0.2 id 7`,
 * `protocol-89 10.0.0.1 > 224.0.0.5`. Words may be signed or unsigned.
 */
export function formatFlowKey(source: number, destination: number, ports: number, protocol: number): string {
  const from = formatIpv4Address(source)
  const to = formatIpv4Address(destination)
  const name = NAMES[protocol] ?? `protocol-${protocol}`
  if (protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP)
    return `${name} ${from}:${ports >>> 16} > ${to}:${ports & 0xffff}`
  if (protocol === PROTOCOL_ICMP) return `${name} ${from} > ${to} id ${ports >>> 16}`
  return `${name} ${from} > ${to}`
}

/**
 * A signed 32-bit hash of a key: each word is mixed in and the result finished as in MurmurHash3 (x86, 32 bits).
 * Equal for signed and unsigned words.
 */
export function hashFlowKey(
  source: number,
  destination: number,
  ports: number,
  protocol: number,
  seed: number,
): number {
  let hash = seed | 0
  let word = Math.imul(source, 0xcc9e2d51)
  hash ^= Math.imul((word << 15) | (word >>> 17), 0x1b873593)
  hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0
  word = Math.imul(destination, 0xcc9e2d51)
  hash ^= Math.imul((word << 15) | (word >>> 17), 0x1b873593)
  hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0
  word = Math.imul(ports, 0xcc9e2d51)
  hash ^= Math.imul((word << 15) | (word >>> 17), 0x1b873593)
  hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0
  word = Math.imul(protocol, 0xcc9e2d51)
  hash ^= Math.imul((word << 15) | (word >>> 17), 0x1b873593)
  hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0
  hash ^= 16
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
