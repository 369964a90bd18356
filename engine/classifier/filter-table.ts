/**
 * The filter table: wildcard filters, of which the first in order of precedence decides (see filter-store.ts). The
 * one idea: the many filters stand in an index that is built in the background, and changes since then in a short
 * overlay: an added filter is matched one by one, a removed one is struck out of the index. When there are many of
 * them, a new index is built in small slices of work while the old one serves, and then takes its place. So no
 * change stalls the path, however many filters there are (R-PR-03, R-PR-05).
 *
 * IPv4; IPv6 will be a table of its own.
 */
import assert from 'node:assert/strict'
import { FLAG_LATER_FRAGMENT } from '../packet.ts'
import type { Steps } from './dimension.ts'
import type { CompiledFilter } from './filter.ts'
import { describeFilter, type FilterDescription } from './filter-description.ts'
import { FilterIndex } from './filter-index.ts'
import { FILTER_LIMIT, FilterStore } from './filter-store.ts'

const NONE = -1
/** So many filters may wait in the overlay, and so many more than a quarter be struck out, before a rebuild. */
const OVERLAY_LENGTH = 32
const LATER_FRAGMENT = FLAG_LATER_FRAGMENT

export interface FilterTableOptions {
  /** Most filters, 1..65536. Default 65536. */
  readonly limit?: number
}

export class FilterTable {
  readonly #store: FilterStore
  #index: FilterIndex
  /** By filter: its position in the index, or NONE. */
  #positions = new Int32Array(16)
  /** Filters that are not in the index, in order of precedence. */
  #overlay = new Int32Array(16)
  #overlayLength = 0
  #struck = 0
  #size = 0
  /** The rebuild under way, and the filters removed since it began, whose numbers it may still read. */
  #steps: Steps | undefined
  readonly #buried: number[] = []

  constructor(options: FilterTableOptions = {}) {
    this.#store = new FilterStore(options.limit ?? FILTER_LIMIT)
    this.#index = new FilterIndex(this.#store, new Int32Array(0))
  }

  /** Filters held. */
  get size(): number {
    return this.#size
  }

  /** Filters that are matched one by one until the next index is built. */
  get overlaySize(): number {
    return this.#overlayLength
  }

  /** Bytes of the arrays held, without those of a rebuild under way. */
  get byteLength(): number {
    const own = this.#positions.byteLength + this.#overlay.byteLength
    return own + this.#store.byteLength + this.#index.byteLength
  }

