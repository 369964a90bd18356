import { expect } from 'chai'
import { describe, it } from 'mocha'
import { MILLISECOND, NEVER, SECOND } from '../../../engine/clock.ts'
import { EngineError } from '../../../engine/errors.ts'
import { ResourceManager } from '../../../engine/resources/resource-manager.ts'

const processor = (limit?: number) =>
  new ResourceManager(limit === undefined ? { unitsPerSecond: SECOND } : { unitsPerSecond: SECOND, limit })

/** Runs a processor until `until`: turns of `turnNs`, all owners always runnable. Returns shares of the time. */
function run(
  manager: ResourceManager,
  turnNs: (owner: string) => number,
  until: number,
): Map<string, number> {
  let now = 0
  while (now < until) {
    const owner = manager.pickNext(now)
    if (owner === undefined) {
      now = Math.max(now + 1, manager.nextEligibleAt(now))
      continue
    }
    const used = turnNs(owner)
    now += used
    manager.account(used, true, now)
  }
  return new Map(manager.report().map(({ owner, used }) => [owner, used / until]))
}

const refused = (code: string, make: () => void) =>
  expect(make).to.throw(EngineError).with.property('code', code)

describe('ResourceManager (R-PR-04, R-SLR-26)', () => {
  describe('when owners compete for a processor', () => {
    it('shares it by weight, however long their turns are', () => {
      const manager = processor()
      manager.register('light', { weight: 1 }, 0)
      manager.register('heavy', { weight: 3 }, 0)
      for (const owner of ['light', 'heavy']) manager.wake(owner)
      const shares = run(manager, (owner) => (owner === 'light' ? 20 : 3) * MILLISECOND, 10 * SECOND)
      expect(shares.get('light')).to.be.closeTo(0.25, 0.003)
      expect(shares.get('heavy')).to.be.closeTo(0.75, 0.003)
    })

    it('gives those with a guarantee at least that, whatever the number of the others', () => {
      const manager = processor()
      manager.register('promised', { guarantee: 0.5 }, 0)
      manager.wake('promised')
      for (let i = 0; i < 40; i++) {
        manager.register(`other-${i}`, { weight: 1 + i }, 0)
        manager.wake(`other-${i}`)
      }
      const shares = run(manager, () => MILLISECOND, 10 * SECOND)
      expect(shares.get('promised')).to.be.closeTo(0.5, 0.002)
      expect((shares.get('other-39') ?? 0) / (shares.get('other-19') ?? 1)).to.be.closeTo(2, 0.05)
    })

    it('gives idle shares to whoever is runnable, and no credit for idle time', () => {
      const manager = processor()
      manager.register('a', { guarantee: 0.9 }, 0)
      manager.register('b', {}, 0)
      manager.wake('b')
      expect(run(manager, () => MILLISECOND, SECOND).get('b')).to.be.at.least(1)
      manager.wake('a')
      const before = new Map(manager.report().map(({ owner, used }) => [owner, used]))
      for (let turn = 0, now = SECOND; turn < 1000; turn++) {
        manager.pickNext(now)
        manager.account(MILLISECOND, true, (now += MILLISECOND))
      }
      const used = manager.report().map(({ owner, used }) => used - (before.get(owner) ?? 0))
      expect(used[0] / SECOND).to.be.closeTo(0.9, 0.003)
      expect(used[1] / SECOND).to.be.closeTo(0.1, 0.003)
    })

    it('is the same code as the links’: the two threads of weights 1 and 2 in turn', () => {
      const manager = processor()
      manager.register('A', { weight: 1 }, 0)
      manager.register('B', { weight: 2 }, 0)
      manager.wake('A')
      manager.wake('B')
      const order: (string | undefined)[] = []
      for (let at = 0; at < 60; at += 10) {
        order.push(manager.pickNext(at))
        manager.account(10, at < 50 || order.at(-1) !== 'B', at + 10)
      }
      expect(order.join('')).to.equal('ABBABB')
      expect([manager.pickNext(60), manager.serving]).to.deep.equal(['A', 'A'])
    })
  })

  describe('when an owner has a ceiling', () => {
    it('holds it to its share in the long run though nobody else wants the rest', () => {
      const manager = processor()
      manager.register('capped', { ceiling: 0.2 }, 0)
      manager.wake('capped')
      const shares = run(manager, () => 7 * MILLISECOND, 10 * SECOND)
      // A burst of 50 ms of its share and one turn may come on top.
      expect(shares.get('capped')).to.be.within(0.2, 0.2 + (0.01 + 0.007) / 10)
    })

    it('says when it may go on', () => {
      const manager = processor()
      manager.register('capped', { ceiling: 0.5 }, 0)
      expect(manager.nextEligibleAt(0)).to.equal(NEVER)
      manager.wake('capped')
      expect(manager.nextEligibleAt(3)).to.equal(3)
      expect(manager.pickNext(0)).to.equal('capped')
      manager.account(125 * MILLISECOND, true, 125 * MILLISECOND)
      // 125 ms used, 25 were there: at half a processor the debt of 100 ms takes 200 ms.
      expect(manager.pickNext(125 * MILLISECOND)).to.equal(undefined)
      expect(manager.nextEligibleAt(125 * MILLISECOND)).to.equal(325 * MILLISECOND + 1)
      expect(manager.pickNext(325 * MILLISECOND + 1)).to.equal('capped')
    })

    it('lets it go when the ceiling is taken away', () => {
      const manager = processor()
      manager.register('capped', { ceiling: 0.001 }, 0)
      manager.wake('capped')
      manager.pickNext(0)
      manager.account(SECOND, true, SECOND)
      expect(manager.pickNext(SECOND)).to.equal(undefined)
      manager.set('capped', { ceiling: 1 }, SECOND)
      expect(manager.pickNext(SECOND)).to.equal('capped')
    })
  })

  describe('when it is a disk', () => {
    it('shares bytes per second in the same way', () => {
      const disk = new ResourceManager({ unitsPerSecond: 200_000_000 })
      disk.register('log', { guarantee: 0.25, ceiling: 0.25 }, 0)
      disk.register('index', {}, 0)
      disk.wake('log')
      disk.wake('index')
      let now = 0
      while (now < SECOND) {
        const owner = disk.pickNext(now)
        expect(owner).to.not.equal(undefined)
        now += 65536 * 5 // 5 ns a byte
        disk.account(65536, true, now)
      }
      const [log, index] = disk.report()
      expect(log.used / 200e6).to.be.closeTo(0.25, 0.005)
      expect(index.used / 200e6).to.be.closeTo(0.75, 0.005)
    })
  })

  describe('when owners ask for guarantees', () => {
    it('admits them up to the whole and refuses more', () => {
      const manager = processor()
      for (let i = 0; i < 10; i++) manager.register(`owner-${i}`, { guarantee: 0.1 }, 0)
      expect(manager.guaranteed).to.be.closeTo(1, 1e-12)
      refused('limit', () => manager.register('more', { guarantee: 0.001 }, 0))
      manager.register('poor', {}, 0)
      refused('limit', () => manager.set('poor', { guarantee: 0.001 }, 0))
      manager.set('owner-0', { guarantee: 0.05 }, 0)
      manager.set('poor', { guarantee: 0.05 }, 0)
      manager.unregister('owner-1')
      expect(manager.guaranteed).to.be.closeTo(0.9, 1e-12)
    })

    it('moves an owner between promised and common, with its backlog and what it used', () => {
      const manager = processor()
      manager.register('a', {}, 0)
      manager.register('b', {}, 0)
      manager.wake('a')
      manager.wake('b')
      manager.pickNext(0)
      refused('in-use', () => manager.set('a', { guarantee: 0.5 }, 0))
      refused('in-use', () => manager.unregister('a'))
      manager.set('b', { guarantee: 0.75 }, 0)
      manager.account(10, true, 10)
      manager.set('a', { guarantee: 0.25 }, 10)
      const turns: (string | undefined)[] = []
      for (let i = 0; i < 400; i++) {
        turns.push(manager.pickNext(10))
        manager.account(9, true, 10)
      }
      expect(turns.filter((owner) => owner === 'b').length).to.be.within(298, 302)
      expect(manager.report().find(({ owner }) => owner === 'a')?.used).to.be.at.least(10)
    })

    it('refuses shares out of bounds, owners that exist or do not, and too many', () => {
      const manager = processor(2)
      for (const share of [
        { weight: 0 },
        { guarantee: -0.1 },
        { guarantee: 1.1 },
        { guarantee: Number.NaN },
        { ceiling: 0 },
        { ceiling: 1.5 },
        { guarantee: 0.5, ceiling: 0.4 },
      ])
        refused('invalid', () => manager.register('a', share, 0))
      expect(manager.report()).to.deep.equal([])
      manager.register('a', {}, 0)
      manager.register('b', {}, 0)
      refused('exists', () => manager.register('a', {}, 0))
      refused('limit', () => manager.register('c', {}, 0))
      for (const call of ['wake', 'block', 'unregister'] as const)
        refused('unknown', () => manager[call]('z'))
      refused('unknown', () => manager.set('z', {}, 0))
      refused('invalid', () => new ResourceManager({ unitsPerSecond: 0.5 }))
      expect(() => manager.account(1, true, 0)).to.throw('no turn')
    })
  })

  describe('when owners block and come back', () => {
    it('skips those that have nothing to do', () => {
      const manager = processor()
      manager.register('a', {}, 0)
      manager.register('b', {}, 0)
      expect(manager.pickNext(0)).to.equal(undefined)
      manager.wake('a')
      manager.wake('b')
      manager.block('a')
      expect(manager.pickNext(0)).to.equal('b')
      manager.account(5, false, 5)
      expect(manager.pickNext(5)).to.equal(undefined)
      manager.wake('a')
      expect(manager.pickNext(6)).to.equal('a')
      manager.block('a') // during its turn
      manager.account(5, false, 11)
      expect(manager.report().map(({ runnable, turns }) => [runnable, turns])).to.deep.equal([
        [false, 1],
        [false, 1],
      ])
    })
  })
})
