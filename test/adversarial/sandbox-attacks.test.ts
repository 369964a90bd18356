/**
 * What hostile code does once it runs: it loops, it grows, it throws things that bite. While each attack runs, packets
 * of another signer's flows go through the router and new flows are decided; at the end every packet is accounted
 * for, the attacker is refused or stopped or quarantined, and named (R-PR-02, R-PR-04). What an attack takes down is
 * at most the process of its own signer, and that comes back.
 */
import { expect } from 'chai'
import { afterEach, before, describe, it } from 'mocha'
import type { EnvironmentReport } from '../../execution-env/index.ts'
import { SandboxError } from '../../execution-env/sandbox/index.ts'
import { ATTACKED_SERVICE, ATTACKER, type FlowingTraffic } from '../support/flowing-traffic.ts'
import { keepPacketsFlowing } from '../support/keep-packets-flowing.ts'
import { ATTACKER_LIMITS, ATTACKS, type Attack, type End, moduleOf } from './attacks.ts'

describe('A plugin that attacks (R-PR-02, R-PR-04)', () => {
  const flowing = keepPacketsFlowing({
    limits: { graceMs: 30, memoryBytes: 220_000_000, bootMs: 60_000 },
    restart: { calmNs: 0 },
  })
  let traffic: FlowingTraffic
  before(async () => {
    traffic = flowing()
    const setup = `router.query.answer('sum', (numbers) => numbers[0] + numbers[1])`
    const spec = { name: 'sibling', setup, limits: { setupMs: 10_000, batchMs: 1_000 } }
    expect(await load(() => traffic.load(spec))).to.equal('')
  })

  afterEach('the same signer', async () => {
    const { manager, dispatcher } = traffic.rig
    await traffic.until(() => reportOf('sibling')?.state === 'running')
    const answer = await traffic.ask((done) => dispatcher.ask('sibling', 'sum', [3, 4], done))
    expect(answer).to.deep.equal({ ok: true, value: 7 })
    if (reportOf(ATTACKER) === undefined) return
    await traffic.ask((done) => manager.stop(ATTACKER, 'purge', traffic.rig.now, done))
    manager.remove(ATTACKER)
  })

  const reportOf = (id: string): EnvironmentReport | undefined => traffic.rig.manager.report(id)

  /** Why a plugin was refused, before it ran or while it was set up; empty when it runs. */
  const load = async (loading: () => ReturnType<FlowingTraffic['load']>): Promise<string> => {
    try {
      const outcome = await loading()
      return outcome.ok ? '' : `${outcome.failure.code}: ${outcome.failure.reason}`
    } catch (error) {
      if (error instanceof SandboxError) return `${error.code}: ${error.message}`
      throw error
    }
  }

  /** Lets the attacker run once. */
  const strike = async ({ at = 'decide' }: Attack): Promise<void> => {
    const { manager, dispatcher } = traffic.rig
    const operator = { kind: 'operator', name: 'test' } as const
    const faults = reportOf(ATTACKER)!.counters!.faults
    const restarts = reportOf(ATTACKER)!.restarts
    if (at === 'decide') await traffic.provoke()
    else if (at === 'message')
      await traffic.ask((done) =>
        dispatcher.deliver(ATTACKER, 'attack', null, operator, done, traffic.rig.now),
      )
    else if (at === 'query') await traffic.ask((done) => dispatcher.ask(ATTACKER, 'attack', null, done))
    else
      await traffic.until(() => {
        const { state, counters, restarts: now } = reportOf(ATTACKER)!
        return state !== 'running' || counters!.faults > faults || now > restarts
      })
    await traffic.until(() => manager.report(ATTACKER)!.state !== 'recovering')
  }

  /** Loads the attacker and lets it run until it is ended for good, or has shown that it is contained. */
  const attack = async (each: Attack): Promise<{ readonly end: End; readonly told: string }> => {
    const limits = { ...ATTACKER_LIMITS, ...each.limits }
    const refusal = await traffic.during(() => load(() => traffic.load({ module: moduleOf(each), limits })))
    if (refusal !== '') return { end: 'refused', told: refusal }
    for (let round = 0; round < (each.times ?? 3) && reportOf(ATTACKER)!.state === 'running'; round++)
      await traffic.during(() => strike(each))
    const toldSoFar = () => [reportOf(ATTACKER)!.lastFailure, ...traffic.rig.log(ATTACKER)].join('\n')
    // What comes back later is told later.
    if (each.says !== undefined) await traffic.during(() => traffic.until(() => each.says!.test(toldSoFar())))
    const { state } = reportOf(ATTACKER)!
    const told = toldSoFar()
    expect(state).to.be.oneOf(['running', 'quarantined'])
    return { end: state === 'running' ? 'contained' : 'quarantined', told }
  }

  for (const each of ATTACKS)
    it(`is ${each.ends.join(' or ')} when it ${each.what} (${each.at ?? 'decide'})`, async () => {
      const held = () => ['filters', 'tunnels', 'classes'].map((table) => traffic.rig.rows(table).length)
      const before = held()
      const { end, told } = await attack(each)
      expect(end, told).to.be.oneOf([...each.ends])
      expect(told).to.match(each.says ?? /./)
      for (const event of traffic.events)
        if (event.kind === 'crashed') {
          expect(event.reason).to.be.oneOf(['timeout', 'memory', 'died'])
          expect(event.culprit, 'the culprit').to.match(/^attacker:\d+$/)
        }
      if (end !== 'refused') return
      expect(held(), 'what the router holds').to.deep.equal(before)
      expect(reportOf(ATTACKER)).to.equal(undefined)
    })

  it('is stopped while it does not come back', async () => {
    const { manager } = traffic.rig
    const module = moduleOf({ what: '', code: 'for (;;);', ends: [], at: 'timer' })
    expect(await load(() => traffic.load({ module, limits: ATTACKER_LIMITS }))).to.equal('')
    await traffic.until(() => traffic.attackerSandbox!.stats().outstanding > 0)
    await traffic.ask((done) => manager.stop(ATTACKER, 'purge', traffic.rig.now, done))
    expect(reportOf(ATTACKER)).to.include({ state: 'stopped', flows: 0 })
    manager.remove(ATTACKER)
  })

  it('gets no resizable memory', async () => {
    const setup = `
      const buffer = new ArrayBuffer(8, { maxByteLength: 2 ** 32 })
      const view = new Uint8Array(buffer); try { buffer.resize(2 ** 32) } catch {}
      router.query.answer('length', () => view.length)
      router.flows.claim({ to: '${ATTACKED_SERVICE}' }, () => ({ drop: true }))`
    expect(await load(() => traffic.load({ setup }))).to.equal('')
    const { dispatcher } = traffic.rig
    expect(await traffic.ask((done) => dispatcher.ask(ATTACKER, 'length', null, done))).to.include({
      value: 8,
    })
  })
})
