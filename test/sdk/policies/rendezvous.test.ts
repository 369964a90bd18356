import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { Rendezvous } from '../../../sdk/policies/index.ts'
import { activeBackends, allowed, anyBackends, backend, backends, count, flow, indices } from './kit.ts'

const KEYS = indices(300)

describe('Rendezvous (R-SLR-11, R-SLR-13)', () => {
  it('moves only the keys of whoever goes, exactly', () => {
    fc.assert(
      fc.property(activeBackends(2), fc.nat(), (list, choice) => {
        const table = new Rendezvous<(typeof list)[number]>()
        const gone = list[choice % list.length]!
        const rest = list.filter((each) => each !== gone)
        for (const index of KEYS) {
          const before = table.pick(list, flow(index))
          const after = table.pick(rest, flow(index))
          if (before !== gone) expect(after).to.equal(before)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('moves keys only to whoever becomes heavier, exactly', () => {
    fc.assert(
      fc.property(activeBackends(2), fc.nat(), (list, choice) => {
        const table = new Rendezvous<(typeof list)[number]>()
        const place = choice % list.length
        const heavier = list.map((each, at) => (at === place ? { ...each, weight: each.weight * 3 } : each))
        for (const index of KEYS) {
          const after = table.pick(heavier, flow(index))!
          if (after.name !== list[place]!.name)
            expect(table.pick(list, flow(index))?.name).to.equal(after.name)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('is the same for every order of the list and for every table of the same seed', () => {
    fc.assert(
      fc.property(anyBackends(), fc.integer(), (list, seed) => {
        const one = new Rendezvous<(typeof list)[number]>({ seed })
        const other = new Rendezvous<(typeof list)[number]>({ seed })
        for (const index of KEYS.slice(0, 20))
          expect(other.pick([...list].reverse(), flow(index))?.name).to.equal(
            one.pick(list, flow(index))?.name,
          )
      }),
      { numRuns: 100 },
    )
  })

  it('chooses only who may get flows', () => {
    fc.assert(
      fc.property(anyBackends(), fc.nat(), (list, key) => {
        const chosen = new Rendezvous<(typeof list)[number]>().pick(list, key)
        if (allowed(list).length === 0) expect(chosen).to.equal(undefined)
        else expect(allowed(list)).to.include(chosen?.name)
      }),
      { numRuns: 200 },
    )
  })

  it('gives shares in proportion to the weights', () => {
    const list = [1, 2, 3, 4].map((weight) => backend(`s${weight}`, { weight }))
    const table = new Rendezvous<(typeof list)[number]>()
    const counts = count(indices(40_000).map((index) => table.pick(list, flow(index))?.name))
    for (const { name, weight } of list) expect(counts[name]! / (weight * 4_000)).to.be.within(0.95, 1.05)
  })

  it('chooses differently with another seed', () => {
    const list = backends(10)
    const [one, other] = [new Rendezvous({ seed: 1 }), new Rendezvous({ seed: 2 })]
    const same = KEYS.filter((index) => one.pick(list, flow(index)) === other.pick(list, flow(index)))
    expect(same.length / KEYS.length).to.be.lessThan(0.2)
  })
})
