import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { NEVER } from '../../engine/clock.ts'
import { Deadlines } from '../../engine/deadlines.ts'

describe('Deadlines', () => {
  it('gives ids in order of time, equal times in order of ids', () => {
    const deadlines = new Deadlines(10)
    for (const [id, at] of [
      [3, 5],
      [1, 5],
      [7, 2],
      [2, 9],
    ] as const)
      deadlines.set(id, at)
    expect([deadlines.size, deadlines.earliest]).to.deep.equal([4, 2])
    expect(deadlines.takeDue(1)).to.equal(-1)
    expect([5, 5, 5, 5].map((now) => deadlines.takeDue(now))).to.deep.equal([7, 1, 3, -1])
    expect([deadlines.earliest, deadlines.takeDue(9), deadlines.earliest]).to.deep.equal([9, 2, NEVER])
  })

  it('agrees with a sorted list, whatever is set, moved and removed, and grows with the ids in use', () => {
    const step = fc.record({
      what: fc.constantFrom('set', 'remove', 'take'),
      id: fc.nat({ max: 199 }),
      at: fc.nat({ max: 50 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const deadlines = new Deadlines(200)
        const model = new Map<number, number>()
        for (const { what, id, at } of steps) {
          const due =
            [...model].filter(([, time]) => time <= at).sort((a, b) => a[1] - b[1] || a[0] - b[0])[0]?.[0] ??
            -1
          if (what === 'set') {
            deadlines.set(id, at)
            model.set(id, at)
          } else if (what === 'remove') {
            deadlines.remove(id)
            model.delete(id)
          } else {
            expect(deadlines.takeDue(at)).to.equal(due)
            model.delete(due)
          }
          expect([deadlines.size, deadlines.earliest]).to.deep.equal([
            model.size,
            Math.min(NEVER, ...model.values()),
          ])
        }
      }),
      { numRuns: 200 },
    )
  })
})
