/**
 * The web, certificates and keys of a router under test. The one idea: what the test gives is all there is; an answer
 * is there at once, in the form and with the codes of a router.
 */
import { type Certificate, readCertificates, readPrivateKey } from '../../execution-env/certificates/index.ts'
import type { ServiceAnswer } from '../../execution-env/contract/api/index.ts'
import {
  certificateRecord,
  combineServices,
  type FetchRequest,
  KeyService,
  type PluginServices,
  serviceFailure,
} from '../../execution-env/index.ts'
import type { TestRouterOptions, TestWeb } from './test-router.ts'

/** @throws CertificateError, TypeError for what is no certificate or key */
export function testServices({ http, certificates, keys = {} }: TestRouterOptions): PluginServices {
  const believed = new Map(Object.entries(certificates ?? {}).map(([name, pem]) => [name, first(name, pem)]))
  const own = new Map(Object.entries(keys).map(([name, pem]) => [name, readPrivateKey(pem)]))
  const find = (name: string) => believed.get(name) ?? serviceFailure('unknown', `no certificate of ${name}`)
  const service = new KeyService({ key: (name) => own.get(name), certificate: find })
  return combineServices({
    ...(http && { fetch: (request, done) => done(fetched(http, request)) }),
    ...(certificates && {
      lookup({ name }, done) {
        const found = find(name)
        done('ok' in found ? found : { ...certificateRecord(found), name })
      },
    }),
    sign: (request, done) => done(service.sign(request)),
    verify: (request, done) => done(service.verify(request)),
  })
}

function first(name: string, pem: string): Certificate {
  const [certificate] = readCertificates(pem)
  if (certificate === undefined) throw new TypeError(`certificates.${name}: expected a certificate in PEM`)
  return certificate
}

function fetched(web: TestWeb, { url, maxBytes }: FetchRequest): ServiceAnswer {
  const response = web(url)
  if (response === undefined) return serviceFailure('unreachable', 'ENOTFOUND')
  if ('code' in response) return serviceFailure(response.code, 'the test says so')
  const { status = 200, contentType = 'text/plain', body = '' } = response
  if (Buffer.byteLength(body) > maxBytes) return serviceFailure('too-large', `more than ${maxBytes} bytes`)
  return { ok: true, status, contentType, body }
}
