import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { watchFolder } from '../../sdk/watch-folder.ts'
import { inFolder, writeFiles } from './kit.ts'

describe('watchFolder', () => {
  it('tells a burst once, and nothing of what is not a source', async () => {
    await inFolder(async (folder) => {
      writeFiles(folder, { 'sub/a.ts': '', 'node_modules/x/b.ts': '' })
      let told = 0
      let next = Promise.withResolvers<void>()
      const end = watchFolder(
        folder,
        () => {
          told++
          next.resolve()
        },
        next.reject,
      )
      for (const name of ['node_modules/x/b.ts', 'a-1.0.0.pronto', '.a.swp', 'sub/a.ts', 'c.ts', 'c.ts'])
        writeFileSync(join(folder, name), 'x')
      await next.promise
      expect(told).to.equal(1)
      next = Promise.withResolvers<void>()
      writeFileSync(join(folder, '.b.swp'), 'x')
      writeFileSync(join(folder, 'node_modules/x/c.ts'), 'x')
      writeFileSync(join(folder, 'a-1.0.0.pronto'), 'y')
      writeFiles(folder, { 'new/d.ts': '' })
      await next.promise
      expect(told).to.equal(2)
      end()
    })
  })
})
