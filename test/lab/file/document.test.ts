import { expect } from 'chai'
import { describe, it } from 'mocha'
import { readDocument } from '../../../document/index.ts'
import { LabFileError } from '../../../lab/index.ts'
import { changed, refusalOf } from './sample.ts'

function refusal(text: string): string {
  try {
    readDocument(text, 'f')
  } catch (error) {
    if (error instanceof LabFileError) return error.message
    throw error
  }
  return ''
}

describe('readDocument', () => {
  it('gives plain values', () => {
    const text = '{ a: 1, b: [x, "2", true, null, ~], c: { d: 0x10 }, e: 1.5, f: 5s, g: 10.0.0.1 }'
    expect(readDocument(text, 'f').value).to.deep.equal({
      a: 1,
      b: ['x', '2', true, null, null],
      c: { d: 16 },
      e: 1.5,
      f: '5s',
      g: '10.0.0.1',
    })
  })

  it('takes keys as the text they are written with', () => {
    expect(readDocument('{ 80: a, true: b, 0x1: c, 1.50: d }', 'f').value).to.deep.equal({
      80: 'a',
      true: 'b',
      '0x1': 'c',
      '1.50': 'd',
    })
  })

  it('writes out anchors of any kind of value, the latest of a name', () => {
    const text = 'a: &x 1\nb: *x\nc: &x [ 2 ]\nd: *x\ne: { f: *x }'
    expect(readDocument(text, 'f').value).to.deep.equal({ a: 1, b: 1, c: [2], d: [2], e: { f: [2] } })
  })

  it('knows inherited keys as ordinary ones', () => {
    const { value } = readDocument('{ constructor: 1, toString: 2, hasOwnProperty: 3 }', 'f')
    expect(Object.entries(value as object)).to.deep.equal([
      ['constructor', 1],
      ['toString', 2],
      ['hasOwnProperty', 3],
    ])
  })

  it('knows where keys and values stand, through aliases too', () => {
    const document = readDocument('a: &x\n  b: 1\n  c: [ 5, 6 ]\nd: *x\n', 'f')
    expect(document.position(['a', 'c', 1])).to.deep.equal({ line: 3, column: 11 })
    expect(document.position(['a', 'c'], 'key')).to.deep.equal({ line: 3, column: 3 })
    expect(document.position(['d', 'c', 0])).to.deep.equal({ line: 3, column: 8 })
    expect(document.position(['d'])).to.deep.equal({ line: 4, column: 4 })
    expect(document.position([])).to.deep.equal({ line: 1, column: 1 })
  })

  it('gives the nearest place for a path that is not there', () => {
    const document = readDocument('a:\n  b: 1\n', 'f')
    expect(document.position(['a', 'x', 'y'])).to.deep.equal({ line: 2, column: 3 })
    expect(document.position(['z'])).to.deep.equal({ line: 1, column: 1 })
  })

  for (const [what, text, message] of [
    ['an empty key', '~: 1', 'f:1:1: expected a plain text as key'],
    ['a mapping as key', '{ { a: 1 }: 2 }', 'f:1:3: expected a plain text as key'],
    ['an alias as key', 'a: &x b\n*x : 1', 'f:2:1: expected a plain text as key'],
    [
      'every duplicate key',
      'a: 1\na: 2\nb: { c: 1, c: 2 }',
      'f:2:1: a: duplicate key, first given on line 1\nf:3:12: b.c: duplicate key, first given on line 3',
    ],
    ['binary', 'a: !!binary aGk=', 'f:1:13: a: expected a text, a number, true or false'],
    ['two documents', 'a: 1\n---\nb: 2', 'f:2:1: expected one document'],
    ['an anchor before it is set', 'a: *x\nb: &x 1', 'f:1:4: a: unknown anchor x'],
  ] as const)
    it(`refuses ${what}`, () => {
      expect(refusal(text)).to.equal(message)
    })

  it('accepts exactly as many levels as it says', () => {
    const nested = (levels: number) => `${'['.repeat(levels)}1${']'.repeat(levels)}`
    expect(refusal(nested(40))).to.equal('')
    expect(refusal(nested(41))).to.contain('too much: expected at most 40 levels')
  })

  it('accepts what stands on the bound of a quantity', () => {
    expect(refusalOf(changed('loss: 0%', 'loss: 100%'))).to.equal('')
    expect(refusalOf(changed('rate: 100Mbps', 'rate: 1Tbps'))).to.equal('')
    expect(refusalOf(changed('rate: 100Mbps', 'rate: 1.1Tbps'))).to.contain(
      'expected a rate from 1kbps to 1Tbps',
    )
  })
})
