import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { CertificateError } from '../../../execution-env/certificates/errors.ts'
import { writePrivateKey } from '../../../execution-env/certificates/keys.ts'
import { checkSignedData, signDetached } from '../../../execution-env/certificates/signed-data.ts'
import { readSignedData } from '../../../execution-env/certificates/signed-data-reader.ts'
import { authority, edKey, leaf, NOW, root } from './kit.ts'
import { inFolder, requireOpenssl, runOpenssl } from './openssl.ts'

const CONTENT = Uint8Array.from({ length: 3_000 }, (_, index) => index % 251)

function codeOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof CertificateError) return error.code
    throw error
  }
  return 'nothing'
}

describe('detached signature', () => {
  const top = root()
  const middle = authority(top)
  const signer = leaf(middle)

  it('reads back with the signer first, its chain and the time it claims', () => {
    const signed = readSignedData(signDetached(CONTENT, signer, NOW + 999))
    expect(signed.certificates.map((each) => each.subject)).to.deep.equal(['CN=alice', 'CN=Test authority'])
    expect(signed.claimedMs).to.equal(NOW)
    checkSignedData(signed, CONTENT)
  })

  it('is the same for the same content, key and time', () => {
    expect(signDetached(CONTENT, signer, NOW)).to.deep.equal(signDetached(CONTENT, signer, NOW))
  })

  it('does not fit other content, nor another key', () => {
    const signed = readSignedData(signDetached(CONTENT, signer, NOW))
    expect(codeOf(() => checkSignedData(signed, CONTENT.subarray(1)))).to.equal('altered')
    const impostor = { ...leaf(middle), key: leaf(top, { key: edKey('x') }).key }
    expect(
      codeOf(() => checkSignedData(readSignedData(signDetached(CONTENT, impostor, NOW)), CONTENT)),
    ).to.equal('unsupported')
    const [one, other] = [leaf(top, { key: edKey('one') }), leaf(top, { key: edKey('other') })]
    const swapped = readSignedData(signDetached(CONTENT, { ...one, key: other.key }, NOW))
    expect(codeOf(() => checkSignedData(swapped, CONTENT))).to.equal('altered')
  })

  it('works with Ed25519 keys too (RFC 8419)', () => {
    const signed = readSignedData(
      signDetached(CONTENT, leaf(root({ key: edKey('root') }), { key: edKey('s') }), NOW),
    )
    checkSignedData(signed, CONTENT)
    expect(codeOf(() => checkSignedData(signed, CONTENT.subarray(1)))).to.equal('altered')
  })

  it('is accepted by openssl cms -verify', function () {
    requireOpenssl(this)
    inFolder((folder) => {
      writeFileSync(join(folder, 'content'), CONTENT)
      writeFileSync(join(folder, 'signature.p7s'), signDetached(CONTENT, signer, NOW))
      writeFileSync(join(folder, 'ca.crt'), top.certificate.toPem())
      const verify = (content: string) =>
        runOpenssl(
          ['cms', '-verify', '-purpose', 'any', '-binary', '-inform', 'DER', '-in', 'signature.p7s'].concat([
            '-content',
            content,
            '-CAfile',
            'ca.crt',
            '-attime',
            String(NOW / 1000),
            '-out',
            '/dev/null',
          ]),
          folder,
        )
      expect(verify('content')).to.deep.equal({ ok: true, output: 'CMS Verification successful\n' })
      writeFileSync(join(folder, 'other'), CONTENT.subarray(1))
      expect(verify('other').ok).to.equal(false)
    })
  })

  it('may be made by openssl cms -sign, with any SHA-2', function () {
    requireOpenssl(this)
    inFolder((folder) => {
      writeFileSync(join(folder, 'content'), CONTENT)
      writeFileSync(join(folder, 'alice.crt'), signer.certificate.toPem())
      writeFileSync(join(folder, 'chain.crt'), middle.certificate.toPem())
      writeFileSync(join(folder, 'alice.key'), writePrivateKey(signer.key))
      for (const digest of ['sha256', 'sha384', 'sha512']) {
        const made = runOpenssl(
          ['cms', '-sign', '-binary', '-in', 'content', '-signer', 'alice.crt', '-inkey', 'alice.key'].concat(
            ['-certfile', 'chain.crt', '-md', digest, '-outform', 'DER', '-out', 'signature.p7s'],
          ),
          folder,
        )
        expect(made.output).to.equal('')
        const signed = readSignedData(Uint8Array.from(readFileSync(join(folder, 'signature.p7s'))))
        checkSignedData(signed, CONTENT)
        expect(signed.certificates.map((each) => each.commonName)).to.deep.equal(['alice', 'Test authority'])
      }
    })
  })

  it('is refused in the forms of openssl that are not ours', function () {
    requireOpenssl(this)
    inFolder((folder) => {
      writeFileSync(join(folder, 'content'), CONTENT)
      writeFileSync(join(folder, 'alice.crt'), signer.certificate.toPem())
      writeFileSync(join(folder, 'bob.crt'), leaf(middle, { name: 'bob', serial: '11' }).certificate.toPem())
      writeFileSync(join(folder, 'alice.key'), writePrivateKey(signer.key))
      const variants: readonly (readonly string[])[] = [
        ['-nodetach'],
        ['-nocerts'],
        ['-noattr'],
        ['-keyid'],
        ['-md', 'sha1'],
        ['-econtent_type', '1.2.3.4'],
        ['-signer', 'bob.crt', '-inkey', 'alice.key'],
        ['-keyopt', 'rsa_padding_mode:pss'],
      ]
      for (const variant of variants) {
        const made = runOpenssl(
          [
            'cms',
            '-sign',
            '-binary',
            '-in',
            'content',
            '-signer',
            'alice.crt',
            '-inkey',
            'alice.key',
            ...variant,
          ].concat(['-outform', 'DER', '-out', 'signature.p7s']),
          folder,
        )
        expect(made.ok, `${variant}: ${made.output}`).to.equal(true)
        const bytes = Uint8Array.from(readFileSync(join(folder, 'signature.p7s')))
        expect(
          codeOf(() => readSignedData(bytes)),
          variant.join(' '),
        ).to.match(/malformed|unsupported/)
      }
    })
  })
})