  /** Whether `work` has something to do. */
  get pending(): boolean {
    if (this.#steps !== undefined || this.#overlayLength > OVERLAY_LENGTH) return true
    return this.#struck > OVERLAY_LENGTH + (this.#index.order.length >>> 2)
  }

  /**
   * Adds a filter and returns its number, by which it is known until it is removed.
   * @param priority 32-bit integer; higher goes first. Among equals the more specific, then the older
   * @param payload 32-bit integer: what the caller wants to know when the filter matches
   * @throws EngineError `limit`
   */
  add(filter: CompiledFilter, priority: number, payload: number, owner: number): number {
    const id = this.#store.add(filter, priority, payload, owner)
    if (id >= this.#positions.length) this.#positions = enlarged(this.#positions)
    if (this.#overlayLength === this.#overlay.length) this.#overlay = enlarged(this.#overlay)
    this.#positions[id] = NONE
    let low = 0
    for (let high = this.#overlayLength; low < high; ) {
      const middle = (low + high) >>> 1
      if (this.#store.precedes(id, this.#overlay[middle])) high = middle
      else low = middle + 1
    }
    this.#overlay.copyWithin(low + 1, low, this.#overlayLength)
    this.#overlay[low] = id
    this.#overlayLength++
    this.#size++
    return id
  }

  /** Removes a filter that is in the table. */
  remove(filter: number): void {
    assert(this.#store.isLive(filter), `filter ${filter} is not in the table`)
    const position = this.#positions[filter]
    if (position !== NONE) {
      this.#index.remove(position)
      this.#struck++
    } else {
      const at = this.#overlay.indexOf(filter)
      this.#overlay.copyWithin(at, at + 1, this.#overlayLength)
      this.#overlayLength--
    }
    this.#size--
    this.#store.bury(filter)
    if (this.#steps === undefined) this.#store.free(filter)
    else this.#buried.push(filter)
  }

  /**
   * The filter that decides for a packet, or -1. Words may be signed or unsigned.
   * @param inPort IN_PORT; a negative one agrees with filters that name no port
   * @param flags FLAGS: a later fragment whose ports are unknown (0) agrees with filters that leave both ports open
   */
  lookup(
    source: number,
    destination: number,
    ports: number,
    protocol: number,
    inPort: number,
    flags: number,
  ): number {
    const isPortless = (flags & LATER_FRAGMENT) !== 0 && ports === 0
    const store = this.#store
    const position = this.#index.lookup(source, destination, ports, protocol, inPort, isPortless)
    const indexed = position < 0 ? NONE : this.#index.order[position]
    const overlay = this.#overlay
    for (let i = 0; i < this.#overlayLength; i++) {
      const filter = overlay[i]
      if (indexed !== NONE && store.precedes(indexed, filter)) break
      if (store.matches(filter, source, destination, ports, protocol, inPort, isPortless)) return filter
    }
    return indexed
  }

  /** Every filter that agrees with a packet (as in `lookup`), in order of precedence. Allocates; for explanations. */
  candidates(
    source: number,
    destination: number,
    ports: number,
    protocol: number,
    inPort: number,
    flags: number,
  ): number[] {
    const isPortless = (flags & LATER_FRAGMENT) !== 0 && ports === 0
    const store = this.#store
    const found: number[] = []
    for (let id = 0; id < store.bound; id++)
      if (store.isLive(id) && store.matches(id, source, destination, ports, protocol, inPort, isPortless))
        found.push(id)
    return found.sort((a, b) => (store.precedes(a, b) ? -1 : 1))
  }

  /**
   * Does up to about `budget` units of what is pending, a unit being about a tenth of a microsecond; returns whether
   * more is pending. With an infinite budget it ends with an empty overlay only if that had grown long.
   */
  work(budget: number): boolean {
    while (budget > 0 && this.pending) {
      this.#steps ??= this.#rebuild()
      const step = this.#steps.next()
      if (step.done) this.#steps = undefined
      else budget -= step.value
    }
    return this.pending
  }

  /** Counts a packet that a filter decided. */
  hit(filter: number, bytes: number): void {
    this.#store.hit(filter, bytes)
  }

  payloadOf(filter: number): number {
    return this.#store.payloadOf(filter)
  }

  ownerOf(filter: number): number {
    return this.#store.ownerOf(filter)
  }

  setOwner(filter: number, owner: number): void {
    this.#store.setOwner(filter, owner)
  }

  /** A filter as queries show it. */
  describe(filter: number): FilterDescription {
    return describeFilter(this.#store, filter)
  }

  /** Builds an index of all filters there are now and puts it in place. */
  *#rebuild(): Steps {
    const store = this.#store
    const bound = store.additions
    const ids = yield* this.#merge(this.#index, this.#overlay.slice(0, this.#overlayLength))
    const index = new FilterIndex(store, ids)
    yield* index.build()
    this.#index = index
    this.#struck = 0
    for (let position = 0; position < ids.length; position++) {
      if (store.isLive(ids[position])) this.#positions[ids[position]] = position
      else {
        index.remove(position)
        this.#struck++
      }
    }
    let kept = 0
    for (let i = 0; i < this.#overlayLength; i++)
      if (store.ageOf(this.#overlay[i]) >= bound) this.#overlay[kept++] = this.#overlay[i]
    this.#overlayLength = kept
    for (const filter of this.#buried) store.free(filter)
    this.#buried.length = 0
  }

  /** The filters of an index and an overlay in order of precedence, without those struck out. */
  *#merge(index: FilterIndex, overlay: Int32Array): Generator<number, Int32Array, void> {
    const { order } = index
    const ids = new Int32Array(order.length + overlay.length)
    let count = 0
    let next = 0
    for (let position = 0; position < order.length; position++) {
      if (position % 50 === 49) yield 50
      if (!index.isLive(position)) continue
      while (next < overlay.length && this.#store.precedes(overlay[next], order[position]))
        ids[count++] = overlay[next++]
      ids[count++] = order[position]
    }
    ids.set(overlay.subarray(next), count)
    return ids.slice(0, count + overlay.length - next)
  }
}

function enlarged(words: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(words.length * 2)
  larger.set(words)
  return larger
}
