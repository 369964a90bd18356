import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { inFolder, pluginOf, ROOT, writeFiles } from '../sdk/kit.ts'
import { type } from './world.ts'

const EMPTY = 'export default { setup() {} }'
const FAILING = `import { assert, describe, it, testRouter } from 'pronto-router/sdk/testing'
describe('sample', () => {
  it('is there', async () => assert.equal((await testRouter('.')).report().state, 'running'))
  it('does nothing', () => assert.equal(1, 2, 'one is two'))
})
`

describe('pronto plugin test', () => {
  it('runs the tests of a folder and says how many passed', async () => {
    const { code, out } = await type(['plugin', 'test', join(ROOT, 'examples', 'round-robin')])
    expect(code).to.equal(0)
    expect(out).to.include('✓ round robin > keeps what it knows over an upgrade')
    expect(out).to.match(/\n\n7 tests passed\n$/)
  })

  it('names the place of a failure, and ends with 1', async () => {
    await inFolder(async (folder) => {
      writeFiles(folder, pluginOf(EMPTY, { 'sample.test.ts': FAILING }))
      const shown = await type(['plugin', 'test', folder])
      expect(shown.code).to.equal(1)
      expect(shown.out).to.include('✗ sample > does nothing')
      expect(shown.out).to.match(/\n {4}\S*sample\.test\.ts:4:35\n {4}one is two\n/)
      expect(shown.out).to.match(/\n1 of 2 tests failed\n$/)
      const { code, out } = await type(['plugin', 'test', folder, '--json'])
      expect(code).to.equal(1)
      const { passed, failed, tests } = JSON.parse(out) as Record<string, object[] | number>
      expect({ passed, failed }).to.deep.equal({ passed: 1, failed: 1 })
      expect((tests as object[])[1]).to.deep.include({ path: ['sample', 'does nothing'], status: 'failed' })
    })
  })

  it('refuses a folder without a manifest, without tests, and two ways of telling', async () => {
    await inFolder(async (folder) => {
      expect(await type(['plugin', 'test', folder])).to.deep.include({ code: 1 })
      writeFiles(folder, pluginOf(EMPTY))
      const { code, err } = await type(['plugin', 'test', folder])
      expect(code).to.equal(1)
      expect(err).to.include('no tests, expected a file such as plugin.test.ts')
      expect(await type(['plugin', 'test', folder, '--json', '--inspect'])).to.deep.include({ code: 2 })
    })
  })
})
