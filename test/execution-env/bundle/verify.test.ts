import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { attachSignature, readBundle } from '../../../execution-env/bundle/bundle.ts'
import { signBundle } from '../../../execution-env/bundle/sign.ts'
import { verifyBundle } from '../../../execution-env/bundle/verify.ts'
import { signDetached } from '../../../execution-env/certificates/signed-data.ts'
import { TrustStore } from '../../../execution-env/certificates/trust-store.ts'
import { requireLab, requireTool, runTool } from '../../support/oracle.ts'
import { authority, BROAD, DAY, edKey, leaf, list, NOW, root, VALID } from '../certificates/kit.ts'
import { inFolder, requireOpenssl } from '../certificates/openssl.ts'
import { bundleOf, codeOf } from './kit.ts'

const ASKED = { flows: { to: ['198.18.0.0/16'], actions: ['tunnel' as const] } }

describe('bundle verification (R-PR-02)', () => {
  const top = root()
  const middle = authority(top)
  const store = new TrustStore([top.certificate], [list(top), list(middle)])

  it('answers who signed, what was granted and when the signer says so', () => {
    for (const signer of [leaf(top), leaf(middle)]) {
      const signed = readBundle(signBundle(bundleOf(ASKED).bytes, signer, NOW))
      const verified = verifyBundle(signed, store, { atMs: NOW })
      expect(verified.signer.fingerprint).to.equal(signer.certificate.fingerprint)
      expect(verified.grant.capabilities).to.deep.equal(BROAD.capabilities)
      expect(verified.bundle.manifest.capabilities).to.deep.equal(ASKED)
      expect(verified.claimedMs).to.equal(NOW)
      expect(verified.warnings).to.deep.equal([])
    }
  })

  it('signs alike for the same bundle, signer and time, also over an earlier signature', () => {
    const { bytes } = bundleOf(ASKED)
    const signed = signBundle(bytes, leaf(top), NOW)
    expect(signBundle(bytes, leaf(top), NOW)).to.deep.equal(signed)
    expect(signBundle(signBundle(bytes, leaf(middle), NOW - DAY), leaf(top), NOW)).to.deep.equal(signed)
  })

  it('works with a laboratory that has Ed25519 keys only', () => {
    const lab = root({ name: 'Lab', key: edKey('lab') })
    const signer = leaf(lab, { key: edKey('lab signer') })
    const signed = readBundle(signBundle(bundleOf(ASKED).bytes, signer, NOW))
    const trusted = new TrustStore([lab.certificate], [list(lab)])
    expect(verifyBundle(signed, trusted, { atMs: NOW }).signer.commonName).to.equal('alice')
  })

  it('warns of age and refuses revocation when the bundle was accepted before', () => {
    const signed = readBundle(signBundle(bundleOf(ASKED).bytes, leaf(top), NOW))
    const later = { atMs: VALID.notAfterMs + DAY, occasion: 'again' } as const
    expect(verifyBundle(signed, store, later).warnings.map((each) => each.code)).to.include('expired')
    expect(codeOf(() => verifyBundle(signed, store, { ...later, occasion: 'first' }))).to.equal('expired')
    const revoked = new TrustStore(
      [top.certificate],
      [list(top, { '10': { atMs: NOW, reason: 'keyCompromise' } })],
    )
    expect(codeOf(() => verifyBundle(signed, revoked, later))).to.equal('revoked')
  })

  it('is refused at signing when it asks for more than its signer was granted', () => {
    const greedy = bundleOf({ ...ASKED, flows: { to: ['0.0.0.0/0'] } })
    expect(codeOf(() => signBundle(greedy.bytes, leaf(top), NOW))).to.equal('beyond-grant')
    const forced = attachSignature(greedy.bundle, signDetached(greedy.bundle.payload, leaf(top), NOW))
    expect(codeOf(() => verifyBundle(readBundle(forced), store, { atMs: NOW }))).to.equal('beyond-grant')
  })

  it('can be checked by hand with tar and openssl, as docs/bundle.md says', function () {
    requireOpenssl(this)
    requireTool(this, 'tar')
    if (!runTool('tar', ['--version']).includes('GNU tar')) requireLab(this, 'tar is not GNU tar')
    inFolder((folder) => {
      writeFileSync(join(folder, 'ca.crt'), top.certificate.toPem())
      writeFileSync(join(folder, 'bundle.pronto'), signBundle(bundleOf(ASKED).bytes, leaf(top), NOW))
      const script = `
        set -e
        tar -xf bundle.pronto signature.p7s
        block=$(tar -tRf bundle.pronto | sed -n 's/^block \\([0-9]*\\): signature.p7s$/\\1/p')
        head -c $((block * 512)) bundle.pronto > signed-bytes
        openssl cms -verify -binary -inform DER -in signature.p7s -content signed-bytes \
          -CAfile ca.crt -purpose any -attime ${NOW / 1000} -out /dev/null
        openssl pkcs7 -inform DER -in signature.p7s -print_certs -noout`
      const run = spawnSync('sh', ['-c', script], { cwd: folder, encoding: 'utf8', timeout: 20_000 })
      expect(run.stderr).to.equal('CMS Verification successful\n')
      expect(run.status).to.equal(0)
      expect(run.stdout).to.contain('subject=CN = alice')
    })
  })
})
