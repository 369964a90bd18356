import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { Line } from '../../../execution-env/sandbox/line.ts'

describe('Line', () => {
  describe('when items come and go', () => {
    it('gives them in the order in which they came, as a list would', () => {
      fc.assert(
        fc.property(fc.array(fc.nat({ max: 3 }), { maxLength: 200 }), (steps) => {
          const line = new Line<number>()
          const model: number[] = []
          steps.forEach((step, at) => {
            if (step > 0) {
              for (let more = 0; more < step; more++) {
                line.push(at * 10 + more)
                model.push(at * 10 + more)
              }
            } else expect(line.take()).to.equal(model.shift())
            expect(line.length).to.equal(model.length)
            expect(line.first).to.equal(model[0])
          })
          expect(line.list()).to.deep.equal(model)
        }),
        { numRuns: 200 },
      )
    })

    it('keeps nothing that was taken', () => {
      const line = new Line<object>()
      for (let round = 0; round < 100; round++) {
        line.push({})
        line.take()
      }
      expect(line.take()).to.equal(undefined)
      expect(line.list()).to.deep.equal([])
    })
  })
})
