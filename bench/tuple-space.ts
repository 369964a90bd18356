/**
 * Tuple space search (V. Srinivasan, S. Suri, G. Varghese, SIGCOMM 1999), the baseline of the classifier's benchmark:
 * one hash table for each combination of masks, protocol and kind of port match; a lookup asks the tables in order
 * of the best filter they hold and stops when none of the rest can be better. Typed arrays, no allocation on lookup.
 */
import type { CompiledFilter } from '../engine/classifier/filter.ts'
import { specificity } from '../engine/classifier/filter-store.ts'

interface Entry {
  readonly filter: CompiledFilter
  readonly rank: number
  readonly id: number
}

class Tuple {
  readonly sourceMask: number
  readonly destinationMask: number
  readonly hasProtocol: boolean
  readonly hasPort: boolean
  readonly best: number
  /** Open addressing over numbers of entries + 1; entries of one key follow each other by `next`. */
  readonly #slots: Int32Array
  readonly #keys: Int32Array
  readonly #next: Int32Array
  readonly #ranks: Float64Array
  readonly #ids: Int32Array
  readonly #ports: Int32Array

  /** @param entries filters of this tuple, best first */
  constructor(entries: readonly Entry[]) {
    const { filter } = entries[0]!
    this.sourceMask = filter.sourceMask
    this.destinationMask = filter.destinationMask
    this.hasProtocol = filter.protocol >= 0
    this.hasPort = filter.destinationPortFrom === filter.destinationPortTo
    this.best = entries[0]!.rank
    this.#slots = new Int32Array(1 << (33 - Math.clz32(entries.length)))
    this.#keys = new Int32Array(entries.length * 4)
    this.#next = new Int32Array(entries.length)
    this.#ranks = Float64Array.from(entries, (each) => each.rank)
    this.#ids = Int32Array.from(entries, (each) => each.id)
    this.#ports = Int32Array.from(
      entries,
      (each) => (each.filter.destinationPortFrom << 16) | each.filter.destinationPortTo,
    )
    for (let i = entries.length - 1; i >= 0; i--) this.#add(i, entries[i]!.filter)
  }

  /** The number of the best entry that matches, or -1. */
  find(source: number, destination: number, port: number, protocol: number): number {
    const a = source & this.sourceMask
    const b = destination & this.destinationMask
    const c = this.hasPort ? port : 0
    const d = this.hasProtocol ? protocol : 0
    const mask = this.#slots.length - 1
    for (let at = hash(a, b, c, d) & mask; this.#slots[at] !== 0; at = (at + 1) & mask) {
      let entry = this.#slots[at] - 1
      const key = entry << 2
      const keys = this.#keys
      if (keys[key] !== a || keys[key + 1] !== b || keys[key + 2] !== c || keys[key + 3] !== d) continue
      for (; entry >= 0; entry = this.#next[entry]) {
        const range = this.#ports[entry]
        if (port >= range >>> 16 && port <= (range & 0xffff)) return entry
      }
      return -1
    }
    return -1
  }

  rankOf(entry: number): number {
    return this.#ranks[entry]
  }

  idOf(entry: number): number {
    return this.#ids[entry]
  }

  #add(entry: number, filter: CompiledFilter): void {
    const a = filter.sourceValue | 0
    const b = filter.destinationValue | 0
    const c = this.hasPort ? filter.destinationPortFrom : 0
    const d = this.hasProtocol ? filter.protocol : 0
    const mask = this.#slots.length - 1
    const keys = this.#keys
    keys.set([a, b, c, d], entry * 4)
    this.#next[entry] = -1
    let at = hash(a, b, c, d) & mask
    for (; this.#slots[at] !== 0; at = (at + 1) & mask) {
      const other = this.#slots[at] - 1
      const key = other * 4
      if (keys[key] !== a || keys[key + 1] !== b || keys[key + 2] !== c || keys[key + 3] !== d) continue
      this.#next[entry] = other
      break
    }
    this.#slots[at] = entry + 1
  }
}

function hash(a: number, b: number, c: number, d: number): number {
  let value = Math.imul(a, 0x85ebca6b) ^ Math.imul(b, 0xc2b2ae35) ^ Math.imul((c << 8) | d, 0x27d4eb2f)
  value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d)
  return value ^ (value >>> 13)
}

export class TupleSpace {
  readonly #tuples: Tuple[]

  /** Filters whose source port and in-port are open, with their priorities; their places are their numbers. */
  constructor(filters: readonly (readonly [CompiledFilter, number])[]) {
    const groups = new Map<string, Entry[]>()
    for (const [id, [filter, priority]] of filters.entries()) {
      const port = filter.destinationPortFrom === filter.destinationPortTo
      const key = `${filter.sourceMask} ${filter.destinationMask} ${filter.protocol >= 0} ${port}`
      // Priority, then specificity, then age, in one number: lower is better.
      const rank = (-priority * 256 - specificity(filter)) * 2 ** 20 + id
      const group = groups.get(key)
      if (group === undefined) groups.set(key, [{ filter, rank, id }])
      else group.push({ filter, rank, id })
    }
    const sorted = [...groups.values()].map((group) => group.sort((a, b) => a.rank - b.rank))
    this.#tuples = sorted.map((group) => new Tuple(group)).sort((a, b) => a.best - b.best)
  }

  get tuples(): number {
    return this.#tuples.length
  }

  /** The number of the filter that decides, or -1. */
  lookup(source: number, destination: number, port: number, protocol: number): number {
    let rank = Number.POSITIVE_INFINITY
    let id = -1
    for (const tuple of this.#tuples) {
      if (tuple.best >= rank) break
      const entry = tuple.find(source, destination, port, protocol)
      if (entry < 0 || tuple.rankOf(entry) >= rank) continue
      rank = tuple.rankOf(entry)
      id = tuple.idOf(entry)
    }
    return id
  }
}
