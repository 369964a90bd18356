import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { type BackendState, RoundRobin } from '../../../sdk/policies/index.ts'
import { activeBackends, allowed, anyBackends, backend, backends, count } from './kit.ts'

describe('RoundRobin (R-SLR-13)', () => {
  it('has the order that nginx documents for weights 5, 1, 1', () => {
    const list = [backend('a', { weight: 5 }), backend('b'), backend('c')]
    const turns = new RoundRobin()
    const names = Array.from({ length: 14 }, () => (turns.pick(list) as { name: string }).name)
    expect(names.join('')).to.equal('aabacaaaabacaa')
  })

  it('never lets a backend get ahead of its share by one, and pays out exactly in every round', () => {
    fc.assert(
      fc.property(activeBackends(), (list) => {
        const turns = new RoundRobin<(typeof list)[number]>()
        const sum = list.reduce((total, each) => total + each.weight, 0)
        const counts = new Map(list.map((each) => [each, 0]))
        for (let chosen = 1; chosen <= 2 * sum; chosen++) {
          const backend = turns.pick(list)!
          counts.set(backend, counts.get(backend)! + 1)
          expect(counts.get(backend)! - (chosen * backend.weight) / sum).to.be.lessThan(1)
          if (chosen % sum === 0)
            for (const each of list) expect(counts.get(each)).to.equal((each.weight * chosen) / sum)
        }
      }),
      { numRuns: 100 },
    )
  })

  it('gives turns to those that may get flows and to nobody else', () => {
    fc.assert(
      fc.property(anyBackends(), (list) => {
        const turns = new RoundRobin<(typeof list)[number]>()
        const chosen = new Set(Array.from({ length: 400 }, () => turns.pick(list)?.name))
        chosen.delete(undefined)
        expect([...chosen].sort()).to.deep.equal(allowed(list).sort())
      }),
      { numRuns: 100 },
    )
  })

  it('goes on evenly when a backend goes into maintenance and comes back', () => {
    const list: { name: string; state: BackendState }[] = backends(3).map((each) => ({ ...each }))
    const turns = new RoundRobin<(typeof list)[number]>()
    const pick = (times: number) => count(Array.from({ length: times }, () => turns.pick(list)?.name))
    pick(7)
    list[0]!.state = 'maintenance'
    expect(pick(100)).to.deep.equal({ '10.0.1.2': 50, '10.0.2.2': 50 })
    list[0]!.state = 'active'
    for (const served of Object.values(pick(300))) expect(served).to.be.within(99, 101)
  })

  it('has nobody to choose in an empty list', () => {
    expect(new RoundRobin().pick([])).to.equal(undefined)
  })
})
