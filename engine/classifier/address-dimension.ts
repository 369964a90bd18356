/**
 * The source or destination address in the filter index. The one idea: every distinct prefix has a row, that of the
 * longest shorter prefix around it plus the filters that name the prefix itself; a trie leads from an address to the
 * row. Of a mask with gaps the leading ones count as the prefix; the rest is for ternary-rows.ts.
 */
import { PrefixTable } from '../routing/prefix-table.ts'
import { prefixMask } from '../wire/address.ts'
import type { BitRows } from './bit-rows.ts'
import { type Dimension, type FilterOrder, STEP_UNITS, type Steps } from './dimension.ts'

const NONE = -1
const NOTHING = new Int32Array(0)
const TRIE_UNITS = 6

export class AddressDimension implements Dimension {
  rows = 0
  copies = 0
  readonly #order: FilterOrder
  readonly #side: 0 | 1
  /** Prefixes to groups of filters; group 0 is any address. */
  readonly #trie = new PrefixTable({ nodeBits: 4, nodeLimit: 1 << 20 })
  /** By group: row, group of the prefix around it, size, first position. */
  #rowOf = NOTHING
  #parents: Int32Array
  #counts: Int32Array
  #heads: Int32Array
  /** By position: the next one of its list. */
  #next: Int32Array

  constructor(order: FilterOrder, side: 0 | 1) {
    const size = order.ids.length
    this.#order = order
    this.#side = side
    this.#parents = new Int32Array(size + 1)
    this.#counts = new Int32Array(size + 1)
    this.#heads = new Int32Array(size + 1)
    this.#next = new Int32Array(size)
  }

  get byteLength(): number {
    return this.#trie.byteLength + this.#rowOf.byteLength
  }

  *collect(): Steps {
    const { store, ids } = this.#order
    const byLength = new Int32Array(33).fill(NONE)
    for (let position = 0; position < ids.length; position++) {
      const length = Math.clz32(~store.maskOf(ids[position], this.#side))
      this.#next[position] = byLength[length]
      byLength[length] = position
      if (position % STEP_UNITS === STEP_UNITS - 1) yield STEP_UNITS
    }
    this.#openGroup(0, 0, NONE)
    let units = 0
    // Shorter prefixes first, so that each finds the one around it.
    for (let length = 0; length <= 32; length++)
      for (let position = byLength[length]; position !== NONE; ) {
        const next = this.#next[position]
        this.#join(position, length)
        position = next
        units += TRIE_UNITS
        if (units < STEP_UNITS) continue
        yield units
        units = 0
      }
  }

  *build(rows: BitRows): Steps {
    this.#rowOf = new Int32Array(this.rows)
    let units = 0
    for (let group = 0; group < this.rows; group++) {
      const row = rows.open(group === 0 ? NONE : this.#rowOf[this.#parents[group]])
      this.#rowOf[group] = row
      units++
      for (let position = this.#heads[group]; position !== NONE; position = this.#next[position]) {
        rows.set(row, position)
        if (++units < STEP_UNITS) continue
        yield units
        units = 0
      }
      if (units < STEP_UNITS) continue
      yield units
      units = 0
    }
    this.#parents = NOTHING
    this.#counts = NOTHING
    this.#heads = NOTHING
    this.#next = NOTHING
  }

  /** The row of an address. */
  rowOf(address: number): number {
    return this.#rowOf[this.#trie.lookup(address)]
  }

  #openGroup(address: number, length: number, parent: number): number {
    const group = this.rows++
    this.#parents[group] = parent
    this.#heads[group] = NONE
    this.#trie.insert(address, length, group)
    return group
  }

  /** Puts a filter into the group of its prefix. */
  #join(position: number, length: number): void {
    const { store, ids, chunks } = this.#order
    const address = store.valueOf(ids[position], this.#side) & prefixMask(length)
    let group = this.#trie.get(address, length)
    if (group < 0) group = this.#openGroup(address, length, this.#trie.lookup(address))
    this.#next[position] = this.#heads[group]
    this.#heads[group] = position
    if (++this.#counts[group] <= chunks) this.copies++
  }
}
