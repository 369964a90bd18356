import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { ConditionError, meets, parseCondition } from '../../lab/condition.ts'

describe('conditions', () => {
  const met: readonly (readonly [string | number | boolean, unknown])[] = [
    ['== 0', 0],
    ['==0', 0],
    [' == 0 ', 0],
    [0, 0],
    [true, true],
    ['== true', true],
    ['!= 0', 1],
    ['< 5', 4],
    ['<= 5', 5],
    ['> -1.5', 0],
    ['>= 1e3', 1000],
    ['between 1 and 3', 1],
    ['between 1 and 3', 3],
    ['between -3 and -1', -2],
    ['approx 100 +- 5%', 105],
    ['approx 100 +- 5', 95],
    ['approx 100 ± 5%', 100],
    ['approx -100 +- 5%', -104],
    ['== running', 'running'],
    ['== "two words"', 'two words'],
    ["!= 'a'", 'b'],
    ['== ""', ''],
    ['between 3 and 3', 3],
    ['approx 5 +- 0', 5],
    ['== "5"', '5'],
  ]
  for (const [text, value] of met)
    it(`${JSON.stringify(text)} is met by ${JSON.stringify(value)}`, () => {
      expect(meets(parseCondition(text), value)).to.equal(true)
    })

  const unmet: readonly (readonly [string | number | boolean, unknown])[] = [
    ['== 0', 1],
    ['== 0', '0'],
    ['== 0', null],
    ['== 0', undefined],
    ['!= 0', 'x'],
    ['!= 0', undefined],
    ['< 5', 5],
    ['> 5', 5],
    ['> 5', Number.NaN],
    ['>= 0', null],
    ['>= 0', []],
    ['between 1 and 3', 3.01],
    ['approx 100 +- 5%', 105.1],
    ['approx 0 +- 5%', 0.1],
    ['== true', 'true'],
    ['== running', 'stopped'],
  ]
  for (const [text, value] of unmet)
    it(`${JSON.stringify(text)} is not met by ${JSON.stringify(value)}`, () => {
      expect(meets(parseCondition(text), value)).to.equal(false)
    })

  for (const text of [
    '',
    '5',
    '= 5',
    '=> 5',
    '=== 5',
    '== ',
    '< true',
    '> abc',
    '== "a',
    '== "a"b"',
    '== "a\\n"',
    '== two words',
    '== 5 6',
    '5 <',
    'between 3 and 1',
    'between 1 3',
    'between a and b',
    'approx 5',
    'approx 5 +- -1',
    'approx 5 +- 1 %%',
    '== NaN5$',
    '!5',
  ])
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(() => parseCondition(text)).to.throw(ConditionError)
    })

  it('orders any two numbers as JavaScript does', () => {
    const number = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 })
    const agrees = (a: number, b: number) =>
      meets(parseCondition(`< ${b}`), a) === a < b &&
      meets(parseCondition(`>= ${b}`), a) === a >= b &&
      meets(parseCondition(`== ${b}`), a) === (a === b) &&
      meets(parseCondition(`!= ${b}`), a) === (a !== b)
    fc.assert(fc.property(number, number, agrees), { numRuns: 300 })
  })

  it('parses or refuses any text', () => {
    const pieces = fc.constantFrom(
      '==',
      '!=',
      '<',
      '>=',
      'between',
      'and',
      'approx',
      '+-',
      '%',
      '1',
      '-2.5',
      ' ',
      '"',
      'x',
    )
    const text = fc.oneof(
      fc.string(),
      fc.array(pieces, { maxLength: 8 }).map((each) => each.join(' ')),
    )
    const judged = (each: string) => {
      try {
        return typeof meets(parseCondition(each), 1) === 'boolean'
      } catch (error) {
        return error instanceof ConditionError
      }
    }
    fc.assert(fc.property(text, judged), { numRuns: 500 })
  })
})
