/**
 * The built part of the filter table: a fixed set of filters in order of precedence, of which single ones can still
 * be taken out. The one idea: each field of a packet selects a row of bits, one bit per filter; the first bit that is
 * set in all of them is the filter that decides. Summaries skip the words, 32 filters each, that cannot match.
 */
import { AddressDimension } from './address-dimension.ts'
import { BitRows } from './bit-rows.ts'
import type { Steps } from './dimension.ts'
import type { FilterStore } from './filter-store.ts'
import { PortDimension } from './port-dimension.ts'
import { TernaryRows } from './ternary-rows.ts'
import { ValueDimension } from './value-dimension.ts'

const NONE = -1

export class FilterIndex {
  /** Filter numbers in order of precedence. */
  readonly order: Int32Array
  readonly #sources: AddressDimension
  readonly #destinations: AddressDimension
  readonly #sourcePorts: PortDimension
  readonly #destinationPorts: PortDimension
  readonly #protocols: ValueDimension
  readonly #inPorts: ValueDimension
  readonly #sourceGaps: TernaryRows
  readonly #destinationGaps: TernaryRows
  /** Bits of the filters that were not taken out. */
  readonly #live: Int32Array
  #rows = new BitRows(0, 0, 0)

  /** @param order filters of the store in order of precedence; they must not change before `build` has ended */
  constructor(store: FilterStore, order: Int32Array) {
    this.order = order
    const all = { store, ids: order, chunks: new BitRows(order.length, 0, 0).chunks }
    this.#sources = new AddressDimension(all, 0)
    this.#destinations = new AddressDimension(all, 1)
    this.#sourcePorts = new PortDimension(all, 0)
    this.#destinationPorts = new PortDimension(all, 1)
    this.#protocols = new ValueDimension(all, (id) => store.protocolOf(id))
    this.#inPorts = new ValueDimension(all, (id) => store.inPortOf(id))
    this.#sourceGaps = new TernaryRows(all, 0)
    this.#destinationGaps = new TernaryRows(all, 1)
    this.#live = new Int32Array((order.length + 31) >>> 5).fill(-1)
  }

  get byteLength(): number {
    const parts = [...this.#dimensions(), this.#sourceGaps, this.#destinationGaps, this.#rows, this.#live]
    return parts.reduce((sum, part) => sum + part.byteLength, this.order.byteLength)
  }

  /** Makes the index fit for lookups. */
  *build(): Steps {
    const dimensions = this.#dimensions()
    for (const dimension of dimensions) yield* dimension.collect()
    const rows = dimensions.reduce((sum, dimension) => sum + dimension.rows, 0)
    const copies = dimensions.reduce((sum, dimension) => sum + dimension.copies, 0)
    this.#rows = new BitRows(this.order.length, rows, copies)
    for (const dimension of dimensions) yield* dimension.build(this.#rows)
    yield* this.#sourceGaps.build(this.#rows)
    yield* this.#destinationGaps.build(this.#rows)
  }

  /** Takes the filter at a position out. */
  remove(position: number): void {
    this.#live[position >>> 5] &= ~(1 << (position & 31))
  }

  isLive(position: number): boolean {
    return (this.#live[position >>> 5] & (1 << (position & 31))) !== 0
  }

  /** The first position whose filter matches, or -1. A packet without ports matches only filters that leave them open. */
  lookup(
    source: number,
    destination: number,
    ports: number,
    protocol: number,
    inPort: number,
    isPortless: boolean,
  ): number {
    if (this.order.length === 0) return NONE
    const { pointers, summaries, words, chunks, wordShift } = this.#rows
    const live = this.#live
    const sourceGaps = this.#sourceGaps
    const destinationGaps = this.#destinationGaps
    const sourceRow = this.#sources.rowOf(source)
    const destinationRow = this.#destinations.rowOf(destination)
    const fromRow = isPortless ? this.#sourcePorts.anyRow : this.#sourcePorts.rowOf(ports >>> 16)
    const toRow = isPortless ? this.#destinationPorts.anyRow : this.#destinationPorts.rowOf(ports & 0xffff)
    const protocolRow = this.#protocols.rowOf(protocol)
    const inPortRow = this.#inPorts.rowOf(inPort)
    for (let chunk = 0; chunk < chunks; chunk++) {
      const a = pointers[sourceRow + chunk]
      const b = pointers[destinationRow + chunk]
      const c = pointers[fromRow + chunk]
      const d = pointers[toRow + chunk]
      const e = pointers[protocolRow + chunk]
      const f = pointers[inPortRow + chunk]
      let summary = summaries[a] & summaries[b] & summaries[c] & summaries[d] & summaries[e] & summaries[f]
      if (summary === 0) continue
      summary &= sourceGaps.summaryOf(chunk, source) & destinationGaps.summaryOf(chunk, destination)
      for (; summary !== 0; summary &= summary - 1) {
        const word = 31 - Math.clz32(summary & -summary)
        let bits = words[(a << wordShift) + word] & words[(b << wordShift) + word]
        // The addresses alone rule most words out.
        if (bits === 0) continue
        bits &= words[(c << wordShift) + word] & words[(d << wordShift) + word]
        bits &= words[(e << wordShift) + word] & words[(f << wordShift) + word]
        bits &= live[(chunk << wordShift) + word]
        if (bits === 0) continue
        bits &= sourceGaps.wordOf(chunk, word, source) & destinationGaps.wordOf(chunk, word, destination)
        if (bits !== 0) return (((chunk << wordShift) + word) << 5) + 31 - Math.clz32(bits & -bits)
      }
    }
    return NONE
  }

  #dimensions() {
    return [
      this.#sources,
      this.#destinations,
      this.#sourcePorts,
      this.#destinationPorts,
      this.#protocols,
      this.#inPorts,
    ]
  }
}
