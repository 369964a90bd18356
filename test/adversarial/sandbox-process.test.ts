/**
 * A sandbox process that has been taken over by what ran in it: whatever it says or does not say, the router goes on,
 * kills it, names the plugin that was running, and starts another (R-PR-02). Nor can it do anything outside.
 */
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { after, before, beforeEach, describe, it } from 'mocha'
import { Batch } from '../../execution-env/sandbox/batch.ts'
import type { ProcessSandbox } from '../../execution-env/sandbox/process-sandbox.ts'
import type { CrashReason, SandboxEvent } from '../../execution-env/sandbox/sandbox-event.ts'
import {
  AT,
  call,
  codeOf,
  isAlive,
  loaded,
  openSandbox,
  resultOf,
  settle,
  until,
} from '../execution-env/sandbox/rig.ts'
import { keepPacketsFlowing } from '../support/keep-packets-flowing.ts'

const program = fileURLToPath(new URL('./evil-sandbox.ts', import.meta.url))
const code = codeOf('')

/** What the process does, and what the router makes of it. */
const DEEDS: readonly (readonly [string, string, CrashReason])[] = [
  ['abort', 'aborts', 'died'],
  ['exit', 'exits', 'died'],
  ['split', 'is aborted by the virtual machine', 'died'],
  ['inspect', 'opens an inspector session, which aborts it', 'died'],
  ['half', 'dies in the middle of a frame', 'died'],
  ['garbage', 'writes garbage', 'protocol'],
  ['enormous', 'announces an enormous frame', 'protocol'],
  ['headless', 'sends an empty answer', 'protocol'],
  ['stale', 'answers what was asked before', 'protocol'],
  ['early', 'answers what was not asked yet', 'protocol'],
  ['other', 'answers a call as a batch', 'protocol'],
  ['ready', 'starts again', 'protocol'],
  ['request', 'makes requests itself', 'protocol'],
  ['nonsense', 'answers what is not JSON', 'protocol'],
  ['shapeless', 'answers what is not an answer', 'protocol'],
  ['codeless', 'fails for no known reason', 'protocol'],
  ['stranger', 'asks in the name of another instance', 'protocol'],
]

