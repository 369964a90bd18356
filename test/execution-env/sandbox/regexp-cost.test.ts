import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { REGEXP_COST_MAX, regexpCost } from '../../../execution-env/sandbox/regexp-cost.ts'

describe('regexpCost', () => {
  for (const [pattern, cost] of [
    ['', 0],
    ['abc', 3],
    ['a{3}', 3],
    ['a{2,5}b', 6],
    ['a{4,}', 5],
    ['[abc\\]{9}]{3}', 3],
    ['\\{9\\}', 3],
    ['(ab)', 3],
    ['(ab){10}', 30],
    ['((a{10}){10}){10}', 1110],
    ['a|b{3}', 5],
    ['x{', 1],
    ['x{a}', 3],
  ] as const)
    it(`is ${cost} for /${pattern}/`, () => {
      expect(regexpCost(pattern)).to.equal(cost)
    })

  it('finds every nesting of repetitions enormous', () => {
    for (const bomb of [
      '(a{1000}){1000}',
      '(?:(?:x{99}y){99}z){99}',
      `a{${'0'.repeat(60)}99999}`,
      'a{9,99999}',
    ])
      expect(regexpCost(bomb), bomb).to.be.greaterThan(REGEXP_COST_MAX)
  })

  it('stays finite, and grows with what is added', () => {
    const piece = fc.constantFrom('a', '(', ')', '{9}', '{1,}', '{99999999999}', '[', ']', '\\', '|', '?')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const cost = regexpCost(pieces.join(''))
        expect(Number.isFinite(cost)).to.equal(true)
        expect(cost).to.be.at.least(0)
      }),
      { numRuns: 500 },
    )
  })
})
