/**
 * kill -9 of a sandbox process at any moment of a plugin's life, from outside and without warning. While it happens,
 * packets of another signer's flows go through the router; afterwards there is a new process, and in it whatever the
 * router had taken over (R-PR-02, R-PR-04).
 */
import { expect } from 'chai'
import { afterEach, before, describe, it } from 'mocha'
import type { Outcome } from '../../execution-env/index.ts'
import type { SandboxStats } from '../../execution-env/sandbox/sandbox.ts'
import { bundle } from '../execution-env/rig.ts'
import { ATTACKER, type FlowingTraffic } from '../support/flowing-traffic.ts'
import { keepPacketsFlowing } from '../support/keep-packets-flowing.ts'
import { type Attack, moduleOf, type Place } from './attacks.ts'

/** The plugin stays where it is to be killed; nothing but the kill ends that soon. */
const STAY = 'for (;;);'
const LIMITS = { batchMs: 1_000, setupMs: 10_000 }

describe('A sandbox process that is killed (kill -9) (R-PR-02, R-PR-04)', () => {
  const flowing = keepPacketsFlowing({ limits: { graceMs: 60_000, bootMs: 60_000 }, restart: { calmNs: 0 } })
  let traffic: FlowingTraffic
  before(async () => {
    traffic = flowing()
    // A process that is there before the first test.
    expect(await load('decide', '')).to.include({ ok: true })
    await end()
  })

  const end = async (): Promise<void> => {
    const { manager } = traffic.rig
    if (manager.report(ATTACKER) === undefined) return
    await traffic.ask((done) => manager.stop(ATTACKER, 'purge', traffic.rig.now, done))
    manager.remove(ATTACKER)
  }
  afterEach(end)

  const spec = (at: Place, code: string, version = '1.0.0') => {
    const attack: Attack = { what: '', code, ends: [], at }
    return { module: moduleOf(attack), limits: LIMITS, version }
  }
  const load = (at: Place, code: string) => traffic.load(spec(at, code))
  const stats = (): SandboxStats => traffic.attackerSandbox!.stats()
  const report = () => traffic.rig.manager.report(ATTACKER)

  /** Kills the process as soon as it is in a certain state. @returns its number */
  const killWhen = async (isSo: (now: SandboxStats) => boolean): Promise<number> => {
    await traffic.until(() => stats().pid !== undefined && isSo(stats()))
    const pid = stats().pid!
    process.kill(pid, 'SIGKILL')
    await traffic.until(() => stats().pid !== pid && stats().state === 'serving')
    return pid
  }

  const isAsked = ({ outstanding }: SandboxStats): boolean => outstanding > 0
  /** Its heap is known when it is loaded. */
  const isLoaded = ({ instances }: SandboxStats): boolean =>
    Object.values(instances).some(({ heapBytes }) => heapBytes > 0)

  /** Fails unless the plugin decides a flow. */
  const expectDeciding = async (): Promise<void> => {
    await traffic.until(() => report()!.state === 'running')
    const { decisions } = report()!.counters!
    await traffic.provoke()
    expect(report()!.counters!.decisions).to.equal(decisions + 1)
  }

  it('starts again when it is killed while it starts', async () => {
    await traffic.during(async () => {
      const { starts } = stats()
      await killWhen(() => true)
      process.kill(stats().pid!, 'SIGKILL')
      await killWhen(({ state }) => state === 'starting')
      expect(stats().starts).to.be.greaterThan(starts + 2)
    })
    expect(await load('decide', '')).to.include({ ok: true })
    await expectDeciding()
  })

  for (const [what, at, isThere] of [
    ['is loaded', 'load', (now: SandboxStats) => isAsked(now) && !isLoaded(now)],
    ['is set up', 'setup', (now: SandboxStats) => isAsked(now) && isLoaded(now)],
  ] as const)
    it(`refuses a plugin when it is killed while that ${what}, and takes the next one`, async () => {
      const [outcome] = await traffic.during(() => Promise.all([load(at, STAY), killWhen(isThere)]))
      expect(outcome.ok ? 'ok' : outcome.failure.code).to.equal('lost')
      expect(report()).to.equal(undefined)
      expect(await load('decide', '')).to.include({ ok: true })
      await expectDeciding()
    })

  const operator = { kind: 'operator', name: 'test' } as const
  const call = () =>
    traffic.ask((done) => {
      const { dispatcher, now } = traffic.rig
      dispatcher.deliver(ATTACKER, 'attack', null, operator, done, now)
    })
  const query = () => traffic.ask((done) => traffic.rig.dispatcher.ask(ATTACKER, 'attack', null, done))
  for (const [what, at, begin] of [
    ['decides', 'decide', () => traffic.provoke()],
    ['handles a message', 'message', call],
    ['answers a query', 'query', query],
    // Which the router asks for by itself, every second.
    ['exports its state', 'export', () => {}],
  ] as const)
    it(`brings a plugin back when it is killed while that ${what}`, async () => {
      // The router asks for the state again when the plugin is back: then it must not stay.
      const code = at === 'export' ? `if (router.now() < ${traffic.rig.now + 1.5e9}) ${STAY}` : STAY
      expect(await load(at, code)).to.include({ ok: true })
      await traffic.during(() => Promise.all([begin(), killWhen(isAsked)]))
      await traffic.until(() => report()!.state === 'running')
      expect(report()).to.include({ restarts: 1 })
      expect(report()!.lastFailure).to.match(/^crashed: /)
      const crashes = traffic.events.filter((event) => event.kind === 'crashed')
      expect(crashes.map(({ reason }) => reason)).to.deep.equal(['died'])
      if (at !== 'decide') await expectDeciding()
    })

  it('leaves the present version when it is killed while the next one is set up', async () => {
    expect(await load('decide', '')).to.include({ ok: true })
    const next = bundle({ name: ATTACKER, signer: ATTACKER, ...spec('setup', STAY, '2.0.0') })
    const { manager } = traffic.rig
    const upgrade = () =>
      traffic.ask<Outcome>((done) => manager.upgrade(ATTACKER, next, {}, traffic.rig.now, done))
    const isTwice = ({ outstanding, instances }: SandboxStats) =>
      outstanding > 0 && Object.values(instances).filter(({ heapBytes }) => heapBytes > 0).length === 2
    const [outcome] = await traffic.during(() => Promise.all([upgrade(), killWhen(isTwice)]))
    expect(outcome.ok ? 'ok' : outcome.failure.code).to.equal('lost')
    await expectDeciding()
    expect(report()).to.include({ version: '1.0.0', restarts: 1 })
  })

  it('brings a plugin back whenever it is killed among its decisions', async () => {
    for (let round = 0; round < 4; round++) {
      expect(await load('decide', '')).to.include({ ok: true })
      const provoked = traffic.during(async () => {
        for (let n = 0; n < 10; n++) await traffic.provoke()
      })
      await new Promise((settle) => setTimeout(settle, 7 * round))
      await killWhen(() => true)
      await provoked
      await expectDeciding()
      expect(report()).to.include({ restarts: 1 })
      await end()
    }
  })
})
