/**
 * Sets of IPv4 addresses written as prefixes. The one idea: the canonical form is the smallest list of disjoint
 * prefixes, sorted; two prefixes either nest or are apart, so that covering and intersecting need no other case.
 */
import { formatIpv4Address, type Ipv4Prefix, parseIpv4Prefix, prefixMask } from '../../engine/wire/index.ts'

/** A prefix whose address has no bits beyond its length; undefined for any other text. */
export function parsePrefix(text: string): Ipv4Prefix | undefined {
  const prefix = parseIpv4Prefix(text)
  if (prefix === undefined) return undefined
  return (prefix.address & ~prefixMask(prefix.length)) === 0 ? prefix : undefined
}

/** Whether every address of `inner` is one of `outer`. */
export function prefixCovers(outer: Ipv4Prefix, inner: Ipv4Prefix): boolean {
  return inner.length >= outer.length && ((inner.address ^ outer.address) & prefixMask(outer.length)) === 0
}

/** A set of addresses; immutable. */
export class PrefixSet {
  /** Canonical: disjoint, siblings merged, by ascending address. */
  readonly prefixes: readonly Ipv4Prefix[]

  /** @param prefixes in any order, overlapping or not */
  constructor(prefixes: readonly Ipv4Prefix[]) {
    this.prefixes = merge(prefixes)
  }

  /** @param texts prefixes or bare addresses that `parsePrefix` accepts; others are a broken invariant */
  static parse(texts: readonly string[]): PrefixSet {
    return new PrefixSet(
      texts.map((text) => {
        const prefix = parsePrefix(text)
        if (prefix === undefined) throw new TypeError(`not a canonical IPv4 prefix: ${text}`)
        return prefix
      }),
    )
  }

  /** The canonical prefixes as text, a single address as /32. */
  format(): string[] {
    return this.prefixes.map((each) => `${formatIpv4Address(each.address)}/${each.length}`)
  }

  /** @param address unsigned 32-bit number */
  contains(address: number): boolean {
    return this.coversMatch(address, 0xffffffff)
  }

  covers(inner: Ipv4Prefix): boolean {
    return this.prefixes.some((each) => prefixCovers(each, inner))
  }

  /**
   * Whether every address with `(address & mask) === value` lies in one of the prefixes. Exact for contiguous masks;
   * a scattered mask that only several prefixes together would cover is answered false.
   */
  coversMatch(value: number, mask: number): boolean {
    return this.prefixes.some((each) => {
      const bits = prefixMask(each.length)
      return (mask & bits) >>> 0 === bits && ((value ^ each.address) & bits) === 0
    })
  }

  intersect(other: PrefixSet): PrefixSet {
    const common: Ipv4Prefix[] = []
    for (const mine of this.prefixes)
      for (const theirs of other.prefixes) {
        if (prefixCovers(mine, theirs)) common.push(theirs)
        else if (prefixCovers(theirs, mine)) common.push(mine)
      }
    return new PrefixSet(common)
  }
}

/** One pass over prefixes sorted by address, the shorter first: drops nested ones, joins siblings as they meet. */
function merge(prefixes: readonly Ipv4Prefix[]): Ipv4Prefix[] {
  const sorted = [...prefixes].sort((a, b) => a.address - b.address || a.length - b.length)
  const merged: Ipv4Prefix[] = []
  for (const each of sorted) {
    const last = merged.at(-1)
    if (last !== undefined && prefixCovers(last, each)) continue
    merged.push(each)
    joinSiblings(merged)
  }
  return merged
}

function joinSiblings(merged: Ipv4Prefix[]): void {
  for (;;) {
    const [left, right] = merged.slice(-2)
    if (left === undefined || right === undefined || left.length !== right.length) return
    const parent: Ipv4Prefix = { address: left.address, length: left.length - 1 }
    if ((left.address & ~prefixMask(parent.length)) !== 0 || !prefixCovers(parent, right)) return
    merged.splice(-2, 2, parent)
  }
}
