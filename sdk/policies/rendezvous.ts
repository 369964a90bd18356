/**
 * Rendezvous hashing (highest random weight): every backend draws a number from its name and the key, the highest
 * wins. There is no table: state and weight count at once, and a choice costs time in proportion to the backends.
 *
 * Thaler and Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM Transactions on Networking
 * 6(1), 1998; weights by the logarithmic method of Schindelhauer and Schomaker, "Weighted distributed hash tables",
 * SPAA 2005: the score is -weight / ln(u). Guarantees: shares in proportion to the weights; whoever comes, goes or
 * changes its weight moves only keys to or from itself; the order of the list is nothing.
 */
import { candidateState, isCandidate, type NamedBackend, weightOf } from './backend.ts'
import { type HashKey, hashName, hashOf, hashPair } from './hash.ts'

/** Names whose hashes are kept. */
const NAMES_KEPT = 4_096

export class Rendezvous<B extends NamedBackend> {
  readonly #seed: number
  readonly #names = new Map<string, number>()

  /** @param options `seed`: the same on every router that is to choose the same; default 0 */
  constructor(options: { readonly seed?: number } = {}) {
    this.#seed = options.seed ?? 0
  }

  /** The backend of this key, or undefined when none may get a flow. Names must differ. */
  pick(backends: readonly B[], key: HashKey): B | undefined {
    const state = candidateState(backends)
    const hash = hashOf(key, this.#seed)
    let chosen: B | undefined
    let highest = Number.NEGATIVE_INFINITY
    for (const backend of backends) {
      if (!isCandidate(backend, state)) continue
      const drawn = (hashPair(this.#hashOf(backend.name), hash) + 0.5) / 2 ** 32
      const score = -weightOf(backend) / Math.log(drawn)
      if (score < highest || (score === highest && backend.name > chosen!.name)) continue
      highest = score
      chosen = backend
    }
    return chosen
  }

  #hashOf(name: string): number {
    let hash = this.#names.get(name)
    if (hash !== undefined) return hash
    if (this.#names.size >= NAMES_KEPT) this.#names.clear()
    this.#names.set(name, (hash = hashName(name, this.#seed)))
    return hash
  }
}
