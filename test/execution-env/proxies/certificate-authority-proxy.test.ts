import { expect } from 'chai'
import { describe, it } from 'mocha'
import { type Certificate, TrustStore } from '../../../execution-env/certificates/index.ts'
import { writePublicKey } from '../../../execution-env/certificates/keys.ts'
import type { Revocation } from '../../../execution-env/certificates/revocation-list.ts'
import { CertificateAuthorityProxy } from '../../../execution-env/proxies/certificate-authority-proxy.ts'
import { authority, DAY, edKey, leaf, list, NOW, root } from '../certificates/kit.ts'

const ROOT = root({ key: edKey('root') })
const MIDDLE = authority(ROOT, { key: edKey('middle') })
const HOST = leaf(MIDDLE, { type: 'host', name: 's1', serial: '20' })

interface Given {
  readonly candidates?: readonly (readonly Certificate[])[]
  readonly revoked?: Readonly<Record<string, Revocation>>
  readonly atMs?: number
  readonly trusts?: Certificate
}

function proxy({ candidates = [[HOST.certificate, ...HOST.chain]], ...given }: Given = {}) {
  const { revoked = {}, atMs = NOW, trusts = ROOT.certificate } = given
  const lists = [list(ROOT), list(MIDDLE, revoked)]
  return new CertificateAuthorityProxy({
    trust: () => new TrustStore([trusts], lists),
    candidates: () => candidates,
    calendarMs: () => atMs,
  })
}

describe('CertificateAuthorityProxy (R-PR-02)', () => {
  it('tells whose key it is, and until when', () => {
    expect(proxy().lookup('s1')).to.deep.equal({
      ok: true,
      name: 's1',
      publicKey: Buffer.from(writePublicKey(HOST.key)).toString('base64'),
      notAfterMs: HOST.certificate.notAfterMs,
      serial: '20',
    })
  })

  it('knows nobody by a part of a name', () => {
    for (const name of ['s', 's12', 'S1', '', 's1/x'])
      expect(proxy().lookup(name), name).to.include({ ok: false, code: 'unknown' })
  })

  it('tells nothing of whom it does not believe', () => {
    const revoked = { 20: { atMs: NOW - DAY, reason: 'keyCompromise' } } as const
    const stranger = root({ key: edKey('stranger'), name: 'Stranger' })
    const forged = leaf(stranger, { type: 'host', name: 's1' })
    for (const [what, given] of [
      ['a revoked one', { revoked }],
      ['one that has expired', { atMs: NOW + 1_000 * DAY }],
      ['one that is not valid yet', { atMs: NOW - 1_000 * DAY }],
      ['one of a stranger', { trusts: stranger.certificate }],
      ['a forged one', { candidates: [[forged.certificate, stranger.certificate]] }],
      ['one without its chain', { candidates: [[HOST.certificate]] }],
      ['an authority', { candidates: [[authority(ROOT, { name: 's1', key: edKey('m2') }).certificate]] }],
    ] as const)
      expect(proxy(given).lookup('s1'), what).to.include({ ok: false, code: 'refused' })
  })

  it('takes the one that was issued last, among those that it believes', () => {
    const issue = (serial: string, key: string, days: number) => {
      const notBeforeMs = NOW - days * DAY
      return leaf(MIDDLE, { type: 'host', name: 's1', serial, key: edKey(key), notBeforeMs })
    }
    const all = [issue('21', 'a', 9), issue('22', 'b', 3), issue('23', 'c', 1), issue('24', 'd', 5)]
    const revoked = { 23: { atMs: NOW - DAY, reason: 'unspecified' } } as const
    const candidates = all.map(({ certificate, chain }) => [certificate, ...chain])
    expect(proxy({ candidates, revoked }).lookup('s1')).to.include({ ok: true, serial: '22' })
  })
})
