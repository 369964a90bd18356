import { expect } from 'chai'
import { describe, it } from 'mocha'
import type { Report } from '../../lab/index.ts'
import { simulate } from '../support/labs.ts'
import { twinRouters } from '../support/twin-routers.ts'

const KILL = '  - { at: 2s, kill: { router: r1, part: sandbox } }'

const decisionsOf = (report: Report, router: string) => report.routers[router]!.plugins[0]!.decisions

describe('a sandbox that is killed in the simulator (R-PR-04)', () => {
  it('comes back with its state; its flows lose nothing and other routers notice nothing', async () => {
    const killed = await simulate(twinRouters(KILL))
    const left = await simulate(twinRouters('  - { at: 2s, set: { host: a1, load: 0 } }'))
    expect(killed.conservation).to.equal(true)
    expect(killed.routers['r1']!.plugins).to.have.length(1)
    expect(killed.routers['r1']!.plugins[0]).to.include({ state: 'running', restarts: 1 })
    expect(killed.routers['r2']).to.deep.equal(left.routers['r2'])
    expect(killed.clients['c2']).to.deep.equal(left.clients['c2'])
    const [pages, streams] = killed.clients['c1']!
    expect(streams).to.include({ attempted: 3, completed: 3, failed: 0, corrupted: 0 })
    // What begins meanwhile gets the fallback, and comes again: SYNs are repeated.
    expect(killed.routers['r1']!.packets.dropped['upcall-expired']).to.be.within(5, 40)
    expect(pages).to.include({ attempted: 800, completed: 800, failed: 0 })
    const servers = Object.values(pages!.servers)
    expect(Math.abs(servers[0]! - servers[1]!)).to.be.at.most(2)
    expect(decisionsOf(killed, 'r1')).to.be.within(790, 803)
  }).timeout(60_000)

  it('comes back later each time', async () => {
    const events = [2, 2.3, 2.7, 3.2].map((at) => `  - { at: ${at}s, kill: { router: r1, part: sandbox } }`)
    const report = await simulate(twinRouters(events.join('\n')))
    expect(report.conservation).to.equal(true)
    expect(report.routers['r1']!.plugins[0]).to.include({ state: 'running', restarts: 4 })
    // 100 ms to start, and 0, 100, 200 and 400 ms to wait: at 100 requests a second, each with a repetition or two.
    expect(report.routers['r1']!.packets.dropped['upcall-expired']).to.be.within(80, 200)
    expect(report.clients['c1']![0]).to.include({ completed: 800, failed: 0 })
  }).timeout(60_000)

  it('does so while it is being loaded or upgraded, and with its router', async () => {
    const upgrade =
      'upgrade: { router: r1, id: round-robin, plugin: ./round-robin, config: { virtualHost: 198.18.0.0/15, servers: [ { address: 10.1.3.2 } ] } }'
    const events = [
      `  - { at: 2s, ${upgrade} }`,
      '  - { at: 2.002s, kill: { router: r2, part: sandbox } }',
      '  - { at: 2.107s, kill: { router: r2, part: sandbox } }',
      '  - { at: 3s, kill: { router: r2, part: process } }',
      '  - { at: 3s, kill: { router: r2, part: sandbox } }',
    ]
    const report = await simulate(twinRouters(events.join('\n')))
    expect(report.conservation).to.equal(true)
    for (const router of ['r1', 'r2'])
      expect(report.routers[router]!.plugins[0], router).to.include({ state: 'running' })
  }).timeout(60_000)
})
