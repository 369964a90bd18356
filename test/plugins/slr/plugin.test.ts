import { expect } from 'chai'
import fc from 'fast-check'
import { before, describe, it } from 'mocha'
import { Maglev } from '../../../sdk/policies/index.ts'
import type { TestBundle } from '../../execution-env/rig.ts'
import { echo, ip, udp } from '../../support/packets.ts'
import { type Json, S1, S2, S3, SERVICE, Site, slrBundle } from './site.ts'

const learning = (over: Json = {}, host: Json = {}): Json => ({
  virtualHosts: [{ to: SERVICE, ...host }],
  learn: { from: ['10.0.2.0/24'] },
  ...over,
})
const given = (addresses: readonly (string | Json)[], host: Json = {}): Json => ({
  virtualHosts: [{ to: SERVICE, ...host }],
  servers: addresses.map((each) => (typeof each === 'string' ? { address: each } : each)),
})

describe('the plugin slr (R-SLR-02, R-SLR-12)', () => {
  let bundle: TestBundle
  before(async function () {
    this.timeout(30_000)
    bundle = await slrBundle()
  })
  const site = (config: Json) => new Site(bundle, config)

  describe('when its servers are given', () => {
    it('spreads flows by the flows that the servers have, and pins them (R-SLR-11)', () => {
      const slr = site(given([S1, S2, S3]))
      expect(slr.spread(30)).to.deep.equal({ [S1]: 10, [S2]: 10, [S3]: 10 })
      const port = 7_000
      const place = slr.place(port)
      slr.call('slr/drain', { address: place })
      for (let again = 0; again < 5; again++) expect(slr.place(port)).to.equal(place)
      expect(slr.rig.isConserved).to.equal(true)
    })

    it('gives heavier servers more, by weight or by load', () => {
      for (const policy of ['weighted', 'least-load'])
        expect(site(given([{ address: S1, weight: 3 }, S2], { policy })).spread(40), policy).to.deep.equal({
          [S1]: 30,
          [S2]: 10,
        })
    })

    it('uses a backup only when no other server is left (R-SLR-21)', () => {
      const slr = site(given([S1, { address: S3, backup: true }]))
      expect(slr.spread(5)).to.deep.equal({ [S1]: 5 })
      slr.call('slr/drain', { address: S1 })
      expect(slr.spread(5)).to.deep.equal({ [S3]: 5 })
    })

    it('hashes by Maglev: the same server on another router, and few others when one goes', () => {
      const config = (...servers: string[]) => given(servers, { policy: 'maglev', seed: 3 })
      const one = site(config(S1, S2, S3)).places(60)
      expect(site(config(S3, S2, S1)).places(60)).to.deep.equal(one)
      const table = new Maglev(
        [S1, S2, S3].map((name) => ({ name })),
        { size: 16_381, seed: 3 },
      )
      const flow = { source: ip('10.0.1.2'), destination: ip('198.18.0.80'), protocol: 6, toPort: 80 }
      expect(one).to.deep.equal(one.map((_, i) => table.pick({ ...flow, fromPort: 1_000 + i })?.name))
      const two = site(config(S1, S2)).places(60)
      for (const [i, place] of one.entries()) if (place !== S3) expect(two[i]).to.equal(place)
    })

    it('never moves what is hashed to others while a server drains, and takes it out of the table in maintenance', () => {
      const slr = site(given([S1, S2, S3], { policy: 'maglev' }))
      const calm = site(given([S1, S2, S3], { policy: 'maglev' })).places(60)
      slr.call('slr/drain', { address: S1 })
      const drained = slr.places(60)
      for (const [i, place] of calm.entries())
        if (place === S1) expect(drained[i]).to.not.equal(S1)
        else expect(drained[i]).to.equal(place)
      slr.call('slr/drain', { address: S1, state: 'maintenance' })
      expect(slr.places(60)).to.not.include(S1)
      slr.call('slr/resume', { address: S1 })
      expect(slr.places(60)).to.include(S1)
    })

    it('refuses a configuration that says something impossible', () => {
      for (const [config, reason] of [
        [given(['10.0.2']), /expected a prefix/],
        [given([S1, S1]), /given twice/],
        [given([S1], { rules: [{ servers: [S1], from: '25:00' }] }), /expected a time/],
        [given([S1], { connectionless: 'per-packet' }), /per packet needs a facility/],
      ] as const)
        expect(() => site(config)).to.throw(reason)
    })
  })

  describe('when servers say hello and report (R-SLR-17)', () => {
    it('drops flows until one is there, then sends them to it', () => {
      const slr = site(learning())
      expect(slr.place(1)).to.equal('nowhere')
      slr.hello(S1)
      slr.rig.advance(1.1e9)
      expect(slr.place(1), 'the drop is not for ever').to.equal(S1)
      expect(slr.servers).to.deep.include({
        ...{ address: S1, host: 'h11', presence: 'heard', state: 'active', weight: 1, backup: false },
        ...{ connections: 0, open: 1, routing: 0 },
        services: [{ prefix: SERVICE, load: 0, begun: 1 }],
      })
    })

    it('sends new flows where the load is least, and counts what it sends against the age of the report', () => {
      const slr = site(learning({}, { flowLoad: 0.01 }))
      slr.reports(S1, 0.1)
      slr.reports(S2, 0.2)
      slr.reports(S3, 0.9)
      expect(slr.spread(10), 'up to the load of the next').to.deep.equal({ [S1]: 10 })
      expect(slr.spread(20), 'then both alike').to.deep.equal({ [S1]: 10, [S2]: 10 })
      slr.reports(S1, 0.8)
      slr.reports(S2, 0.85)
      slr.reports(S3, 0.3)
      expect(slr.spread(20)).to.deep.equal({ [S3]: 20 })
    })

    it('knows virtual subnets as service classes, each with a load of its own', () => {
      const hosts = { virtualHosts: [{ to: '192.200.0.0/15', cost: { by: 'load' } }] }
      const slr = site({ ...hosts, learn: { from: ['10.0.2.0/24'] } })
      slr.reports(S1, { '192.200.0.0/16': 0.3, '192.201.0.0/16': 0.87 })
      slr.reports(S2, { '192.200.0.0/16': 0.6, '192.201.0.0/16': 0.2 })
      expect(slr.spread(10, '192.200.4.4')).to.deep.equal({ [S1]: 10 })
      expect(slr.spread(10, '192.201.4.4')).to.deep.equal({ [S2]: 10 })
      expect(slr.query('aggregate')).to.deep.equal([
        { subnet: '192.200.0.0/16', cost: 0.4 },
        { subnet: '192.201.0.0/16', cost: 0.30000000000000004 },
      ])
    })

    it('sends nothing new to a server that drains or is in maintenance, whoever says so', () => {
      const slr = site(learning())
      for (const each of [S1, S2, S3]) slr.hello(each)
      slr.reports(S1, 0, 'draining')
      slr.reports(S2, 0, 'maintenance')
      expect(slr.spread(10)).to.deep.equal({ [S3]: 10 })
      slr.reports(S1, 0)
      slr.call('slr/drain', { address: S1 })
      slr.reports(S1, 0)
      expect(slr.spread(10), 'the operator has the last word').to.deep.equal({ [S3]: 10 })
      slr.call('slr/resume', { address: S1 })
      expect(Object.keys(slr.spread(10))).to.include(S1)
    })

    it('forgets a server that falls silent, keeps its connections, and lets the rest be decided anew', () => {
      const slr = site(learning({ learn: { from: ['10.0.2.0/24'], silenceMs: 2000 } }))
      slr.hello(S1)
      expect(slr.place(50)).to.equal(S1)
      const datagram = () => {
        slr.send(udp({ to: '198.18.0.80', fromPort: 51, toPort: 53, data: 8 }))
        return slr.last()
      }
      const ping = () => {
        slr.send(echo({ to: '198.18.0.80' }))
        return slr.last()
      }
      expect([datagram(), ping()]).to.deep.equal([S1, S1])
      slr.rig.advance(1e9)
      slr.hello(S2)
      slr.rig.advance(1.7e9)
      expect(slr.servers.map((each) => each.address)).to.deep.equal([S2])
      expect(slr.log().at(-1)).to.equal('h11 (10.0.2.11) left')
      expect(slr.place(50), 'a connection stays').to.equal(S1)
      expect([datagram(), ping()], 'the others need not').to.deep.equal([S2, S2])
      expect(slr.spread(5)).to.deep.equal({ [S2]: 5 })
    })

    it('hears that a server is gone, and closes its tunnel, which its flows keep', () => {
      const slr = site(learning({}, { idleMs: 5000 }))
      slr.hello(S1)
      slr.hello(S2)
      const port = [71, 72].find((each) => slr.place(each) === S1)!
      slr.gone(S1, 'bye')
      expect(slr.spread(5)).to.deep.equal({ [S2]: 5 })
      expect(slr.place(port)).to.equal(S1)
      expect(slr.rig.rows('tunnels').find((each) => each['to'] === S1)).to.include({ open: false })
      slr.rig.advance(6e9)
      expect(slr.rig.rows('flows')).to.deep.equal([])
      expect(slr.place(port)).to.equal(S2)
    })

    it('takes a server of the configuration that fell silent out, and one that said farewell as configured again', () => {
      const slr = site({ ...given([S1, S2]), learn: { from: [] } })
      slr.hello(S1)
      slr.gone(S1, 'silent')
      expect(slr.spread(4)).to.deep.equal({ [S2]: 4 })
      slr.hello(S1)
      slr.gone(S1, 'bye')
      expect(Object.keys(slr.spread(8))).to.have.members([S1, S2])
    })

    it('keeps a server that comes back under another session, and the operator’s word about it', () => {
      const slr = site(learning())
      slr.hello(S1)
      slr.hello(S2)
      slr.call('slr/drain', { address: S1 })
      slr.call('slr/drain', { address: S3 })
      slr.gone(S1, 'replaced')
      slr.gone(S2, 'replaced')
      slr.hello(S2)
      slr.hello(S3)
      expect(slr.spread(4)).to.deep.equal({ [S2]: 4 })
      slr.gone(S3, 'bye')
      slr.rig.advance(3e9)
      slr.hello(S1)
      slr.hello(S3)
      expect(slr.spread(4)).to.deep.equal({ [S2]: 4 })
      slr.call('slr/resume', { address: S1 })
      slr.call('slr/resume', { address: S3 })
      expect(Object.keys(slr.spread(30))).to.have.members([S1, S2, S3])
    })

    it('carries on over an upgrade with all that it knew', () => {
      const slr = site(learning())
      slr.reports(S1, 0.2)
      slr.reports(S2, 0.5)
      slr.reports(S3, 0.1)
      slr.call('slr/drain', { address: S3 })
      const flow = slr.place(60)
      const before = slr.servers
      slr.upgrade(learning({}, { policy: 'least-load' }))
      expect(slr.servers).to.deep.equal(before)
      expect(slr.place(60)).to.equal(flow)
      expect(slr.spread(10)).to.deep.equal({ [S1]: 10 })
      slr.upgrade({ ...given([S2]), learn: { from: [] } })
      expect(slr.servers.map((each) => each.address)).to.deep.equal([S2])
      expect(slr.place(60), 'a pinned flow survives its server’s leaving').to.equal(flow)
    })
  })

  describe('when its policy asks more (R-SLR-13, R-SLR-14)', () => {
    it('weighs load and routing cost by the F that is configured', () => {
      const spreadBy = (cost: Json) => {
        const slr = site(learning({}, { cost, flowLoad: 0 }))
        slr.rig.router.commit([
          { do: 'add-route', prefix: '10.0.9.0/24', target: { kind: 'via', via: '10.0.2.9' }, cost: 10 },
        ])
        slr.upgrade(learning({ learn: { from: ['10.0.0.0/8'] } }, { cost, flowLoad: 0 }))
        slr.reports(S1, 0.8)
        slr.reports('10.0.9.2', 0.1)
        slr.rig.advance(1e6)
        return Object.keys(slr.spread(3))
      }
      expect(spreadBy({ by: 'load' })).to.deep.equal(['10.0.9.2'])
      expect(spreadBy({ by: 'routing' })).to.deep.equal([S1])
      expect(spreadBy({ load: 1, routing: 0.1 })).to.deep.equal([S1])
      expect(spreadBy({ load: 1, routing: 0.01 })).to.deep.equal(['10.0.9.2'])
      expect(spreadBy({ by: 'product' })).to.deep.equal([S1])
    })

    it('sends clients of a prefix, and hours of the day, to servers of their own', () => {
      // The calendar of the rig begins at 22:13:20 on a Tuesday.
      const rules = [
        { clients: '10.0.7.0/24', servers: [S2] },
        { days: ['tue'], from: '22:00', to: '22:14', servers: [S3], strict: true },
      ]
      const slr = site(given([S1, S2, S3], { rules }))
      expect(slr.spread(5, '198.18.0.80', '10.0.7.7')).to.deep.equal({ [S2]: 5 })
      expect(slr.spread(5)).to.deep.equal({ [S3]: 5 })
      slr.call('slr/drain', { address: S2 })
      expect(slr.places(3, '198.18.0.80', '10.0.7.7'), 'not strict').to.not.include('nowhere')
      slr.call('slr/drain', { address: S3 })
      expect(slr.spread(3), 'strict').to.deep.equal({ nowhere: 3 })
      slr.rig.advance(45e9)
      expect(slr.spread(3)).to.deep.equal({ [S1]: 3 })
    })

    it('gives each virtual host the policy that its client chose', () => {
      const slr = site({
        virtualHosts: [
          { to: SERVICE, policy: 'weighted' },
          { to: '198.18.0.81', rules: [{ servers: [S2], strict: true }] },
        ],
        servers: [{ address: S1 }, { address: S2 }],
      })
      expect(slr.spread(8)).to.deep.equal({ [S1]: 4, [S2]: 4 })
      expect(slr.spread(4, '198.18.0.81')).to.deep.equal({ [S2]: 4 })
    })

    it('computes its table at intervals where that is asked for (R-SLR-15)', () => {
      const slr = site(learning({ tableMs: 5000 }, { flowLoad: 0 }))
      slr.reports(S1, 0.1)
      slr.reports(S2, 0.5)
      slr.rig.advance(5.1e9)
      slr.reports(S1, 0.9)
      slr.reports(S2, 0.5)
      expect(slr.spread(3), 'as computed').to.deep.equal({ [S1]: 3 })
      slr.rig.advance(4.95e9)
      slr.reports(S1, 0.9)
      slr.rig.advance(0.2e9)
      expect(slr.spread(3)).to.deep.equal({ [S2]: 3 })
      slr.gone(S2, 'bye')
      expect(slr.spread(3), 'who has gone is not in it').to.deep.equal({ [S1]: 3 })
    })

    it('counts what it sends between two computations, too', () => {
      const slr = site(learning({ tableMs: 5000 }, { flowLoad: 0.01 }))
      slr.reports(S1, 0.1)
      slr.reports(S2, 0.2)
      slr.rig.advance(5.1e9)
      expect(slr.spread(30)).to.deep.equal({ [S1]: 20, [S2]: 10 })
    })
  })

  describe('when what it hears is hostile', () => {
    it('believes a host about its own address only', () => {
      const slr = site(learning())
      slr.hello(S1)
      slr.says(S1, 'gone', { reason: 'bye' }, S2)
      slr.says(S1, 'state', { state: 'maintenance', services: [], connections: 0 }, S2)
      slr.says(S3, 'hello', { virtualHosts: [SERVICE] }, S2)
      expect(slr.servers.map((each) => [each.address, each.state])).to.deep.equal([[S1, 'active']])
      expect(slr.log().filter((each) => each.includes('refused'))).to.deep.equal([
        'host/gone refused: neighbour 10.0.2.12 cannot speak for 10.0.2.11',
      ])
    })

    it('refuses what its schemas do not allow before it arrives', () => {
      const slr = site(learning())
      const refusals: [topic: string, body: Json][] = [
        ['hello', {}],
        ['hello', { virtualHosts: Array(65).fill(SERVICE) }],
        ['hello', { virtualHosts: ['198.18.0.0/33'] }],
        ['state', { state: 'asleep', services: [], connections: 0 }],
        ['state', { state: 'active', services: [{ prefix: SERVICE, load: -1 }], connections: 0 }],
        ['state', { state: 'active', services: [{ prefix: SERVICE, load: '1' }], connections: 0 }],
        ['gone', { reason: 'bored' }],
      ]
      for (const [topic, body] of refusals)
        expect(slr.says(S1, topic, body), JSON.stringify(body)).to.include({ ok: false, code: 'invalid' })
      expect(slr.servers).to.deep.equal([])
    })

    it('takes no more servers than allowed, from no other networks, for no other virtual hosts', () => {
      const slr = site(learning({ learn: { from: ['10.0.2.0/24'], most: 2 } }))
      slr.hello('10.0.1.77')
      slr.hello(S1, '203.0.113.0/24')
      slr.hello('not-an-address')
      for (const each of [S1, S2, S3]) slr.hello(each)
      expect(slr.servers.map((each) => each.address)).to.deep.equal([S1, S2])
      expect(slr.places(4)).to.not.include('nowhere')
    })

    it('lets no host give orders', () => {
      const slr = site(given([S1, S2]))
      const { rig } = slr
      const answer = rig.wait((done) =>
        rig.dispatcher.deliver(
          'slr',
          'slr/drain',
          { address: S1 },
          { kind: 'neighbour', name: S2 },
          done,
          rig.now,
        ),
      )
      expect(answer).to.deep.equal({ ok: true, value: { error: 'neighbour 10.0.2.12 may give no orders' } })
      expect(slr.call('slr/resume', { address: '10.9.9.9' })).to.deep.equal({ error: 'no server 10.9.9.9' })
      expect(slr.servers[0]).to.include({ state: 'active' })
    })

    it('goes on without a fault or a refused transaction, whatever hosts say in whatever order', () => {
      const addresses = [S1, S2, S3, '10.0.2.1', '10.0.1.2', '172.16.0.9', '255.255.255.255', 'x', '']
      const prefixes = [SERVICE, '198.18.0.80', '0.0.0.0/0', '198.19.0.0/16', '203.0.113.0/24']
      const said = fc.record({
        address: fc.constantFrom(...addresses),
        topic: fc.constantFrom('hello', 'state', 'gone'),
        prefixes: fc.array(fc.constantFrom(...prefixes), { maxLength: 6 }),
        load: fc.constantFrom(0, 0.5, 1, 1e6, -1, Number.MAX_VALUE),
        state: fc.constantFrom('active', 'draining', 'maintenance', 'other'),
        reason: fc.constantFrom('silent', 'bye', 'replaced', 'other'),
        waitMs: fc.constantFrom(0, 0, 0, 700, 3_000),
      })
      fc.assert(
        fc.property(
          fc.array(said, { maxLength: 25 }),
          fc.constantFrom('least-load', 'weighted', 'maglev'),
          (list, policy) => {
            const learn = { from: ['0.0.0.0/0'], most: 3, silenceMs: 2000 }
            const slr = site({ virtualHosts: [{ to: SERVICE, policy }], learn })
            for (const { address, topic, prefixes: names, load, state, reason, waitMs } of list) {
              const services = names.map((prefix) => ({ prefix, load }))
              slr.says(address, topic, { virtualHosts: names, services, state, reason, connections: 1 })
              slr.rig.advance(waitMs * 1e6)
              slr.places(1)
            }
            expect(slr.servers.length).to.be.at.most(3)
            const { state, counters } = slr.rig.report('slr')
            expect(state).to.equal('running')
            expect(counters).to.include({ faults: 0, refusedTransactions: 0 })
            expect(slr.rig.isConserved).to.equal(true)
          },
        ),
        { numRuns: 15 },
      )
    })

    it('opens no tunnel where no way leads, until one does', () => {
      const slr = site(learning({ learn: { from: ['0.0.0.0/0'] } }))
      slr.hello('172.16.0.9')
      slr.hello('10.0.2.1')
      expect(slr.spread(2)).to.deep.equal({ nowhere: 2 })
      slr.rig.router.commit([
        { do: 'add-route', prefix: '172.16.0.0/16', target: { kind: 'via', via: '10.0.2.9' } },
      ])
      slr.rig.advance(1.2e9)
      expect(slr.spread(2)).to.deep.equal({ '172.16.0.9': 2 })
    })
  })
})
