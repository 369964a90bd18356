import { expect } from 'chai'
import { describe, it } from 'mocha'
import { CertificateError } from '../../../execution-env/certificates/errors.ts'
import { TrustStore } from '../../../execution-env/certificates/trust-store.ts'
import { verifyCertificate } from '../../../execution-env/certificates/verifier.ts'
import { authority, BROAD, DAY, edKey, leaf, list, NOW, root, rsaKey, VALID } from './kit.ts'

function errorOf(work: () => unknown): CertificateError {
  try {
    work()
  } catch (error) {
    if (error instanceof CertificateError) return error
    throw error
  }
  throw new Error('accepted')
}

const REVOKED = { atMs: NOW - DAY, reason: 'keyCompromise' } as const

describe('verifier (R-PR-02, R-SLR-17)', () => {
  const top = root()
  const alice = leaf(top)

  it('answers with the certificate, its chain and what it grants', () => {
    const middle = authority(top)
    const bob = leaf(middle, { name: 'bob', type: 'host', grant: { virtualHosts: ['198.18.0.0/16'] } })
    const store = new TrustStore([top.certificate], [list(top), list(middle)])
    const verified = verifyCertificate([bob.certificate, middle.certificate], store, {
      usage: 'host',
      atMs: NOW,
    })
    expect(verified.certificate.subject).to.equal('CN=bob')
    expect(verified.chain.map((each) => each.commonName)).to.deep.equal([
      'bob',
      'Test authority',
      'Test root',
    ])
    expect(verified.grant).to.deep.equal({ virtualHosts: ['198.18.0.0/16'] })
    expect(verified.warnings).to.deep.equal([])
  })

  it('says whose certificate it is about and what would help', () => {
    const verify = (lists: Parameters<typeof list>[1] | undefined) => () =>
      verifyCertificate(
        [alice.certificate],
        new TrustStore([top.certificate], lists ? [list(top, lists)] : []),
        {
          usage: 'signer',
          atMs: NOW,
        },
      )
    expect(errorOf(verify({ '10': REVOKED })).message).to.equal(
      'CN=alice: revoked on 2026-05-31T00:00:00Z (keyCompromise)',
    )
    expect(errorOf(verify(undefined)).message).to.equal(
      'CN=alice: no revocation list of CN=Test root is known (pronto ca crl)',
    )
  })

  describe('when the same was accepted before', () => {
    const again = (store: TrustStore, atMs: number, presented = alice.certificate) =>
      verifyCertificate([presented], store, { usage: 'signer', atMs, occasion: 'again' })
    const codes = (store: TrustStore, atMs: number) => again(store, atMs).warnings.map((each) => each.code)

    it('warns of expiry, of a clock that went back and of lists that are old, missing or to come', () => {
      const store = new TrustStore([top.certificate], [list(top)])
      expect(codes(store, NOW)).to.deep.equal([])
      expect(codes(store, NOW + 40 * DAY)).to.deep.equal(['list-stale'])
      expect(codes(store, VALID.notAfterMs + DAY)).to.deep.equal(['expired', 'expired', 'list-stale'])
      expect(codes(store, 0)).to.deep.equal(['not-yet-valid', 'not-yet-valid', 'list-stale'])
      expect(codes(new TrustStore([top.certificate]), NOW)).to.deep.equal(['list-missing'])
    })

    it('still refuses what was revoked, whatever the time and the age of the list', () => {
      const stale = list(top, { '10': REVOKED }, { nextUpdateMs: NOW - DAY + 1_000 })
      const newer = list(top, {}, { thisUpdateMs: NOW, number: 2 })
      for (const atMs of [0, NOW, VALID.notAfterMs + DAY])
        expect(errorOf(() => again(new TrustStore([top.certificate], [newer, stale]), atMs)).code).to.equal(
          'revoked',
        )
    })

    it('still refuses what is altered or not trusted', () => {
      const other = leaf(root({ key: rsaKey('other') }))
      const store = new TrustStore([top.certificate], [list(top)])
      expect(errorOf(() => again(store, NOW, other.certificate)).code).to.equal('untrusted')
    })
  })

  describe('when there are several ways to a root', () => {
    it('takes one that holds', () => {
      const key = rsaKey('authority')
      const expired = authority(top, { key, notAfterMs: NOW - DAY, serial: '05' })
      const renewed = authority(top, { key, serial: '06' })
      const bob = leaf(renewed, { name: 'bob' })
      const store = new TrustStore([top.certificate], [list(top), list(renewed)])
      for (const presented of [
        [bob.certificate, expired.certificate, renewed.certificate],
        [bob.certificate, renewed.certificate, expired.certificate],
      ])
        expect(verifyCertificate(presented, store, { usage: 'signer', atMs: NOW }).chain[1]!.serial).to.equal(
          '06',
        )
      const only = [bob.certificate, expired.certificate]
      expect(errorOf(() => verifyCertificate(only, store, { usage: 'signer', atMs: NOW })).code).to.equal(
        'expired',
      )
    })

    it('takes the renewed root of the same key', () => {
      const old = root({ notAfterMs: NOW - DAY })
      const renewed = root({ serial: '02' })
      const store = new TrustStore([old.certificate, renewed.certificate], [list(renewed)])
      expect(
        verifyCertificate([alice.certificate], store, { usage: 'signer', atMs: NOW }).chain[1]!.serial,
      ).to.equal('02')
    })
  })

  describe('when what is presented is hostile', () => {
    it('bounds its number', () => {
      const store = new TrustStore([top.certificate], [list(top)])
      const presented = Array.from({ length: 9 }, () => alice.certificate)
      expect(
        errorOf(() => verifyCertificate(presented, store, { usage: 'signer', atMs: NOW })).code,
      ).to.equal('limit')
      expect(errorOf(() => verifyCertificate([], store, { usage: 'signer', atMs: NOW })).code).to.equal(
        'unsigned',
      )
    })

    it('bounds the search through authorities that signed each other', () => {
      const key = edKey('ring')
      const ring = Array.from(
        { length: 7 },
        (_, index) => root({ name: 'Ring', key, serial: `0${index + 1}` }).certificate,
      )
      const lost = leaf(root({ name: 'Ring', key }))
      const store = new TrustStore([top.certificate], [list(top)])
      const error = errorOf(() =>
        verifyCertificate([lost.certificate, ...ring], store, { usage: 'signer', atMs: NOW }),
      )
      expect(error.code).to.equal('limit')
    })

    it('takes no lists from a key that may not sign lists', () => {
      const store = new TrustStore([top.certificate], [list({ ...alice, certificate: alice.certificate })])
      expect(
        errorOf(() => verifyCertificate([alice.certificate], store, { usage: 'signer', atMs: NOW })).code,
      ).to.equal('list-missing')
    })
  })

  it('refuses a chain that is longer than eight', () => {
    let issuer = top
    const presented = [] as ReturnType<typeof leaf>['certificate'][]
    for (let level = 0; level < 7; level++) {
      issuer = authority(issuer, {
        name: `Level ${level}`,
        serial: `0${level + 2}`,
        key: edKey(`level ${level}`),
        grant: BROAD,
      })
      presented.unshift(issuer.certificate)
    }
    const end = leaf(issuer, { key: edKey('end') })
    const store = new TrustStore([top.certificate], [list(top)])
    expect(
      errorOf(() => verifyCertificate([end.certificate, ...presented], store, { usage: 'signer', atMs: NOW }))
        .code,
    ).to.equal('untrusted')
  })
})
