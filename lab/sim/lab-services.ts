/**
 * The proxies of simulated routers (R-PR-02). The one idea: a lab knows the certificates of its own hosts, which follow
 * from its root seed, and nothing beyond itself; so look-ups are answered in virtual time, and the web is `unsupported`.
 */
import type { Certificate, TrustStore } from '../../execution-env/certificates/index.ts'
import {
  CertificateAuthorityProxy,
  KeyService,
  type PluginServices,
  proxiedServices,
} from '../../execution-env/index.ts'
import { hostsOf, type Lab } from '../file/index.ts'
import { LabAuthority } from '../lab-authority.ts'

export class LabServices {
  readonly #lab: Lab
  readonly #trust: TrustStore
  readonly #issued = new Map<string, Certificate>()
  #authority: LabAuthority | undefined

  /** @param trust whom the routers of the lab believe */
  constructor(lab: Lab, trust: TrustStore) {
    this.#lab = lab
    this.#trust = trust
  }

  /** For a router whose calendar this is. */
  of(calendarMs: () => number): PluginServices {
    const certificates = new CertificateAuthorityProxy({
      trust: () => this.#trust,
      candidates: (name) => this.#candidates(name),
      calendarMs,
    })
    const keys = new KeyService({ key: () => undefined, certificate: (name) => certificates.find(name) })
    return proxiedServices({ certificates, keys })
  }

  *#candidates(name: string): Iterable<readonly Certificate[]> {
    const host = hostsOf(this.#lab).find((each) => each.name === name)
    if (host === undefined) return
    let certificate = this.#issued.get(name)
    if (certificate === undefined) {
      const { rootSeed, epochMs, nodes } = this.#lab
      this.#authority ??= new LabAuthority(rootSeed, epochMs)
      certificate = this.#authority.host(name, nodes.indexOf(host), host.virtualHosts).certificate
      this.#issued.set(name, certificate)
    }
    yield [certificate]
  }
}
