import { expect } from 'chai'
import { describe, it } from 'mocha'
import type { Launched } from '../../../execution-env/sandbox/launch.ts'
import { RESTART_POLICY } from '../../../execution-env/sandbox/restart-policy.ts'
import { Supervisor } from '../../../execution-env/sandbox/supervisor.ts'

const policy = { ...RESTART_POLICY, firstDelayNs: 100, calmNs: 1e12 }
const NEVER = Number.POSITIVE_INFINITY

/** Processes that are only counted. */
function rig(): { supervisor: Supervisor; log: string[]; refuse: (reason: string) => void } {
  const log: string[] = []
  let refusal: string | undefined
  const launch = (): Launched => {
    if (refusal !== undefined) throw new Error(refusal)
    log.push('launched')
    return {
      pid: 1,
      confinement: { prefix: [], inForce: ['something'], missing: [] },
      gone: Promise.resolve(),
      settle: () => log.push('settled'),
      complaint: () => 'it hurt',
      close: () => log.push('closed'),
    } as unknown as Launched
  }
  const supervisor = new Supervisor(launch, policy, 0.001)
  return {
    supervisor,
    log,
    refuse: (reason) => {
      refusal = reason
    },
  }
}

describe('Supervisor', () => {
  describe('when all goes well', () => {
    it('starts with the first step and serves when it is told so', () => {
      const { supervisor, log } = rig()
      expect([supervisor.state, supervisor.pollAt()]).to.deep.equal(['starting', Number.NEGATIVE_INFINITY])
      expect(supervisor.step(0)).to.equal(true)
      expect([supervisor.state, supervisor.starts, supervisor.pollAt()]).to.deep.equal(['starting', 1, 1_000])
      expect(supervisor.ready()).to.equal(true)
      expect([supervisor.state, supervisor.pollAt()]).to.deep.equal(['serving', NEVER])
      expect(supervisor.step(1e15)).to.equal(true)
      expect(log).to.deep.equal(['launched', 'settled'])
      expect(supervisor.confinement.inForce).to.deep.equal(['something'])
    })

    it('is ready once only', () => {
      const { supervisor } = rig()
      expect(supervisor.ready()).to.equal(false)
      supervisor.step(0)
      supervisor.ready()
      expect(supervisor.ready()).to.equal(false)
    })
  })

  describe('when the process ends', () => {
    it('kills what is left, tells the complaint, and starts again: at once, then later and later', () => {
      const { supervisor, log } = rig()
      supervisor.step(0)
      supervisor.ready()
      expect(supervisor.ended(50)).to.equal('it hurt')
      expect([supervisor.state, supervisor.process, supervisor.pollAt()]).to.deep.equal([
        'waiting',
        undefined,
        50,
      ])
      supervisor.step(50)
      supervisor.ready()
      supervisor.ended(60)
      expect(supervisor.pollAt()).to.equal(160)
      supervisor.step(159)
      expect(supervisor.state).to.equal('waiting')
      supervisor.step(160)
      expect([supervisor.state, supervisor.starts]).to.deep.equal(['starting', 3])
      expect(log.filter((each) => each === 'closed')).to.have.length(2)
    })
  })

  describe('when it does not start', () => {
    it('says that it takes too long', () => {
      const { supervisor } = rig()
      supervisor.step(0)
      expect(supervisor.step(999)).to.equal(true)
      expect(supervisor.step(1_000)).to.equal(false)
    })

    it('says why it could not be launched', () => {
      const { supervisor, refuse } = rig()
      refuse('no pipes')
      expect(supervisor.step(0)).to.equal(false)
      expect(supervisor.ended(0)).to.equal('no pipes')
      expect([supervisor.state, supervisor.starts]).to.deep.equal(['waiting', 1])
    })
  })

  describe('when it is closed', () => {
    it('ends the process and starts no other', async () => {
      const { supervisor, log } = rig()
      supervisor.step(0)
      await supervisor.close()
      expect(supervisor.state).to.equal('closed')
      expect(log).to.deep.equal(['launched', 'closed'])
      expect(supervisor.step(1e18)).to.equal(true)
      expect([supervisor.starts, supervisor.pollAt()]).to.deep.equal([1, NEVER])
    })
  })
})
