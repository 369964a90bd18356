import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import { SAMPLE } from '../lab/file/sample.ts'
import { build, Launched, ROOT } from './launched.ts'

describe('the installed package', () => {
  let folder: string
  let home: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'pronto-installed-'))
    const modules = join(folder, 'node_modules')
    home = join(modules, 'pronto-router')
    mkdirSync(join(home, 'cli'), { recursive: true })
    for (const file of ['package.json', 'cli/launcher.mjs', 'cli/runtime.mjs'])
      copyFileSync(join(ROOT, file), join(home, file))
    for (const name of readdirSync(join(ROOT, 'node_modules')))
      if (!name.startsWith('.') && !name.startsWith('node-'))
        symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
    // The runtime nested below the package, as npm puts it when another version stands above.
    mkdirSync(join(home, 'node_modules'))
    for (const name of readdirSync(join(ROOT, 'node_modules')))
      if (name.startsWith('node-'))
        symlinkSync(join(ROOT, 'node_modules', name), join(home, 'node_modules', name))
    writeFileSync(join(folder, 'lab.yaml'), SAMPLE)
  })
  after(() => rmSync(folder, { recursive: true }))

  it('says so when it was not built', async () => {
    const launched = new Launched('/usr/bin/env', ['node', join(home, 'cli', 'launcher.mjs'), 'version'])
    expect(await launched.ended).to.equal(1)
    expect(launched.err)
      .to.contain(join(home, 'dist', 'cli', 'main.js'))
      .and.contain('install pronto-router again')
  })

  it('runs from built JavaScript below node_modules', async () => {
    expect(build(join(home, 'dist'))).to.equal('')
    const version = new Launched('/usr/bin/env', ['node', join(home, 'cli', 'launcher.mjs'), '--version'])
    expect(await version.ended, version.err).to.equal(0)
    expect(version.out).to.match(/^pronto-router 0\.1\.0 on Node v26\./)
    const validate = new Launched('/usr/bin/env', [
      'node',
      join(home, 'cli', 'launcher.mjs'),
      'lab',
      'validate',
      join(folder, 'lab.yaml'),
    ])
    expect(await validate.ended, validate.err).to.equal(0)
    expect(validate.out).to.contain('sample is valid')
  })
})
