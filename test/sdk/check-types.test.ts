import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { checkTypes } from '../../sdk/check-types.ts'
import { scaffoldPlugin } from '../../sdk/scaffold.ts'
import { inFolder, pluginOf, ROOT, writeFiles } from './kit.ts'

const WRONG = `import { definePlugin } from 'pronto-router/sdk'
import { leastLoad } from 'pronto-router/sdk/policies'
export default definePlugin({
  setup(router) {
    router.flows.claim({ to: '198.18.0.80' }, (flow) => leastLoad([{ load: 'x' }], flow))
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
      const other = problems.find((each) => each.file === join(folder, 'lib/other.ts'))
      const plugin = problems.find((each) => each.file === join(folder, 'plugin.ts'))
      expect(other).to.include({ line: 1, column: 14 })
      expect(plugin).to.include({ line: 5 })
      expect(plugin!.message).to.match(/^TS\d+: .*\n +Type/)
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
