import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { authorCommand } from '../../cli/author-command.ts'
import { inFolder } from '../sdk/kit.ts'

describe('authorCommand', () => {
  it('is the plain name where npm finds it above', async () => {
    await inFolder((folder) => {
      mkdirSync(join(folder, 'node_modules', '.bin'), { recursive: true })
      writeFileSync(join(folder, 'node_modules', '.bin', 'pronto'), '')
      expect(authorCommand(join(folder, 'a', 'mine'), join(folder, 'elsewhere'))).to.equal('pronto')
    })
  })

  it('is the way to a clone, with quotes where the way needs them', async () => {
    await inFolder((folder) => {
      const inClone = authorCommand(join(folder, 'clone', 'plugins', 'mine'), join(folder, 'clone'))
      expect(inClone).to.equal('node ../../cli/launcher.mjs')
      const quoted = authorCommand(join(folder, 'mine'), join(folder, 'my clone'))
      expect(quoted).to.equal('node "../my clone/cli/launcher.mjs"')
    })
  })

  it('lets npx find a package that is installed elsewhere', async () => {
    await inFolder((folder) => {
      const root = join(folder, 'cache', 'node_modules', 'pronto-router')
      expect(authorCommand(join(folder, 'mine'), root)).to.equal('npx pronto-router')
    })
  })
})
