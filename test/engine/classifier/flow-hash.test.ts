import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { FlowHash } from '../../../engine/classifier/flow-hash.ts'

type Key = readonly [number, number, number, number]

/** The fullest of 4096 buckets, by the low bits, and by the high ones. */
function fullest(hash: FlowHash, keys: readonly Key[]): number {
  const low = new Int32Array(4096)
  const high = new Int32Array(4096)
  for (const key of keys) {
    const value = hash.of(...key)
    low[value & 4095]++
    high[value >>> 20]++
  }
  return Math.max(...low, ...high)
}

const range = Array.from({ length: 4096 }, (_, i) => i)

describe('FlowHash', () => {
  it('is the same for signed and unsigned words, and for the same seed', () => {
    const word = fc.nat(0xffffffff)
    const property = fc.property(word, word, word, fc.nat(255), fc.integer(), (a, b, c, protocol, seed) => {
      const value = new FlowHash(seed).of(a, b, c, protocol)
      expect(new FlowHash(seed).of(a | 0, b | 0, c | 0, protocol)).to.equal(value)
      expect(value).to.equal(value | 0)
    })
    fc.assert(property, { numRuns: 200 })
  })

  describe('when keys follow a pattern', () => {
    const patterns: Readonly<Record<string, (i: number) => Key>> = {
      'clients of one network': (i) => [0x0a000000 + i, 0xc6120050, 0x9c400050, 6],
      'networks of clients': (i) => [(i << 20) | 1, 0xc6120050, 0x9c400050, 6],
      'ports of one client': (i) => [0x0a000001, 0xc6120050, (i << 16) | 80, 6],
      'a scan of ports': (i) => [0x0a000001, 0xc6120050, 0x9c400000 | i, 17],
      'client and port together': (i) => [0x0a000000 + i, 0xc6120050, ((1024 + i) << 16) | 80, 6],
      'equal words': (i) => [i, i, i, 6],
      'source and destination exchanged': (i) => (i & 1 ? [i >> 1, ~i >> 1, 5, 6] : [~i >> 1, i >> 1, 5, 6]),
      'top bits only': (i) => [(i & 15) << 28, ((i >> 4) & 15) << 28, (i >> 8) << 28, 6],
    }
    for (const [name, key] of Object.entries(patterns))
      it(`spreads ${name} evenly under any seed`, () => {
        const keys = range.map(key)
        // Of 4096 random keys in 4096 buckets the fullest has 7; 20 has a probability below 1e-14.
        for (let seed = 0; seed < 20; seed++) expect(fullest(new FlowHash(seed * 77), keys)).to.be.below(20)
      })
  })

  describe('when an attacker knows the hash but not its seed', () => {
    it('does not let keys collide that were chosen under another seed', () => {
      const known = new FlowHash(1)
      const keys: Key[] = []
      for (let i = 0; keys.length < 500; i++) {
        const key: Key = [i, 0xc6120050, 0x9c400050, 6]
        if ((known.of(...key) & 0xfff) === 0) keys.push(key)
      }
      expect(fullest(known, keys)).to.equal(500)
      for (let seed = 2; seed < 10; seed++) expect(fullest(new FlowHash(seed), keys)).to.be.below(12)
    })

    it('has no difference of two words that collides under many seeds', () => {
      const difference = fc.tuple(fc.nat(31), fc.nat(31), fc.nat(31), fc.nat(7))
      const property = fc.property(difference, fc.nat(0xffffffff), ([a, b, c, which], base) => {
        const other: Key = [
          base ^ (which & 1 ? 1 << a : 0),
          base ^ (which & 2 ? 1 << b : 0),
          base ^ (which & 4 ? 1 << c : 0),
          6,
        ]
        if (which === 0) return
        let collisions = 0
        for (let seed = 0; seed < 200; seed++) {
          const hash = new FlowHash(seed)
          if (hash.of(base, base, base, 6) === hash.of(...other)) collisions++
        }
        expect(collisions).to.be.at.most(1)
      })
      fc.assert(property, { numRuns: 300 })
    })
  })
})
