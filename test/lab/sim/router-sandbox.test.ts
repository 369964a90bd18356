import { expect } from 'chai'
import { describe, it } from 'mocha'
import { InProcessSandbox, type SandboxEvent, vet } from '../../../execution-env/sandbox/index.ts'
import { RouterSandbox } from '../../../lab/sim/router-sandbox.ts'

const CODE = vet('module.exports = {}', 'plugin.js', '')
const RUNTIME = '() => ({ calls: {}, batches: {} })'
const AT = { now: 0, clock: 0 }

/** Two routers' views of one sandbox, and what the first one's router hears. */
function views() {
  const shared = new InProcessSandbox()
  const events: SandboxEvent[] = []
  const first = new RouterSandbox(shared, (event) => events.push(event))
  const second = new RouterSandbox(shared, () => {
    throw new Error('not asked')
  })
  const load = (view: RouterSandbox, name: string) => {
    const outcome: string[] = []
    view.load(name, CODE, { runtime: RUNTIME, seed: [1, 2, 3, 4] }, AT, (reply) =>
      outcome.push(reply.ok ? 'loaded' : reply.failure.code),
    )
    return outcome
  }
  return { shared, events, first, second, load }
}

describe('RouterSandbox', () => {
  describe('when it is killed', () => {
    it('ends the instances of its router only, and tells of them with the next poll', () => {
      const { shared, events, first, second, load } = views()
      load(first, 'r1/a')
      load(second, 'r2/a')
      first.poll(0)
      first.kill(1e9)
      expect(events).to.deep.equal([])
      expect(first.pollAt()).to.equal(Number.NEGATIVE_INFINITY)
      first.poll(1e9)
      const lost = ['r1/a']
      expect(events).to.deep.equal([
        { kind: 'crashed', reason: 'killed', culprit: undefined, lost, detail: '' },
      ])
      expect(Object.keys(shared.stats().instances)).to.deep.equal(['r2/a'])
      expect(second.stats().state).to.equal('serving')
    })

    it('keeps what is loaded while it starts, and forgets what is unloaded', () => {
      const { shared, events, first, load } = views()
      first.kill(0)
      first.poll(0)
      expect(first.stats().state).to.equal('starting')
      const one = load(first, 'one')
      const other = load(first, 'other')
      first.unload('other')
      first.poll(99e6)
      expect([one, other]).to.deep.equal([[], []])
      expect(first.pollAt()).to.equal(100e6)
      first.poll(100e6)
      expect(events.at(-1)).to.deep.equal({ kind: 'serving', starts: 2 })
      expect([one, other]).to.deep.equal([['loaded'], ['loaded']])
      first.poll(100e6)
      expect(Object.keys(shared.stats().instances)).to.deep.equal(['one'])
    })

    it('fails what waits for its start when it is killed again, and refuses while it waits', () => {
      const { first, load } = views()
      first.kill(0)
      first.poll(0)
      const waiting = load(first, 'one')
      first.kill(10e6)
      first.poll(10e6)
      expect(waiting).to.deep.equal(['crashed'])
      const refused = load(first, 'one')
      first.poll(109e6)
      expect(refused).to.deep.equal(['unavailable'])
      expect(first.stats()).to.include({ state: 'waiting', crashes: 2 })
      first.poll(110e6)
      expect(first.stats().state).to.equal('starting')
    })
  })
})
