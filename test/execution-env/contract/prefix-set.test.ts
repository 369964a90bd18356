import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import type { Ipv4Prefix } from '../../../engine/wire/address.ts'
import { PrefixSet, parsePrefix } from '../../../execution-env/contract/prefix-set.ts'

/** Prefixes crowded into 10.0.0.0/26, so that they meet. */
const BASE = 0x0a000000
const prefix = fc
  .record({ length: fc.integer({ min: 26, max: 32 }), offset: fc.integer({ min: 0, max: 63 }) })
  .map(({ length, offset }): Ipv4Prefix => {
    const size = 2 ** (32 - length)
    return { address: BASE + Math.floor(offset / size) * size, length }
  })
const prefixes = fc.array(prefix, { maxLength: 8 })

const inPrefix = (each: Ipv4Prefix, address: number): boolean =>
  address >= each.address && address < each.address + 2 ** (32 - each.length)
const ADDRESSES = Array.from({ length: 66 }, (_, index) => BASE - 1 + index)

describe('PrefixSet', () => {
  it('reads canonical prefixes only', () => {
    expect(parsePrefix('198.18.0.0/15')).to.deep.equal({ address: 0xc6120000, length: 15 })
    expect(parsePrefix('10.0.0.1')).to.deep.equal({ address: 0x0a000001, length: 32 })
    expect(parsePrefix('0.0.0.0/0')).to.deep.equal({ address: 0, length: 0 })
    expect(parsePrefix('255.255.255.255/32')).to.deep.equal({ address: 0xffffffff, length: 32 })
    for (const text of [
      '10.0.0.1/8',
      '10.0.0.0/33',
      '010.0.0.0/8',
      '10.0.0/8',
      ' 10.0.0.0/8',
      '',
      '::/0',
      '1.2.3.4/',
    ])
      expect(parsePrefix(text), text).to.equal(undefined)
  })

  it('merges whole halves up to everything', () => {
    expect(PrefixSet.parse(['128.0.0.0/1', '0.0.0.0/1']).format()).to.deep.equal(['0.0.0.0/0'])
    expect(PrefixSet.parse(['10.0.1.0/24', '10.0.2.0/24']).format()).to.deep.equal([
      '10.0.1.0/24',
      '10.0.2.0/24',
    ])
    expect(PrefixSet.parse(['255.255.255.255', '255.255.255.254']).format()).to.deep.equal([
      '255.255.255.254/31',
    ])
  })

  it('holds exactly the addresses of its prefixes, in the fewest prefixes', () => {
    fc.assert(
      fc.property(prefixes, (list) => {
        const set = new PrefixSet(list)
        for (const address of ADDRESSES)
          expect(set.contains(address)).to.equal(list.some((each) => inPrefix(each, address)))
        expect(new PrefixSet([...list].reverse()).format()).to.deep.equal(set.format())
        const texts = new Set(set.format())
        for (const each of set.prefixes) {
          const sibling = { address: (each.address ^ (2 ** (32 - each.length))) >>> 0, length: each.length }
          expect(texts.has(new PrefixSet([sibling]).format()[0]!)).to.equal(false)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('covers and intersects as sets of addresses do', () => {
    fc.assert(
      fc.property(prefixes, prefixes, prefix, (one, other, inner) => {
        const [a, b] = [new PrefixSet(one), new PrefixSet(other)]
        const both = a.intersect(b)
        for (const address of ADDRESSES)
          expect(both.contains(address)).to.equal(a.contains(address) && b.contains(address))
        const all = ADDRESSES.filter((address) => inPrefix(inner, address)).every((each) => a.contains(each))
        expect(a.covers(inner)).to.equal(all)
      }),
      { numRuns: 300 },
    )
  })

  it('covers value and mask only when every matching address is inside', () => {
    const set = PrefixSet.parse(['10.0.0.0/8', '192.168.1.4/30'])
    expect(set.coversMatch(0x0a000003, 0xff000003)).to.equal(true)
    expect(set.coversMatch(0x0a000003, 0xfe000003)).to.equal(false)
    expect(set.coversMatch(0x00000003, 0x00000003)).to.equal(false)
    expect(set.coversMatch(0xc0a80105, 0xfffffffd)).to.equal(true)
    expect(set.coversMatch(0xc0a80101, 0xfffffffb)).to.equal(false)
    fc.assert(
      fc.property(prefixes, fc.nat(63), fc.nat(63), (list, value, lowMask) => {
        const some = new PrefixSet(list)
        const mask = (0xffffffc0 | lowMask) >>> 0
        const matching = ADDRESSES.filter(
          (address) => (address & mask) >>> 0 === ((BASE | value) & mask) >>> 0,
        )
        if (some.coversMatch(((BASE | value) & mask) >>> 0, mask))
          expect(matching.every((address) => some.contains(address))).to.equal(true)
      }),
      { numRuns: 300 },
    )
  })
})
