import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { AuthorityDirectory } from '../../../execution-env/certificates/authority-directory.ts'
import { loadCredential } from '../../../execution-env/certificates/credential-file.ts'
import { CertificateError } from '../../../execution-env/certificates/errors.ts'
import { loadTrustStore } from '../../../execution-env/certificates/trust-store.ts'
import { verifyCertificate } from '../../../execution-env/certificates/verifier.ts'
import { BROAD, DAY, edKey, NOW, VALID } from './kit.ts'
import { inFolder, requireOpenssl, runOpenssl } from './openssl.ts'

const ED25519 = { algorithm: 'ed25519' } as const
const ROOT = { name: 'Folder root', key: ED25519, ...VALID }

function errorOf(work: () => unknown): CertificateError {
  try {
    work()
  } catch (error) {
    if (error instanceof CertificateError) return error
    throw error
  }
  throw new Error('accepted')
}

/** A new authority in a folder of its own. */
function withAuthority(work: (directory: AuthorityDirectory, path: string) => void): void {
  inFolder((folder) => {
    const path = join(folder, 'ca')
    work(AuthorityDirectory.create(path, ROOT), path)
  })
}

const modeOf = (file: string): string => (statSync(file).mode & 0o777).toString(8)

describe('authority directory', () => {
  it('makes a folder with root, key, serial, index and an empty list', () => {
    withAuthority((directory, path) => {
      expect(readdirSync(path).sort()).to.deep.equal(['ca.crt', 'ca.key', 'crl.pem', 'index.json', 'serial'])
      expect(modeOf(path)).to.equal('700')
      expect(modeOf(join(path, 'ca.key'))).to.equal('600')
      expect(readFileSync(join(path, 'serial'), 'utf8')).to.equal('02\n')
      expect(directory.list()).to.deep.equal([])
      expect(AuthorityDirectory.open(path).certificate.fingerprint).to.equal(
        directory.certificate.fingerprint,
      )
    })
  })

  it('issues certificates of every type in files of their own, which its folder verifies', () => {
    withAuthority((directory, path) => {
      const types = ['signer', 'router', 'host', 'operator'] as const
      for (const type of types) {
        const grant = type === 'signer' ? { capabilities: BROAD.capabilities! } : {}
        const issued = directory.issue({ name: `the-${type}`, type, grant, key: ED25519, ...VALID })
        expect(issued.certificateFile).to.equal(join(path, `the-${type}.crt`))
        expect(modeOf(issued.keyFile)).to.equal('600')
        const loaded = loadCredential(issued.certificateFile, issued.keyFile)
        const verified = verifyCertificate([loaded.certificate], loadTrustStore(path), {
          usage: type,
          atMs: NOW,
        })
        expect(verified.grant).to.deep.equal(grant)
      }
      expect(directory.list().map(({ serial, name, type }) => `${serial} ${name} ${type}`)).to.deep.equal([
        '02 the-signer signer',
        '03 the-router router',
        '04 the-host host',
        '05 the-operator operator',
      ])
    })
  })

  it('gives signers RSA keys of 3072 bits and everyone else Ed25519 keys unless told otherwise', () => {
    withAuthority((directory) => {
      const keyOf = (type: 'signer' | 'host') =>
        directory.issue({ name: type, type, ...VALID }).credential.certificate.publicKey
      expect(keyOf('signer').asymmetricKeyDetails?.modulusLength).to.equal(3072)
      expect(keyOf('host').asymmetricKeyType).to.equal('ed25519')
    })
  })

  it('takes certificates back', () => {
    withAuthority((directory, path) => {
      const { credential } = directory.issue({ name: 'alice', type: 'signer', key: ED25519, ...VALID })
      const verify = () =>
        verifyCertificate([credential.certificate], loadTrustStore(path), { usage: 'signer', atMs: NOW })
      directory.publishList(NOW)
      expect(verify().warnings).to.deep.equal([])
      directory.revoke('2', 'keyCompromise', NOW)
      expect(errorOf(verify).code).to.equal('revoked')
      expect(directory.list()[0]!.revoked).to.deep.equal({ atMs: NOW, reason: 'keyCompromise' })
      const list = directory.revoke('02', 'superseded', NOW + DAY)
      expect(list.number).to.equal(4)
      expect(list.revoked.get('02')).to.deep.equal({ atMs: NOW, reason: 'keyCompromise' })
      expect(errorOf(() => directory.revoke('77', 'superseded', NOW)).code).to.equal('unknown')
    })
  })

  it('writes a list that openssl reads', function () {
    requireOpenssl(this)
    withAuthority((directory, path) => {
      directory.issue({ name: 'alice', type: 'host', ...VALID })
      directory.revoke('02', 'keyCompromise', NOW)
      const run = runOpenssl(['crl', '-in', 'crl.pem', '-noout', '-text', '-CAfile', 'ca.crt'], path)
      expect(run.ok, run.output).to.equal(true)
      for (const text of [
        'verify OK',
        'Serial Number: 02',
        'Key Compromise',
        'Issuer: CN = Folder root',
        'Next Update: Jul  1',
      ])
        expect(run.output).to.contain(text)
    })
  })

  it('issues below an authority that it issued', () => {
    withAuthority((directory, path) => {
      const { credential } = directory.issue({
        name: 'site',
        type: 'authority',
        grant: BROAD,
        key: ED25519,
        ...VALID,
      })
      const below = AuthorityDirectory.adopt(join(path, 'site'), credential, NOW)
      const { certificateFile, keyFile } = below.issue({
        name: 'bob',
        type: 'host',
        grant: { virtualHosts: ['198.18.0.0/16'] },
        ...VALID,
      })
      const loaded = loadCredential(certificateFile, keyFile)
      expect(loaded.chain.map((each) => each.subject)).to.deep.equal(['CN=site'])
      const store = loadTrustStore(path).withLists([below.publishList(NOW)])
      const verified = verifyCertificate([loaded.certificate, ...loaded.chain], store, {
        usage: 'host',
        atMs: NOW,
      })
      expect(verified.chain).to.have.length(3)
    })
  })

  describe('when something is there already', () => {
    it('overwrites no authority, not even the rest of one', () => {
      withAuthority((directory, path) => {
        const before = readFileSync(join(path, 'ca.key'), 'utf8')
        expect(errorOf(() => AuthorityDirectory.create(path, ROOT)).code).to.equal('exists')
        rmSync(join(path, 'ca.crt'))
        expect(errorOf(() => AuthorityDirectory.create(path, ROOT)).code).to.equal('exists')
        expect(readFileSync(join(path, 'ca.key'), 'utf8')).to.equal(before)
        expect(directory.certificate.subject).to.equal('CN=Folder root')
      })
    })

    it('overwrites no certificate and no key', () => {
      withAuthority((directory, path) => {
        directory.issue({ name: 'alice', type: 'host', ...VALID })
        const before = readFileSync(join(path, 'alice.key'), 'utf8')
        expect(errorOf(() => directory.issue({ name: 'alice', type: 'host', ...VALID })).code).to.equal(
          'exists',
        )
        rmSync(join(path, 'alice.crt'))
        expect(errorOf(() => directory.issue({ name: 'alice', type: 'host', ...VALID })).code).to.equal(
          'exists',
        )
        expect(readFileSync(join(path, 'alice.key'), 'utf8')).to.equal(before)
        expect(directory.list()).to.have.length(1)
      })
    })
  })

  describe('when a request is wrong', () => {
    it('writes nothing', () => {
      withAuthority((directory, path) => {
        const before = readdirSync(path)
        for (const name of ['', '../x', 'a/b', '.x', 'ca', 'CA', 'crl', 'a b', 'x'.repeat(65)])
          expect(errorOf(() => directory.issue({ name, type: 'host', ...VALID })).code, name).to.equal(
            'invalid',
          )
        const backwards = { notBeforeMs: NOW, notAfterMs: NOW - DAY }
        expect(errorOf(() => directory.issue({ name: 'a', type: 'host', ...backwards })).code).to.equal(
          'invalid',
        )
        const rsa = { algorithm: 'rsa', bits: 2048 } as const
        expect(errorOf(() => directory.issue({ name: 'a', type: 'host', key: rsa, ...VALID })).code).to.equal(
          'unsupported',
        )
        expect(readdirSync(path)).to.deep.equal(before)
        expect(directory.list()).to.deep.equal([])
      })
    })
  })

  describe('when its folder is damaged', () => {
    it('names the file', () => {
      withAuthority((directory, path) => {
        for (const [file, content] of [
          ['index.json', '{"version":1}'],
          ['index.json', '{"version":1,"listNumber":1,"certificates":[{"serial":"x"}]}'],
          ['serial', 'zz'],
          ['serial', '01'],
        ] as const) {
          const before = readFileSync(join(path, file))
          writeFileSync(join(path, file), content)
          const error = errorOf(() => directory.issue({ name: 'a', type: 'host', ...VALID }))
          expect(error).to.include({ code: 'malformed', place: join(path, file) })
          writeFileSync(join(path, file), before)
        }
        writeFileSync(join(path, 'ca.key'), edKey('another').export({ type: 'pkcs8', format: 'pem' }))
        expect(errorOf(() => AuthorityDirectory.open(path)).place).to.equal(join(path, 'ca.key'))
        rmSync(join(path, 'ca.key'))
        expect(errorOf(() => AuthorityDirectory.open(path)).code).to.equal('unreadable')
      })
    })

    it('never uses a serial number twice, whatever was lost after it was taken', () => {
      withAuthority((directory, path) => {
        const index = readFileSync(join(path, 'index.json'))
        directory.issue({ name: 'a', type: 'host', ...VALID })
        writeFileSync(join(path, 'index.json'), index)
        rmSync(join(path, 'a.crt'))
        rmSync(join(path, 'a.key'))
        expect(directory.issue({ name: 'a', type: 'host', ...VALID }).credential.certificate.serial).to.equal(
          '03',
        )
      })
    })

    it('says so when there is no way to write', () => {
      inFolder((folder) => {
        writeFileSync(join(folder, 'file'), '')
        expect(errorOf(() => AuthorityDirectory.create(join(folder, 'file', 'ca'), ROOT)).code).to.equal(
          'unreadable',
        )
        expect(errorOf(() => AuthorityDirectory.open(join(folder, 'nothing'))).code).to.equal('unreadable')
      })
    })
  })

  describe('when another process is at work', () => {
    it('waits for nobody, and takes over from one that died', () => {
      withAuthority((directory, path) => {
        const lock = join(path, '.lock')
        writeFileSync(lock, String(process.pid))
        expect(errorOf(() => directory.publishList(NOW)).code).to.equal('busy')
        const gone = spawnSync(process.execPath, ['-e', '']).pid
        writeFileSync(lock, String(gone))
        directory.publishList(NOW)
        expect(existsSync(lock)).to.equal(false)
        writeFileSync(lock, '')
        directory.publishList(NOW)
        expect(existsSync(lock)).to.equal(false)
      })
    })
  })
})
