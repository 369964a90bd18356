/** The services that the proxies make up; what is left out answers `unsupported`. */
import type { CertificateAuthorityProxy } from './certificate-authority-proxy.ts'
import type { HttpProxy } from './http-proxy.ts'
import type { KeyService } from './key-service.ts'
import { combineServices, type PluginServices, type ServiceParts } from './plugin-services.ts'

export interface Proxies {
  readonly http?: HttpProxy
  readonly certificates?: CertificateAuthorityProxy
  readonly keys?: KeyService
}

export function proxiedServices({ http, certificates, keys }: Proxies): PluginServices {
  const parts: ServiceParts = {
    ...(http && { fetch: (request, done) => http.fetch(request, done) }),
    ...(certificates && { lookup: ({ name }, done) => done(certificates.lookup(name)) }),
    ...(keys && {
      sign: (request, done) => done(keys.sign(request)),
      verify: (request, done) => done(keys.verify(request)),
    }),
  }
  return combineServices(parts)
}
