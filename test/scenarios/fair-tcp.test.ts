import { expect } from 'chai'
import { describe, it } from 'mocha'
import type { Report } from '../../lab/index.ts'
import { labOf, simulate } from '../support/labs.ts'

/**
 * The published experiment that mission 2.4 names as an external replay (after Chang et al., SIMUL 2015, section V):
 * two TCP flows, 10 Mb/s access, a bottleneck of 5 Mb/s, links of 5 ms, and weights w1 : w2. The ratio of what the
 * two receive is w1 / w2 within 10%, within 20% for the run of 60 s with 10 : 1.
 */
function lab(weights: readonly [number, number], seconds: number): string {
  return `
name: fair-tcp
duration: ${seconds}s
nodes:
  c1: { kind: host, addresses: { eth0: 10.0.1.2/24 }, gateway: 10.0.1.1,
        clients: [ { protocol: tcp, to: "10.0.9.2:7001", count: 1, bytes: 200M, timeout: 1h } ] }
  c2: { kind: host, addresses: { eth0: 10.0.2.2/24 }, gateway: 10.0.2.1,
        clients: [ { protocol: tcp, to: "10.0.9.2:7002", count: 1, bytes: 200M, timeout: 1h } ] }
  r1:
    kind: router
    addresses: { eth0: 10.0.9.1/24, eth1: 10.0.1.1/24, eth2: 10.0.2.1/24 }
    policy:
      classes:
        - { name: one, port: eth0, weight: ${weights[0]}, limit: { packets: 100 } }
        - { name: two, port: eth0, weight: ${weights[1]}, limit: { packets: 100 } }
      filters:
        - { from: 10.0.1.0/24, action: { class: one } }
        - { from: 10.0.2.0/24, action: { class: two } }
  s1: { kind: host, addresses: { eth0: 10.0.9.2/24 }, gateway: 10.0.9.1,
        services: [ { protocol: tcp, port: 7001, bytes: 1 }, { protocol: tcp, port: 7002, bytes: 1 } ] }
links:
  - { endpoints: [ "c1:eth0", "r1:eth1" ], rate: 10Mbps, delay: 5ms }
  - { endpoints: [ "c2:eth0", "r1:eth2" ], rate: 10Mbps, delay: 5ms }
  - { endpoints: [ "r1:eth0", "s1:eth0" ], rate: 5Mbps, delay: 5ms }
`
}

function share(report: Report, name: string): number {
  return report.routers['r1']!.classes['eth0']![name]!.bytes
}

describe('start-time fair queueing under two TCP flows (R-SLR-26)', () => {
  for (const { weights, seconds, tolerance } of [
    { weights: [1, 1] as const, seconds: 30, tolerance: 0.1 },
    { weights: [2, 1] as const, seconds: 30, tolerance: 0.1 },
    { weights: [10, 1] as const, seconds: 60, tolerance: 0.2 },
  ])
    it(`shares the bottleneck ${weights.join(' : ')} within ${tolerance * 100}%`, async () => {
      const report = await simulate(labOf(lab(weights, seconds)))
      const ratio = share(report, 'one') / share(report, 'two')
      expect(Math.abs(ratio / (weights[0] / weights[1]) - 1)).to.be.at.most(tolerance)
      // The link is busy all the time: 5 Mb/s but for the start.
      const bytes = share(report, 'one') + share(report, 'two')
      expect(bytes).to.be.greaterThan(((5e6 * seconds) / 8) * 0.9)
      expect(report.conservation).to.equal(true)
    }).timeout(120_000)
})
