import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { EngineError } from '../../../engine/errors.ts'
import { PrefixTable } from '../../../engine/routing/prefix-table.ts'
import { parseIpv4Prefix, prefixMask } from '../../../engine/wire/address.ts'

/** What a prefix table does, as plainly as it can be said. */
class NaiveTable {
  readonly prefixes = new Map<string, { address: number; length: number; value: number }>()

  insert(address: number, length: number, value: number): void {
    const prefix = (address & prefixMask(length)) >>> 0
    this.prefixes.set(`${prefix}/${length}`, { address: prefix, length, value })
  }

  remove(address: number, length: number): boolean {
    return this.prefixes.delete(`${(address & prefixMask(length)) >>> 0}/${length}`)
  }

  lookup(address: number): number {
    let best = { length: -1, value: -1 }
    for (const each of this.prefixes.values())
      if ((address & prefixMask(each.length)) >>> 0 === each.address && each.length > best.length) best = each
    return best.value
  }
}

/** Addresses that share leading bytes, so that prefixes nest and collide. */
const byte = fc.constantFrom(0, 1, 10, 127, 128, 192, 254, 255)
const address = fc
  .tuple(byte, byte, byte, byte)
  .map(([a, b, c, d]) => ((a << 24) | (b << 16) | (c << 8) | d) >>> 0)
const length = fc.oneof(
  fc.constantFrom(0, 1, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32),
  fc.integer({ min: 0, max: 32 }),
)
const change = fc.record({
  insert: fc.boolean(),
  address,
  length,
  value: fc.integer({ min: 0, max: 1000 }),
})

function table(...routes: readonly [string, number][]): PrefixTable {
  const result = new PrefixTable()
  for (const [text, value] of routes) {
    const prefix = parseIpv4Prefix(text)!
    result.insert(prefix.address, prefix.length, value)
  }
  return result
}

const at = (text: string): number => parseIpv4Prefix(text)!.address

