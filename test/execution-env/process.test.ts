import { expect } from 'chai'
import { afterEach, describe, it } from 'mocha'
import { SECOND } from '../../engine/index.ts'
import { ProcessSandbox } from '../../execution-env/sandbox/index.ts'
import { TCP_ACK, tcp } from '../support/packets.ts'
import { ROUND_ROBIN } from './policies.ts'
import { bundle, Rig, tunnelTo } from './rig.ts'

const MS = 1e6
const CONFIG = { service: '198.18.0.0/16', servers: ['10.0.2.2', '10.0.2.3'] }
const LIMITS = { setupMs: 150, batchMs: 100, memoryBytes: 16_000_000 }

describe('EnvironmentManager with sandbox processes', () => {
  let rig: Rig
  const open: ProcessSandbox[] = []

  const start = (options: { blocking: boolean } = { blocking: true }): Rig => {
    rig = new Rig({
      ...(options.blocking ? {} : { timing: { kind: 'measured' } as const }),
      sandbox: (onEvent) => {
        const sandbox = new ProcessSandbox({ ...options, onEvent, limits: { graceMs: 200, deadlineMs: 500 } })
        open.push(sandbox)
        return sandbox
      },
    })
    return rig
  }

  afterEach(async () => {
    for (const each of open.splice(0)) await each.close()
  })

  /** A neighbour of another signer, which must not notice anything. */
  const neighbour = (): void => {
    const outcome = rig.load({ name: 'neighbour', setup: ROUND_ROBIN, signer: 'another' }, { config: CONFIG })
    expect(outcome, JSON.stringify(outcome)).to.include({ ok: true })
    for (let port = 1; port <= 4; port++) rig.syn(port)
    rig.advance(10 * MS)
    rig.router.take('out')
  }

  const expectNeighbourUnharmed = (): void => {
    rig.router.take('out')
    for (let port = 1; port <= 6; port++)
      rig.router.inject('in', tcp({ to: '198.18.0.80', fromPort: port, flags: port > 4 ? 2 : TCP_ACK }))
    rig.advance(10 * MS)
    expect(rig.router.take('out').filter((each) => tunnelTo(each) !== 'plain')).to.have.length(6)
    expect(rig.report('neighbour')).to.include({ state: 'running', restarts: 0 })
    expect(rig.report('neighbour').counters).to.include({ faults: 0, late: 0, fallbacks: 0 })
    expect(rig.isConserved).to.equal(true)
  }

  for (const [what, setup, expected, setupMs] of [
    ['loops in setup', 'for (;;);', 'timeout', 150],
    // Its memory must be over before its time is, however slow the machine.
    ['eats memory in setup', 'const all = []; for (;;) all.push(new Array(1e5).fill(7))', 'lost', 10_000],
    ['throws an object whose message loops', 'throw { get message() { for (;;); } }', 'refused', 10_000],
  ] as const)
    it(`changes nothing for a plugin that ${what} (R-PR-02)`, () => {
      start()
      neighbour()
      const before = JSON.stringify(
        ['filters', 'tunnels', 'classes'].map((table) => rig.rows(table).map((each) => each['name'])),
      )
      const outcome = rig.load({ setup, limits: { ...LIMITS, setupMs } })
      expect(outcome.ok ? 'ok' : outcome.failure.code).to.equal(expected)
      rig.advance(10 * MS)
      expect(
        JSON.stringify(
          ['filters', 'tunnels', 'classes'].map((table) => rig.rows(table).map((each) => each['name'])),
        ),
      ).to.equal(before)
      expect(rig.manager.report('policy')).to.equal(undefined)
      expectNeighbourUnharmed()
    })

  for (const [what, decision] of [
    ['loops', 'for (;;);'],
    ['eats memory', 'const all = []; for (;;) all.push(new Array(1e5).fill(7))'],
    ['recurses', '(function again() { again() })()'],
  ] as const)
    it(`contains a decision that ${what}: its flows get the fallback, it comes back`, () => {
      start()
      neighbour()
      const setup = `
        const tunnel = router.tunnels.open({ to: '10.0.2.9' })
        router.flows.claim({ to: '198.19.0.0/16' }, (flow) => { if (flow.fromPort === 7) { ${decision} } return { tunnel } })`
      const outcome = rig.load({ setup, limits: LIMITS })
      expect(outcome, JSON.stringify(outcome)).to.include({ ok: true })
      rig.syn(1, '198.19.0.1')
      rig.advance(10 * MS)
      rig.syn(7, '198.19.0.1')
      rig.advance(SECOND)
      expect(rig.router.dropped).to.deep.equal({ 'upcall-expired': 1 })
      expect(rig.report(), rig.report().lastFailure).to.include({ state: 'running', flows: 1 })
      expect(rig.report().counters!.faults).to.equal(1)
      rig.syn(2, '198.19.0.1')
      rig.advance(10 * MS)
      expect(rig.report().flows).to.equal(2)
      expectNeighbourUnharmed()
    })

  it('quarantines a plugin that does it again and again', () => {
    start()
    neighbour()
    const setup = `router.flows.claim({ to: '198.19.0.0/16' }, () => { for (;;); })`
    expect(rig.load({ setup, limits: LIMITS })).to.include({ ok: true })
    for (let port = 1; port <= 3; port++) {
      rig.syn(port, '198.19.0.1')
      rig.advance(SECOND)
    }
    expect(rig.report()).to.include({ state: 'quarantined', restarts: 2 })
    expectNeighbourUnharmed()
    rig.wait((done) => rig.manager.stop('policy', 'purge', rig.now, done))
    rig.manager.remove('policy')
    const better = `router.flows.claim({ to: '198.19.0.0/16' }, () => ({ drop: true }))`
    expect(rig.load({ setup: better }), 'the id is not cursed').to.include({ ok: true })
  })

  it('comes back with its state when its process is killed, whoever is idle in it, too', () => {
    start()
    neighbour()
    for (const id of ['a', 'b'])
      expect(
        rig.load(
          { setup: ROUND_ROBIN },
          { id, config: { ...CONFIG, service: id === 'a' ? '198.19.0.0/17' : '198.19.128.0/17' } },
        ),
      ).to.include({ ok: true })
    for (let port = 1; port <= 3; port++) rig.syn(port, '198.19.0.1')
    rig.advance(1.5 * SECOND)
    ;(rig.sandboxes.bySigner.get('test') as ProcessSandbox).kill(rig.now)
    rig.advance(SECOND)
    for (const id of ['a', 'b']) expect(rig.report(id), id).to.include({ state: 'running', restarts: 1 })
    rig.router.take('out')
    rig.syn(9, '198.19.0.1')
    rig.advance(10 * MS)
    expect(rig.router.take('out').map(tunnelTo), 'three flows before, the fourth goes on').to.deep.equal([
      '10.0.2.3',
    ])
    expectNeighbourUnharmed()
  })

  it('works without waiting, as on real ports', async () => {
    start({ blocking: false })
    const results: string[] = []
    rig.manager.load(bundle({ setup: ROUND_ROBIN }), { config: CONFIG }, rig.now, (outcome) =>
      results.push(JSON.stringify(outcome)),
    )
    const turn = async (until: () => boolean): Promise<void> => {
      // However long the machine takes to start a process: the test's own time is the only bound.
      while (!until()) {
        rig.router.now = Math.floor(performance.now() * 1e6)
        rig.router.settle()
        rig.manager.poll(rig.now)
        await new Promise(setImmediate)
      }
    }
    await turn(() => results.length > 0)
    expect(results).to.deep.equal(['{"ok":true,"value":"policy"}'])
    for (let port = 1; port <= 50; port++) rig.syn(port)
    await turn(() => rig.report().counters!.decisions + rig.report().counters!.fallbacks >= 50)
    expect(rig.report().counters!.decisions).to.equal(50)
    expect(rig.isConserved).to.equal(true)
  })
})
