/**
 * Values for address prefixes; the longest prefix that holds an address wins. The one idea: one map per length that
 * occurs, asked from the longest to the shortest. For some thousands of prefixes, looked up once a flow.
 */

/** Masks of the prefix lengths 0 to 32. */
const maskOf = (length: number): number => (length === 0 ? 0 : (-1 << (32 - length)) >>> 0)

/** The unsigned number of an address in dotted text. @throws Error */
export function parseAddress(text: string): number {
  const parts = text.split('.')
  const bytes = parts.map((part) => (/^(?:0|[1-9]\d{0,2})$/.test(part) ? Number(part) : 256))
  if (bytes.length !== 4 || bytes.some((byte) => byte > 255))
    throw new Error(`expected an address such as 10.0.0.1, got ${text}`)
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0)
}

function parsePrefix(text: string): { value: number; length: number } {
  const [address = '', bits = '32', ...rest] = text.split('/')
  const length = /^(?:0|[1-9]\d?)$/.test(bits) ? Number(bits) : 33
  if (length > 32 || rest.length > 0) throw new Error(`expected a prefix such as 10.0.0.0/8, got ${text}`)
  const value = parseAddress(address)
  if ((value & ~maskOf(length)) !== 0) throw new Error(`${text} has bits beyond its length`)
  return { value, length }
}

export class PrefixTable<V> {
  readonly #maps: { readonly mask: number; readonly length: number; readonly values: Map<number, V> }[] = []

  /** @param entries prefixes (`10.0.0.0/8`, or an address) and their values @throws Error, also for a prefix given twice */
  constructor(entries: Readonly<Record<string, V>>) {
    for (const [text, value] of Object.entries(entries)) {
      const prefix = parsePrefix(text)
      let map = this.#maps.find((each) => each.length === prefix.length)
      if (map === undefined) {
        map = { mask: maskOf(prefix.length), length: prefix.length, values: new Map() }
        this.#maps.push(map)
      }
      if (map.values.has(prefix.value)) throw new Error(`the prefix ${text} is given twice`)
      map.values.set(prefix.value, value)
    }
    this.#maps.sort((one, other) => other.length - one.length)
  }

  /** The value of the longest prefix that holds an address (an unsigned number), or undefined. */
  lookup(address: number): V | undefined {
    for (const { mask, values } of this.#maps) {
      const value = values.get((address & mask) >>> 0)
      if (value !== undefined) return value
    }
    return undefined
  }
}
