import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { stringify } from 'yaml'
import { readDocument } from '../../../document/index.ts'
import { LabFileError, type Problem, parseLabFile } from '../../../lab/index.ts'
import { problemsOf, SAMPLE } from './sample.ts'

/** Whether a text is either a lab, or refused with places inside the text. Anything else throws. */
function isJudged(text: string): boolean {
  const lines = text.split(/\r\n|\n|\r/).length
  const placed = (problem: Problem) => problem.line >= 1 && problem.line <= lines && problem.column >= 1
  return problemsOf(text, () => false).every((each) => placed(each) && each.message.length > 0)
}

const TOKENS = SAMPLE.split(/([\s,:{}[\]"]+)/).filter((token) => token !== '')
const SPICE = [
  '*a',
  '&a ',
  '!x ',
  '? ',
  '| ',
  '> ',
  '- ',
  '{',
  '}',
  '[',
  ']',
  '"',
  "'",
  '#',
  '\t',
  '\0',
  '%',
  '~',
  '<<',
  '---\n',
  '1e999',
  '.nan',
  '0x10',
  '-1',
  '__proto__',
  'constructor',
  '\u{1F600}',
  '\uFEFF',
  '\r',
]

/** A change of a text: at a share of its length, remove some characters and put in others. */
const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  remove: fc.nat({ max: 12 }),
  insert: fc.oneof(fc.constantFrom(...SPICE), fc.constantFrom(...TOKENS), fc.string({ maxLength: 6 })),
})

function applyEdits(text: string, edits: readonly { at: number; remove: number; insert: string }[]): string {
  let result = text
  for (const { at, remove, insert } of edits) {
    const index = Math.floor(at * result.length)
    result = result.slice(0, index) + insert + result.slice(index + remove)
  }
  return result
}

/** Values as a hostile author would put them. */
const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(
      0,
      -1,
      1e12,
      Number.POSITIVE_INFINITY,
      Number.NaN,
      '',
      'eth0',
      '10.0.0.1',
      '10.0.0.1/24',
      '5s',
      '1e9s',
      '100Mbps',
      null,
      true,
    ),
    fc.string({ maxLength: 8 }),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(
      fc.constantFrom('kind', 'addresses', 'to', 'then', 'action', 'spread', 'constructor', 'x'),
      tie('value'),
      { maxKeys: 3 },
    ),
  ),
})).value

/** Every path of a tree. */
function pathsOf(tree: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (typeof tree !== 'object' || tree === null) return [path]
  const entries = Array.isArray(tree) ? [...tree.entries()] : Object.entries(tree)
  return [path, ...entries.flatMap(([key, each]) => pathsOf(each, [...path, key]))]
}

function replaced(tree: unknown, path: readonly (string | number)[], by: unknown): unknown {
  const [step, ...rest] = path
  if (step === undefined) return by
  const copy = (Array.isArray(tree) ? [...tree] : { ...(tree as object) }) as Record<string | number, unknown>
  copy[step] = replaced(copy[step], rest, by)
  return copy
}

describe('parseLabFile', () => {
  describe('when the text is hostile', () => {
    it('judges any characters', () => {
      fc.assert(fc.property(fc.string({ maxLength: 200, unit: 'binary' }), isJudged), { numRuns: 300 })
    })

    it('judges any words of a lab file in any order', () => {
      const words = fc.array(fc.constantFrom(...TOKENS, ...SPICE), { maxLength: 80 })
      fc.assert(
        fc.property(words, (each) => isJudged(each.join(''))),
        { numRuns: 300 },
      )
    })

    it('judges a lab file with changes', () => {
      const edits = fc.array(edit, { minLength: 1, maxLength: 4 })
      fc.assert(
        fc.property(edits, (each) => isJudged(applyEdits(SAMPLE, each))),
        { numRuns: 500 },
      )
    })

    it('judges a lab with any value at any place', () => {
      const tree = readDocument(SAMPLE, 'lab.yaml').value
      const place = fc.constantFrom(...pathsOf(tree))
      const property = fc.property(place, value, (path, each) =>
        isJudged(stringify(replaced(tree, path, each))),
      )
      fc.assert(property, { numRuns: 500 })
    })

    it('bounds what aliases write out', () => {
      const rounds = Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(9)}]`)
      const problems = problemsOf(`a0: &a0 [x]\n${rounds.join('\n')}`)
      expect(problems.map((each) => each.code)).to.deep.equal(['limit'])
      expect(problems[0]!.message).to.contain('too much: expected at most')
    })

    for (const [what, text] of [
      ['lists', '['.repeat(50_000)],
      ['closed lists', `a: ${'['.repeat(3000)}${']'.repeat(3000)}`],
      ['mappings', 'a: {'.repeat(10_000)],
      ['indents', Array.from({ length: 2000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')],
      ['few levels too many', `a: ${'['.repeat(50)}${']'.repeat(50)}`],
    ] as const)
      it(`refuses deep ${what}`, () => {
        expect(problemsOf(text)[0]).to.include({ code: 'limit' })
      })

    it('looks at no inherited key', () => {
      const problems = problemsOf(
        SAMPLE.replace('fail: s1', 'fail: constructor').replace('c1:eth0', 'tostring:eth0'),
      )
      expect(problems.map((each) => each.message)).to.include('no node constructor')
      expect(({} as Record<string, unknown>)['polluted']).to.equal(undefined)
    })
  })

  describe('when the text is changed and still a lab', () => {
    it('gives the same lab for the same text', () => {
      const twice = () => parseLabFile(SAMPLE, 'lab.yaml', { folder: '/', exists: () => true }).lab
      expect(twice()).to.deep.equal(twice())
    })
  })
})

describe('LabFileError', () => {
  it('is the only error a lab file causes, with a closed code', () => {
    expect(() => parseLabFile('a: [', 'x.yaml', { folder: '/', exists: () => true })).to.throw(LabFileError)
  })
})
