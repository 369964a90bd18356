import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { readBundle } from '../../execution-env/bundle/index.ts'
import { bareEnvironment, build, Launched } from '../cli/launched.ts'
import { inFolder, ROOT } from './kit.ts'

/** A folder in which the package is installed as npm would, but without types of Node. */
function install(folder: string): string {
  const modules = join(folder, 'node_modules')
  const home = join(modules, 'pronto-router')
  mkdirSync(join(home, 'cli'), { recursive: true })
  for (const name of readdirSync(join(ROOT, 'node_modules')))
    if (!name.startsWith('.') && name !== '@types')
      symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
  copyFileSync(join(ROOT, 'package.json'), join(home, 'package.json'))
  for (const name of readdirSync(join(ROOT, 'cli')))
    if (name.endsWith('.mjs')) copyFileSync(join(ROOT, 'cli', name), join(home, 'cli', name))
  expect(build(join(home, 'dist'))).to.equal('')
  return home
}

describe('the kit in an installed package', () => {
  it('builds, types and tests a plugin from built JavaScript', async function () {
    this.timeout(60_000)
    await inFolder(async (folder) => {
      const home = install(folder)
      const run = (command: string, ...words: string[]) => {
        const { status, stdout, stderr } = spawnSync(command, words, {
          cwd: folder,
          env: bareEnvironment(),
          encoding: 'utf8',
        })
        expect(status, stdout + stderr).to.equal(0)
        return stdout
      }
      const pronto = (...words: string[]) =>
        run('/usr/bin/env', 'node', join(home, 'cli', 'launcher.mjs'), ...words)
      pronto('plugin', 'new', 'mine')
      pronto('plugin', 'build', 'mine')
      const { code } = readBundle(readFileSync(join(folder, 'mine-0.1.0.pronto')))
      expect(code).to.contain('leastLoad').and.not.contain(folder)

      expect(pronto('plugin', 'test', 'mine')).to.contain('2 tests passed')
      const launcher = join(home, 'cli', 'launcher.mjs')
      const mine = join(folder, 'mine')
      const dev = new Launched('/usr/bin/env', ['node', launcher, 'plugin', 'dev', mine, '--json'])
      try {
        await dev.until('"event":"look"')
        dev.signal('SIGINT')
        expect(await dev.ended, dev.err).to.equal(0)
        expect(JSON.parse(dev.out.split('\n')[0]!)).to.deep.include({ ok: true, types: [] })
      } finally {
        dev.clean()
      }

      const settings = join(folder, 'mine', 'tsconfig.json')
      writeFileSync(
        settings,
        readFileSync(settings, 'utf8').replace('"skipLibCheck": true', '"skipLibCheck": false'),
      )
      const compiler = join(ROOT, 'node_modules', '.bin', 'tsc')
      run(compiler, '-p', 'mine')
      writeFileSync(
        join(folder, 'use.mjs'),
        `import { hashName } from 'pronto-router/sdk/policies'
         import { definePlugin } from 'pronto-router/sdk'
         console.log(hashName('', 1).toString(16), definePlugin(7))`,
      )
      expect(run(process.execPath, 'use.mjs')).to.equal('514e28b7 7\n')
      expect(existsSync(join(home, 'sdk')), 'sources').to.equal(false)
    })
  })
})
