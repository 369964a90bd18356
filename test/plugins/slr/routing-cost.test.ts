import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { aggregateCost, type CostConfig, costFunction } from '../../../plugins/slr/cost.ts'
import { HostSite } from '../../../plugins/slr/host-site.ts'
import { holds, parsePrefix } from '../../../plugins/slr/prefix.ts'
import { TunnelRoutingTable } from '../../../plugins/slr/tunnel-routing-table.ts'

const BY = ['sum', 'product', 'load', 'routing'] as const
const costs: fc.Arbitrary<CostConfig> = fc.record({
  by: fc.constantFrom(...BY),
  load: fc.double({ min: 0, max: 10, noNaN: true }),
  routing: fc.double({ min: 0, max: 10, noNaN: true }),
})

/** The mission's service classes, and an address in each; the last is nobody's. */
const SUBNETS = ['192.200.0.0/16', '192.201.0.0/16', '192.200.128.0/17', '192.202.0.0/16'] as const
const ADDRESSES = [0xc0c80105, 0xc0c90105, 0xc0c88105, 0xc0ca0105, 0xc0cb0105]

interface Given {
  readonly loads: readonly (number | undefined)[]
  readonly routing: number | undefined
}

const servers: fc.Arbitrary<Given[]> = fc.array(
  fc.record({
    loads: fc.tuple(
      ...SUBNETS.map(() => fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined })),
    ),
    routing: fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }),
  }),
  { maxLength: 8 },
)

/** A site whose servers have reported, and its table. */
function tableOf(given: readonly Given[], cost: CostConfig) {
  const virtualHost = parsePrefix('192.200.0.0/13')
  const site = new HostSite({
    virtualHosts: [virtualHost],
    servers: [],
    from: [parsePrefix('10.0.0.0/8')],
    most: 250,
    silenceNs: 1e10,
  })
  for (const [index, { loads, routing }] of given.entries()) {
    const address = `10.0.0.${index}`
    const services = loads.flatMap((load, k) => (load === undefined ? [] : [{ prefix: SUBNETS[k]!, load }]))
    if (services.length === 0) continue
    site.report({ host: address, address, state: 'active', services, connections: 0 }, 0)
    site.reroute(site.find(address)!, routing)
  }
  const table = new TunnelRoutingTable({
    prefix: virtualHost,
    cost: costFunction(cost),
    flowLoad: 0.01,
    servers: () => site.servers,
    version: () => site.version,
  })
  return { site, table }
}

/** m_kj said once more: by hand, for one address and one server. */
function bruteForce({ loads, routing }: Given, address: number, cost: CostConfig): number | undefined {
  let [s, length] = [undefined as number | undefined, -1]
  for (const [k, load] of loads.entries()) {
    const prefix = parsePrefix(SUBNETS[k]!)
    if (load !== undefined && holds(prefix, address) && prefix.length > length)
      [s, length] = [load, prefix.length]
  }
  if (s === undefined || routing === undefined) return undefined
  if (cost.by === 'load') return s
  if (cost.by === 'routing') return routing
  return cost.by === 'product' ? s * (1 + routing) : cost.load * s + cost.routing * routing
}

describe('Routing cost m = F(s, r) (R-SLR-14)', () => {
  describe('when F is asked', () => {
    it('has no value where a server does not serve or cannot be reached', () => {
      for (const by of BY) {
        const cost = costFunction({ by, load: 1, routing: 0.1 })
        expect(cost(undefined, 1)).to.equal(undefined)
        expect(cost(0.5, undefined)).to.equal(undefined)
        expect(cost(0.5, 2)).to.be.a('number')
      }
    })

    it('is the weighted sum, the product, the load or the routing cost', () => {
      const at = (by: CostConfig['by']) => costFunction({ by, load: 2, routing: 0.1 })(0.5, 3)
      expect(at('sum')).to.be.closeTo(1.3, 1e-12)
      expect(BY.slice(1).map(at)).to.deep.equal([2, 0.5, 3])
    })

    it('never falls when load or routing cost grow', () => {
      const amount = fc.double({ min: 0, max: 100, noNaN: true })
      fc.assert(
        fc.property(costs, amount, amount, amount, (config, load, routing, more) => {
          const cost = costFunction(config)
          expect(cost(load + more, routing)!).to.be.at.least(cost(load, routing)!)
          expect(cost(load, routing + more)!).to.be.at.least(cost(load, routing)!)
        }),
        { numRuns: 200 },
      )
    })
  })

  describe('when the table is asked for the lowest', () => {
    it('gives the mission’s example: 192.200/16 at 0.30, 192.201/16 at 0.87', () => {
      const config: CostConfig = { by: 'sum', load: 1, routing: 0.1 }
      const given: Given[] = [
        { loads: [0.3, 0.87, undefined, undefined], routing: 1 },
        { loads: [0.35, 0.2, undefined, undefined], routing: 3 },
      ]
      const { table } = tableOf(given, config)
      const rows = table.rows().map(({ prefix, candidates }) => {
        return [prefix.text, ...candidates.map((each) => Number(table.costOf(each)?.toFixed(4)))]
      })
      expect(rows).to.deep.equal([
        ['192.200.0.0/16', 0.4, 0.65],
        ['192.201.0.0/16', 0.97, 0.5],
      ])
    })

    it('agrees with a brute-force argmin over any servers, loads and ways', () => {
      fc.assert(
        fc.property(servers, costs, fc.boolean(), (given, config, periodically) => {
          const { table } = tableOf(given, config)
          if (periodically) table.compute()
          for (const address of ADDRESSES) {
            const expected = given.flatMap((each, index) => {
              const cost = bruteForce(each, address, config)
              return cost === undefined ? [] : [[`10.0.0.${index}`, cost] as const]
            })
            const found = table
              .lookup(address)
              .map((each) => [each.server.address, table.costOf(each)] as const)
            expect(found).to.deep.equal(expected)
            const lowest = (list: typeof found) => Math.min(...list.map(([, cost]) => cost!))
            expect(lowest(found)).to.equal(lowest(expected))
          }
        }),
        { numRuns: 300 },
      )
    })

    it('sends up what its best server costs (R-SLR-15)', () => {
      expect(aggregateCost([0.4, undefined, 0.3])).to.equal(0.3)
      expect(aggregateCost([undefined])).to.equal(undefined)
    })
  })
})
