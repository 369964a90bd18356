import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { CertificateError } from '../../../execution-env/certificates/errors.ts'
import { loadTrustStore, TrustStore } from '../../../execution-env/certificates/trust-store.ts'
import { verifyCertificate } from '../../../execution-env/certificates/verifier.ts'
import { authority, DAY, leaf, list, NOW, root, rsaKey } from './kit.ts'
import { inFolder } from './openssl.ts'

function errorOf(work: () => unknown): CertificateError {
  try {
    work()
  } catch (error) {
    if (error instanceof CertificateError) return error
    throw error
  }
  throw new Error('accepted')
}

const top = root()
const middle = authority(top)
const alice = leaf(middle)

describe('trust store', () => {
  it('trusts authorities that signed themselves, keeps others at hand, passes over the rest', () => {
    const store = new TrustStore([alice.certificate, middle.certificate, top.certificate], [list(top)])
    expect(store.roots.map((each) => each.subject)).to.deep.equal(['CN=Test root'])
    expect(store.authorities.map((each) => each.subject)).to.deep.equal(['CN=Test authority'])
    expect(store.isRoot(root().certificate)).to.equal(true)
    expect(store.isRoot(root({ key: rsaKey('other') }).certificate)).to.equal(false)
  })

  it('believes only lists that the authority signed, the newest first', () => {
    const old = list(top, {}, { thisUpdateMs: NOW - 9 * DAY, number: 7 })
    const current = list(top, {}, { number: 8 })
    const false_ = list(root({ key: rsaKey('other') }))
    const store = new TrustStore([top.certificate], [false_, old, list(middle), current])
    expect(store.listsOf(top.certificate).map((each) => each.number)).to.deep.equal([8, 7])
    expect(
      store.withLists([list(top, {}, { thisUpdateMs: NOW, number: 9 })]).listsOf(top.certificate)[0]!.number,
    ).to.equal(9)
  })

  describe('when it is loaded', () => {
    it('reads a folder, a single file with everything, and DER', () => {
      inFolder((folder) => {
        writeFileSync(join(folder, 'ca.crt'), top.certificate.toPem())
        writeFileSync(join(folder, 'middle.der'), middle.certificate.der)
        writeFileSync(join(folder, 'crl.pem'), list(top).toPem())
        writeFileSync(join(folder, 'middle.crl'), list(middle).der)
        writeFileSync(join(folder, 'ca.key'), 'not read')
        writeFileSync(join(folder, '.hidden.crt'), 'not read')
        mkdirSync(join(folder, 'folder.crt'))
        const store = loadTrustStore(folder)
        const signer = { usage: 'signer', atMs: NOW } as const
        expect(verifyCertificate([alice.certificate], store, signer).chain).to.have.length(3)
        const all = [top.certificate, middle.certificate, list(top), list(middle)]
          .map((each) => each.toPem())
          .join('words\n')
        writeFileSync(join(folder, 'all.pem'), all)
        expect(
          verifyCertificate([alice.certificate], loadTrustStore(join(folder, 'all.pem')), signer).chain,
        ).to.have.length(3)
      })
    })

    it('names the file that is wrong', () => {
      inFolder((folder) => {
        const missing = join(folder, 'nothing')
        expect(errorOf(() => loadTrustStore(missing))).to.include({ code: 'unreadable', place: missing })
        expect(errorOf(() => loadTrustStore(folder))).to.include({ code: 'untrusted', place: folder })
        writeFileSync(join(folder, 'ca.crt'), top.certificate.toPem())
        const wrong = join(folder, 'wrong.pem')
        writeFileSync(wrong, 'not a certificate')
        expect(errorOf(() => loadTrustStore(folder))).to.include({ code: 'malformed', place: wrong })
        writeFileSync(wrong, top.certificate.toPem().replace('\nM', '\n='))
        expect(errorOf(() => loadTrustStore(folder))).to.include({ code: 'malformed', place: wrong })
        writeFileSync(wrong, new Uint8Array(4_194_305))
        expect(errorOf(() => loadTrustStore(folder))).to.include({ code: 'limit', place: wrong })
      })
    })

    it('does not take the certificate of a signer for a root', () => {
      inFolder((folder) => {
        writeFileSync(join(folder, 'alice.crt'), alice.certificate.toPem())
        expect(errorOf(() => loadTrustStore(folder)).code).to.equal('untrusted')
      })
    })
  })
})
