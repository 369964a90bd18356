import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { leastLoad } from '../../../sdk/policies/index.ts'
import { allowed, anyBackends, backend, backends, count, flow, indices } from './kit.ts'

describe('leastLoad (R-SLR-13)', () => {
  it('chooses the least load for its weight', () => {
    const list = [backend('a', { load: 3 }), backend('b', { load: 4, weight: 2 }), backend('c', { load: 5 })]
    expect(leastLoad(list)?.name).to.equal('b')
  })

  it('never chooses who may not get flows or has no finite load, and nobody with less to do is passed over', () => {
    fc.assert(
      fc.property(anyBackends(), fc.nat(), (list, key) => {
        const open = list.filter((each) => allowed(list).includes(each.name) && Number.isFinite(each.load))
        const chosen = leastLoad(list, key)
        if (open.length === 0) expect(chosen).to.equal(undefined)
        else
          expect(chosen!.load / chosen!.weight).to.equal(
            Math.min(...open.map((each) => each.load / each.weight)),
          )
      }),
      { numRuns: 300 },
    )
  })

  it('spreads flows over equals, and one flow always to the same', () => {
    const list = backends(4)
    const counts = count(indices(8_000).map((index) => leastLoad(list, flow(index))?.name))
    for (const served of Object.values(counts)) expect(served).to.be.within(1_800, 2_200)
    expect(leastLoad(list, flow(5))).to.equal(leastLoad(list, flow(5)))
  })

  it('balances when the author adds to the load what was given', () => {
    const list = [1, 2, 3].map((weight) => ({ weight, load: 0 }))
    for (const index of indices(600)) leastLoad(list, flow(index))!.load++
    expect(list.map((each) => each.load)).to.deep.equal([100, 200, 300])
  })
})
