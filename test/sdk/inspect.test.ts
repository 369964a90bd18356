import { expect } from 'chai'
import { describe, it } from 'mocha'
import { attachSignature, buildBundle, readBundle } from '../../execution-env/bundle/bundle.ts'
import { BundleError } from '../../execution-env/bundle/errors.ts'
import { inspectPlugin } from '../../sdk/inspect.ts'
import { source } from '../execution-env/bundle/kit.ts'

describe('inspectPlugin', () => {
  it('tells why routers would refuse the code', () => {
    const bytes = buildBundle({
      ...source(),
      code: 'module.exports = 1\nasync function f() {}\n',
      sourceMap: '{}',
    })
    expect(inspectPlugin(bytes).problems).to.deep.equal([
      'plugin.js:2:1: async functions cannot be used: handlers are synchronous',
    ])
  })

  it('says so when a signature cannot be read', () => {
    const bundle = readBundle(buildBundle(source()))
    const { signature } = inspectPlugin(attachSignature(bundle, Uint8Array.of(1, 2, 3)))
    expect(signature?.signer).to.match(/^unreadable: /)
  })

  it('refuses what is no bundle', () => {
    expect(() => inspectPlugin(new Uint8Array(2_000))).to.throw(BundleError)
  })
})
