import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { ContractError } from '../../../execution-env/contract/errors.ts'
import { formatJson, type JsonValue, parseJson } from '../../../execution-env/contract/json.ts'

const LIMITS = { maxBytes: 100_000, maxDepth: 40, maxValues: 10_000 }

function refusalOf(source: string | Uint8Array, limits = LIMITS): ContractError {
  try {
    parseJson(source, limits)
  } catch (error) {
    if (error instanceof ContractError) return error
    throw error
  }
  throw new Error(`accepted: ${String(source).slice(0, 100)}`)
}

describe('json', () => {
  describe('when the text is plain JSON', () => {
    it('reads what JSON.parse reads', () => {
      const plain = fc
        .json({ maxDepth: 6 })
        .filter((text) => !/__proto__|constructor|prototype/.test(text) && text.isWellFormed())
      fc.assert(
        fc.property(plain, (text) => {
          expect(parseJson(text, LIMITS)).to.deep.equal(JSON.parse(text))
          expect(parseJson(new TextEncoder().encode(` \n\t${text}\r\n`), LIMITS)).to.deep.equal(
            JSON.parse(text),
          )
        }),
        { numRuns: 300 },
      )
    })

    it('refuses what JSON.parse refuses, whatever the bytes', () => {
      const fragments = fc.constantFrom(
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"',
        '"a"',
        '1',
        '-',
        '.5',
        'e3',
        'null',
        ' ',
      )
      fc.assert(
        fc.property(fc.array(fragments, { maxLength: 12 }), (parts) => {
          const text = parts.join('')
          let wellFormed = true
          try {
            JSON.parse(text)
          } catch {
            wellFormed = false
          }
          let accepted = true
          try {
            parseJson(text, LIMITS)
          } catch (error) {
            expect(error).to.be.instanceOf(ContractError)
            accepted = false
          }
          // Only a key given twice is refused beyond the grammar here.
          if (!wellFormed || !/"a"\s*:.*"a"\s*:/.test(text)) expect(accepted).to.equal(wellFormed)
        }),
        { numRuns: 2_000 },
      )
    })
  })

  describe('when the text is hostile', () => {
    it('says line and column', () => {
      expect(refusalOf('{\n  "a": 1,\n  "a": 2\n}').message).to.equal(
        'line 3, column 3: key "a" is given twice',
      )
      expect(refusalOf('{"a" 1}').message).to.equal('line 1, column 6: expected ":" after the key')
      expect(refusalOf('[1,]').message).to.equal('line 1, column 4: expected a JSON value')
      expect(refusalOf('[1] x').message).to.equal(
        'line 1, column 5: something follows the end of the document',
      )
    })

    for (const key of ['__proto__', 'constructor', 'prototype', '\\u005f_proto__'])
      it(`refuses the key ${key} at any depth`, () => {
        expect(refusalOf(`{"${key}":{"polluted":true}}`).code).to.equal('invalid')
        expect(refusalOf(`[{"a":{"${key}":1}}]`).code).to.equal('invalid')
        expect(({} as Record<string, unknown>)['polluted']).to.equal(undefined)
      })

    it('bounds depth, number of values and bytes', () => {
      const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
      expect(parseJson(deep(40), LIMITS)).to.be.an('array')
      expect(refusalOf(deep(41)).code).to.equal('limit')
      expect(refusalOf('{"a":'.repeat(41)).code).to.equal('limit')
      expect(refusalOf(deep(50_000)).code).to.equal('limit')
      expect(refusalOf(`[${'1,'.repeat(10_000)}1]`).code).to.equal('limit')
      expect(refusalOf('"é"', { ...LIMITS, maxBytes: 3 }).code).to.equal('limit')
    })

    it('refuses numbers that overflow, halves of surrogate pairs, control characters, marks and bad UTF-8', () => {
      expect(refusalOf('1e999').code).to.equal('invalid')
      expect(refusalOf('"\\ud800"').code).to.equal('malformed')
      expect(refusalOf('"\u0001"').code).to.equal('malformed')
      expect(refusalOf('\ufeff{}').code).to.equal('malformed')
      expect(refusalOf(Uint8Array.of(0x22, 0xff, 0x22)).message).to.equal('not UTF-8 text')
      expect(refusalOf('').code).to.equal('malformed')
    })
  })

  describe('formatJson', () => {
    it('gives one text to equal values, which reads back', () => {
      const value = fc.object({
        maxDepth: 4,
        values: [fc.string(), fc.integer(), fc.boolean(), fc.constant(null)],
      })
      fc.assert(
        fc.property(value, (object) => {
          const shuffled = Object.fromEntries(Object.entries(object).reverse()) as JsonValue
          const text = formatJson(object as JsonValue)
          expect(formatJson(shuffled)).to.equal(text)
          expect(JSON.parse(text)).to.deep.equal(JSON.parse(JSON.stringify(object)))
        }),
        { numRuns: 200 },
      )
    })
  })
})
