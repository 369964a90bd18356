/**
 * Seeded randomness. The one idea: a generator is named by its seed and the path of labels that led to it, so that
 * each part of a simulation draws from its own substream and nobody's draws move anybody else's.
 *
 * The generator is xoshiro128** 1.1 (D. Blackman, S. Vigna, "Scrambled linear pseudorandom number generators",
 * ACM TOMS 47, 2021): 128 bits of state, period 2^128 - 1. Seeds (eight little-endian bytes) and labels (UTF-8)
 * become states by MurmurHash3_x86_32 (A. Appleby), once under each word of the key.
 * Not for secrets.
 */
import { EngineError } from './errors.ts'

/** Four 32-bit words, not all zero. */
export type RandomState = readonly [number, number, number, number]

const GOLDEN = 0x9e3779b9
/** Seeds of the four lanes that make a state out of a seed's bytes. */
const LANES: RandomState = [0, 1, 2, 3]
const encoder = new TextEncoder()

const rotate = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits))

/** The finaliser of MurmurHash3: a bijection of 32-bit words in which every input bit moves every output bit. */
function finalise(word: number): number {
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35)
  return (word ^ (word >>> 16)) >>> 0
}

function scramble(word: number): number {
  return Math.imul(rotate(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593)
}

/** MurmurHash3_x86_32 of `bytes` under a 32-bit `seed`: 0..2^32 - 1. Not collision-proof against an attacker. */
export function murmur3(bytes: Uint8Array, seed: number): number {
  const tail = bytes.length & ~3
  let hash = seed
  for (let at = 0; at < tail; at += 4) {
    const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    hash = (Math.imul(rotate(hash ^ scramble(word), 13), 5) + 0xe6546b64) | 0
  }
  let rest = 0
  for (let at = bytes.length - 1; at >= tail; at--) rest = (rest << 8) | bytes[at]!
  if (bytes.length > tail) hash ^= scramble(rest)
  return finalise(hash ^ bytes.length)
}

/** The generator whose state is the hash of `bytes` under each of the four words of `key`. */
function derive(key: RandomState, bytes: Uint8Array): Random {
  const [a, b, c, d] = key
  const words = [murmur3(bytes, a), murmur3(bytes, b), murmur3(bytes, c), murmur3(bytes, d)] as const
  return new Random(words.every((word) => word === 0) ? [GOLDEN, 0, 0, 0] : words)
}

/** A deterministic stream of numbers. Draws never allocate. */
export class Random {
  /** The state at birth: what `fork` derives substreams from, however many numbers were drawn. */
  readonly origin: RandomState
  readonly #state: Uint32Array

  /** @param state four 32-bit words. @throws EngineError `invalid` when all are zero */
  constructor(state: RandomState) {
    this.#state = Uint32Array.from(state)
    const [first, second, third, fourth] = this.#state as unknown as RandomState
    if ((first | second | third | fourth) === 0)
      throw new EngineError('invalid', 'the state of a generator is not all zero', 'state')
    this.origin = [first, second, third, fourth]
  }

  /** The generator of a seed, an integer in 0..2^53 - 1. @throws EngineError `invalid` */
  static fromSeed(seed: number): Random {
    if (!Number.isSafeInteger(seed) || seed < 0)
      throw new EngineError('invalid', `${seed} is not an integer in 0..2^53 - 1`, 'seed')
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setBigUint64(0, BigInt(seed), true)
    return derive(LANES, bytes)
  }

  /** The next 32 bits: 0..2^32 - 1. */
  uint32(): number {
    return this.int32() >>> 0
  }

  /** The next 32 bits as a signed integer, which no caller ever needs memory for. */
  int32(): number {
    const state = this.#state
    const second = state[1]!
    const result = Math.imul(rotate(Math.imul(second, 5), 7), 9)
    state[2]! ^= state[0]!
    state[3]! ^= second
    state[1]! = second ^ state[2]!
    state[0]! ^= state[3]!
    state[2]! ^= second << 9
    state[3]! = rotate(state[3]!, 11)
    return result
  }

  /** Uniform in [0, 1) with 53 bits, from two draws. */
  float(): number {
    const high = this.int32() >>> 5
    return (high * 0x400_0000 + (this.int32() >>> 6)) / 0x20_0000_0000_0000
  }

  /** Uniform integer in 0..bound - 1 for a bound up to 2^53; its bias is below bound / 2^53. */
  below(bound: number): number {
    return Math.floor(this.float() * bound)
  }

  /**
   * The substream of a label. It depends on this generator's origin and on the label only: not on draws, nor on
   * the order of forks. The same label gives the same substream.
   */
  fork(label: string): Random {
    return derive(this.origin, encoder.encode(label))
  }
}
