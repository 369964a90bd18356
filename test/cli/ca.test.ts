import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import { requireOpenssl, runOpenssl } from '../execution-env/certificates/openssl.ts'
import { type } from './world.ts'

describe('pronto ca', () => {
  let folder: string
  let authority: string
  const grant = (name: string, text: string): string => {
    const file = join(folder, name)
    writeFileSync(file, text)
    return file
  }
  const json = async (...words: string[]) => {
    const { code, out, err } = await type([...words, '--json'])
    expect({ code, err }).to.deep.equal({ code: 0, err: '' })
    return JSON.parse(out) as Record<string, unknown>
  }

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pronto-cli-ca-'))
    authority = join(folder, 'ca')
    const { code, out } = await type(['ca', 'init', authority, '--name', 'Test root'])
    expect(code).to.equal(0)
    expect(out).to.match(/^CN=Test root holds until \d{4}-/)
  })
  after(() => rmSync(folder, { recursive: true }))

  it('init makes root, key and list; the key is for its owner alone', () => {
    for (const name of ['ca.crt', 'ca.key', 'crl.pem'])
      expect(existsSync(join(authority, name))).to.equal(true)
    expect(statSync(join(authority, 'ca.key')).mode & 0o777).to.equal(0o600)
  })

  it('init does not overwrite an authority', async () => {
    const { code, err } = await type(['ca', 'init', authority])
    expect(code).to.equal(1)
    expect(err).to.equal(`pronto: ${join(authority, 'ca.crt')}: is there already\n`)
  })

  it('issue writes certificate and key, and shows what is granted', async () => {
    const file = grant('host.json', '{ "virtualHosts": ["198.18.0.0/15"] }')
    const { code, out } = await type([
      'ca',
      'issue',
      authority,
      '--name',
      's1',
      '--type',
      'host',
      '--grant',
      file,
    ])
    expect(code).to.equal(0)
    expect(out)
      .to.match(/^CN=s1, host, serial 02, holds until /)
      .and.contain('grants virtualHosts 198.18.0.0/15')
    expect(statSync(join(authority, 's1.key')).mode & 0o777).to.equal(0o600)
    const again = await type(['ca', 'issue', authority, '--name', 's1', '--type', 'host', '--json'])
    expect(again.code).to.equal(1)
    expect(JSON.parse(again.out)).to.have.nested.property('error.code', 'exists')
  })

  it('issue says when nothing is granted', async () => {
    const issued = await type(['ca', 'issue', authority, '--name', 'r1', '--type', 'router'])
    expect(issued.out).to.contain('grants nothing (--grant FILE)')
  })

  it('issue does not let a certificate outlive its authority', async () => {
    const root = await json('ca', 'init', join(folder, 'short'), '--days', '3')
    const issued = await json('ca', 'issue', join(folder, 'short'), '--name', 'r1', '--type', 'router')
    expect(issued['notAfter']).to.equal(root['notAfter'])
  })

  it('issue names what is wrong in a grant, and its file', async () => {
    const file = grant('wrong.json', '{ "roles": ["read", "king"], "colour": 1 }')
    const { code, err } = await type([
      'ca',
      'issue',
      authority,
      '--name',
      'o1',
      '--type',
      'operator',
      '--grant',
      file,
    ])
    expect(code).to.equal(1)
    expect(err).to.contain(`pronto: ${file}: grant: `).and.contain('roles[1]').and.contain('colour')
    expect(existsSync(join(authority, 'o1.key'))).to.equal(false)
  })

  const wrong: readonly (readonly [string, readonly string[], string])[] = [
    ['no name', ['--type', 'host'], 'expected --name N'],
    ['no type', ['--name', 'a'], 'expected --type signer|router|host|operator'],
    [
      'a type that is none',
      ['--name', 'a', '--type', 'hots'],
      '--type: expected signer, router, host, operator, got hots; did you mean host?',
    ],
    [
      'days that are none',
      ['--name', 'a', '--type', 'host', '--days', '0'],
      '--days: expected a whole number from 1 to 36500, got 0',
    ],
  ]
  for (const [what, options, message] of wrong)
    it(`issue with ${what} is wrong usage`, async () => {
      expect(await type(['ca', 'issue', authority, ...options])).to.deep.equal({
        code: 2,
        out: '',
        err: `pronto: ${message}\nusage: pronto ca issue DIR [options]\n`,
      })
    })

  it('revoke writes the list, a second time as well', async () => {
    await json('ca', 'issue', authority, '--name', 'gone', '--type', 'router')
    const index = await json('ca', 'issue', authority, '--name', 'other', '--type', 'router')
    const serial = String(index['serial'])
    const first = await json('ca', 'revoke', authority, serial, '--reason', 'superseded')
    expect(first['revoked']).to.deep.equal([serial])
    const second = await json('ca', 'revoke', authority, serial)
    expect(second).to.deep.include({ revoked: [serial], number: Number(first['number']) + 1 })
    const text = await type(['ca', 'revoke', authority, serial])
    expect(text.out).to.match(/is revoked \(unspecified\)\n.*crl\.pem {2}list \d+: 1 revoked, due on /)
  })

  it('revoke refuses a serial number that was never given, and a reason that is none', async () => {
    expect(await type(['ca', 'revoke', authority, '7f'])).to.include({ code: 1 })
    expect((await type(['ca', 'revoke', authority, '02', '--reason', 'because'])).code).to.equal(2)
  })

  it('crl renews the list', async () => {
    const [one, other] = [await json('ca', 'crl', authority), await json('ca', 'crl', authority)]
    expect(other['number']).to.equal(Number(one['number']) + 1)
  })

  it('says that a folder holds no authority', async () => {
    const { code, err } = await type(['ca', 'crl', join(folder, 'none')])
    expect(code).to.equal(1)
    expect(err).to.contain(join(folder, 'none', 'ca.crt'))
  })

  it('makes what openssl reads and agrees with', async function () {
    requireOpenssl(this)
    const issued = await json('ca', 'issue', authority, '--name', 'web', '--type', 'router')
    const check = () =>
      runOpenssl(['verify', '-crl_check', '-CAfile', 'ca.crt', '-CRLfile', 'crl.pem', 'web.crt'], authority)
    expect(check()).to.include({ ok: true })
    await json('ca', 'revoke', authority, String(issued['serial']))
    expect(check().ok).to.equal(false)
    expect(check().output).to.contain('certificate revoked')
    expect(runOpenssl(['crl', '-in', 'crl.pem', '-noout', '-CAfile', 'ca.crt'], authority).output).to.contain(
      'verify OK',
    )
  })
})
