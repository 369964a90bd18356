import { expect } from 'chai'
import { describe, it } from 'mocha'
import { isRight, lookAt } from '../../../cli/dev/look.ts'
import { inFolder, pluginOf, writeFiles } from '../../sdk/kit.ts'

const EMPTY = 'export default { setup() {} }'
const SLOW = `import { it } from 'pronto-router/sdk/testing'
it('waits', () => new Promise((settle) => setTimeout(settle, 60_000)))
`

describe('lookAt', () => {
  it('finds everything that is wrong together', async () => {
    await inFolder(async (folder) => {
      writeFiles(folder, pluginOf(EMPTY))
      const never = new AbortController().signal
      const right = await lookAt(folder, never, () => {})
      expect(isRight(right)).to.equal(true)
      writeFiles(folder, pluginOf('export default { setup() { const x: number = Date.now() + "" } }'))
      const { built, problems, types, tests } = await lookAt(folder, never, () => {})
      expect([built, problems.length, types?.length, tests]).to.deep.equal([undefined, 1, 1, undefined])
    })
  })

  for (const delayMs of [0, 50, 400])
    it(`gives up within a moment when it is aborted after ${delayMs} ms`, async () => {
      await inFolder(async (folder) => {
        writeFiles(folder, pluginOf(EMPTY, { 'slow.test.ts': SLOW }))
        const controller = new AbortController()
        setTimeout(() => controller.abort(new Error('changed')), delayMs)
        const error = await lookAt(folder, controller.signal, () => {}).catch((each: unknown) => each)
        expect(String(error)).to.equal('Error: changed')
      })
    })
})
