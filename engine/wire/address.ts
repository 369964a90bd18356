/**
 * Addresses as text and as numbers: dotted IPv4 and colon-separated MAC. The one idea: text at the walls, unsigned
 * 32-bit numbers in host order inside.
 */

/** An address and how many leading bits count (0..32). */
export interface Ipv4Prefix {
  readonly address: number
  readonly length: number
}

const DOTTED = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/

/** The unsigned number of a dotted address without leading zeros; undefined when it is not one. */
export function parseIpv4Address(text: string): number | undefined {
  const parts = DOTTED.exec(text)
  if (parts === null) return undefined
  let address = 0
  for (let i = 1; i <= 4; i++) {
    const byte = Number(parts[i])
    if (byte > 255) return undefined
    address = address * 256 + byte
  }
  return address
}

/** `10.0.0.0/8`, or a bare address as /32; undefined when it is neither. Host bits are kept. */
export function parseIpv4Prefix(text: string): Ipv4Prefix | undefined {
  const slash = text.indexOf('/')
  if (slash < 0) {
    const address = parseIpv4Address(text)
    return address === undefined ? undefined : { address, length: 32 }
  }
  const address = parseIpv4Address(text.slice(0, slash))
  const digits = text.slice(slash + 1)
  if (address === undefined || !/^(\d|[12]\d|3[0-2])$/.test(digits)) return undefined
  return { address, length: Number(digits) }
}

/** Dotted text of a 32-bit address (signed or unsigned). */
export function formatIpv4Address(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`
}

/** The netmask of a prefix length 0..32, unsigned. */
export function prefixMask(length: number): number {
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0
}

/** Six bytes of `02:00:00:00:00:01`; undefined when it is not a MAC address. */
export function parseMacAddress(text: string): Uint8Array | undefined {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return undefined
  return Uint8Array.from(text.split(':'), (byte) => Number.parseInt(byte, 16))
}

/** Colon-separated lower-case text of the six bytes at `offset`. */
export function formatMacAddress(bytes: Uint8Array, offset = 0): string {
  return Array.from(bytes.subarray(offset, offset + 6), (byte) => byte.toString(16).padStart(2, '0')).join(
    ':',
  )
}
