/**
 * The certification authority of a lab: a root, a signer, hosts and a revocation list that follow from the lab's root seed,
 * so that the same lab has the same certificates, byte for byte. Its keys are worth nothing outside.
 */
import { type Bundle, buildBundle, signBundle } from '../execution-env/bundle/index.ts'
import {
  type Credential,
  createKey,
  createRoot,
  deriveSeed,
  issueCertificate,
  TrustStore,
  writeRevocationList,
} from '../execution-env/certificates/index.ts'

const DAY_MS = 86_400_000
const VALID_DAYS = 3650
/** Serial numbers of hosts: this, and the host's place in the file. */
const HOST_SERIALS = 0x100000

export class LabAuthority {
  /** What the lab's routers trust. */
  readonly trust: TrustStore
  readonly #root: Credential
  readonly #secret: string
  readonly #validity: { readonly notBeforeMs: number; readonly notAfterMs: number }
  readonly #epochMs: number
  #issued = 0x1000

  constructor(rootSeed: number, epochMs: number) {
    this.#secret = `pronto lab ${rootSeed}`
    this.#epochMs = epochMs
    this.#validity = { notBeforeMs: epochMs - DAY_MS, notAfterMs: epochMs + VALID_DAYS * DAY_MS }
    this.#root = createRoot({
      name: 'lab authority',
      serial: '01',
      key: this.#key('root'),
      ...this.#validity,
    })
    const list = writeRevocationList(this.#root, {
      number: 1,
      thisUpdateMs: this.#validity.notBeforeMs,
      nextUpdateMs: this.#validity.notAfterMs,
      revoked: new Map(),
    })
    this.trust = new TrustStore([this.#root.certificate], [list])
  }

  /** Signs a plugin for this lab, granting what its manifest asks for: whoever writes a lab file is its operator. */
  sign({ manifest, code, sourceMap }: Bundle): Uint8Array {
    const key = this.#key('signer')
    const serial = (++this.#issued).toString(16)
    const grant = { capabilities: manifest.capabilities }
    const request = { type: 'signer' as const, name: 'lab signer', serial, key, grant, ...this.#validity }
    const certificate = issueCertificate(this.#root, request)
    const signer: Credential = { certificate, key, chain: [this.#root.certificate] }
    return signBundle(buildBundle({ manifest, code, sourceMap }), signer, this.#epochMs)
  }

  /**
   * The certificate of a host of the lab, which may speak for its virtual hosts. The same host, the same bytes,
   * whatever else was issued.
   * @param number the host's place among the nodes of the lab
   */
  host(name: string, number: number, virtualHosts: readonly string[]): Credential {
    const key = this.#key(`host ${name}`)
    const serial = (HOST_SERIALS + number).toString(16)
    const request = { type: 'host' as const, name, serial, key, grant: { virtualHosts }, ...this.#validity }
    return { certificate: issueCertificate(this.#root, request), key, chain: [] }
  }

  #key(name: string) {
    return createKey({ algorithm: 'ed25519', seed: deriveSeed(this.#secret, name) })
  }
}
