import { expect } from 'chai'
import { describe, it } from 'mocha'
import { writePrivateKey } from '../../../execution-env/certificates/index.ts'
import { definePlugin, type ServiceFailure } from '../../../sdk/index.ts'
import { type TestRouterOptions, testRouter } from '../../../sdk/testing/index.ts'
import { edKey, leaf, root } from '../../execution-env/certificates/kit.ts'

const HOST = leaf(root({ key: edKey('root') }), { type: 'host', name: 's1' })

/** Asks all there is and answers with what came. */
const asker = definePlugin({
  setup(router) {
    const heard: Record<string, unknown> = {}
    const note = (name: string) => (answer: { ok: true } | ServiceFailure) => {
      heard[name] = answer.ok ? answer : answer.code
    }
    router.http.get('https://a.example/x', note('http'))
    router.certificates.lookup('s1', note('certificate'))
    router.certificates.lookup('s2', note('stranger'))
    router.keys.sign('own', 'text', (answer) => {
      note('signature')(answer)
      if (answer.ok) router.keys.verify('own', 'text', answer.signature, note('verdict'))
    })
    router.query.answer('heard', () => heard as never)
  },
})

const heard = async (options: TestRouterOptions) =>
  (await testRouter(asker, options)).query('heard') as Record<string, object>

describe('testRouter', () => {
  describe('when a plugin asks the proxies (R-PR-02)', () => {
    it('answers what the test gives', async () => {
      const { http, certificate, stranger, signature, verdict } = await heard({
        http: (url) => ({ status: 201, body: `${url}!` }),
        certificates: { s1: HOST.certificate.toPem() },
        keys: { own: writePrivateKey(edKey('own')) },
      })
      const page = { ok: true, status: 201, contentType: 'text/plain', body: 'https://a.example/x!' }
      expect(http).to.deep.equal(page)
      expect(certificate).to.include({ ok: true, name: 's1', serial: '10' })
      expect(stranger).to.equal('unknown')
      expect(signature).to.have.property('signature').with.length(88)
      expect(verdict).to.deep.equal({ ok: true, valid: true })
    })

    it('has nothing that the test does not give', async () => {
      expect(await heard({})).to.deep.equal({
        http: 'unsupported',
        certificate: 'unsupported',
        stranger: 'unsupported',
        signature: 'unknown',
      })
    })

    it('plays the failures of the web', async () => {
      expect(await heard({ http: () => undefined })).to.include({ http: 'unreachable' })
      expect(await heard({ http: () => ({ code: 'timeout' }) })).to.include({ http: 'timeout' })
      const body = 'x'.repeat(65_537)
      expect(await heard({ http: () => ({ body }) })).to.include({ http: 'too-large' })
    })

    it('refuses an origin beyond what the operator allows', async () => {
      const capabilities = { http: { get: ['https://b.example'] }, query: { answer: ['*'] } }
      const refusal = await testRouter(asker, { capabilities }).catch((error: Error) => error)
      expect(refusal).to.be.instanceOf(Error)
    })
  })
})
