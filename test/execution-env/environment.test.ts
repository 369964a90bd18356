import { createHash } from 'node:crypto'
import { expect } from 'chai'
import { beforeEach, describe, it } from 'mocha'
import { SECOND } from '../../engine/index.ts'
import { ContractError } from '../../execution-env/contract/index.ts'
import type { DryRun } from '../../execution-env/environment-manager.ts'
import { EnvironmentError } from '../../execution-env/errors.ts'
import type { Outcome } from '../../execution-env/outcome.ts'
import {
  InProcessSandbox,
  ProcessSandbox,
  type Sandbox,
  SandboxError,
} from '../../execution-env/sandbox/index.ts'
import { TCP_ACK, tcp } from '../support/packets.ts'
import { ROUND_ROBIN } from './policies.ts'
import { ALL, bundle, Rig, tunnelTo } from './rig.ts'

const MS = 1e6
const SERVICE = '198.18.0.0/15'
const SERVERS = ['10.0.2.2', '10.0.2.3', '10.0.2.4']
const CONFIG = { service: SERVICE, servers: SERVERS }

describe('EnvironmentManager', () => {
  let rig: Rig

  beforeEach(() => {
    rig = new Rig()
  })

  const ok = (outcome: Outcome<unknown>): void =>
    expect(outcome, JSON.stringify(outcome)).to.include({ ok: true }) && undefined
  const refusal = (outcome: Outcome<unknown>): string =>
    outcome.ok ? 'no refusal' : `${outcome.failure.code}: ${outcome.failure.reason}`
  const servers = (): string[] => rig.router.take('out').map(tunnelTo)
  const engineState = (): string =>
    JSON.stringify(['filters', 'tunnels', 'classes', 'flows'].map((table) => rig.rows(table)))

  describe('when a bundle is loaded', () => {
    it('starts it and tells what it was granted', () => {
      ok(rig.load({ setup: ROUND_ROBIN, version: '1.2.3' }, { config: CONFIG }))
      expect(rig.report()).to.deep.include({
        id: 'policy',
        version: '1.2.3',
        state: 'running',
        claims: 1,
        tunnels: 3,
      })
      expect(rig.report().granted[0]).to.include('flows: to 198.18.0.0/15')
    })

    for (const [what, spec, options, expected] of [
      [
        'throws in setup',
        { setup: `router.tunnels.open({ to: '10.0.2.2' }); throw new Error('not I')` },
        {},
        'refused: Error: not I (at Object.setup',
      ],
      [
        'asks for more than it was granted',
        { setup: `router.tunnels.open({ to: '10.0.2.2' }); router.tunnels.open({ to: '11.0.0.1' })` },
        {},
        'forbidden: open-tunnel.to: 11.0.0.1 is beyond the granted tunnels.open',
      ],
      [
        'asks for what the operator takes away',
        { setup: `router.tunnels.open({ to: '10.0.2.2' })` },
        { allow: { flows: ALL.flows! } },
        'refused: Error: tunnels.open needs the capability',
      ],
      [
        'asks for what cannot be',
        { setup: `router.tunnels.open({ to: '10.0.2.1' })` },
        {},
        'refused: changes[0].tunnel.to: 10.0.2.1 is an address of this router',
      ],
      [
        'exports no plugin',
        { module: 'module.exports = {}' },
        {},
        'refused: Error: the plugin exports no setup',
      ],
      ['does not even load', { module: 'null.x' }, {}, 'refused: TypeError'],
      [
        'claims a filter of no form',
        { setup: `router.flows.claim({ to: 'everything' }, () => 1)` },
        {},
        'refused: claim.filter.to',
      ],
    ] as const)
      it(`leaves nothing behind of one that ${what}`, () => {
        const before = engineState()
        const outcome = rig.load(spec, options)
        expect(refusal(outcome)).to.include(expected)
        rig.advance(10 * MS)
        expect(engineState()).to.equal(before)
        expect(rig.manager.list()).to.deep.equal([])
        expect([...rig.dispatcher.tenants]).to.deep.equal([])
        ok(rig.load({ setup: ROUND_ROBIN }, { config: CONFIG }))
      })

    it('refuses before anything runs: capabilities, configuration, code, id', () => {
      const install =
        (spec: object, options = {}) =>
        () =>
          rig.manager.install(bundle(spec), options)
      expect(install({ capabilities: ALL, grant: { flows: ALL.flows } }))
        .to.throw(EnvironmentError, 'nothing is granted')
        .with.property('code', 'forbidden')
      const configSchema = { type: 'object', required: ['a'], properties: { a: { type: 'integer' } } }
      expect(install({ configSchema }, { config: { a: 'x' } })).to.throw(EnvironmentError, 'config: a')
      expect(install({ setup: 'await 1' })).to.throw(SandboxError)
      expect(install({ setup: 'eval("1")' })).to.throw(SandboxError, 'plugin.js')
      expect(install({ name: 'Not A Name' })).to.throw(ContractError)
      expect(install({}, { id: '../up' })).to.throw(EnvironmentError, 'not an id')
      expect(install({}, { id: 'router' })).to.throw(EnvironmentError, 'not an id')
      install({})()
      expect(install({})).to.throw(EnvironmentError, 'installed already')
      expect(() => rig.manager.start('nobody', 0)).to.throw(EnvironmentError, 'no plugin nobody')
    })

    it('refuses claims that cannot be told from another plugin’s, unless the operator says who goes first', () => {
      const setup = `router.flows.claim({ to: '198.18.0.80', protocol: 'tcp' }, () => ({ drop: true }))`
      ok(rig.load({ setup }, { id: 'a' }))
      expect(refusal(rig.load({ setup }, { id: 'b' }))).to.include('conflict: claim: a claim of a')
      ok(rig.load({ setup }, { id: 'b', priority: 10 }))
      rig.syn(1)
      rig.advance(10 * MS)
      expect(rig.report('b').counters).to.include({ decisions: 1 })
      expect(rig.report('a').counters).to.include({ decisions: 0 })
    })
  })

  describe('when asked what a load would bring', () => {
    const dryRun = (spec: object, options = {}): Outcome<DryRun> =>
      rig.wait((done) => rig.manager.dryRun(bundle(spec), options, rig.now, done))

    it('tells grants and changes, and changes nothing', () => {
      const before = engineState()
      const outcome = dryRun({ setup: ROUND_ROBIN }, { config: CONFIG })
      expect(outcome.ok && outcome.value.changes.map((each) => each.do)).to.deep.equal([
        ...['open-tunnel', 'open-tunnel', 'open-tunnel', 'install-filter'],
      ])
      expect(outcome.ok && outcome.value.granted.length).to.equal(Object.keys(ALL).length)
      expect(engineState()).to.equal(before)
      expect(rig.manager.list()).to.deep.equal([])
    })

    it('tells of an upgrade what is not there yet', () => {
      ok(rig.load({ setup: ROUND_ROBIN }, { config: CONFIG }))
      const before = engineState()
      const more = { service: SERVICE, servers: ['10.0.2.3', '10.0.2.9'] }
      const outcome = dryRun({ setup: ROUND_ROBIN, version: '2.0.0' }, { config: more })
      const changes = outcome.ok ? outcome.value.changes : []
      expect(changes.map((each) => `${each.do} ${'name' in each ? each.name : ''}`)).to.deep.equal([
        'open-tunnel 10.0.2.9',
        'close-tunnel 10.0.2.2',
        'close-tunnel 10.0.2.4',
      ])
      expect(engineState()).to.equal(before)
      rig.syn(1)
      rig.advance(10 * MS)
      expect(rig.report()).to.include({ version: '1.0.0', flows: 1 })
    })

    it('tells why not', () => {
      expect(refusal(dryRun({ setup: 'throw new Error("no")' }))).to.include('refused: Error: no')
      expect(refusal(dryRun({ setup: `router.tunnels.open({ to: '11.0.0.1' })` }))).to.include('forbidden')
    })
  })

  describe('when a version takes over from another', () => {
    it('moves the state and adopts what both want: no tunnel is opened anew (R-SLR-11)', () => {
      ok(rig.load({ setup: ROUND_ROBIN }, { config: CONFIG }))
      for (let port = 1; port <= 4; port++) rig.syn(port)
      rig.advance(10 * MS)
      const before = [
        rig.rows('tunnels').map((each) => each['name']),
        rig.rows('filters').map((each) => each['name']),
      ]
      servers()
      ok(rig.upgrade('policy', { setup: ROUND_ROBIN, version: '2.0.0' }))
      expect(rig.report()).to.include({ version: '2.0.0', state: 'running', previous: '1.0.0', flows: 4 })
      expect([
        rig.rows('tunnels').map((each) => each['name']),
        rig.rows('filters').map((each) => each['name']),
      ]).to.deep.equal(before)
      rig.syn(5)
      rig.advance(10 * MS)
      expect(servers(), 'the round goes on where it was').to.deep.equal(['10.0.2.3'])
    })

    it('loses no packet, parked ones included, under steady traffic', () => {
      const slow = { kind: 'modelled', callNs: 2 * MS, recordNs: 0, loadNs: 20 * MS } as const
      rig = new Rig({ timing: slow })
      ok(rig.load({ setup: ROUND_ROBIN }, { config: CONFIG }))
      let sent = 0
      const outcomes: Outcome[] = []
      const versions = ['2.0.0', '3.0.0', 'back', '4.0.0']
      for (let round = 0; round < 600; round++) {
        rig.syn(++sent)
        if (round % 3 === 0)
          rig.router.inject('in', tcp({ to: '198.18.0.80', fromPort: sent, flags: TCP_ACK, data: 1 }))
        if (round % 150 === 20) {
          const version = versions.shift()!
          const done = (outcome: Outcome): void => void outcomes.push(outcome)
          if (version === 'back') rig.manager.rollback('policy', rig.now, done)
          else rig.manager.upgrade('policy', bundle({ setup: ROUND_ROBIN, version }), {}, rig.now, done)
        }
        rig.advance(MS)
      }
      rig.advance(200 * MS)
      expect(outcomes.map((each) => each.ok)).to.deep.equal([true, true, true, true])
      expect(rig.report()).to.include({ version: '4.0.0' })
      expect(rig.router.dropped).to.deep.equal({})
      expect(rig.report().counters).to.include({ decisions: 600, fallbacks: 0, late: 0, faults: 0 })
      expect(servers()).to.have.length(800)
      expect(rig.isConserved).to.equal(true)
    })

    it('gives up what the new version does not want, its flows keep their tunnels', () => {
      ok(rig.load({ setup: ROUND_ROBIN }, { config: CONFIG }))
      for (let port = 1; port <= 3; port++) rig.syn(port)
      rig.advance(10 * MS)
      servers()
      const setup = `const tunnel = router.tunnels.open({ to: '10.0.2.9' })
        router.flows.claim({ to: '${SERVICE}', protocol: 'tcp' }, () => ({ tunnel }))
        return { importState() {} }`
      ok(rig.upgrade('policy', { setup, version: '2.0.0' }))
      expect(rig.report()).to.include({ tunnels: 1, claims: 1, flows: 3 })
      for (let port = 1; port <= 4; port++)
        rig.router.inject('in', tcp({ to: '198.18.0.80', fromPort: port, flags: TCP_ACK, data: 1 }))
      rig.advance(10 * MS)
      expect(servers().sort()).to.deep.equal([...SERVERS, '10.0.2.9'])
      rig.router.commit([], 'policy')
      rig.advance(400 * SECOND)
      expect(rig.rows('tunnels')).to.have.length(1)
    })

    for (const [what, setup, code] of [
      ['throws in setup', 'throw new Error("no")', 'refused'],
      ['asks too much', `router.tunnels.open({ to: '11.0.0.1' })`, 'forbidden'],
      ['imports no state', `router.flows.claim({ to: '${SERVICE}' }, () => null)`, 'state'],
      ['reads other states', 'return { importState() {}, stateVersions: [2, 3] }', 'state'],
      ['throws at the state', 'return { importState() { throw new Error("eh") } }', 'state'],
      [
        'asks too much when it gets the state',
        `return { importState() { router.tunnels.open({ to: '11.0.0.1' }) } }`,
        'forbidden',
      ],
    ] as const)
      it(`serves on when the new version ${what}`, () => {
        ok(rig.load({ setup: ROUND_ROBIN }, { config: CONFIG }))
        rig.syn(1)
        rig.advance(10 * MS)
        const before = engineState()
        const outcome = rig.upgrade('policy', { setup, version: '2.0.0' })
        expect(refusal(outcome)).to.match(new RegExp(`^${code}: `))
        expect(engineState().replaceAll(/"lastSeenNs":\d+/g, '')).to.equal(
          before.replaceAll(/"lastSeenNs":\d+/g, ''),
        )
        expect(rig.report()).to.include({ version: '1.0.0', state: 'running', previous: undefined })
        servers()
        rig.syn(2)
        rig.advance(10 * MS)
        expect(servers()).to.deep.equal(['10.0.2.3'])
      })

    it('tells the ends of flows in the handles of whoever serves by then', () => {
      const version = (open: string) => `
        const tunnels = new Map(${open}.map((to) => [to, router.tunnels.open({ to })]))
        router.flows.claim({ to: '${SERVICE}', protocol: 'tcp' }, (flow) => ({ tunnel: tunnels.get('10.0.2.' + flow.fromPort), idle: '1s' }))
        router.flows.ended({}, (ends) => { for (const end of ends)
          router.log.info(end.fromPort, [...tunnels].find((each) => each[1] === end.tunnel)?.[0] ?? 'none') })`
      ok(rig.load({ setup: version(`['10.0.2.2', '10.0.2.3', '10.0.2.4']`) }))
      for (const port of [2, 3, 4]) rig.syn(port)
      rig.advance(10 * MS)
      ok(rig.upgrade('policy', { setup: version(`['10.0.2.4', '10.0.2.2']`), version: '2.0.0' }))
      rig.advance(5 * SECOND)
      expect(rig.log().sort()).to.deep.equal(['2 10.0.2.2', '3 none', '4 10.0.2.4'])
    })

    it('discards the state when told to', () => {
      ok(rig.load({ setup: ROUND_ROBIN }, { config: CONFIG }))
      rig.syn(1)
      rig.advance(10 * MS)
      servers()
      ok(rig.upgrade('policy', { setup: ROUND_ROBIN, version: '2.0.0' }, { state: 'discard' }))
      rig.syn(2)
      rig.advance(10 * MS)
      expect(servers()).to.deep.equal(['10.0.2.2'])
    })

    it('takes priority and limits from the new version’s settings', () => {
      ok(rig.load({ setup: ROUND_ROBIN }, { config: CONFIG }))
      const upgrade = bundle({ setup: ROUND_ROBIN, version: '2.0.0' })
      ok(rig.wait((done) => rig.manager.upgrade('policy', upgrade, { priority: 7, flows: 1 }, rig.now, done)))
      expect(rig.rows('filters')[0]).to.include({ priority: 7 })
      for (let port = 1; port <= 3; port++) rig.syn(port)
      rig.advance(10 * MS)
      expect(rig.report()).to.include({ flows: 1 })
    })

    it('is busy for another upgrade meanwhile, and no stranger takes its place', () => {
      ok(rig.load({ setup: ROUND_ROBIN }, { config: CONFIG }))
      rig.manager.upgrade('policy', bundle({ setup: ROUND_ROBIN, version: '2.0.0' }), {}, rig.now, () => {})
      const other = bundle({ setup: ROUND_ROBIN, version: '3.0.0' })
      expect(() => rig.manager.upgrade('policy', other, {}, rig.now, () => {})).to.throw(
        EnvironmentError,
        'is upgrading',
      )
      const stranger = bundle({ name: 'stranger', setup: ROUND_ROBIN })
      expect(() => rig.manager.upgrade('policy', stranger, {}, rig.now, () => {})).to.throw(
        'this is stranger',
      )
    })
  })

  describe('when it goes back', () => {
    it('gives the older version the state that it reads, else its own last one', () => {
      const version = (state: number, reads: string) => `
        const tunnels = config.servers.map((to) => router.tunnels.open({ to }))
        let next = 0
        router.flows.claim({ to: config.service, protocol: 'tcp' }, () => ({ tunnel: tunnels[next++ % 3] }))
        return { stateVersions: ${reads}, exportState: () => ({ version: ${state}, next }), importState: (old) => { next = old.next } }`
      const flow = (port: number): string => {
        rig.syn(port)
        rig.advance(10 * MS)
        return servers().join()
      }
      ok(rig.load({ setup: version(1, '[1]') }, { config: CONFIG }))
      expect([flow(1), flow(2)]).to.deep.equal(['10.0.2.2', '10.0.2.3'])
      ok(rig.upgrade('policy', { setup: version(2, '[1, 2]'), version: '2.0.0' }))
      expect(flow(3), 'state moved').to.equal('10.0.2.4')
      ok(rig.wait((done) => rig.manager.rollback('policy', rig.now, done)))
      expect(rig.report()).to.include({ version: '1.0.0', previous: '2.0.0' })
      expect(flow(4), 'version 1 does not read state 2: its own of two flows').to.equal('10.0.2.4')
      ok(rig.wait((done) => rig.manager.rollback('policy', rig.now, done)))
      expect(rig.report()).to.include({ version: '2.0.0' })
      expect(flow(5), 'and forth again, with the state of version 1').to.equal('10.0.2.2')
    })

    it('says when there is nothing to go back to', () => {
      ok(rig.load({ setup: ROUND_ROBIN }, { config: CONFIG }))
      expect(() => rig.manager.rollback('policy', rig.now)).to.throw(EnvironmentError, 'no version before')
    })
  })

  describe('when it is stopped', () => {
    it('lets its flows drain, or ends them at once, and leaves nothing', () => {
      ok(rig.load({ setup: ROUND_ROBIN }, { config: CONFIG }))
      for (let port = 1; port <= 3; port++) rig.syn(port)
      rig.advance(10 * MS)
      const ends: string[] = []
      rig.manager.stop('policy', 'drain', rig.now, (outcome) => ends.push(`drain ${outcome.ok}`))
      rig.advance(10 * MS)
      expect(rig.report()).to.include({ state: 'stopping', flows: 3, claims: 0 })
      servers()
      rig.router.inject('in', tcp({ to: '198.18.0.80', fromPort: 1, flags: TCP_ACK, data: 1 }))
      rig.advance(10 * MS)
      expect(servers(), 'a pinned flow goes on').to.have.length(1)
      rig.manager.stop('policy', 'purge', rig.now, (outcome) => ends.push(`purge ${outcome.ok}`))
      rig.advance(10 * MS)
      expect(ends).to.deep.equal(['drain true', 'purge true'])
      expect(rig.report()).to.include({ state: 'stopped', flows: 0 })
      for (const table of ['filters', 'flows', 'tunnels']) expect(rig.rows(table), table).to.deep.equal([])
      rig.manager.remove('policy')
      expect(rig.manager.list()).to.deep.equal([])
      ok(rig.load({ setup: ROUND_ROBIN }, { config: CONFIG }))
    })

    it('ends what is under way: whoever waits is told', () => {
      ok(rig.load({ setup: ROUND_ROBIN }, { config: CONFIG }))
      const told: string[] = []
      rig.manager.upgrade(
        'policy',
        bundle({ setup: ROUND_ROBIN, version: '2.0.0' }),
        {},
        rig.now,
        (outcome) => told.push(refusal(outcome)),
      )
      rig.manager.stop('policy', 'purge', rig.now, () => told.push('stopped'))
      rig.advance(50 * MS)
      expect(told).to.deep.equal(['stopped: it was stopped', 'stopped'])
      expect(rig.report().state).to.equal('stopped')
      expect(Object.keys(rig.sandboxes.bySigner.get('test')!.stats().instances)).to.deep.equal([])
    })
  })

  describe('when the sandbox dies (R-PR-02)', () => {
    const crash = (blamed: boolean): void => {
      const { program } = rig.dispatcher.tenants.get('policy')!
      program!.sandbox.unload(program!.name)
      for (const each of rig.sandboxes.listeners)
        each({
          kind: 'crashed',
          reason: 'died',
          culprit: blamed ? program!.name : undefined,
          lost: [program!.name],
          detail: '',
        })
    }

    it('keeps pinned flows, falls back for new ones, and comes back with its last state', () => {
      rig = new Rig({ timing: { kind: 'modelled', callNs: MS, recordNs: 0, loadNs: 50 * MS } })
      ok(rig.load({ setup: ROUND_ROBIN }, { config: CONFIG }))
      for (let port = 1; port <= 4; port++) rig.syn(port)
      rig.advance(1.5 * SECOND)
      servers()
      crash(false)
      rig.advance(10 * MS)
      expect(rig.report()).to.include({ state: 'recovering', flows: 4, claims: 1 })
      rig.router.inject('in', tcp({ to: '198.18.0.80', fromPort: 1, flags: TCP_ACK, data: 1 }))
      rig.syn(9)
      rig.advance(10 * MS)
      expect(servers(), 'a pinned flow goes on').to.have.length(1)
      expect(rig.router.dropped, 'a new one is dropped at once').to.deep.equal({ 'upcall-expired': 1 })
      rig.advance(200 * MS)
      expect(rig.report()).to.include({ state: 'running', restarts: 1, flows: 4 })
      rig.syn(9)
      rig.advance(10 * MS)
      expect(servers(), 'the round goes on where it was').to.deep.equal(['10.0.2.3'])
      expect(rig.isConserved).to.equal(true)
    })

    it('quarantines who brings it down again and again, until an operator starts it', () => {
      ok(rig.load({ setup: ROUND_ROBIN }, { config: CONFIG }))
      for (let i = 0; i < 3; i++) {
        expect(rig.report().state).to.equal('running')
        crash(true)
        rig.advance(SECOND)
      }
      expect(rig.report()).to.include({ state: 'quarantined', restarts: 2, claims: 1 })
      expect(rig.log().join('\n')).to.include('quarantined: crashed')
      rig.syn(1)
      rig.advance(10 * MS)
      expect(rig.router.dropped).to.deep.equal({ 'upcall-expired': 1 })
      ok(rig.wait((done) => rig.manager.start('policy', rig.now, done)))
      rig.syn(2)
      rig.advance(10 * MS)
      expect(rig.report().counters).to.include({ decisions: 1 })
    })

    it('is lost with it while it is made ready, first or again', () => {
      rig = new Rig({ timing: { kind: 'modelled', callNs: MS, recordNs: 0, loadNs: 50 * MS } })
      ok(rig.load({ setup: ROUND_ROBIN }, { config: CONFIG }))
      crash(false)
      const die = () => {
        const lost = ['policy:1', 'late:1']
        for (const each of rig.sandboxes.listeners)
          each({ kind: 'crashed', reason: 'killed', culprit: undefined, lost, detail: '' })
      }
      const told: string[] = []
      const options = { id: 'late', config: CONFIG, priority: 5 }
      rig.manager.load(bundle({ setup: ROUND_ROBIN }), options, rig.now, (outcome) =>
        told.push(outcome.ok ? 'loaded' : outcome.failure.code),
      )
      rig.advance(75 * MS)
      expect(rig.report()).to.include({ state: 'recovering', restarts: 1 })
      die()
      expect(told).to.deep.equal(['lost'])
      rig.advance(SECOND)
      expect(rig.report()).to.include({ state: 'running', restarts: 2 })
      expect(rig.manager.list().map((each) => each.id)).to.deep.equal(['policy'])
    })

    it('abandons an upgrade, and comes back as the version that served', () => {
      ok(rig.load({ setup: ROUND_ROBIN }, { config: CONFIG }))
      const told: string[] = []
      rig.manager.upgrade(
        'policy',
        bundle({ setup: ROUND_ROBIN, version: '2.0.0' }),
        {},
        rig.now,
        (outcome) => told.push(refusal(outcome)),
      )
      crash(false)
      rig.advance(100 * MS)
      expect(told.join()).to.include('lost: ')
      expect(rig.report()).to.include({ version: '1.0.0', state: 'running' })
    })

    it('keeps no more state than allowed', () => {
      const setup = `return { exportState: () => ({ version: 1, text: 'x'.repeat(5000) }), importState() {} }`
      ok(rig.load({ setup: `router.timers.every('100ms', () => 0); ${setup}`, limits: { stateBytes: 1000 } }))
      rig.advance(2 * SECOND)
      expect(rig.log().join()).to.include('no checkpoint: exportState: 5')
      expect(rig.report().state).to.equal('running')
      expect(
        refusal(rig.upgrade('policy', { setup, version: '2.0.0', limits: { stateBytes: 1000 } })),
      ).to.include('state: exportState')
    })
  })

  describe('when it is closed', () => {
    it('ends its instances and hears of no sandbox any more', () => {
      ok(rig.load({ setup: ROUND_ROBIN }, { config: CONFIG }))
      rig.manager.close()
      rig.advance(10 * MS)
      expect(rig.sandboxes.listeners.size).to.equal(0)
      expect(Object.keys(rig.sandboxes.bySigner.get('test')!.stats().instances)).to.deep.equal([])
    })
  })

  describe('when the same happens again', () => {
    const run = (seed: number, sandbox: Sandbox = new InProcessSandbox()): string => {
      const rig = new Rig({ seed, sandbox: () => sandbox })
      rig.load({ setup: ROUND_ROBIN }, { config: CONFIG })
      rig.load(
        {
          setup: `const tunnels = config.servers.map((to) => router.tunnels.open({ to }))
            router.flows.claim({ to: '198.19.0.0/16' }, () => ({ tunnel: tunnels[Math.floor(router.random() * 3)] }))
            router.timers.every('3ms', () => { if (router.random() < 0.5) router.messages.send('tick', router.random()) })`,
        },
        { id: 'other', config: CONFIG },
      )
      rig.load(
        { setup: `router.messages.on('tick', (n) => router.log.info(router.now(), n))` },
        { id: 'third' },
      )
      for (let round = 1; round <= 100; round++) {
        rig.syn(round, round % 2 ? '198.18.0.80' : '198.19.0.80')
        if (round === 50)
          rig.manager.upgrade(
            'policy',
            bundle({ setup: ROUND_ROBIN, version: '2.0.0' }),
            {},
            rig.now,
            () => {},
          )
        rig.advance(700_000)
      }
      const packets = rig.router.sent.map(({ frame, at }) => [at, Buffer.from(frame).toString('hex')])
      const seen = JSON.stringify([packets, rig.manager.list(), rig.log('third'), rig.rows('flows')])
      return createHash('sha256').update(seen).digest('hex')
    }

    it('does the same to the byte, and something else with another seed', () => {
      const first = run(1)
      expect(run(1)).to.equal(first)
      expect(run(2)).to.not.equal(first)
    })

    it('does the same in a sandbox process: what the machine does is not seen (R-PR-02)', async () => {
      const sandbox = new ProcessSandbox({ blocking: true })
      const seen = run(1, sandbox)
      await sandbox.close()
      expect(seen).to.equal(run(1))
    })
  })
})
