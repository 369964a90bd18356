/**
 * Bytes in order: what a connection has yet to get acknowledged, or what its application has yet to take. The one
 * idea: a list of chunks addressed by their offset from the oldest byte; big chunks are kept by reference, small
 * ones are gathered, so that the number of chunks is bounded by the bytes. Whoever appends gives the bytes away.
 */

/** Chunks below this are copied together. */
const GATHER_BYTES = 2048
const EMPTY = new Uint8Array(0)

export class ByteQueue {
  readonly #chunks: Uint8Array[] = []
  /** Bytes of the first chunk that are gone already. */
  #skipped = 0
  #length = 0
  /** Gathering space: the last chunk is its beginning while this is not null. */
  #gather: Uint8Array | null = null

  /** Bytes held. */
  get length(): number {
    return this.#length
  }

  /** Takes all of `bytes`; the caller has checked its limit. */
  append(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.#length += bytes.length
    if (bytes.length >= GATHER_BYTES) {
      this.#gather = null
      this.#chunks.push(bytes)
      return
    }
    const chunks = this.#chunks
    const last = chunks.length - 1
    const used = last < 0 ? GATHER_BYTES : chunks[last].length
    if (used + bytes.length > GATHER_BYTES) {
      this.#gather = null
      chunks.push(bytes)
      return
    }
    if (this.#gather === null) {
      this.#gather = new Uint8Array(GATHER_BYTES)
      this.#gather.set(chunks[last])
    }
    this.#gather.set(bytes, used)
    chunks[last] = this.#gather.subarray(0, used + bytes.length)
  }

  /** Forgets the first `count` bytes. */
  discard(count: number): void {
    this.#length -= count
    let skipped = this.#skipped + count
    let whole = 0
    while (whole < this.#chunks.length && skipped >= this.#chunks[whole].length)
      skipped -= this.#chunks[whole++].length
    if (whole > 0) this.#chunks.splice(0, whole)
    if (this.#chunks.length === 0) this.#gather = null
    this.#skipped = skipped
  }

  /** `length` bytes from `offset`; a view where one chunk holds them all, else a copy. Never write to it. */
  read(offset: number, length: number): Uint8Array {
    if (length === 0) return EMPTY
    let at = offset + this.#skipped
    let index = 0
    while (at >= this.#chunks[index].length) at -= this.#chunks[index++].length
    const first = this.#chunks[index]
    if (at + length <= first.length) return first.subarray(at, at + length)
    const bytes = new Uint8Array(length)
    let filled = 0
    while (filled < length) {
      const chunk = this.#chunks[index++]
      const piece = chunk.subarray(at, at + length - filled)
      bytes.set(piece, filled)
      filled += piece.length
      at = 0
    }
    return bytes
  }

  /** Takes the first chunk, or what is left of it; undefined when there is nothing. */
  shift(): Uint8Array | undefined {
    const first = this.#chunks[0]
    if (first === undefined) return undefined
    const bytes = this.#skipped === 0 ? first : first.subarray(this.#skipped)
    this.discard(bytes.length)
    return bytes
  }

  /** All bytes, copied. */
  toBytes(): Uint8Array {
    return this.read(0, this.#length).slice()
  }

  /** Forgets everything. */
  clear(): void {
    this.#chunks.length = 0
    this.#skipped = 0
    this.#length = 0
    this.#gather = null
  }
}
