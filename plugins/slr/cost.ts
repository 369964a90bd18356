/**
 * Costs: m_kj = F(s_kj, r_j), by which servers are compared (R-SLR-14). The one idea: F and G are ordinary functions,
 * which the operator chooses for each virtual host; who does not serve has no cost, and the lowest wins.
 *
 * s_kj is the load of virtual subnet k at server j (0: idle, 1: full), r_j the routing cost of the way to j.
 */

/** The cost of sending a flow there; undefined load: does not serve, undefined routing: cannot be reached. */
export type CostFunction = (load: number | undefined, routing: number | undefined) => number | undefined

export interface CostConfig {
  readonly by: 'sum' | 'product' | 'load' | 'routing'
  /** Factors of a sum. */
  readonly load: number
  readonly routing: number
}

/** The F that a configuration asks for. */
export function costFunction({ by, load: loadFactor, routing: routingFactor }: CostConfig): CostFunction {
  const combine = (load: number, routing: number): number => {
    switch (by) {
      case 'sum':
        return loadFactor * load + routingFactor * routing
      case 'product':
        // A way that costs nothing must not make every load alike.
        return load * (1 + routing)
      case 'load':
        return load
      case 'routing':
        return routing
    }
  }
  return (load, routing) => {
    if (load === undefined || routing === undefined) return undefined
    const cost = combine(load, routing)
    return Number.isFinite(cost) ? cost : undefined
  }
}

/**
 * M_k = G(m_k1..m_kJ): what a site would tell the next level of a virtual subnet (R-SLR-15). The next level's flow goes
 * to the site's best server, so the lowest cost is the site's. Undefined: nobody serves it here.
 */
export function aggregateCost(costs: readonly (number | undefined)[]): number | undefined {
  let lowest: number | undefined
  for (const cost of costs) if (cost !== undefined && (lowest === undefined || cost < lowest)) lowest = cost
  return lowest
}
