/**
 * A set of IPv4 addresses for the data path. The one idea: open addressing in one typed array, at most half full,
 * so that a question costs one or two reads. Members come from configuration, questions from packets.
 */

/** Spreads addresses over the upper bits of the product (Knuth's multiplicative hashing). */
const SPREAD = 0x9e3779b1

/** Addresses in host order, signed or unsigned. 0.0.0.0 is never a member. */
export class AddressSet {
  #slots = new Int32Array(16)
  #shift = 28
  #size = 0

  constructor(addresses: Iterable<number> = []) {
    for (const address of addresses) this.add(address)
  }

  get size(): number {
    return this.#size
  }

  has(address: number): boolean {
    const slots = this.#slots
    const wanted = address | 0
    let slot = Math.imul(wanted, SPREAD) >>> this.#shift
    for (;;) {
      const found = slots[slot]
      if (found === 0) return false
      if (found === wanted) return true
      slot = (slot + 1) & (slots.length - 1)
    }
  }

  /** Adds an address; nothing happens when it is a member or 0. */
  add(address: number): void {
    if ((address | 0) === 0 || this.has(address)) return
    this.#size++
    if (this.#size * 2 > this.#slots.length) this.#rebuild([...this, address], this.#slots.length * 2)
    else this.#insert(address | 0)
  }

  /** Removes an address; nothing happens when it is no member. */
  delete(address: number): void {
    if (!this.has(address)) return
    this.#size--
    this.#rebuild(
      [...this].filter((each) => each !== address >>> 0),
      this.#slots.length,
    )
  }

  /** The members, unsigned, in no particular order. */
  *[Symbol.iterator](): IterableIterator<number> {
    for (const address of this.#slots) if (address !== 0) yield address >>> 0
  }

  #insert(address: number): void {
    const slots = this.#slots
    let slot = Math.imul(address, SPREAD) >>> this.#shift
    while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1)
    slots[slot] = address
  }

  #rebuild(members: readonly number[], length: number): void {
    this.#slots = new Int32Array(length)
    this.#shift = 1 + Math.clz32(length)
    for (const member of members) this.#insert(member | 0)
  }
}
