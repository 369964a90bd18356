import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { candidates, weightOf } from '../../../sdk/policies/index.ts'
import { allowed, anyBackends, backend } from './kit.ts'

const namesOf = (list: readonly { name: string }[]): string[] => list.map((each) => each.name)

describe('candidates', () => {
  it('are the active backends while there is one', () => {
    const list = [
      backend('a'),
      backend('b', { state: 'terminating' }),
      backend('c', { state: 'maintenance' }),
    ]
    expect(namesOf(candidates(list))).to.deep.equal(['a'])
  })

  it('are the terminating ones where none is active, and never those in maintenance', () => {
    const list = [backend('b', { state: 'terminating' }), backend('c', { state: 'maintenance' })]
    expect(namesOf(candidates(list))).to.deep.equal(['b'])
    expect(candidates(list.slice(1))).to.deep.equal([])
  })

  it('have a weight: active ones without one do not keep the terminating out', () => {
    const list = [backend('a', { weight: 0 }), backend('b', { state: 'terminating' })]
    expect(namesOf(candidates(list))).to.deep.equal(['b'])
  })

  it('are active with weight 1 where nothing else is said', () => {
    expect(candidates([{}])).to.have.length(1)
    expect(weightOf({})).to.equal(1)
  })

  for (const weight of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
    it(`are none with weight ${weight}`, () => expect(candidates([{ weight }])).to.deep.equal([]))

  it('are as defined, whatever the list', () => {
    fc.assert(
      fc.property(anyBackends(), (list) => {
        expect(namesOf(candidates(list))).to.deep.equal(allowed(list))
      }),
      { numRuns: 300 },
    )
  })
})
