/** Subnets as ranges of unsigned numbers: what lies in what, and which addresses a node may have. */
import { formatIpv4Address, parseIpv4Address, parseIpv4Prefix, prefixMask } from '../engine/wire/index.ts'

/** All addresses from `first` to `last`, both in. */
export interface Subnet {
  readonly first: number
  readonly last: number
  readonly length: number
}

/** The subnet that an address text or `address/length` lies in. The text has been checked before. */
export function subnetOf(text: string): Subnet {
  const { address, length } = parseIpv4Prefix(text)!
  const mask = prefixMask(length)
  const first = (address & mask) >>> 0
  return { first, last: (first | ~mask) >>> 0, length }
}

/** The number of a checked address text; a prefix length is ignored. */
export function addressOf(text: string): number {
  const slash = text.indexOf('/')
  return parseIpv4Address(slash < 0 ? text : text.slice(0, slash))!
}

/** Whether an address lies in a subnet. */
export function contains(subnet: Subnet, address: number): boolean {
  return address >= subnet.first && address <= subnet.last
}

/** Whether two subnets share an address. */
export function overlap(a: Subnet, b: Subnet): boolean {
  return a.first <= b.last && b.first <= a.last
}

/** `10.0.1.0/24` */
export function formatSubnet(subnet: Subnet): string {
  return `${formatIpv4Address(subnet.first)}/${subnet.length}`
}

const UNUSABLE: readonly (readonly [string, string])[] = [
  ['0.0.0.0/8', 'means "this network"'],
  ['127.0.0.0/8', 'is a loopback address'],
  ['224.0.0.0/4', 'is a multicast address'],
  ['240.0.0.0/4', 'is reserved'],
]

/** Why no interface can have this address, or undefined when one can. */
export function unusable(address: number): string | undefined {
  return UNUSABLE.find(([prefix]) => contains(subnetOf(prefix), address))?.[1]
}

/** Why an address is not one of a host within its subnet, or undefined when it is. */
export function notAHost(address: number, subnet: Subnet): string | undefined {
  if (subnet.length >= 31) return undefined
  if (address === subnet.first) return `is the network address of ${formatSubnet(subnet)}`
  if (address === subnet.last) return `is the broadcast address of ${formatSubnet(subnet)}`
  return undefined
}
