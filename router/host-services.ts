/**
 * What the proxies do for the plugins of a real router (R-PR-02), on the main thread. The one idea: requests come from
 * the engine's thread one by one, authorized and counted; each goes back answered, under its number.
 */
import {
  CertificateAuthorityProxy,
  HttpProxy,
  KeyService,
  type PluginServices,
  proxiedServices,
} from '../execution-env/index.ts'
import type { EngineThread } from './engine-thread/engine-thread.ts'
import type { HostSignaling } from './host-signaling.ts'
import type { RouterKeys } from './router-keys.ts'
import type { Trust } from './trust.ts'

export class HostServices {
  readonly #thread: EngineThread
  readonly #http = new HttpProxy()

  constructor(thread: EngineThread, trust: Trust, keys: RouterKeys, signaling: HostSignaling | undefined) {
    this.#thread = thread
    const services = this.#servicesOf(trust, keys, signaling)
    thread.onService = ({ number, request }) =>
      services.ask(request, (answer) => thread.served({ number, answer }))
  }

  /** Breaks off what is under way. */
  close(): void {
    this.#thread.onService = undefined
    this.#http.close()
  }

  #servicesOf(trust: Trust, keys: RouterKeys, signaling: HostSignaling | undefined): PluginServices {
    const certificates = new CertificateAuthorityProxy({
      trust: () => trust.store,
      *candidates(name) {
        yield* trust.published(name)
        const presented = signaling?.certificatesOf(name)
        if (presented !== undefined) yield presented
      },
      calendarMs: Date.now,
    })
    const service = new KeyService({
      key: (name) => keys.get(name),
      certificate: (name) => certificates.find(name),
    })
    return proxiedServices({ http: this.#http, certificates, keys: service })
  }
}
