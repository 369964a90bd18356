/** docs/requirements.md names tests by file and titles; what it names is there, and every id that it should have. */
import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { describe, it } from 'mocha'

const document = readFileSync(new URL('../docs/requirements.md', import.meta.url), 'utf8')

/** Ids that are served so far. */
const SERVED = [
  'R-PR-01',
  'R-PR-02',
  'R-PR-03',
  'R-PR-04',
  'R-PR-05',
  'R-SLR-01',
  'R-SLR-02',
  'R-SLR-05',
  'R-SLR-06',
  'R-SLR-09',
  'R-SLR-10',
  'R-SLR-11',
  'R-SLR-12',
  'R-SLR-13',
  'R-SLR-14',
  'R-SLR-15',
  'R-SLR-17',
  'R-SLR-21',
  'R-SLR-26',
]

interface Named {
  readonly id: string
  readonly file: string
  readonly titles: readonly string[]
}

/** The tests of the table: `| id | text | [name](../test/file) › title › title<br>... |`. */
function namedTests(): Named[] {
  const rows = document.split('\n').filter((line) => line.startsWith('| R-'))
  return rows.flatMap((row) => {
    const [, id = '', , tests = ''] = row.split('|').map((cell) => cell.trim())
    return tests.split('<br>').map((test) => {
      const [link = '', ...titles] = test.split(' › ')
      const file = /^\[[^\]]+\]\(\.\.\/(test\/[\w./-]+\.test\.ts)\)$/.exec(link)?.[1]
      expect(file, `a link to a test: ${test}`).to.not.equal(undefined)
      expect(titles.length, `titles of ${test}`).to.be.above(0)
      return { id, file: file!, titles }
    })
  })
}

/** Where a title is used from `from` on, as that of a describe or an it; infinite where it is not. */
function titleAt(source: string, title: string, from: number): number {
  const quoted = [`'${title.replaceAll("'", "\\'")}'`, `"${title}"`, `\`${title}\``]
  const uses = ['describe(', 'it('].flatMap((call) => quoted.map((text) => source.indexOf(call + text, from)))
  return Math.min(...uses.filter((at) => at >= 0), Number.POSITIVE_INFINITY)
}

describe('docs/requirements.md', () => {
  it('has a row for every requirement that is served', () => {
    expect([...new Set(namedTests().map(({ id }) => id))]).to.deep.equal(SERVED)
  })

  for (const { id, file, titles } of namedTests())
    it(`names a test that is there: ${id}, ${file} › ${titles.join(' › ')}`, () => {
      const source = readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')
      let at = 0
      for (const title of titles) {
        at = titleAt(source, title, at)
        expect(at, title).to.be.below(source.length)
      }
    })
})
