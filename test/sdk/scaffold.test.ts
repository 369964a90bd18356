import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { backends, loadLabFile, runLab } from '../../lab/index.ts'
import { buildPlugin } from '../../sdk/build.ts'
import { findTests } from '../../sdk/find-tests.ts'
import { PluginError } from '../../sdk/plugin-error.ts'
import { runTests } from '../../sdk/run-tests.ts'
import { scaffoldPlugin } from '../../sdk/scaffold.ts'
import { inFolder } from './kit.ts'

describe('scaffoldPlugin', () => {
  it('makes a plugin that builds', async () => {
    await inFolder(async (folder) => {
      const files = scaffoldPlugin(folder, 'my-plugin')
      expect(files.map((each) => each.slice(folder.length))).to.deep.equal([
        '/my-plugin/pronto.json',
        '/my-plugin/plugin.ts',
        '/my-plugin/plugin.test.ts',
        '/my-plugin/lab.yaml',
        '/my-plugin/package.json',
        '/my-plugin/tsconfig.json',
      ])
      for (const file of files) expect(readFileSync(file, 'utf8')).to.match(/[^\n]\n$/)
      expect((await buildPlugin(join(folder, 'my-plugin'))).fileName).to.equal('my-plugin-0.1.0.pronto')
    })
  })

  it('makes a test that passes, and a lab whose expectations are met', async () => {
    await inFolder(async (parent) => {
      scaffoldPlugin(parent, 'my-plugin', 'node launcher')
      const folder = join(parent, 'my-plugin')
      const run = await runTests({ folder, files: findTests(folder) })
      expect(run).to.include({ passed: 2, failed: 0 })
      const report = await runLab(loadLabFile(join(folder, 'lab.yaml')), await backends.open('sim'))
      expect(report.expectations.map(({ met }) => met)).to.deep.equal([true, true])
      const { scripts } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
        scripts: Record<string, string>
      }
      expect(scripts).to.deep.equal({
        dev: 'node launcher plugin dev --lab lab.yaml',
        test: 'node launcher plugin test',
        build: 'node launcher plugin build',
      })
    })
  })

  it('never overwrites', async () => {
    await inFolder((folder) => {
      scaffoldPlugin(folder, 'my-plugin')
      expect(() => scaffoldPlugin(folder, 'my-plugin')).to.throw(PluginError, 'is there already')
    })
  })

  for (const name of ['', 'My-Plugin', '../x', 'a/b', '-a'])
    it(`refuses the name ${JSON.stringify(name)}`, async () => {
      await inFolder((folder) => {
        expect(() => scaffoldPlugin(folder, name)).to.throw(
          PluginError,
          'expected a name of lower-case letters',
        )
      })
    })
})
