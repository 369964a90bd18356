import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { CertificateError } from '../../../execution-env/certificates/errors.ts'
import { SIGNATURE_BYTES, signMessage, verifyMessage } from '../../../execution-env/certificates/identity.ts'
import { edKey, leaf, root, rsaKey } from './kit.ts'

describe('identity (R-SLR-17, R-SEC-03)', () => {
  const host = leaf(root({ key: edKey('root') }), { type: 'host' })
  const message = Uint8Array.of(1, 2, 3)
  const signature = signMessage(host.key, 'host-hello/1', message)

  it('signs the same message alike, in 64 bytes, and verifies it', () => {
    expect(signature).to.have.length(SIGNATURE_BYTES)
    expect(signMessage(host.key, 'host-hello/1', message)).to.deep.equal(signature)
    expect(verifyMessage(host.certificate, 'host-hello/1', message, signature)).to.equal(true)
  })

  it('does not take a signature of one protocol for another', () => {
    expect(verifyMessage(host.certificate, 'host-hello/2', message, signature)).to.equal(false)
    const shifted = Uint8Array.of(0x32, 0, ...message)
    const other = signMessage(host.key, 'host-hello/', shifted)
    expect(verifyMessage(host.certificate, 'host-hello/2', message, other)).to.equal(false)
  })

  it('does not verify with another key, or a key of another kind', () => {
    const other = leaf(root({ key: edKey('root') }), { type: 'host', key: edKey('other') })
    expect(verifyMessage(other.certificate, 'host-hello/1', message, signature)).to.equal(false)
    expect(verifyMessage(root().certificate, 'host-hello/1', message, signature)).to.equal(false)
    expect(() => signMessage(rsaKey('root'), 'host-hello/1', message)).to.throw(CertificateError)
  })

  it('refuses every change and survives any bytes', () => {
    fc.assert(
      fc.property(fc.nat(66), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const [changedMessage, changedSignature] = [Uint8Array.from(message), Uint8Array.from(signature)]
        if (at < 3) changedMessage[at]! ^= mask
        else changedSignature[at - 3]! ^= mask
        expect(verifyMessage(host.certificate, 'host-hello/1', changedMessage, changedSignature)).to.equal(
          false,
        )
      }),
      { numRuns: 200 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.uint8Array({ maxLength: 70 }), (data, random) => {
        expect(verifyMessage(host.certificate, 'host-hello/1', data, random)).to.equal(false)
      }),
      { numRuns: 100 },
    )
  })
})
