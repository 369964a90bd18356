/**
 * The content of everything the applications send: a fixed pattern that both ends know. The one idea: byte i is byte
 * i mod 65521 of one shared table, so that chunks are views, and any loss, repetition or shift shows.
 */

/** Length of the table: a prime, so that no power of two or segment size lines up with it. */
const PERIOD = 65_521
/** Seed of the table's generator (SplitMix32). */
const SEED = 0x9e3779b9

let table: Uint8Array | null = null

/** The table twice over, so that every chunk up to a period is one view. */
function patternTable(): Uint8Array {
  if (table !== null) return table
  table = new Uint8Array(2 * PERIOD)
  for (let i = 0; i < PERIOD; i++) {
    let word = Math.imul(i + 1, SEED)
    word = Math.imul(word ^ (word >>> 16), 0x21f0aaad)
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97)
    table[i] = word >>> 24
  }
  table.copyWithin(PERIOD, 0, PERIOD)
  return table
}

/** Up to `length` bytes of the pattern from `offset`: a shared view, never to be written to. At most 65521 bytes. */
export function patternChunk(offset: number, length: number): Uint8Array {
  const start = offset % PERIOD
  return patternTable().subarray(start, start + Math.min(length, PERIOD))
}

/** Whether `bytes` are the pattern from `offset` on. */
export function matchesPattern(bytes: Uint8Array, offset: number): boolean {
  for (let at = 0; at < bytes.length; ) {
    const expected = patternChunk(offset + at, bytes.length - at)
    if (Buffer.compare(expected, bytes.subarray(at, at + expected.length)) !== 0) return false
    at += expected.length
  }
  return true
}
