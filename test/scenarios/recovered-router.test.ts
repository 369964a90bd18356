import { expect } from 'chai'
import { describe, it } from 'mocha'
import type { Report } from '../../lab/index.ts'
import { simulate, withoutWall } from '../support/labs.ts'
import { twinRouters } from '../support/twin-routers.ts'

const only = (router: number, server: string) =>
  `config: { virtualHost: 198.18.0.0/15, servers: [ { address: 10.${router}.${server}.2 } ] }`

const EVENTS = `
  - { at: 1s, upgrade: { router: r1, id: round-robin, plugin: ./round-robin, ${only(1, '3')} } }
  - { at: 1s, unload: { router: r2, id: round-robin, flows: purge } }
  - { at: 1s, load: { router: r2, id: other, plugin: ./round-robin, ${only(2, '2')} } }
  - { at: 2s, fail: r1 }
  - { at: 2500ms, recover: r1 }
  - { at: 2s, kill: { router: r2, part: process } }`

const idsAt = (report: Report, router: string) =>
  report.routers[router]!.plugins.map((each) => `${each.id} ${each.state}`)

describe('a router of a lab that has lost its power (R-PR-02)', () => {
  it('comes back with the plugins that it had, upgraded, unloaded, loaded, each time alike', async () => {
    const report = await simulate(twinRouters(EVENTS))
    expect(withoutWall(await simulate(twinRouters(EVENTS)))).to.deep.equal(withoutWall(report))
    expect(report.conservation).to.equal(true)
    expect(idsAt(report, 'r1')).to.deep.equal(['round-robin running'])
    expect(idsAt(report, 'r2')).to.deep.equal(['other running'])
    // 100 requests a second: half of the first second's, and all after it, or none.
    expect(report.clients['c1']![0]!.servers['a1']).to.be.within(48, 53)
    expect(report.clients['c2']![0]!.servers['b2']).to.be.within(45, 53)
    expect(report.clients['c2']![0]!.servers['a2']).to.be.above(700)
  }).timeout(60_000)

  it('has nothing of what was under way', async () => {
    const events = `
  - { at: 1s, load: { router: r1, id: late, plugin: ./round-robin, ${only(1, '3')} } }
  - { at: 1001ms, fail: r1 }
  - { at: 2s, recover: r1 }
  - { at: 2s, fail: r1 }
  - { at: 2s, recover: r1 }`
    const report = await simulate(twinRouters(events))
    expect(report.conservation).to.equal(true)
    expect(idsAt(report, 'r1')).to.deep.equal(['round-robin running'])
  }).timeout(60_000)
})
