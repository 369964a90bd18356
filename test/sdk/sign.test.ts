import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { before, describe, it } from 'mocha'
import { CertificateError } from '../../execution-env/certificates/errors.ts'
import { writePrivateKey } from '../../execution-env/certificates/keys.ts'
import type { Capabilities } from '../../execution-env/contract/capabilities.ts'
import { buildPlugin } from '../../sdk/build.ts'
import { inspectPlugin } from '../../sdk/inspect.ts'
import { signPlugin } from '../../sdk/sign.ts'
import { verifyPlugin } from '../../sdk/verify.ts'
import { DAY, leaf, list, NOW, root } from '../execution-env/certificates/kit.ts'
import { inFolder, ROOT } from './kit.ts'

/** Writes what routers trust and a signer with this grant; gives the paths. */
function writeFolder(folder: string, capabilities: Capabilities) {
  const authority = root()
  const signer = leaf(authority, { grant: { capabilities } })
  const files = { certificate: join(folder, 'alice.crt'), key: join(folder, 'alice.key') }
  writeFileSync(files.certificate, signer.certificate.toPem())
  writeFileSync(files.key, writePrivateKey(signer.key))
  writeFileSync(join(folder, 'ca.crt'), authority.certificate.toPem())
  writeFileSync(join(folder, 'crl.pem'), list(authority).toPem())
  return files
}

describe('signPlugin, verifyPlugin and inspectPlugin (R-PR-01)', () => {
  let bytes: Uint8Array
  let capabilities: Capabilities
  before(async () => {
    const built = await buildPlugin(join(ROOT, 'examples', 'round-robin'))
    bytes = built.bytes
    capabilities = built.manifest.capabilities
  })

  it('sign what verifies, the same bytes for the same time', async () => {
    await inFolder((folder) => {
      const files = writeFolder(folder, capabilities)
      const signed = signPlugin(bytes, files, NOW)
      expect(Buffer.compare(signPlugin(signed, files, NOW), signed)).to.equal(0)
      const verified = verifyPlugin(signed, folder, NOW)
      expect(verified.bundle.manifest.name).to.equal('round-robin')
      expect(verified.signer.commonName).to.equal('alice')
      expect(() => verifyPlugin(signed, folder, NOW + 400 * DAY)).to.throw(
        CertificateError,
        'was valid until',
      )
      expect(() => verifyPlugin(bytes, folder, NOW)).to.throw(CertificateError, 'not signed')
    })
  })

  it('do not sign what asks for more than the signer was granted', async () => {
    await inFolder((folder) => {
      const files = writeFolder(folder, {
        ...capabilities,
        flows: { to: ['198.18.0.0/16'], actions: ['tunnel'] },
      })
      expect(() => signPlugin(bytes, files, NOW)).to.throw(CertificateError, 'flows')
    })
  })

  it('show what a bundle says, and whose signature it claims, without judging', async () => {
    await inFolder((folder) => {
      const unsigned = inspectPlugin(bytes)
      expect(unsigned).not.to.have.property('signature')
      expect(unsigned.problems).to.deep.equal([])
      expect(unsigned.capabilities[0]).to.equal('flows: to 198.18.0.0/15; actions drop, tunnel')
      const signed = inspectPlugin(signPlugin(bytes, writeFolder(folder, capabilities), NOW))
      expect(signed.digest).to.equal(unsigned.digest)
      expect(signed.signature).to.include({ signer: 'CN=alice', claimedMs: NOW })
    })
  })
})
