/**
 * Whom the router believes. The one idea: one place holds the trust store of the moment, so that bundles and remote
 * operators are judged by the same roots and revocation lists, and a reload changes both at once.
 */
import { loadTrustStore, TrustStore } from '../execution-env/certificates/index.ts'

export class Trust {
  #store: TrustStore
  readonly #listeners = new Set<() => void>()

  /** @param store whom to believe at first; default: nobody */
  constructor(store: TrustStore = new TrustStore([])) {
    this.#store = store
  }

  get store(): TrustStore {
    return this.#store
  }

  /**
   * Reads a folder or file anew; nobody is believed where there is none. Returns the way back.
   * @throws CertificateError; what was believed before still is
   */
  load(path: string | undefined): () => void {
    const before = this.#store
    this.#set(path === undefined ? new TrustStore([]) : loadTrustStore(path))
    return () => this.#set(before)
  }

  /** Calls whenever somebody may be believed no more. Returns how to end that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #set(store: TrustStore): void {
    this.#store = store
    for (const each of this.#listeners) each()
  }
}
