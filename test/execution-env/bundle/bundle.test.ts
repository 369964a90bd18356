import { createHash } from 'node:crypto'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import {
  attachSignature,
  buildBundle,
  bundleFileName,
  readBundle,
} from '../../../execution-env/bundle/bundle.ts'
import { bundleOf, codeOf, source } from './kit.ts'

describe('bundle', () => {
  it('is the same for the same sources and reads back', () => {
    const built = buildBundle(source())
    expect(buildBundle(source())).to.deep.equal(built)
    const { manifest, code, sourceMap, signature } = readBundle(built)
    expect({ manifest, code, sourceMap }).to.deep.equal(source())
    expect(signature).to.equal(undefined)
    expect(bundleFileName(manifest)).to.equal('round-robin-1.0.0.pronto')
  })

  it('has a digest of its sources that no signature changes', () => {
    const { bytes, bundle } = bundleOf()
    const signed = readBundle(attachSignature(bundle, Uint8Array.of(1, 2, 3)))
    expect(bundle.digest).to.equal(createHash('sha256').update(bytes.subarray(0, -1_024)).digest('hex'))
    expect(signed.digest).to.equal(bundle.digest)
    expect(signed.signature).to.deep.equal(Uint8Array.of(1, 2, 3))
    expect(signed.payload).to.deep.equal(bundle.payload)
    const other = readBundle(buildBundle({ ...source(), code: 'export default {}' }))
    expect(other.digest).to.not.equal(bundle.digest)
  })

  it('keeps nothing of the bytes it was read from', () => {
    const { bytes } = bundleOf()
    const bundle = readBundle(bytes)
    const before = Uint8Array.from(bundle.payload)
    bytes.fill(0)
    expect(bundle.payload).to.deep.equal(before)
  })

  it('is not built of parts that no bundle may have', () => {
    expect(codeOf(() => buildBundle({ ...source(), code: 'x'.repeat(2_097_153) }))).to.equal('limit')
    expect(codeOf(() => buildBundle({ ...source(), sourceMap: 'x'.repeat(8_388_609) }))).to.equal('limit')
    expect(codeOf(() => buildBundle({ ...source(), code: '\ud800' }))).to.equal('encoding')
  })
})
