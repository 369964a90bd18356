import { expect } from 'chai'
import { describe, it } from 'mocha'
import { type Action, MILLISECOND, SECOND } from '../../engine/index.ts'
import { NONE } from '../../engine/packet.ts'
import { echo, fragmentsOf, seen, TCP_SYN, tcp, udp } from '../support/packets.ts'
import { classed, rewritten, spread, tunneled } from '../support/policies.ts'
import { TestRouter } from '../support/test-router.ts'

const WAIT = 50 * MILLISECOND
const decide = (otherwise: Action = { kind: 'drop', reason: 'upcall-expired' }): Action => ({
  kind: 'decide',
  waitNs: WAIT,
  otherwise,
})

/** A router on which `plugin` decides about everything that is sent to port 80. */
function asking(otherwise?: Action, options?: ConstructorParameters<typeof TestRouter>[1]): TestRouter {
  const router = new TestRouter(undefined, options)
  const filter = { protocol: 'tcp' as const, toPort: 80 }
  router.commit([{ do: 'install-filter', name: 'web', filter, action: decide(otherwise) }], 'plugin')
  return router
}

const resume = (upcall: number, action: Action = { kind: 'forward' }) =>
  ({ do: 'resume', upcall, action }) as const
const sources = (packets: readonly Uint8Array[]): number[] =>
  packets.map((packet) => (packet[20]! << 8) | packet[21]!)

