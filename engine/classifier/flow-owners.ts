/**
 * Whose flows are whose: a doubly linked list through the entries of each owner, its length and its limit. The one
 * idea: what one owner holds can be counted at once and walked in slices, without looking at anybody else's.
 * Owners are small integers (engine/owners.ts).
 */
import type { FlowStore } from './flow-store.ts'

const NONE = -1
const UNLIMITED = 0x7fffffff

export class FlowOwners {
  readonly #store: FlowStore
  /** By owner. */
  #first = new Int32Array(8).fill(NONE)
  #counts = new Int32Array(8)
  #limits = new Int32Array(8).fill(UNLIMITED)

  constructor(store: FlowStore) {
    this.#store = store
  }

  get byteLength(): number {
    return this.#first.byteLength + this.#counts.byteLength + this.#limits.byteLength
  }

  /** Flows of an owner. */
  count(owner: number): number {
    return owner < this.#counts.length ? this.#counts[owner] : 0
  }

  /** Whether an owner holds as many flows as it may. */
  isFull(owner: number): boolean {
    return owner < this.#counts.length && this.#counts[owner] >= this.#limits[owner]
  }

  /** Sets how many flows an owner may hold; what it holds beyond that stays. */
  setLimit(owner: number, limit: number): void {
    this.#require(owner)
    this.#limits[owner] = Math.min(limit, UNLIMITED)
  }

  /** An owner's youngest flow, or NONE. */
  first(owner: number): number {
    return owner < this.#first.length ? this.#first[owner] : NONE
  }

  link(flow: number, owner: number): void {
    this.#require(owner)
    const first = this.#first[owner]
    this.#store.setOwner(flow, owner)
    this.#store.setNext(flow, first)
    this.#store.setPrevious(flow, NONE)
    if (first !== NONE) this.#store.setPrevious(first, flow)
    this.#first[owner] = flow
    this.#counts[owner]++
  }

  unlink(flow: number): void {
    const owner = this.#store.ownerOf(flow)
    const next = this.#store.nextOf(flow)
    const previous = this.#store.previousOf(flow)
    if (next !== NONE) this.#store.setPrevious(next, previous)
    if (previous !== NONE) this.#store.setNext(previous, next)
    else this.#first[owner] = next
    this.#counts[owner]--
  }

  #require(owner: number): void {
    const known = this.#counts.length
    if (owner < known) return
    const size = 1 << (32 - Math.clz32(owner))
    const first = new Int32Array(size).fill(NONE)
    const counts = new Int32Array(size)
    const limits = new Int32Array(size).fill(UNLIMITED)
    first.set(this.#first)
    counts.set(this.#counts)
    limits.set(this.#limits)
    this.#first = first
    this.#counts = counts
    this.#limits = limits
  }
}
