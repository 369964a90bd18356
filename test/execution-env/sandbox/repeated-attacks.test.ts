/**
 * Instances that bring their process down and come back: the first time costs the process, the next time only
 * themselves, and in the end they are kept out (R-PR-02).
 */
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { Batch } from '../../../execution-env/sandbox/batch.ts'
import { vet } from '../../../execution-env/sandbox/vetting.ts'
import { AT, call, codeOf, loaded, OPTIONS, openSandbox, resultOf, settle } from './rig.ts'

const ROPE = `let rope = 'ab'; for (let n = 0; n < 27; n++) rope += rope;`

describe('A plugin that attacks its process again (R-PR-02)', () => {
  describe('when it does not come back from a batch', () => {
    it('takes its process down once; from then on it is timed, and takes down nobody else', async () => {
      // Between the isolate's own end and the watchdog's lies more than any machine stands still.
      const { sandbox, events } = openSandbox({ limits: { graceMs: 3_000, bootMs: 60_000 } })
      const code = vet(
        'module.exports = { batches: { decide(host, input) { if (input[0] === 7) for (;;); } } }',
        'plugin.js',
      )
      const limits = { batchMs: 100 }
      const decide = async (): Promise<Batch> => {
        const batch = new Batch({ capacity: 4, inputWords: 1, outputWords: 1 })
        batch.count = 2
        batch.input[0] = 7
        sandbox.decide('hostile', 'decide', batch, AT, () => {})
        await settle(sandbox)
        return batch
      }
      try {
        await loaded(sandbox, 'peaceful', codeOf('return 7'))
        await loaded(sandbox, 'hostile', code, { limits })
        expect((await decide()).failure).to.include({ code: 'crashed', blamed: true })
        expect(events.filter((event) => event.kind === 'crashed')).to.deep.equal([
          {
            kind: 'crashed',
            reason: 'timeout',
            culprit: 'hostile',
            lost: ['peaceful', 'hostile'],
            detail: '',
          },
        ])
        await loaded(sandbox, 'peaceful', codeOf('return 7'))
        await loaded(sandbox, 'hostile', code, { limits })
        expect((await decide()).failure).to.include({ code: 'timeout', blamed: false })
        expect(Object.keys(sandbox.stats().instances)).to.deep.equal(['peaceful'])
        expect(await resultOf(sandbox, 'peaceful', 'run')).to.equal(7)
        expect(sandbox.stats().crashes).to.equal(1)
      } finally {
        await sandbox.close()
      }
    })
  })

  describe('when it takes its process down again and again', () => {
    it('is quarantined; its neighbours in the process are not', async () => {
      // A rope that is written down is one native loop: the watchdog has to end it.
      const crashing = codeOf(`${ROPE} return [rope, rope, rope, rope]`)
      const limits = { callMs: 50, memoryBytes: 1e9 }
      const { sandbox, events } = openSandbox({
        limits: { graceMs: 0, memoryBytes: 300e6, bootMs: 60_000 },
        restart: { crashesMax: 2, firstDelayNs: 1 },
      })
      try {
        for (let round = 0; round < 2; round++) {
          await loaded(sandbox, 'peaceful', codeOf('return 7'))
          await loaded(sandbox, 'hostile', crashing, { limits })
          const reply = await call(sandbox, 'hostile', 'run')
          expect(reply.ok ? 'no failure' : reply.failure.code).to.equal('crashed')
          await settle(sandbox)
        }
        expect(events.filter((event) => event.kind === 'quarantined')).to.deep.equal([
          { kind: 'quarantined', instance: 'hostile' },
        ])
        expect(sandbox.stats()).to.deep.include({ quarantined: ['hostile'], crashes: 2 })
        await loaded(sandbox, 'peaceful', codeOf('return 7'))
        let refused = ''
        sandbox.load('hostile', crashing, OPTIONS, AT, (reply) => {
          refused = reply.ok ? 'loaded' : reply.failure.code
        })
        await settle(sandbox)
        expect(refused).to.equal('quarantined')
        sandbox.pardon('hostile')
        await loaded(sandbox, 'hostile', codeOf('return 8'))
      } finally {
        await sandbox.close()
      }
    })
  })
})