describe('PrefixTable', () => {
  describe('when prefixes nest', () => {
    it('answers with the longest one that covers the address', () => {
      const routes = table(
        ['0.0.0.0/0', 0],
        ['10.0.0.0/8', 1],
        ['10.1.0.0/16', 2],
        ['10.1.2.0/23', 3],
        ['10.1.2.3', 4],
      )
      const answers = ['11.0.0.1', '10.2.0.1', '10.1.4.0', '10.1.3.255', '10.1.2.3'].map((each) =>
        routes.lookup(at(each)),
      )
      expect(answers).to.deep.equal([0, 1, 2, 3, 4])
    })

    it('answers -1 where nothing covers the address', () => {
      const routes = table(['10.1.2.0/24', 7])
      expect(routes.lookup(at('10.1.3.0'))).to.equal(-1)
      expect(new PrefixTable().lookup(0)).to.equal(-1)
    })

    it('takes signed and unsigned addresses alike', () => {
      const routes = table(['192.168.0.0/16', 5])
      expect(routes.lookup(at('192.168.1.1'))).to.equal(5)
      expect(routes.lookup(at('192.168.1.1') | 0)).to.equal(5)
    })
  })

  describe('when a prefix is removed', () => {
    it('shows the covering prefix again, across nodes and within one', () => {
      const routes = table(['10.0.0.0/8', 1], ['10.1.0.0/18', 2], ['10.1.0.0/24', 3], ['10.1.0.0/25', 4])
      expect(routes.remove(at('10.1.0.0'), 24)).to.equal(true)
      expect(routes.lookup(at('10.1.0.200'))).to.equal(2)
      expect(routes.lookup(at('10.1.0.1'))).to.equal(4)
      routes.remove(at('10.1.0.0'), 25)
      routes.remove(at('10.1.0.0'), 18)
      expect(routes.lookup(at('10.1.0.1'))).to.equal(1)
    })

    it('finds a prefix that longer ones hide completely', () => {
      const routes = table(['10.0.0.0/23', 1], ['10.0.0.0/24', 2], ['10.0.1.0/24', 3])
      expect(routes.get(at('10.0.0.0'), 23)).to.equal(1)
      expect(routes.remove(at('10.0.0.0'), 23)).to.equal(true)
      routes.remove(at('10.0.0.0'), 24)
      expect(routes.lookup(at('10.0.0.1'))).to.equal(-1)
    })

    it('says false for a prefix that is not there', () => {
      const routes = table(['10.0.0.0/8', 1])
      expect(routes.remove(at('10.0.0.0'), 9)).to.equal(false)
      expect(routes.remove(0, 0)).to.equal(false)
      expect(routes.size).to.equal(1)
    })
  })

  describe('when a bound is reached', () => {
    const refused = (code: string, act: () => void): void => {
      expect(act).to.throw(EngineError).with.property('code', code)
    }

    it('refuses one prefix too many and keeps the rest', () => {
      const routes = new PrefixTable({ prefixLimit: 2 })
      routes.insert(at('10.0.0.0'), 8, 1)
      routes.insert(0, 0, 2)
      refused('limit', () => routes.insert(at('11.0.0.0'), 8, 3))
      routes.insert(at('10.0.0.0'), 8, 4)
      expect([routes.size, routes.lookup(at('10.0.0.0')), routes.lookup(at('11.0.0.0'))]).to.deep.equal([
        2, 4, 2,
      ])
    })

    it('refuses a prefix that needs more nodes than are left, and changes nothing', () => {
      const routes = new PrefixTable({ nodeLimit: 3 })
      routes.insert(at('10.0.0.1'), 32, 1)
      refused('limit', () => routes.insert(at('11.0.0.1'), 32, 2))
      refused('limit', () => routes.insert(at('10.0.1.1'), 32, 2))
      expect(routes.lookup(at('11.0.0.1'))).to.equal(-1)
      routes.insert(at('10.0.0.2'), 32, 3)
      routes.remove(at('10.0.0.1'), 32)
      routes.remove(at('10.0.0.2'), 32)
      routes.insert(at('11.0.0.1'), 32, 2)
      expect(routes.lookup(at('11.0.0.1'))).to.equal(2)
    })

    it('refuses lengths and values out of bounds', () => {
      const routes = new PrefixTable()
      for (const bad of [-1, 33, 1.5, Number.NaN]) refused('invalid', () => routes.insert(0, bad, 1))
      for (const bad of [-1, 2 ** 31, 0.5, Number.NaN]) refused('invalid', () => routes.insert(0, 8, bad))
    })
  })

  describe('when many prefixes come and go', () => {
    it('uses its memory again', () => {
      const routes = new PrefixTable()
      const fill = (): void => {
        for (let i = 0; i < 1000; i++) routes.insert(i << 16, 32, i)
      }
      fill()
      const bytes = routes.byteLength
      for (let round = 0; round < 5; round++) {
        for (let i = 0; i < 1000; i++) expect(routes.remove(i << 16, 32)).to.equal(true)
        expect(routes.size).to.equal(0)
        fill()
      }
      expect(routes.byteLength).to.equal(bytes)
      expect(routes.lookup(999 << 16)).to.equal(999)
    })

    it('stays small while it holds little', () => {
      expect(new PrefixTable().byteLength).to.be.below(2000)
      expect(table(['10.0.0.0/8', 1], ['0.0.0.0/0', 2]).byteLength).to.be.below(2000)
    })

    for (const nodeBits of [8, 4] as const) {
      it(`agrees with a linear search after every change (${nodeBits} bits a level)`, () => {
        const property = fc.property(
          fc.array(change, { maxLength: 60, size: 'max' }),
          fc.array(address, { minLength: 1, maxLength: 20 }),
          (changes, probes) => {
            const routes = new PrefixTable({ nodeBits })
            const naive = new NaiveTable()
            for (const each of changes) {
              if (each.insert) {
                routes.insert(each.address, each.length, each.value)
                naive.insert(each.address, each.length, each.value)
              } else
                expect(routes.remove(each.address, each.length)).to.equal(
                  naive.remove(each.address, each.length),
                )
              const probe = (each.address ^ (1 << (each.value & 31))) >>> 0
              for (const one of [each.address, probe, ...probes])
                if (routes.lookup(one) !== naive.lookup(one))
                  expect(routes.lookup(one)).to.equal(naive.lookup(one))
              expect(routes.size).to.equal(naive.prefixes.size)
            }
          },
        )
        fc.assert(property, { numRuns: 300 })
      })

      it(`agrees with a linear search beyond the size at which its root widens (${nodeBits} bits a level)`, () => {
        const wide = fc.array(fc.tuple(address, fc.nat(0xffff), length), {
          minLength: 500,
          maxLength: 600,
          size: 'max',
        })
        const property = fc.property(
          wide,
          fc.array(fc.nat(599), { maxLength: 60, size: 'max' }),
          (prefixes, gone) => {
            const routes = new PrefixTable({ nodeBits })
            const naive = new NaiveTable()
            for (const [i, [base, low, bits]] of prefixes.entries()) {
              routes.insert(base ^ low, bits, i)
              naive.insert(base ^ low, bits, i)
            }
            expect(routes.size).to.equal(naive.prefixes.size).and.above(256)
            for (const each of gone) {
              const [base, low, bits] = prefixes[each % prefixes.length]!
              expect(routes.remove(base ^ low, bits)).to.equal(naive.remove(base ^ low, bits))
            }
            for (const [base, low] of prefixes) {
              const probe = base ^ low
              if (routes.lookup(probe) !== naive.lookup(probe))
                expect(routes.lookup(probe)).to.equal(naive.lookup(probe))
            }
          },
        )
        fc.assert(property, { numRuns: 30 })
      })
    }
  })
})
