/**
 * Which addresses are this host's, and what kind an address is. The one idea: a few exact addresses in a map and a
 * few prefixes in a list; a whole virtual subnet is local at the cost of one prefix (R-SLR-09).
 */
import { type Ipv4Prefix, prefixMask } from '../../engine/wire/index.ts'

/** 255.255.255.255. */
export const LIMITED_BROADCAST = 0xffffffff

export function isMulticast(address: number): boolean {
  return address >>> 28 === 14
}

/** An address that can be the source of a packet from elsewhere: not multicast, class E, 0/8 or 127/8. */
export function isUnicast(address: number): boolean {
  const first = address >>> 24
  return first !== 0 && first !== 127 && first < 224
}

/** Whether `address` lies in `prefix`. */
export function inPrefix(address: number, prefix: Ipv4Prefix): boolean {
  const mask = prefixMask(prefix.length)
  return (address & mask) >>> 0 === (prefix.address & mask) >>> 0
}

export class LocalAddresses {
  /** Address -> how many devices have it. */
  readonly #exact = new Map<number, number>()
  #prefixes: readonly Ipv4Prefix[] = []
  #broadcasts: readonly number[] = []

  /** Adds a device's address; its subnet's broadcast address comes with it. */
  addDeviceAddress(prefix: Ipv4Prefix): void {
    this.#exact.set(prefix.address, (this.#exact.get(prefix.address) ?? 0) + 1)
    const mask = prefixMask(prefix.length)
    if (prefix.length <= 30) this.#broadcasts = [...this.#broadcasts, (prefix.address | ~mask) >>> 0]
  }

  addPrefix(prefix: Ipv4Prefix): void {
    this.#prefixes = [...this.#prefixes, prefix]
  }

  removePrefix(prefix: Ipv4Prefix): boolean {
    const rest = this.#prefixes.filter(
      (each) => each.length !== prefix.length || !inPrefix(each.address, prefix),
    )
    const found = rest.length < this.#prefixes.length
    this.#prefixes = rest
    return found
  }

  get prefixes(): readonly Ipv4Prefix[] {
    return this.#prefixes
  }

  /** Whether packets to `address` are for this host. */
  has(address: number): boolean {
    if (this.#exact.has(address)) return true
    for (const prefix of this.#prefixes) if (inPrefix(address, prefix)) return true
    return false
  }

  /** Whether `address` is the limited broadcast address or that of a subnet this host is on. */
  isBroadcast(address: number): boolean {
    return address === LIMITED_BROADCAST || this.#broadcasts.includes(address)
  }
}
