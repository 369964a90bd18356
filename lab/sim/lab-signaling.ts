/**
 * Signaling in a simulated lab: who believes whom. The one idea: a lab without agents has none of it and pays nothing;
 * in one with agents every certificate follows from the lab's root seed.
 */
import type { Credential, TrustStore } from '../../execution-env/certificates/index.ts'
import { type HostNode, hostsOf, type Lab } from '../file/index.ts'
import { LabAuthority } from '../lab-authority.ts'

export class LabSignaling {
  readonly epochMs: number
  readonly #authority: LabAuthority
  readonly #nodes: Lab['nodes']

  private constructor(lab: Lab) {
    this.epochMs = lab.epochMs
    this.#nodes = lab.nodes
    this.#authority = new LabAuthority(lab.rootSeed, lab.epochMs)
  }

  /** Undefined when no host of the lab has an agent. */
  static of(lab: Lab): LabSignaling | undefined {
    return hostsOf(lab).some(({ agent }) => agent !== undefined) ? new LabSignaling(lab) : undefined
  }

  /** Whom the routers of the lab believe. */
  get trust(): TrustStore {
    return this.#authority.trust
  }

  /** What a host shows: it may speak for its virtual hosts. */
  credential(host: HostNode): Credential {
    return this.#authority.host(host.name, this.#nodes.indexOf(host), host.virtualHosts)
  }
}