for (const blocking of [true, false])
  describe(`A sandbox process that was taken over (${blocking ? 'blocking' : 'polled'}) (R-PR-02)`, () => {
    keepPacketsFlowing()
    let sandbox: ProcessSandbox
    let events: SandboxEvent[]

    const open = (deadlineMs: number): ReturnType<typeof openSandbox> =>
      openSandbox({
        blocking,
        program,
        limits: { bootMs: 60_000, graceMs: 0, deadlineMs },
        restart: { crashesMax: 1_000, calmNs: 0 },
      })
    before(() => {
      ;({ sandbox, events } = open(60_000))
    })
    beforeEach(async () => {
      events.length = 0
      sandbox.unload('evil')
      await settle(sandbox)
      await loaded(sandbox, 'evil', code)
      expect(events.filter((event) => event.kind === 'crashed')).to.deep.equal([])
      events.length = 0
    })
    after(() => sandbox.close())

    const expectCrash = (reason: CrashReason): void => {
      const crashes = events.filter((event) => event.kind === 'crashed')
      expect(crashes.map((each) => ({ ...each, detail: '' }))).to.deep.equal([
        { kind: 'crashed', reason, culprit: 'evil', lost: ['evil'], detail: '' },
      ])
    }

    // The reading of frames is the same in both modes: the polled one need not go through all of them.
    for (const [deed, what, reason] of DEEDS.filter((_, at) => blocking || at % 3 === 0))
      it(`is killed and replaced when it ${what}`, async () => {
        const pid = sandbox.stats().pid!
        const reply = await call(sandbox, 'evil', deed)
        expect(reply.ok ? 'no failure' : reply.failure).to.include({ code: 'crashed', blamed: true })
        expectCrash(reason)
        await until(() => !isAlive(pid))
        await settle(sandbox)
        await loaded(sandbox, 'evil', code)
        expect(await resultOf(sandbox, 'evil', 'behave')).to.equal('well')
      })

    it('is killed when it decides more than it was asked', async () => {
      const batch = new Batch({ capacity: 4, inputWords: 1, outputWords: 1 })
      batch.count = 2
      sandbox.decide('evil', 'decide', batch, AT, () => {})
      await settle(sandbox)
      expect(batch.failure).to.include({ code: 'crashed', blamed: true })
      expectCrash('protocol')
    })

    it('is killed when it answers twice', async () => {
      expect(await resultOf(sandbox, 'evil', 'twice')).to.equal(1)
      const reply = await call(sandbox, 'evil', 'behave')
      expect(reply.ok ? 'no failure' : reply.failure.code).to.equal('crashed')
      expectCrash('protocol')
    })

    it("is killed by the router's own deadline when it hangs, is silent, never ends, or does not listen", async () => {
      const impatient = open(100)
      try {
        for (const deed of ['hang', 'silence', 'endless']) {
          await loaded(impatient.sandbox, 'evil', code, { limits: { callMs: 0 } })
          const reply = await call(impatient.sandbox, 'evil', deed)
          expect(reply.ok ? 'no failure' : reply.failure, deed).to.include({ code: 'crashed', blamed: true })
          expect(impatient.events.findLast((event) => event.kind === 'crashed')).to.include({
            reason: 'deadline',
          })
          await settle(impatient.sandbox)
        }
        await loaded(impatient.sandbox, 'evil', code, { limits: { callMs: 0 } })
        expect(await resultOf(impatient.sandbox, 'evil', 'deaf')).to.equal('what?')
        // More than the pipe takes: the router would wait for room without end.
        const reply = await call(impatient.sandbox, 'evil', 'behave', 'x'.repeat(300_000))
        expect(reply.ok ? 'no failure' : reply.failure.code).to.equal('crashed')
        expect(impatient.events.findLast((event) => event.kind === 'crashed')).to.include({
          reason: 'deadline',
        })
      } finally {
        await impatient.sandbox.close()
      }
    })

    for (const [deed, what] of [
      ['prototype', 'reach a prototype'],
      ['depth', 'are nested without end'],
    ] as const)
      it(`fails calls whose values ${what}`, async () => {
        const reply = await call(sandbox, 'evil', deed)
        expect(reply.ok ? 'no failure' : reply.failure.code).to.equal('invalid')
        expect(events).to.deep.equal([])
      })

    it('is heard through a flood', async () => {
      expect(await resultOf(sandbox, 'evil', 'flood')).to.equal('dry')
    })

    it('cannot spoil the counters', async () => {
      expect(await resultOf(sandbox, 'evil', 'measures')).to.equal(1)
      const { spentNs, heapBytes } = sandbox.stats().instances['evil']!
      expect([Number.isFinite(spentNs), Number.isFinite(heapBytes)]).to.deep.equal([true, true])
    })

    it('gets a refusal for a question that is not JSON', async () => {
      const reply = await call(sandbox, 'evil', 'question')
      expect(reply.ok ? 'no failure' : reply.failure.code).to.equal('crashed')
      // It ends when it has its answer.
      expectCrash('died')
    })
  })

describe('A sandbox process that wants out (R-PR-02)', () => {
  keepPacketsFlowing()

  it('can read no file, write none, start no program, reach no network, and sees no environment', async () => {
    process.env['PRONTO_TEST_SECRET'] = 'secret'
    const { sandbox } = openSandbox({ program, limits: { bootMs: 60_000, deadlineMs: 60_000 } })
    try {
      await loaded(sandbox, 'evil', code)
      expect(await resultOf(sandbox, 'evil', 'probe')).to.deep.equal([])
    } finally {
      delete process.env['PRONTO_TEST_SECRET']
      await sandbox.close()
    }
  })
})
