import { expect } from 'chai'
import { describe, it } from 'mocha'
import { signMessage } from '../../../execution-env/certificates/index.ts'
import { writePublicKey } from '../../../execution-env/certificates/keys.ts'
import { KeyService, PLUGIN_PROTOCOL } from '../../../execution-env/proxies/key-service.ts'
import { serviceFailure } from '../../../execution-env/proxies/plugin-services.ts'
import { edKey, leaf, root, rsaKey } from '../certificates/kit.ts'

const ROOT = root({ key: edKey('root') })
const HOST = leaf(ROOT, { type: 'host', name: 's1' })
const service = new KeyService({
  key: (name) => (name === 'own' ? edKey('own') : undefined),
  certificate: (name) => (name === 's1' ? HOST.certificate : serviceFailure('refused', 'revoked')),
})

const TEXT = 'moved to 10.0.2.3'
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const signed = (protocol: string): string => base64(signMessage(HOST.key, protocol, Buffer.from(TEXT)))
const verify = (by: { key?: string; publicKey?: string }, signature: string, text = TEXT) =>
  service.verify({ kind: 'verify', key: by.key, publicKey: by.publicKey, text, signature })

describe('KeyService (R-PR-02, R-DT-05)', () => {
  it('signs with a key of the router, so that whoever has its public key can tell', () => {
    const answer = service.sign({ kind: 'sign', key: 'own', text: TEXT })
    const signature = answer.ok ? answer.signature : ''
    const publicKey = base64(writePublicKey(edKey('own')))
    expect(verify({ key: 'own' }, signature)).to.deep.equal({ ok: true, valid: true })
    expect(verify({ publicKey }, signature)).to.deep.equal({ ok: true, valid: true })
    expect(verify({ publicKey }, signature, `${TEXT}0`)).to.deep.equal({ ok: true, valid: false })
    expect(service.sign({ kind: 'sign', key: 's1', text: TEXT })).to.include({ ok: false, code: 'unknown' })
  })

  it('verifies by a certificate that is believed', () => {
    expect(verify({ key: 's1' }, signed(PLUGIN_PROTOCOL))).to.deep.equal({ ok: true, valid: true })
    expect(verify({ key: 's2' }, signed(PLUGIN_PROTOCOL))).to.include({ ok: false, code: 'refused' })
  })

  it('takes no signature of another protocol for a text, nor the other way round', () => {
    expect(verify({ key: 's1' }, signed('signaling/1'))).to.deep.equal({ ok: true, valid: false })
  })

  it('finds whatever is no signature or no key', () => {
    for (const signature of ['', 'x', base64(new Uint8Array(64)), base64(new Uint8Array(65))])
      expect(verify({ key: 's1' }, signature)).to.deep.equal({ ok: true, valid: false })
    for (const publicKey of ['', 'AAAA', base64(writePublicKey(rsaKey('signer')))])
      expect(verify({ publicKey }, '')).to.include({ ok: false, code: 'invalid' })
  })
})