describe('Upcalls', () => {
  describe('when packets of a flow wait (R-PR-05)', () => {
    it('asks once per flow, in the order in which the flows came', () => {
      const router = asking()
      const flow = (fromPort: number, sequence: number) => tcp({ fromPort, sequence })
      router.inject('a', flow(1, 1), flow(2, 1), flow(1, 2), flow(3, 1), flow(2, 2))
      const asked = [router.engine.nextUpcall(), router.engine.nextUpcall(), router.engine.nextUpcall()]
      expect(router.engine.nextUpcall()).to.equal(NONE)
      const { upcalls, slab } = router.stages
      const first = asked.map((upcall) => sources([slab.frame(upcalls.view(upcall)!.packet).subarray(14)])[0])
      expect(first).to.deep.equal([1, 2, 3])
      expect(router.engine.balance()).to.deep.include({ parked: 5, dropped: {} })
      expect([upcalls.open, upcalls.waiting, upcalls.parked]).to.deep.equal([3, 0, 5])
    })

    it('lets them follow the answer in the order in which they came, and pins the flow', () => {
      const router = asking()
      for (let sequence = 1; sequence <= 4; sequence++) router.inject('a', tcp({ sequence, flags: TCP_SYN }))
      const upcall = router.engine.nextUpcall()
      router.commit([resume(upcall, rewritten({ to: '10.0.2.50' }))], 'plugin')
      router.settle()
      const left = router.take('b').map(seen)
      expect(left.map(({ payload }) => payload[7])).to.deep.equal([1, 2, 3, 4])
      expect(left.every(({ to }) => to === '10.0.2.50')).to.equal(true)
      expect(router.rows('flows')[0]).to.include({ packets: 4, state: 'syn-seen', owner: 'plugin' })
      router.inject('a', tcp())
      expect(router.take('b').map((packet) => seen(packet).to)).to.deep.equal(['10.0.2.50'])
      expect(router.stages.upcalls.open).to.equal(0)
    })

    it('shows the packet as it came, and leaves modifiers to what happens without an answer', () => {
      const router = new TestRouter()
      router.commit([{ do: 'create-class', class: { name: 'slow', port: 'b', weight: 1 } }])
      router.filter('all', classed('slow', rewritten({ to: '10.0.2.50' }, decide({ kind: 'forward' }))))
      router.inject('a', udp({ fromPort: 1 }), udp({ fromPort: 2 }))
      const upcall = router.engine.nextUpcall()
      const { packet } = router.stages.upcalls.view(upcall)!
      expect(seen(router.stages.slab.frame(packet).slice(14)).to).to.equal('10.0.2.2')
      router.commit([resume(upcall)])
      router.advance(WAIT)
      const left = router.take('b').map((each) => [...sources([each]), seen(each).to])
      expect(left).to.deep.equal([
        [1, '10.0.2.2'],
        [2, '10.0.2.50'],
      ])
      expect(router.rows('queues', { port: 'b', class: 'slow' })[0]).to.include({ packetsOut: 1 })
    })
  })

  describe('when limits are reached', () => {
    it('bounds the packets of a question, the questions of an owner, all questions and all packets', () => {
      const count = (options: object, packets: readonly Uint8Array[]): number => {
        const router = asking(undefined, { upcalls: options })
        router.inject('a', ...packets)
        return router.engine.balance().parked
      }
      const same = Array.from({ length: 20 }, () => tcp())
      const different = Array.from({ length: 20 }, (_, i) => tcp({ fromPort: i }))
      expect(count({ packetsPerFlow: 3 }, same)).to.equal(3)
      expect(count({}, same)).to.equal(8)
      expect(count({ ownerLimit: 4 }, different)).to.equal(4)
      expect(count({ limit: 5, ownerLimit: 100 }, different)).to.equal(5)
      expect(count({ limit: 10 }, different)).to.equal(5)
      expect(count({ packetLimit: 7 }, different)).to.equal(7)
    })

    it('drops the rest as upcall-full and counts it', () => {
      const router = asking(undefined, { upcalls: { limit: 2, ownerLimit: 2 } })
      router.inject('a', ...Array.from({ length: 5 }, (_, i) => tcp({ fromPort: i })))
      expect(router.dropped).to.deep.equal({ 'upcall-full': 3 })
      expect(router.rows('limits', { name: 'upcalls.refused' })[0]?.value).to.equal(3)
    })

    it('leaves the other owners their questions', () => {
      const router = asking(undefined, { upcalls: { limit: 8 } })
      router.commit(
        [{ do: 'install-filter', name: 'dns', filter: { protocol: 'udp' }, action: decide() }],
        'other',
      )
      router.inject('a', ...Array.from({ length: 10 }, (_, i) => tcp({ fromPort: i })))
      router.inject('a', ...Array.from({ length: 10 }, (_, i) => udp({ fromPort: i })))
      expect(router.engine.balance().parked).to.equal(8)
      expect(router.stages.upcalls.countOf(router.engine.owners.find('other')!)).to.equal(4)
    })

    it('never lets a silent policy hold more than a quarter of the slab', () => {
      const router = asking(undefined, { slab: { capacity: 256 } })
      for (let i = 0; i < 300; i++) router.inject('a', tcp({ fromPort: i }))
      expect(router.engine.balance().parked).to.equal(64)
      router.inject('a', udp())
      expect(router.take('b')).to.have.length(1)
    })

    it('refuses absurd limits', () => {
      for (const limit of [0, 65_537, 1.5])
        expect(() => asking(undefined, { upcalls: { limit } })).to.throw(RangeError)
    })
  })

  describe('when no answer comes in time', () => {
    it('does what was to happen otherwise, at the deadline and not before', () => {
      const router = asking()
      router.inject('a', tcp(), tcp())
      router.advance(WAIT - 1)
      expect(router.engine.balance().parked).to.equal(2)
      router.advance(1)
      expect(router.dropped).to.deep.equal({ 'upcall-expired': 2 })
      expect(router.rows('limits', { name: 'upcalls.expired' })[0]?.value).to.equal(1)
      expect(router.rows('flows')).to.have.length(0)
    })

    it('asks again with the next packet', () => {
      const router = asking({ kind: 'forward' })
      router.inject('a', tcp())
      router.advance(WAIT)
      expect(router.take('b')).to.have.length(1)
      router.inject('a', tcp())
      expect(router.stages.upcalls.open).to.equal(1)
    })

    it('lets packets follow their flow when it was pinned meanwhile', () => {
      const router = asking()
      router.inject('a', tcp())
      const key = { from: '10.0.1.2', to: '10.0.2.2', protocol: 6, fromPort: 4000, toPort: 80 }
      router.commit([{ do: 'install-flow', key, action: rewritten({ to: '10.0.2.50' }) }], 'plugin')
      router.advance(WAIT)
      expect(router.take('b').map((packet) => seen(packet).to)).to.deep.equal(['10.0.2.50'])
      expect(router.rows('flows')[0]).to.include({ packets: 1 })
    })

    it('happens once where the flow itself is pinned to the question', () => {
      const router = new TestRouter()
      const key = { from: '10.0.1.2', to: '10.0.2.2', protocol: 6, fromPort: 4000, toPort: 80 }
      const action: Action = { kind: 'decide', waitNs: 0, otherwise: { kind: 'forward' } }
      router.commit([{ do: 'install-flow', key, action }])
      router.inject('a', tcp(), tcp())
      expect(router.take('b')).to.have.length(2)
      expect(router.rows('flows')[0]).to.include({ packets: 2 })
    })

    it('has happened at once where it waits for nothing', () => {
      const router = new TestRouter()
      router.filter('all', { kind: 'decide', waitNs: 0, otherwise: { kind: 'forward' } })
      router.inject('a', udp())
      expect(router.take('b')).to.have.length(1)
    })
  })

  describe('when an answer is wrong', () => {
    it('refuses one that comes late or twice', () => {
      const router = asking()
      router.inject('a', tcp())
      const upcall = router.engine.nextUpcall()
      router.advance(WAIT)
      expect(router.refusal([resume(upcall)], 'plugin').code).to.equal('unknown')
      router.inject('a', tcp())
      const again = router.engine.nextUpcall()
      const twice = router.refusal([resume(again), resume(again)], 'plugin')
      expect([twice.code, twice.place]).to.deep.equal(['unknown', 'changes[1].upcall'])
      expect(router.engine.balance().parked).to.equal(1)
      router.commit([resume(again)], 'plugin')
      expect(router.refusal([resume(again)], 'plugin').code).to.equal('unknown')
    })

    it('refuses one to a question whose place another has taken', () => {
      const router = asking(undefined, { upcalls: { limit: 1, ownerLimit: 1 } })
      const handles = new Set<number>()
      let last = NONE
      for (let fromPort = 0; fromPort < 50; fromPort++) {
        router.inject('a', tcp({ fromPort }))
        const upcall = router.engine.nextUpcall()
        expect(handles.has(upcall)).to.equal(false)
        if (last !== NONE) expect(router.refusal([resume(last)], 'plugin').code).to.equal('unknown')
        handles.add(upcall)
        router.commit([resume(upcall, { kind: 'drop' })], 'plugin')
        last = upcall
      }
    })

    it('refuses numbers that never were a question', () => {
      const router = asking()
      router.inject('a', tcp())
      const upcall = router.engine.nextUpcall()
      for (const number of [-1, upcall + 0.5, upcall + 2 ** 32, upcall + 65_536, 2 ** 60, Number.NaN, 1e300])
        expect(router.refusal([resume(number)], 'plugin').code, `${number}`).to.equal('unknown')
    })

    it('refuses one from another owner', () => {
      const router = asking()
      router.inject('a', tcp())
      const error = router.refusal([resume(router.engine.nextUpcall())], 'other')
      expect([error.code, error.place]).to.deep.equal(['forbidden', 'changes[0].upcall'])
    })

    it('keeps the question open when the answer cannot be carried out', () => {
      const router = asking(undefined, { flows: { capacity: 1 } })
      router.inject('a', tcp({ fromPort: 1 }), tcp({ fromPort: 2 }))
      const [one, other] = [router.engine.nextUpcall(), router.engine.nextUpcall()]
      expect(router.refusal([resume(one, tunneled('nope'))], 'plugin').place).to.equal(
        'changes[0].action.tunnel',
      )
      router.commit([resume(one)], 'plugin')
      router.settle()
      const full = router.refusal([resume(other)], 'plugin')
      expect([full.code, full.place]).to.deep.equal(['limit', 'changes[0].key'])
      expect(router.engine.balance().parked).to.equal(1)
      router.advance(WAIT)
      expect(router.dropped).to.deep.equal({ 'upcall-expired': 1 })
    })
  })

  describe('when the owner changes', () => {
    it('lets what was to happen otherwise happen when the owner is removed', () => {
      const router = asking({ kind: 'forward' })
      router.inject('a', tcp({ fromPort: 1 }), tcp({ fromPort: 2 }))
      router.engine.control.removeOwner('plugin', 'purge', router.now)
      router.settle()
      expect(router.take('b')).to.have.length(2)
      expect([router.stages.upcalls.open, router.engine.nextUpcall()]).to.deep.equal([0, NONE])
      expect(router.stages.actions.size).to.equal(0)
    })

    it('lets whoever adopts the owner answer, and nobody else', () => {
      const router = asking()
      router.inject('a', tcp())
      const upcall = router.engine.nextUpcall()
      router.engine.control.adopt('plugin', 'plugin-2')
      expect(router.refusal([resume(upcall)], 'plugin').code).to.equal('forbidden')
      router.commit([resume(upcall)], 'plugin-2')
      router.settle()
      expect(router.take('b')).to.have.length(1)
      const { decisions } = router.engine
      const prepared = decisions.prepare('plugin-2', { kind: 'forward' })
      router.engine.control.adopt('plugin-2', 'plugin-3')
      router.inject('a', tcp({ fromPort: 8 }))
      expect(
        decisions.resume(router.engine.nextUpcall(), prepared, 0, router.now),
        'a prepared answer',
      ).to.equal(0)
      router.engine.control.adopt('plugin-3', 'plugin-2')
      router.inject('a', tcp({ fromPort: 9 }))
      const next = router.engine.nextUpcall()
      expect(router.stages.upcalls.view(next)?.owner).to.equal(router.engine.owners.find('plugin-2'))
      expect(router.stages.upcalls.countOf(router.engine.owners.find('plugin')!)).to.equal(0)
    })
  })

  describe('when the answer is a choice', () => {
    it('pins the flow to what was chosen, whatever waits', () => {
      const router = asking()
      router.commit(
        ['one', 'other'].map(
          (name, i) => ({ do: 'open-tunnel', name, tunnel: { to: `10.0.2.1${i}` } }) as const,
        ),
        'plugin',
      )
      router.inject('a', tcp(), tcp(), tcp())
      router.commit(
        [resume(router.engine.nextUpcall(), spread([tunneled('one'), tunneled('other')]))],
        'plugin',
      )
      router.settle()
      router.inject('a', tcp())
      expect(new Set(router.take('b').map((packet) => seen(packet).to)).size).to.equal(1)
      expect(router.rows('flows')[0]).to.include({ packets: 4 })
      expect(router.rows('flows')[0]?.action).to.match(/^tunnel/)
    })

    it('is one choice for all when nobody answers', () => {
      const router = new TestRouter()
      router.commit(
        ['one', 'other'].map(
          (name, i) => ({ do: 'open-tunnel', name, tunnel: { to: `10.0.2.1${i}` } }) as const,
        ),
      )
      router.filter('web', decide(spread([tunneled('one'), tunneled('other')])))
      router.inject('a', tcp(), tcp(), tcp())
      router.advance(WAIT)
      expect(router.take('b')).to.have.length(3)
      expect(router.rows('flows')[0]).to.include({ packets: 3 })
    })
  })

  describe('when the engine is closed', () => {
    it('gives up whatever waits anywhere as engine-closed, tells nobody, and rests', () => {
      const router = asking()
      router.inject('a', echo({ to: '10.0.1.1' }))
      router.inject('a', tcp({ fromPort: 1 }), tcp({ fromPort: 2 }))
      router.port('b').paceNs = SECOND
      router.inject('a', udp(), udp(), udp())
      router.answersArp = false
      router.inject('a', udp({ to: '10.0.2.99' }))
      router.inject('a', fragmentsOf(echo({ to: '10.0.1.1' }), 32)[0]!)
      router.take()
      const { parked, queued } = router.engine.balance()
      expect([parked, queued], 'with a question to 10.0.2.99').to.deep.equal([4, 4])
      router.engine.close(router.now)
      router.expectConserved()
      expect(router.dropped['engine-closed']).to.equal(8)
      expect(router.take()).to.have.length(0)
      router.engine.close(router.now)
      expect([router.engine.poll(router.now), router.engine.pollAt(router.now)]).to.deep.equal([
        0,
        Number.POSITIVE_INFINITY,
      ])
    })
  })
})
