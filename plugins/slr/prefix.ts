/** Address prefixes: virtual hosts, virtual subnets, networks of servers and clients. Numbers are unsigned. */

export interface Prefix {
  readonly text: string
  readonly value: number
  readonly mask: number
  readonly length: number
}

const PREFIX = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\/(\d{1,2}))?$/

/** `198.18.0.0/15`, or an address, which is a prefix of 32 bits. @throws Error for anything else */
export function parsePrefix(text: string): Prefix {
  const match = PREFIX.exec(text)
  const bytes = match === null ? [] : match.slice(1, 5).map(Number)
  const length = Number(match?.[5] ?? 32)
  if (match === null || bytes.some((byte) => byte > 255) || length > 32)
    throw new Error(`expected a prefix such as 198.18.0.0/15, got ${text}`)
  const mask = length === 0 ? 0 : (-1 << (32 - length)) >>> 0
  const value = bytes.reduce((sum, byte) => sum * 256 + byte, 0)
  if ((value & ~mask) !== 0) throw new Error(`${text} has bits beyond its length`)
  return { text, value, mask, length }
}

/** @throws Error for what is no single address */
export function parseAddress(text: string): Prefix {
  const prefix = parsePrefix(text)
  if (text.includes('/')) throw new Error(`expected an address such as 10.0.2.2, got ${text}`)
  return prefix
}

export function holds(prefix: Prefix, address: number): boolean {
  return (address & prefix.mask) >>> 0 === prefix.value
}

/** Whether every address of `inner` is one of `outer`. */
export function isWithin(inner: Prefix, outer: Prefix): boolean {
  return inner.length >= outer.length && holds(outer, inner.value)
}

/** What two prefixes have in common: the longer one, or nothing. */
export function common(one: Prefix, other: Prefix): Prefix | undefined {
  if (isWithin(one, other)) return one
  return isWithin(other, one) ? other : undefined
}

/** The longest of those that hold an address. */
export function longest<T extends { readonly prefix: Prefix }>(
  all: readonly T[],
  address: number,
): T | undefined {
  let found: T | undefined
  for (const each of all)
    if (holds(each.prefix, address) && (found === undefined || each.prefix.length > found.prefix.length))
      found = each
  return found
}
