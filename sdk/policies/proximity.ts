/**
 * Proximity: the backends that are nearest to a client by a table of costs (mission R-SLR-14: the lowest cost wins,
 * and where none is stated, a backend does not serve). The one idea: it narrows the list, and another policy chooses
 * among those that are left: `leastLoad(proximity.nearest(servers, flow.source), flow)`.
 *
 * The longest prefix counts, as in routing (RFC 1812 section 5.2.4.3).
 */
import { candidateState, isCandidate, type NamedBackend } from './backend.ts'
import { PrefixTable } from './prefix-table.ts'

/** Prefix of clients -> backend's name -> cost of the way there, of any unit. */
export type CostTable = Readonly<Record<string, Readonly<Record<string, number>>>>

export class Proximity {
  readonly #table: PrefixTable<ReadonlyMap<string, number>>

  /** @throws Error for something that is no prefix or no cost */
  constructor(costs: CostTable) {
    const entries = Object.entries(costs).map(([prefix, row]) => {
      const cells = Object.entries(row)
      for (const [name, cost] of cells)
        if (!Number.isFinite(cost)) throw new Error(`${prefix}.${name}: expected a cost, got ${cost}`)
      return [prefix, new Map(cells)] as const
    })
    this.#table = new PrefixTable(Object.fromEntries(entries))
  }

  /** What the way from an address (an unsigned number) costs. Infinite where it is not stated; 0 outside of the table. */
  cost(address: number, name: string): number {
    const row = this.#table.lookup(address)
    return row === undefined ? 0 : (row.get(name) ?? Number.POSITIVE_INFINITY)
  }

  /** Those of the backends that may get a new flow whose cost is the least; all of these outside of the table. */
  nearest<B extends NamedBackend>(backends: readonly B[], address: number): B[] {
    const row = this.#table.lookup(address)
    const state = candidateState(backends)
    let least = Number.POSITIVE_INFINITY
    let nearest: B[] = []
    for (const backend of backends) {
      if (!isCandidate(backend, state)) continue
      const cost = row === undefined ? 0 : (row.get(backend.name) ?? Number.POSITIVE_INFINITY)
      if (cost < least) {
        least = cost
        nearest = [backend]
      } else if (cost === least && cost < Number.POSITIVE_INFINITY) nearest.push(backend)
    }
    return nearest
  }
}
