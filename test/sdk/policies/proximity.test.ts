import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { leastLoad, PrefixTable, Proximity } from '../../../sdk/policies/index.ts'
import { allowed, anyBackends, backend } from './kit.ts'

const address = (text: string): number => text.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0)
const namesOf = (list: readonly { name: string }[]): string[] => list.map((each) => each.name)

describe('PrefixTable', () => {
  it('finds the longest prefix, as the definition says', () => {
    const anyPrefix = fc.tuple(fc.integer({ min: 0, max: 0xffff_ffff }), fc.integer({ min: 0, max: 32 }))
    const text = ([value, length]: readonly [number, number]): string => {
      const bits = length === 0 ? 0 : (value & (-1 << (32 - length))) >>> 0
      return `${bits >>> 24}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}/${length}`
    }
    const holds = (prefix: string, at: number): boolean => {
      const [value, length] = prefix.split('/') as [string, string]
      const bits = 2 ** (32 - Number(length))
      return Math.floor(at / bits) === Math.floor(address(value) / bits)
    }
    fc.assert(
      fc.property(fc.array(anyPrefix, { maxLength: 12 }), fc.nat(), (list, salt) => {
        const prefixes = [...new Set(list.map(text))]
        const table = new PrefixTable(Object.fromEntries(prefixes.map((each) => [each, each])))
        for (const [value] of list) {
          const at = (value ^ (salt & 0x3ff)) >>> 0
          const matching = prefixes.filter((each) => holds(each, at))
          const longest = matching.sort((a, b) => Number(b.split('/')[1]) - Number(a.split('/')[1]))[0]
          expect(table.lookup(at)).to.equal(longest)
        }
      }),
      { numRuns: 200 },
    )
  })

  const wrong: readonly (readonly [string, string])[] = [
    ['10.0.0.0/33', 'expected a prefix'],
    ['10.0.0.0/8/8', 'expected a prefix'],
    ['10.0.0.1/8', 'has bits beyond its length'],
    ['10.0.0', 'expected an address'],
    ['10.0.0.256', 'expected an address'],
    ['10.0.0.01', 'expected an address'],
    ['', 'expected an address'],
  ]
  for (const [prefix, message] of wrong)
    it(`refuses ${prefix === '' ? 'nothing' : prefix}`, () => {
      expect(() => new PrefixTable({ [prefix]: 1 })).to.throw(message)
    })

  it('refuses a prefix that is given twice', () => {
    expect(() => new PrefixTable({ '10.0.0.1': 1, '10.0.0.1/32': 2 })).to.throw('given twice')
  })
})

describe('Proximity (R-SLR-13, R-SLR-14)', () => {
  const proximity = new Proximity({
    '10.1.0.0/16': { near: 1, far: 20 },
    '10.1.9.0/24': { near: 5, far: 5 },
    '10.2.0.0/16': { far: 1 },
  })
  const list = [backend('near'), backend('far')]
  const nearest = (from: string, among = list): string[] => namesOf(proximity.nearest(among, address(from)))

  it('keeps the backends of least cost by the longest prefix', () => {
    expect(nearest('10.1.0.7')).to.deep.equal(['near'])
    expect(nearest('10.1.9.7')).to.deep.equal(['near', 'far'])
  })

  it('takes a backend without a stated cost as one that does not serve', () => {
    expect(nearest('10.2.0.7')).to.deep.equal(['far'])
    expect(nearest('10.2.0.7', [backend('near')])).to.deep.equal([])
  })

  it('leaves all to choose from outside of the table', () => {
    expect(nearest('192.0.2.1')).to.deep.equal(['near', 'far'])
  })

  it('goes farther when the near ones may not get flows', () => {
    expect(nearest('10.1.0.7', [backend('near', { state: 'maintenance' }), backend('far')])).to.deep.equal([
      'far',
    ])
  })

  it('tells costs', () => {
    expect(proximity.cost(address('10.1.0.7'), 'far')).to.equal(20)
    expect(proximity.cost(address('10.2.0.7'), 'near')).to.equal(Number.POSITIVE_INFINITY)
    expect(proximity.cost(address('192.0.2.1'), 'near')).to.equal(0)
  })

  it('leaves the choice to another policy', () => {
    const loads = [backend('near', { load: 9 }), backend('far', { load: 1 })]
    expect(leastLoad(proximity.nearest(loads, address('10.1.0.7')))?.name).to.equal('near')
    expect(leastLoad(proximity.nearest(loads, address('10.1.9.7')))?.name).to.equal('far')
  })

  it('never keeps who may not get flows', () => {
    fc.assert(
      fc.property(anyBackends(), fc.nat(), (any, at) => {
        const costs = Object.fromEntries(any.map((each, index) => [each.name, index % 3]))
        for (const each of new Proximity({ '0.0.0.0/0': costs }).nearest(any, at))
          expect(allowed(any)).to.include(each.name)
      }),
      { numRuns: 100 },
    )
  })

  it('refuses what is no cost', () => {
    expect(() => new Proximity({ '10.0.0.0/8': { a: Number.NaN } })).to.throw('10.0.0.0/8.a: expected a cost')
  })
})
