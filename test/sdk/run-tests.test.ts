import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { findTests } from '../../sdk/find-tests.ts'
import { runTests } from '../../sdk/run-tests.ts'
import { EXAMPLES, inFolder, ROOT, writeFiles } from './kit.ts'

const TEST = `import { assert, describe, it, test } from 'pronto-router/sdk/testing'

describe('a group', () => {
  it('passes', () => assert.equal(process.cwd().endsWith('plugin'), true))
  it('fails', () => {
    assert.equal(1 as number, 2)
  })
  it.skip('is left out', () => {})
})
test('prints', () => console.log('printed'))
`

describe('findTests', () => {
  it('finds tests anywhere in the folder, but none of others', async () => {
    await inFolder((folder) => {
      const names = [
        'b.test.ts',
        'a.test.ts',
        'test/c.test.mts',
        'd.ts',
        'node_modules/x/e.test.ts',
        '.f/g.test.ts',
      ]
      writeFiles(folder, Object.fromEntries(names.map((each) => [each, ''])))
      const found = findTests(folder).map((each) => each.slice(folder.length + 1))
      expect(found).to.deep.equal(['a.test.ts', 'b.test.ts', 'test/c.test.mts'])
    })
  })
})

describe('runTests', () => {
  it('tells what passed, and where and why something did not', async () => {
    await inFolder(async (parent) => {
      const folder = join(parent, 'plugin')
      writeFiles(folder, { 'plugin.test.ts': TEST, 'broken.test.ts': 'this is no program' })
      let printed = ''
      const run = await runTests({ folder, files: findTests(folder), onOutput: (text) => (printed += text) })
      const { passed, failed, skipped, tests } = run
      expect({ passed, failed, skipped }).to.deep.equal({ passed: 2, failed: 2, skipped: 1 })
      const byName = new Map(tests.map((each) => [each.path.join(' > '), each]))
      const failure = byName.get('a group > fails')!.failure!
      expect(failure.place).to.deep.include({ line: 6, column: 12 })
      expect(failure.place!.file).to.match(/plugin\.test\.ts$/)
      expect(failure.message).to.include('1 !== 2')
      const broken = tests.find((each) => each.file.endsWith('broken.test.ts'))!
      expect(broken.failure!.message).to.include('SyntaxError')
      expect(printed).to.include('printed')
    })
  })

  for (const name of EXAMPLES)
    it(`runs the tests of examples/${name}`, async () => {
      const folder = join(ROOT, 'examples', name)
      const { tests, passed } = await runTests({ folder, files: findTests(folder) })
      expect(tests.filter((each) => each.status !== 'passed')).to.deep.equal([])
      expect(passed).to.be.greaterThan(2)
    })
})
