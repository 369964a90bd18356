/**
 * Whom the router believes. The one idea: one place holds the trust store of the moment, so that bundles and remote
 * operators are judged by the same roots and revocation lists, and a reload changes both at once.
 */
import {
  type Certificate,
  loadPublished,
  loadTrustStore,
  TrustStore,
} from '../execution-env/certificates/index.ts'

export class Trust {
  #store: TrustStore
  /** Chains by the name at their end. */
  #published: ReadonlyMap<string, readonly (readonly Certificate[])[]> = new Map()
  readonly #listeners = new Set<() => void>()

  /** @param store whom to believe at first; default: nobody */
  constructor(store: TrustStore = new TrustStore([])) {
    this.#store = store
  }

  get store(): TrustStore {
    return this.#store
  }

  /** Chains that the trust folder holds for a name; not judged yet. */
  published(name: string): readonly (readonly Certificate[])[] {
    return this.#published.get(name) ?? []
  }

  /**
   * Reads a folder or file anew; nobody is believed where there is none. Returns the way back.
   * @throws CertificateError; what was believed before still is
   */
  load(path: string | undefined): () => void {
    const [store, published] = [this.#store, this.#published]
    const next = path === undefined ? new TrustStore([]) : loadTrustStore(path)
    this.#set(next, path === undefined ? new Map() : byName(loadPublished(path)))
    return () => this.#set(store, published)
  }

  /** Calls whenever somebody may be believed no more. Returns how to end that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #set(store: TrustStore, published: ReadonlyMap<string, readonly (readonly Certificate[])[]>): void {
    this.#store = store
    this.#published = published
    for (const each of this.#listeners) each()
  }
}

function byName(
  chains: readonly (readonly Certificate[])[],
): ReadonlyMap<string, readonly (readonly Certificate[])[]> {
  return Map.groupBy(chains, ([certificate]) => certificate?.commonName ?? '')
}
