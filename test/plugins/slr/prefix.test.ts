import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import {
  common,
  holds,
  isWithin,
  longest,
  type Prefix,
  parseAddress,
  parsePrefix,
} from '../../../plugins/slr/prefix.ts'

const text = (value: number, length: number) =>
  `${[24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.')}/${length}`

/** Prefixes that often meet: few high bits, any length. */
const prefixes: fc.Arbitrary<Prefix> = fc
  .tuple(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 0, max: 32 }))
  .map(([bits, length]) => {
    const value = ((bits << 28) & (length === 0 ? 0 : -1 << (32 - length))) >>> 0
    return parsePrefix(text(value, length))
  })
const addresses = fc.integer({ min: 0, max: 15 }).map((bits) => (bits << 28) >>> 0)

describe('Prefix', () => {
  describe('when it is read from text', () => {
    it('takes addresses and prefixes, and nothing else', () => {
      expect(parsePrefix('192.200.0.0/16')).to.include({ value: 0xc0c80000, mask: 0xffff0000, length: 16 })
      expect(parsePrefix('10.0.2.2')).to.include({ value: 0x0a000202, mask: 0xffffffff, length: 32 })
      expect(parsePrefix('0.0.0.0/0')).to.include({ value: 0, mask: 0, length: 0 })
      for (const wrong of [
        '',
        '10.0.0',
        '10.0.0.256',
        '10.0.0.0/33',
        '10.0.0.1/8',
        '10.0.0.0/',
        ' 10.0.0.0',
        '::1',
      ])
        expect(() => parsePrefix(wrong), wrong).to.throw()
      expect(() => parseAddress('10.0.0.0/8')).to.throw(/expected an address/)
    })
  })

  describe('when prefixes meet', () => {
    it('agrees with sets of addresses', () => {
      const all = Array.from({ length: 16 }, (_, bits) => (bits << 28) >>> 0)
      const members = (prefix: Prefix) => all.filter((address) => holds(prefix, address))
      fc.assert(
        fc.property(prefixes, prefixes, (one, other) => {
          const both = common(one, other)
          expect(both === undefined ? [] : members(both)).to.deep.equal(
            members(one).filter((each) => holds(other, each)),
          )
          if (isWithin(one, other)) expect(members(other)).to.include.members(members(one))
        }),
        { numRuns: 300 },
      )
    })

    it('finds the longest that holds an address', () => {
      fc.assert(
        fc.property(fc.array(prefixes), addresses, (list, address) => {
          const found = longest(
            list.map((prefix) => ({ prefix })),
            address,
          )
          const lengths = list.filter((each) => holds(each, address)).map((each) => each.length)
          expect(found?.prefix.length ?? -1).to.equal(Math.max(-1, ...lengths))
        }),
        { numRuns: 300 },
      )
    })
  })
})
