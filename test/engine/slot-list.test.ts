import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { NONE } from '../../engine/packet.ts'
import { SlotList } from '../../engine/slot-list.ts'

describe('SlotList', () => {
  it('keeps the order in which slots came, whichever are taken out', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat({ max: 9 }), fc.boolean()), { maxLength: 60 }), (steps) => {
        const list = new SlotList(10)
        let model: number[] = []
        for (const [slot, adds] of steps) {
          if (adds && !model.includes(slot)) {
            list.push(slot)
            model.push(slot)
          } else {
            list.remove(slot)
            model = model.filter((each) => each !== slot)
          }
          expect([list.size, list.first]).to.deep.equal([model.length, model[0] ?? NONE])
        }
      }),
      { numRuns: 200 },
    )
  })
})
