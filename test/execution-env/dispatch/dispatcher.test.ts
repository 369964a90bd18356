import { expect } from 'chai'
import { beforeEach, describe, it } from 'mocha'
import { SECOND } from '../../../engine/index.ts'
import type { CallResult } from '../../../execution-env/dispatch/mailbox.ts'
import { ip, TCP_ACK, tcp, udp } from '../../support/packets.ts'
import { CONSISTENT_HASH, ROUND_ROBIN, TIME_OF_DAY } from '../policies.ts'
import { ALL, Rig, tunnelTo } from '../rig.ts'

const MS = 1e6
const SERVICE = '198.18.0.0/15'
const SERVERS = ['10.0.2.2', '10.0.2.3', '10.0.2.4']

describe('Dispatcher', () => {
  let rig: Rig

  beforeEach(() => {
    rig = new Rig()
  })

  const servers = (): string[] => rig.router.take('out').map(tunnelTo)
  const loaded = (setup: string, config: object = {}, capabilities = ALL): void => {
    const outcome = rig.load({ setup, capabilities }, { config: config as never })
    expect(outcome, JSON.stringify(outcome)).to.include({ ok: true })
  }

  describe('when a policy decides about flows', () => {
    it('asks once per flow and lets the rest follow (R-SLR-11, R-PR-05)', () => {
      loaded(ROUND_ROBIN, { service: SERVICE, servers: SERVERS })
      for (let flow = 0; flow < 6; flow++) rig.syn(1000 + flow)
      rig.advance(10 * MS)
      expect(servers().sort()).to.deep.equal([...SERVERS, ...SERVERS].sort())
      for (let i = 0; i < 5; i++)
        rig.router.inject('in', tcp({ to: '198.18.0.80', fromPort: 1000, flags: TCP_ACK, data: i }))
      rig.advance(10 * MS)
      expect(new Set(servers()).size, 'one flow, one server').to.equal(1)
      expect(rig.report().counters).to.include({ decisions: 6, fallbacks: 0, faults: 0 })
      expect(rig.isConserved).to.equal(true)
    })

    it('sends a client to the same server whichever others come and go', () => {
      loaded(CONSISTENT_HASH, { service: SERVICE, servers: SERVERS })
      const spread = (): Map<string, string> => {
        for (let client = 0; client < 60; client++)
          rig.router.inject('in', udp({ from: `10.0.1.${100 + client}`, to: '198.18.0.80', fromPort: 5000 }))
        rig.advance(20 * MS)
        const packets = rig.router.take('out')
        return new Map(packets.map((each) => [[...each.subarray(32, 36)].join('.'), tunnelTo(each)]))
      }
      const before = spread()
      expect(new Set(before.values()).size).to.equal(3)
      rig.advance(40 * SECOND)
      const answer = rig.wait<CallResult>((done) =>
        rig.dispatcher.deliver(
          'policy',
          'servers',
          SERVERS.slice(0, 2),
          { kind: 'operator', name: 'me' },
          done,
          rig.now,
        ),
      )
      expect(answer).to.deep.equal({ ok: true, value: 2 })
      const after = spread()
      for (const [client, server] of before)
        if (server !== '10.0.2.4') expect(after.get(client), client).to.equal(server)
        else expect(after.get(client)).to.not.equal('10.0.2.4')
    })

    it('shows the calendar and no other clock', () => {
      loaded(TIME_OF_DAY, { service: SERVICE, day: '10.0.2.2', night: '10.0.2.3' })
      // The rig's calendar begins on 14 November 2023 at 22:13 UTC.
      rig.syn(1)
      rig.advance(10 * MS)
      expect(servers()).to.deep.equal(['10.0.2.3'])
      rig.router.now += 10 * 3600 * SECOND
      rig.syn(2)
      rig.advance(10 * MS)
      expect(servers()).to.deep.equal(['10.0.2.2'])
    })

    it('shows key, port, flags, length and payload, and only as much as granted (R-SLR-12)', () => {
      loaded(`router.flows.claim({ to: '${SERVICE}' }, (flow) => {
        router.log.info(JSON.stringify({ ...flow, from: flow.from, to: flow.to, inPort: flow.inPort, syn: flow.syn,
          multicast: flow.multicast, fragment: flow.fragment, payload: [...flow.payload] }))
        return { drop: true } })`)
      rig.router.inject(
        'in',
        udp({ to: '198.18.0.80', fromPort: 7, toPort: 9, data: Uint8Array.of(200, 2, 3) }),
      )
      rig.router.inject('in', udp({ to: '198.18.0.81', data: 100 }))
      rig.syn(5)
      rig.advance(10 * MS)
      const [first, second, third] = rig.log().map((each) => JSON.parse(each))
      expect(first).to.deep.equal({
        source: ip('10.0.1.2'),
        destination: ip('198.18.0.80'),
        protocol: 17,
        fromPort: 7,
        toPort: 9,
        length: 14 + 20 + 8 + 3,
        payload: [200, 2, 3],
        from: '10.0.1.2',
        to: '198.18.0.80',
        inPort: 'in',
        syn: false,
        multicast: false,
        fragment: false,
      })
      expect(second.payload).to.have.length(32)
      expect(third).to.include({ syn: true, fromPort: 5 })
    })

    it('tells several claims of one plugin apart', () => {
      loaded(`
        const a = router.tunnels.open({ to: '10.0.2.2' }), b = router.tunnels.open({ to: '10.0.2.3' })
        router.flows.claim({ to: '${SERVICE}' }, () => ({ tunnel: a }))
        router.flows.claim({ to: '198.18.0.80', protocol: 'tcp', toPort: 443 }, () => ({ tunnel: b }))`)
      rig.syn(1)
      rig.syn(2, '198.18.0.80', 443)
      rig.advance(10 * MS)
      expect(servers().sort()).to.deep.equal(['10.0.2.2', '10.0.2.3'])
    })
  })

  describe('when a decision is none', () => {
    it('does what the claim has for that, and asks again for the next packet', () => {
      loaded(
        `router.flows.claim({ to: '${SERVICE}' }, () => undefined, { otherwise: { forward: { via: '10.0.2.9' } } })`,
      )
      rig.syn(1)
      rig.advance(10 * MS)
      rig.syn(1)
      rig.advance(10 * MS)
      expect(servers()).to.deep.equal(['plain', 'plain'])
      expect(rig.report().counters).to.include({ decisions: 0, fallbacks: 2 })
      expect(rig.report().flows).to.equal(0)
    })

    it('costs a handler that throws its own flow only, and tells where', () => {
      loaded(`
        const tunnel = router.tunnels.open({ to: '10.0.2.2' })
        router.flows.claim({ to: '${SERVICE}' }, (flow) => {
          if (flow.fromPort % 2) throw new Error('odd ' + flow.fromPort)
          return { tunnel } })`)
      for (let port = 1; port <= 6; port++) rig.syn(port)
      rig.advance(10 * MS)
      expect(servers()).to.have.length(3)
      expect(rig.router.dropped).to.deep.equal({ 'upcall-expired': 3 })
      expect(rig.report().counters).to.include({ decisions: 3, faults: 3, fallbacks: 3 })
      expect(rig.log()[0]).to.match(/odd 1 \(at .*policy-1\.0\.0\/plugin\.js/)
    })

    for (const [what, decision] of [
      ['of no known kind', '{ tunel: 1 }'],
      ['with a strange key', '{ drop: true, clas: 3 }'],
      ['a number', '7'],
      ['a strange idle time', "{ drop: true, idle: 'soon' }"],
      ['a closed tunnel', '{ tunnel: {} }'],
      ['a class of nobody', "{ forward: true, class: 'gold' }"],
      ['a next hop that is not granted', "{ forward: { via: '11.0.0.1' } }"],
    ] as const)
      it(`refuses ${what}`, () => {
        loaded(`router.flows.claim({ to: '${SERVICE}' }, () => (${decision}))`)
        rig.syn(1)
        rig.advance(10 * MS)
        const { counters } = rig.report()
        expect(counters!.faults + counters!.refusedDecisions).to.equal(1)
        expect(counters).to.include({ decisions: 0, fallbacks: 1 })
        expect(rig.log().length).to.be.greaterThan(0)
        expect(rig.isConserved).to.equal(true)
      })

    it('refuses actions that were not granted', () => {
      const capabilities = { ...ALL, flows: { to: [SERVICE], actions: ['forward'] as const } }
      loaded(`router.flows.claim({ to: '${SERVICE}' }, () => ({ drop: true }))`, {}, capabilities)
      rig.syn(1)
      rig.advance(10 * MS)
      expect(rig.report().counters).to.include({ refusedDecisions: 1, fallbacks: 1 })
      expect(rig.log().join()).to.include('drop is beyond the granted flows.actions')
    })
  })

  describe('when a flow is parked', () => {
    const PARK = `
      const tunnel = router.tunnels.open({ to: '10.0.2.2' })
      const waiting = []
      router.flows.claim({ to: '${SERVICE}' }, (flow) => {
        waiting.push({ from: flow.from, to: flow.to, protocol: flow.protocol, fromPort: flow.fromPort, toPort: flow.toPort })
        return { park: '500ms', otherwise: { forward: { via: '10.0.2.9' } } } })
      router.messages.on('go', () => { for (const key of waiting) router.flows.pin(key, { tunnel }) })`

    it('goes on when it is pinned, all its packets with it', () => {
      loaded(PARK)
      rig.syn(1)
      rig.advance(200 * MS)
      rig.router.inject('in', tcp({ to: '198.18.0.80', fromPort: 1, data: 3 }))
      rig.advance(100 * MS)
      expect(servers()).to.deep.equal([])
      rig.dispatcher.deliver('policy', 'go', null, { kind: 'operator', name: 'me' }, undefined, rig.now)
      rig.advance(10 * MS)
      expect(servers()).to.deep.equal(['10.0.2.2', '10.0.2.2'])
      expect(rig.report().counters).to.include({ parked: 1, refusedTransactions: 0 })
    })

    it('does what parking has for that when time is over', () => {
      loaded(PARK)
      rig.syn(1)
      rig.advance(490 * MS)
      expect(servers()).to.deep.equal([])
      rig.advance(50 * MS)
      expect(servers()).to.deep.equal(['plain'])
    })

    it('needs the action park', () => {
      const capabilities = { ...ALL, flows: { ...ALL.flows, actions: ['forward', 'tunnel'] as const } }
      loaded(PARK, {}, capabilities)
      rig.syn(1)
      rig.advance(10 * MS)
      expect(rig.report().counters).to.include({ parked: 0, refusedDecisions: 1 })
    })
  })

  describe('when answers come late', () => {
    it('refuses them, whoever has the place meanwhile', () => {
      rig = new Rig({ timing: { kind: 'modelled', callNs: 500 * MS, recordNs: 0, loadNs: MS } })
      loaded(ROUND_ROBIN, { service: SERVICE, servers: SERVERS })
      rig.syn(1)
      rig.advance(350 * MS)
      expect(rig.router.dropped).to.deep.equal({ 'upcall-expired': 1 })
      rig.syn(2)
      rig.advance(160 * MS)
      expect(rig.report().counters).to.include({ late: 1, decisions: 0 })
      expect(rig.report().flows).to.equal(0)
      expect(rig.isConserved).to.equal(true)
    })
  })

  describe('when more is asked than is allowed', () => {
    it('leaves the rest to the fallback', () => {
      rig.load(
        { setup: ROUND_ROBIN },
        { config: { service: SERVICE, servers: SERVERS }, decisionsPerSecond: 10, fallback: 'closed' },
      )
      for (let port = 1; port <= 30; port++) rig.syn(port)
      rig.advance(10 * MS)
      expect(rig.report().counters!.decisions).to.be.within(10, 11)
      expect(rig.report().counters!.fallbacks).to.be.within(19, 20)
    })

    it('forwards without a decision when the operator says open', () => {
      rig.router.commit([{ do: 'add-route', prefix: SERVICE, target: { kind: 'via', via: '10.0.2.9' } }])
      rig.load({ setup: `router.flows.claim({ to: '${SERVICE}' }, () => null)` }, { fallback: 'open' })
      rig.syn(1)
      rig.advance(10 * MS)
      expect(servers()).to.deep.equal(['plain'])
    })

    it('bounds the flows that a plugin holds; the rest go their way unpinned', () => {
      rig.load({ setup: ROUND_ROBIN }, { config: { service: SERVICE, servers: SERVERS }, flows: 2 })
      for (let port = 1; port <= 5; port++) rig.syn(port)
      rig.advance(10 * MS)
      expect(servers()).to.have.length(5)
      expect(rig.report()).to.include({ flows: 2 })
      expect(rig.report().counters).to.include({ unpinned: 3 })
    })

    it('cuts log lines', () => {
      rig.load({
        setup: `router.timers.every('1ms', () => router.log.info('tick'))`,
        limits: { logLinesPerSecond: 5 },
      })
      rig.advance(SECOND)
      expect(rig.log().length).to.be.within(5, 12)
    })
  })
})
