import { expect } from 'chai'
import { describe, it } from 'mocha'
import { clearWords, copyWords } from '../../../execution-env/sandbox/words.ts'

const counted = (length: number): Int32Array => Int32Array.from({ length }, (_, at) => at + 1)

describe('Words', () => {
  describe('when few or many are moved', () => {
    for (const count of [0, 1, 63, 64, 65, 500])
      it(`moves ${count} and nothing beside them`, () => {
        const target = new Int32Array(600).fill(-1)
        copyWords(target, 7, counted(600), 20, count)
        const expected = new Int32Array(600).fill(-1)
        expected.set(counted(600).subarray(20, 20 + count), 7)
        expect([...target]).to.deep.equal([...expected])
        clearWords(target, 7, count)
        expect([...target.subarray(0, 7)].every((each) => each === -1)).to.equal(true)
        expect([...target.subarray(7, 7 + count)].every((each) => each === 0)).to.equal(true)
        expect([...target.subarray(7 + count)].every((each) => each === -1)).to.equal(true)
      })
  })
})
