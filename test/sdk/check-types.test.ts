import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { checkTypes } from '../../sdk/check-types.ts'
import { scaffoldPlugin } from '../../sdk/scaffold.ts'
import { inFolder, pluginOf, ROOT, writeFiles } from './kit.ts'

const WRONG = `import { definePlugin } from 'pronto-router/sdk'
export default definePlugin({
  setup(router) {
    router.flows.claim({ to: '198.18.0.80' }, (flow) => ({ tunel: flow.to }))
  },
})
`

describe('checkTypes', () => {
  it('finds nothing wrong with a new plugin, its test, and an example', async () => {
    await inFolder(async (folder) => {
      scaffoldPlugin(folder, 'mine')
      expect(await checkTypes(join(folder, 'mine'))).to.deep.equal([])
    })
    expect(await checkTypes(join(ROOT, 'examples', 'round-robin'))).to.deep.equal([])
  })

  it('names the place of what is wrong in the author’s files, with the whole reason', async () => {
    await inFolder(async (folder) => {
      writeFiles(folder, pluginOf(WRONG, { 'lib/other.ts': 'export const x: number = "y"\n' }))
      const problems = (await checkTypes(folder))!
      const [other, plugin] = [...problems].sort((a, b) => (a.file < b.file ? -1 : 1))
      expect(problems).to.have.length(2)
      expect(other).to.deep.include({ file: join(folder, 'lib/other.ts'), line: 1, column: 14 })
      expect(plugin).to.deep.include({ file: join(folder, 'plugin.ts'), line: 4 })
      expect(plugin!.message).to.match(/^TS2322: .*\n +Type/)
    })
  })

  it('holds to the settings of the folder', async () => {
    const loose = { compilerOptions: { strict: false, module: 'nodenext', types: [] }, include: ['*.ts'] }
    const source = 'export default { setup(router) { return router } }\n'
    await inFolder(async (folder) => {
      writeFiles(folder, pluginOf(source))
      expect(await checkTypes(folder)).to.have.length(1)
      writeFiles(folder, { 'tsconfig.json': JSON.stringify(loose) })
      expect(await checkTypes(folder)).to.deep.equal([])
      writeFiles(folder, { 'tsconfig.json': '{ "compilerOptions": { "strikt": true } }' })
      expect(await checkTypes(folder)).to.satisfy((all: object[]) => all.length > 0)
    })
  })

  it('ends when it is told to', async () => {
    await inFolder(async (folder) => {
      writeFiles(folder, pluginOf(WRONG))
      const error = await checkTypes(folder, AbortSignal.abort()).catch((each: unknown) => each)
      expect(error).to.be.instanceOf(Error)
    })
  })
})
