/**
 * Weighted round robin, smooth: each backend in turn in proportion to its weight, heavy ones spread over the turns
 * instead of one after the other.
 *
 * The algorithm of nginx (ngx_http_upstream_round_robin.c, 2012): every backend's credit grows by its weight, the
 * richest is chosen and pays the sum of all weights. Guarantees: while weights and states stay, after t choices no
 * backend is ahead of its share t * weight / sum by one or more, and with integer weights each has exactly its weight
 * in every `sum` choices from the beginning.
 */
import { type Backend, candidateState, isCandidate, weightOf } from './backend.ts'

/** The turns among backends, which are told apart as objects. */
export class RoundRobin<B extends object & Backend> {
  readonly #accounts = new WeakMap<B, { credit: number }>()

  /** The backend whose turn it is, or undefined when none may get a flow. */
  pick(backends: readonly B[]): B | undefined {
    const state = candidateState(backends)
    let chosen: B | undefined
    let richest: { credit: number } | undefined
    let sum = 0
    for (const backend of backends) {
      if (!isCandidate(backend, state)) continue
      const weight = weightOf(backend)
      const account = this.#accountOf(backend)
      account.credit += weight
      sum += weight
      if (richest !== undefined && account.credit <= richest.credit) continue
      richest = account
      chosen = backend
    }
    if (richest !== undefined) richest.credit -= sum
    return chosen
  }

  #accountOf(backend: B): { credit: number } {
    let account = this.#accounts.get(backend)
    if (account === undefined) this.#accounts.set(backend, (account = { credit: 0 }))
    return account
  }
}
