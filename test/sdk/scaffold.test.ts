import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { buildPlugin } from '../../sdk/build.ts'
import { PluginError } from '../../sdk/plugin-error.ts'
import { scaffoldPlugin } from '../../sdk/scaffold.ts'
import { inFolder } from './kit.ts'

describe('scaffoldPlugin', () => {
  it('makes a plugin that builds', async () => {
    await inFolder(async (folder) => {
      const files = scaffoldPlugin(folder, 'my-plugin')
      expect(files.map((each) => each.slice(folder.length))).to.deep.equal([
        '/my-plugin/pronto.json',
        '/my-plugin/plugin.ts',
        '/my-plugin/tsconfig.json',
      ])
      for (const file of files) expect(readFileSync(file, 'utf8')).to.match(/[^\n]\n$/)
      expect((await buildPlugin(join(folder, 'my-plugin'))).fileName).to.equal('my-plugin-0.1.0.pronto')
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
