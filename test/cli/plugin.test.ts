import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import { requireOpenssl, runOpenssl } from '../execution-env/certificates/openssl.ts'
import { runTool } from '../support/oracle.ts'
import { bareEnvironment, ROOT } from './launched.ts'
import { type } from './world.ts'

const EXAMPLE = join(ROOT, 'examples', 'round-robin')
const GRANT = {
  capabilities: {
    flows: { to: ['198.18.0.0/15'], actions: ['drop', 'tunnel'] },
    tunnels: { open: ['10.0.0.0/8'] },
    messages: { on: ['server/*'] },
  },
}

describe('pronto plugin', () => {
  let folder: string
  let authority: string
  let unsigned: string
  let signed: string
  const path = (name: string): string => join(folder, name)
  const key = (name: string): string[] => [
    '--cert',
    join(authority, `${name}.crt`),
    '--key',
    join(authority, `${name}.key`),
  ]
  const issue = async (name: string, ...options: string[]) => {
    const words = ['ca', 'issue', authority, '--name', name, '--type', 'signer', ...options]
    expect(await type(words)).to.include({ code: 0 })
  }

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pronto-cli-plugin-'))
    authority = path('ca')
    unsigned = path('unsigned.pronto')
    signed = path('signed.pronto')
    await type(['ca', 'init', authority])
    writeFileSync(path('grant.json'), JSON.stringify(GRANT))
    await issue('alice', '--grant', path('grant.json'))
    expect(await type(['plugin', 'build', EXAMPLE, '--out', unsigned])).to.include({ code: 0, err: '' })
    cpSync(unsigned, signed)
    expect(await type(['plugin', 'sign', signed, ...key('alice')])).to.include({ code: 0, err: '' })
  })
  after(() => rmSync(folder, { recursive: true }))

  describe('build', () => {
    it('shows file, digest and what the plugin asks for', async () => {
      const { out } = await type(['plugin', 'build', EXAMPLE, '--out', path('b.pronto')])
      expect(out).to.contain(path('b.pronto')).and.contain('asks for  flows: to 198.18.0.0/15')
      const json = await type(['plugin', 'build', EXAMPLE, '--out', path('b.pronto'), '--json'])
      expect(JSON.parse(json.out)).to.include({ name: 'round-robin', version: '1.0.0' })
      expect(readFileSync(path('b.pronto')).equals(readFileSync(unsigned))).to.equal(true)
    })

    it('names file, line and column of what is wrong, as text and as JSON', async () => {
      const broken = path('broken')
      cpSync(EXAMPLE, broken, { recursive: true })
      writeFileSync(join(broken, 'plugin.ts'), 'export default {\n  setup: () => Date.now(),\n}\n')
      const { code, out, err } = await type(['plugin', 'build', broken, '--json'])
      expect(code).to.equal(1)
      const message = 'Date cannot be used: router.clock() tells calendar time, router.now() monotonic time'
      expect(err).to.equal(`${join(broken, 'plugin.ts')}:2:16: ${message}\n`)
      expect(JSON.parse(out)).to.deep.equal({
        error: {
          code: 'source',
          message: err.trimEnd(),
          problems: [{ file: join(broken, 'plugin.ts'), line: 2, column: 16, message }],
        },
      })
    })

    it('says that a folder is none of a plugin, and that a file cannot be written', async () => {
      const none = await type(['plugin', 'build', folder])
      expect(none).to.include({ code: 1 })
      expect(none.err).to.contain(`${path('pronto.json')}: there is no such file`)
      const out = await type(['plugin', 'build', EXAMPLE, '--out', path('none/x.pronto')])
      expect(out.err).to.equal(`pronto: ${path('none/x.pronto')}: there is no such file or folder\n`)
    })
  })

  describe('sign and verify', () => {
    it('show the signer and who is trusted', async () => {
      const { code, out } = await type(['plugin', 'verify', signed, '--trust', authority])
      expect(code).to.equal(0)
      expect(out)
        .to.contain(`${signed}: round-robin 1.0.0 may be loaded`)
        .and.contain('by CN=alice, serial 02')
        .and.contain('by CN=Pronto authority')
      const json = await type(['plugin', 'verify', signed, '--trust', authority, '--json'])
      expect(JSON.parse(json.out)).to.deep.include({
        valid: true,
        chain: ['CN=alice', 'CN=Pronto authority'],
      })
    })

    it('refuse what is not signed, altered, or no bundle', async () => {
      const verify = async (file: string) => type(['plugin', 'verify', file, '--trust', authority, '--json'])
      const codeOf = async (file: string) =>
        (JSON.parse((await verify(file)).out) as { error: { code: string } }).error.code
      const bytes = readFileSync(signed)
      bytes[bytes.indexOf('RoundRobin')]! ^= 1
      writeFileSync(path('altered.pronto'), bytes)
      writeFileSync(path('cut.pronto'), bytes.subarray(0, 5_000))
      expect(await codeOf(unsigned)).to.equal('unsigned')
      expect(await codeOf(path('altered.pronto'))).to.equal('altered')
      expect(await codeOf(path('cut.pronto'))).to.equal('truncated')
      expect(await codeOf(path('none.pronto'))).to.equal('unreadable')
      expect((await verify(unsigned)).code).to.equal(1)
    })

    it('refuse a signer who was not granted what the plugin asks for, already when it signs', async () => {
      await issue('mallory')
      const { code, err } = await type(['plugin', 'sign', unsigned, ...key('mallory')])
      expect(code).to.equal(1)
      expect(err).to.contain(`${unsigned}: CN=mallory: flows`)
    })

    it('name the file at fault when key and certificate do not fit', async () => {
      const [, certificate] = key('alice') as [string, string]
      const other = join(authority, 'ca.key')
      const { err } = await type(['plugin', 'sign', signed, '--cert', certificate, '--key', other])
      expect(err).to.equal(`pronto: ${other}: not the key of CN=alice\n`)
    })

    it('refuse after the certificate was revoked', async () => {
      await issue('carol', '--grant', path('grant.json'))
      cpSync(unsigned, path('carol.pronto'))
      await type(['plugin', 'sign', path('carol.pronto'), ...key('carol')])
      const verify = () => type(['plugin', 'verify', path('carol.pronto'), '--trust', authority])
      expect(await verify()).to.include({ code: 0 })
      const { out } = await type(['plugin', 'inspect', path('carol.pronto'), '--json'])
      const { signature } = JSON.parse(out) as { signature: { serial: string } }
      await type(['ca', 'revoke', authority, signature.serial])
      const { code, err } = await verify()
      expect(code).to.equal(1)
      expect(err).to.match(/CN=carol: revoked on /)
    })

    const wrong: readonly (readonly [readonly string[], string])[] = [
      [['sign', 'x'], 'expected --cert C'],
      [['sign', 'x', '--cert', 'y'], 'expected --key K'],
      [['verify', 'x'], 'expected --trust T'],
      [['inspect'], 'expected BUNDLE: a file NAME-VERSION.pronto'],
    ]
    for (const [words, message] of wrong)
      it(`are wrong usage: ${words.join(' ')}`, async () => {
        const { code, err } = await type(['plugin', ...words])
        expect(code).to.equal(2)
        expect(err).to.contain(`pronto: ${message}\nusage: pronto plugin ${words[0]}`)
      })

    it('make what openssl cms -verify accepts, taken apart by tar as the docs say', function () {
      requireOpenssl(this)
      runTool('tar', ['-xf', signed, '-C', folder, 'signature.p7s'])
      const block = /^block (\d+): signature\.p7s$/m.exec(runTool('tar', ['-tRf', signed]))
      writeFileSync(path('signed-bytes'), readFileSync(signed).subarray(0, Number(block?.[1]) * 512))
      const verify = () =>
        runOpenssl(
          [
            ...['cms', '-verify', '-binary', '-inform', 'DER', '-in', 'signature.p7s', '-purpose', 'any'],
            ...['-content', 'signed-bytes', '-CAfile', 'ca/ca.crt', '-out', '/dev/null'],
          ],
          folder,
        )
      expect(verify()).to.include({ ok: true })
      writeFileSync(path('signed-bytes'), 'x', { flag: 'a' })
      expect(verify()).to.include({ ok: false })
    })
  })

  describe('inspect', () => {
    it('shows what a bundle says and that nobody has judged it', async () => {
      const { code, out } = await type(['plugin', 'inspect', signed])
      expect(code).to.equal(0)
      expect(out).to.contain('by CN=alice').and.contain('not verified').and.contain('would be accepted')
      expect((await type(['plugin', 'inspect', unsigned])).out).to.contain('signed    no')
      const json = JSON.parse((await type(['plugin', 'inspect', signed, '--json'])).out) as object
      expect(json).to.have.nested.property('manifest.name', 'round-robin')
      expect(json).to.have.nested.property('limits.batchMs', 50)
    })
  })

  describe('as processes', () => {
    const run = (...words: string[]) =>
      spawnSync('/usr/bin/env', ['node', join(ROOT, 'cli', 'launcher.mjs'), ...words], {
        cwd: folder,
        env: bareEnvironment(),
        encoding: 'utf8',
      })

    it('makes, builds, signs and verifies a plugin by hand', () => {
      const steps: readonly (readonly [number, ...string[]])[] = [
        [0, 'plugin', 'new', 'my-plugin'],
        [0, 'plugin', 'build', 'my-plugin'],
        [0, 'plugin', 'sign', 'my-plugin-0.1.0.pronto', '--cert', 'ca/alice.crt', '--key', 'ca/alice.key'],
        [0, 'plugin', 'verify', 'my-plugin-0.1.0.pronto', '--trust', 'ca'],
      ]
      for (const [status, ...words] of steps) {
        const { status: ended, stderr } = run(...words)
        expect(ended, `${words.join(' ')}: ${stderr}`).to.equal(status)
      }
    })
  })
})
