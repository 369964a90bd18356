import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { EngineError } from '../../engine/errors.ts'
import { murmur3, Random, type RandomState } from '../../engine/random.ts'

const draw = (random: Random, count: number): number[] => Array.from({ length: count }, () => random.uint32())
const seeds = fc.nat({ max: Number.MAX_SAFE_INTEGER })

describe('murmur3', () => {
  // The vectors of Appleby's reference implementation that its ports are tested with.
  const VECTORS: readonly [string, number, number][] = [
    ['', 0, 0],
    ['', 1, 0x514e28b7],
    ['', 0xffffffff, 0x81f16f39],
    ['test', 0, 0xba6bd213],
    ['test', 0x9747b28c, 0x704b81dc],
    ['Hello, world!', 0, 0xc0363e43],
    ['Hello, world!', 0x9747b28c, 0x24884cba],
    ['The quick brown fox jumps over the lazy dog', 0, 0x2e4ff723],
    ['The quick brown fox jumps over the lazy dog', 0x9747b28c, 0x2fa826cd],
    ['te', 0xdeadbeef, 0xac981332],
    ['tes', 0xdeadbeef, 0xc1c78dda],
    ['testy', 0xdeadbeef, 0x84f5f623],
  ]
  for (const [text, seed, hash] of VECTORS)
    it(`hashes '${text}' under ${seed}`, () => {
      expect(murmur3(new TextEncoder().encode(text), seed)).to.equal(hash)
    })
})

describe('Random', () => {
  describe('when it starts from a state', () => {
    it('gives the published sequence of xoshiro128** 1.1', () => {
      expect(draw(new Random([1, 2, 3, 4]), 10)).to.deep.equal([
        11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
      ])
    })

    it('agrees with 64-bit arithmetic on any state', () => {
      const word = fc.nat({ max: 0xffffffff })
      const states = fc.tuple(word, word, word, word).filter((state) => state.some((each) => each !== 0))
      fc.assert(
        fc.property(states, (state) => {
          expect(draw(new Random(state), 20)).to.deep.equal(model(state, 20))
        }),
        { numRuns: 200 },
      )
    })

    it('refuses the all-zero state', () => {
      expect(() => new Random([0, 0, 0, 0])).to.throw(EngineError, 'state')
    })
  })

  describe('when it starts from a seed', () => {
    it('gives the same numbers for the same seed', () => {
      fc.assert(
        fc.property(seeds, (seed) => {
          expect(draw(Random.fromSeed(seed), 20)).to.deep.equal(draw(Random.fromSeed(seed), 20))
        }),
        { numRuns: 100 },
      )
    })

    it('keeps its sequence from release to release', () => {
      expect(draw(Random.fromSeed(0), 4)).to.deep.equal(PINNED_SEED_0)
      expect(draw(Random.fromSeed(42).fork('link r1:eth0'), 4)).to.deep.equal(PINNED_FORK)
    })

    it('tells neighbouring seeds and both halves of a seed apart from the first number on', () => {
      const list = Array.from({ length: 2000 }, (_, each) => each).concat([2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1])
      expect(new Set(list.map((seed) => Random.fromSeed(seed).uint32())).size).to.equal(list.length)
    })

    for (const seed of [-1, 0.5, 2 ** 53, Number.NaN])
      it(`refuses ${seed}`, () => {
        expect(() => Random.fromSeed(seed)).to.throw(EngineError, 'seed')
      })
  })

  describe('when it is forked', () => {
    it('gives a substream that depends on the label alone, not on draws or other forks', () => {
      fc.assert(
        fc.property(seeds, fc.string(), fc.string(), fc.nat({ max: 50 }), (seed, label, other, draws) => {
          const fresh = Random.fromSeed(seed).fork(label)
          const used = Random.fromSeed(seed)
          draw(used, draws)
          used.fork(other).uint32()
          expect(draw(used.fork(label), 8)).to.deep.equal(draw(fresh, 8))
        }),
        { numRuns: 100 },
      )
    })

    it('gives different substreams for different labels, and another one than its own', () => {
      const root = Random.fromSeed(7)
      const labels = Array.from({ length: 1000 }, (_, each) => `link-${each}`)
      const streams = [
        ...labels.map((label) => root.fork(label)),
        root,
        root.fork('a').fork('b'),
        root.fork('ab'),
      ]
      expect(new Set(streams.map((stream) => draw(stream, 2).join())).size).to.equal(streams.length)
    })

    it('leaves the parent where it was', () => {
      const parent = Random.fromSeed(9)
      parent.fork('child').uint32()
      expect(draw(parent, 5)).to.deep.equal(draw(Random.fromSeed(9), 5))
    })
  })

  describe('when it draws numbers in a range', () => {
    it('stays within [0, 1) and within 0..bound - 1', () => {
      const random = Random.fromSeed(11)
      for (let each = 0; each < 10_000; each++) {
        const float = random.float()
        expect(float >= 0 && float < 1).to.equal(true)
        const integer = random.below(7)
        expect(Number.isInteger(integer) && integer >= 0 && integer < 7).to.equal(true)
      }
    })

    it('fills sixteen bins evenly (chi-square below the 1 in 1000 point)', () => {
      const random = Random.fromSeed(12)
      const bins = new Array<number>(16).fill(0)
      for (let each = 0; each < 160_000; each++) bins[random.below(16)]!++
      const statistic = bins.reduce((sum, bin) => sum + (bin - 10_000) ** 2 / 10_000, 0)
      expect(statistic).to.be.lessThan(37.7)
    })
  })
})

const PINNED_SEED_0 = [559218458, 1404957974, 348489620, 1741965610]
const PINNED_FORK = [1775698815, 1335256385, 2450444576, 1402924603]

/** The generator as its authors write it, in unbounded integers. */
function model(state: RandomState, count: number): number[] {
  const mask = 0xffffffffn
  const rotate = (word: bigint, bits: bigint): bigint => ((word << bits) | (word >> (32n - bits))) & mask
  const s = state.map(BigInt) as [bigint, bigint, bigint, bigint]
  return Array.from({ length: count }, () => {
    const result = (rotate((s[1] * 5n) & mask, 7n) * 9n) & mask
    const shifted = (s[1] << 9n) & mask
    s[2] ^= s[0]
    s[3] ^= s[1]
    s[1] ^= s[2]
    s[0] ^= s[3]
    s[2] ^= shifted
    s[3] = rotate(s[3], 11n)
    return Number(result)
  })
}
