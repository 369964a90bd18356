import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { AddressSet } from '../../../engine/tunnels/address-set.ts'

describe('AddressSet', () => {
  it('answers as a Set of numbers does, signed or unsigned', () => {
    const address = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 0xffffffff }))
    const step = fc.record({ add: fc.boolean(), address })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const set = new AddressSet()
        const model = new Set<number>()
        for (const { add, address: each } of steps) {
          if (add) {
            set.add(each)
            model.add(each)
          } else {
            set.delete(each | 0)
            model.delete(each)
          }
        }
        expect([...set].sort()).to.deep.equal([...model].sort())
        expect(set.size).to.equal(model.size)
        for (const { address: each } of steps) {
          expect(set.has(each)).to.equal(model.has(each))
          expect(set.has(each | 0)).to.equal(model.has(each))
        }
      }),
      { numRuns: 200 },
    )
  })

  it('never holds 0.0.0.0', () => {
    const set = new AddressSet([0, 7])
    expect(set.has(0)).to.equal(false)
    expect(set.size).to.equal(1)
  })
})
