/**
 * SipHash-2-4 (J.-P. Aumasson, D. J. Bernstein, 2012) of a few 32-bit words. The one idea: a keyed function that an
 * outsider cannot predict, for initial sequence numbers (RFC 6528), ports (RFC 6056) and timestamp offsets
 * (RFC 7323 section 7.1). The key is four words of seeded randomness; 64-bit words are pairs of 32-bit halves.
 */

/** Four 32-bit words. */
export type SipKey = readonly [number, number, number, number]

/** A key from four draws. */
export function drawSipKey(random: () => number): SipKey {
  return [random(), random(), random(), random()]
}

/** State: v0..v3, low half before high half. One for all: a call never nests. */
const state = new Int32Array(8)

/** v[to] += v[from], both index of a low half. */
function add(to: number, from: number): void {
  const low = (state[to] >>> 0) + (state[from] >>> 0)
  state[to] = low
  state[to + 1] = state[to + 1] + state[from + 1] + (low > 0xffffffff ? 1 : 0)
}

/** v[to] = rotl(v[to], bits) ^ v[from] for 0 < bits < 32. */
function rotateXor(to: number, bits: number, from: number): void {
  const low = state[to]
  const high = state[to + 1]
  state[to] = ((low << bits) | (high >>> (32 - bits))) ^ state[from]
  state[to + 1] = ((high << bits) | (low >>> (32 - bits))) ^ state[from + 1]
}

function swapHalves(at: number): void {
  const low = state[at]
  state[at] = state[at + 1]
  state[at + 1] = low
}

function round(): void {
  add(0, 2)
  rotateXor(2, 13, 0)
  swapHalves(0)
  add(4, 6)
  rotateXor(6, 16, 4)
  add(0, 6)
  rotateXor(6, 21, 0)
  add(4, 2)
  rotateXor(2, 17, 4)
  swapHalves(4)
}

function compress(low: number, high: number): void {
  state[6] ^= low
  state[7] ^= high
  round()
  round()
  state[0] ^= low
  state[1] ^= high
}

/** The low 32 bits, unsigned, of SipHash-2-4 over three little-endian words (12 bytes) under `key`. */
export function sipHash(key: SipKey, first: number, second: number, third: number): number {
  state[0] = key[0] ^ 0x70736575
  state[1] = key[1] ^ 0x736f6d65
  state[2] = key[2] ^ 0x6e646f6d
  state[3] = key[3] ^ 0x646f7261
  state[4] = key[0] ^ 0x6e657261
  state[5] = key[1] ^ 0x6c796765
  state[6] = key[2] ^ 0x79746573
  state[7] = key[3] ^ 0x74656462
  compress(first, second)
  compress(third, 12 << 24)
  state[4] ^= 0xff
  for (let i = 0; i < 4; i++) round()
  return (state[0] ^ state[2] ^ state[4] ^ state[6]) >>> 0
}
