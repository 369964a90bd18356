import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import {
  Engine,
  MemoryPort,
  MILLISECOND,
  type Nanoseconds,
  NEVER,
  SECOND,
  TABLE_NAMES,
} from '../../engine/index.ts'
import { echo, fragmentsOf, TCP_FIN, TCP_SYN, tcp, udp } from '../support/packets.ts'
import { classed, spread, tunneled } from '../support/policies.ts'
import { TestRouter } from '../support/test-router.ts'

const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1)
const VHA = '198.18.0.80'

/** What happens to a router from outside, at a time in milliseconds. */
interface Happening {
  readonly at: number
  readonly what:
    | 'flow'
    | 'fin'
    | 'ask'
    | 'late fragment'
    | 'part'
    | 'unknown host'
    | 'slow'
    | 'echo'
    | 'down'
    | 'up'
    | 'silence'
    | 'speech'
  readonly number: number
}

const happening: fc.Arbitrary<Happening> = fc.record({
  at: fc.nat({ max: 40_000 }),
  what: fc.constantFrom(
    'flow',
    'fin',
    'ask',
    'late fragment',
    'part',
    'unknown host',
    'slow',
    'echo',
    'down',
    'up',
    'silence',
    'speech',
  ),
  number: fc.nat({ max: 9 }),
})

function happen(router: TestRouter, { what, number }: Happening): void {
  const fromPort = 1000 + number
  switch (what) {
    case 'flow':
      return router.inject('a', tcp({ to: VHA, fromPort, flags: TCP_SYN }), udp({ to: VHA, fromPort }))
    case 'fin':
      return router.inject('a', tcp({ to: VHA, fromPort, flags: TCP_FIN }))
    case 'ask':
      return router.inject('a', udp({ toPort: 99, fromPort }))
    case 'late fragment':
      return router.inject('a', fragmentsOf(udp({ data: 100, id: number }), 64)[1]!)
    case 'part':
      return router.inject('a', fragmentsOf(echo({ to: '10.0.1.1', data: 100, id: number }), 64)[0]!)
    case 'unknown host':
      return router.inject('a', udp({ to: `10.0.2.${100 + number}` }))
    case 'slow':
      return router.inject('a', udp({ toPort: 77, data: 1000 }), udp({ toPort: 77, data: 1000 }))
    case 'echo':
      return router.inject('a', echo({ to: '10.0.1.1' }))
    case 'down':
    case 'up':
      return router.setUp('b', what === 'up')
    default:
      router.answersArp = what === 'speech'
  }
}

function configured(): TestRouter {
  const router = new TestRouter(undefined, {
    flows: { timeouts: { udpNs: 3 * SECOND, tcpClosingNs: SECOND } },
  })
  router.commit([
    { do: 'open-tunnel', name: 's1', tunnel: { to: '10.0.2.11' } },
    { do: 'open-tunnel', name: 's2', tunnel: { to: '10.0.2.12' } },
    {
      do: 'create-class',
      class: { name: 'slow', port: 'b', weight: 1, ceiling: { rateBps: 80_000, burstBytes: 3036 } },
    },
  ])
  router.filter('web', spread([tunneled('s1'), tunneled('s2')]), { to: VHA })
  router.filter(
    'ask',
    { kind: 'decide', waitNs: 70 * MILLISECOND, otherwise: { kind: 'forward' } },
    { protocol: 'udp', toPort: 99 },
  )
  router.filter('slow', classed('slow'), { protocol: 'udp', toPort: 77 })
  return router
}

/**
 * Lets everything happen, polling at whole milliseconds: at every one, or only at those that follow what pollAt
 * named. Returns all that can be asked and all that left.
 */
function run(happenings: readonly Happening[], everyMillisecond: boolean): unknown {
  const router = configured()
  const until = (end: Nanoseconds): void => {
    while (router.now < end) {
      const due = router.engine.pollAt(router.now)
      const next = Math.ceil(due / MILLISECOND) * MILLISECOND
      const step = everyMillisecond ? router.now + MILLISECOND : Math.max(next, router.now + MILLISECOND)
      router.now = Math.min(step, end)
      router.settle()
    }
  }
  for (const each of [...happenings].sort((one, other) => one.at - other.at)) {
    until((each.at + 1) * MILLISECOND)
    happen(router, each)
    router.settle()
  }
  until(50_000 * MILLISECOND)
  const tables = TABLE_NAMES.map((table) => router.rows(table))
  const sent = router.sent.map(({ port, frame, at }) => [port, at, Buffer.from(frame).toString('hex')])
  return { tables, sent }
}

describe('Engine', () => {
  describe('when it is woken only at the times that it names', () => {
    it('does all that it would do if it were polled without end (R-PR-03)', function () {
      this.timeout(30_000)
      fc.assert(
        fc.property(fc.array(happening, { minLength: 1, maxLength: 60 }), (happenings) => {
          expect(run(happenings, false)).to.deep.equal(run(happenings, true))
        }),
        { numRuns: 40 },
      )
    })

    it('names no time when only outside events can cause work', () => {
      const router = new TestRouter()
      expect(router.engine.pollAt(router.now)).to.equal(NEVER)
      router.inject('a', udp())
      expect(router.engine.pollAt(router.now), 'neighbours grow old').to.be.above(router.now)
    })

    it('wants to be polled at once while frames wait or may leave', () => {
      const router = new TestRouter()
      router.port('a').deliver(router.frame('a', udp()))
      expect(router.engine.pollAt(router.now)).to.equal(router.now)
      router.settle()
      router.port('b').paceNs = SECOND
      router.inject('a', udp(), udp())
      expect(router.engine.pollAt(router.now)).to.equal(router.now + SECOND)
      router.setUp('b', false)
      expect(router.engine.pollAt(router.now)).to.be.above(router.now + SECOND)
    })
  })

  describe('when frames come in floods', () => {
    it('gives every port its turn in one poll', () => {
      const router = new TestRouter(undefined, { slab: { capacity: 2048 } })
      router.inject('a', udp())
      router.inject('b', udp({ from: '10.0.2.2', to: '10.0.1.2' }))
      router.take()
      for (let i = 0; i < 256; i++) {
        router.port('a').deliver(router.frame('a', udp()))
        router.port('b').deliver(router.frame('b', udp({ from: '10.0.2.2', to: '10.0.1.2' })))
      }
      expect(router.engine.poll(router.now)).to.equal(1024)
      expect([router.sent.filter(({ port }) => port === 'a').length, router.sent.length]).to.deep.equal([
        256, 512,
      ])
    })

    it('merges many filters in the background, wanting to be polled until it is done', () => {
      const router = new TestRouter()
      router.commit(
        Array.from({ length: 3000 }, (_, i) => ({
          do: 'install-filter',
          name: `f${i}`,
          filter: { to: `10.0.${2 + (i >> 8)}.${i & 255}` },
          action: { kind: 'drop' },
        })),
      )
      expect(router.engine.pollAt(router.now)).to.equal(router.now)
      let polls = 0
      for (; router.engine.pollAt(router.now) <= router.now && polls < 10_000; polls++)
        router.engine.poll(router.now)
      expect(polls).to.be.within(2, 1000)
      router.inject('a', udp({ to: '10.0.5.7' }), udp({ to: '10.0.13.200' }))
      expect(router.dropped).to.deep.equal({ policy: 1, 'no-route': 1 })
    })

    it('is deterministic: same seed, same calls, same bytes', () => {
      const bytes = (): string[] => {
        const router = configured()
        for (let i = 0; i < 200; i++)
          router.inject('a', tcp({ to: VHA, fromPort: i, flags: TCP_SYN }), udp({ fromPort: i }))
        router.advance(SECOND)
        return router.takeFrames().map((frame) => Buffer.from(frame).toString('hex'))
      }
      expect(bytes()).to.deep.equal(bytes())
    })

    it('ends flows that are idle, however many there once were', () => {
      const router = new TestRouter(undefined, { flows: { timeouts: { udpNs: SECOND } } })
      router.filter('all', spread([{ kind: 'drop' }]))
      for (let i = 0; i < 5000; i++) router.inject('a', udp({ fromPort: i }))
      expect(router.stages.flows.size).to.equal(5000)
      router.advance(4 * SECOND)
      expect(router.stages.flows.size).to.equal(0)
      router.inject('a', udp({ fromPort: 1 }))
      router.advance(4 * SECOND)
      expect([router.stages.flows.size, router.stages.actions.size], 'the filter has two').to.deep.equal([
        0, 2,
      ])
    })
  })

  describe('when a port is added', () => {
    const add = (config: Partial<Parameters<Engine['addPort']>[0]>) => () => {
      const engine = new Engine({ seed: 1, slab: { capacity: 16 } })
      engine.addPort({ name: 'taken', driver: new MemoryPort({ name: 'x', mac: MAC }) })
      return engine.addPort({ name: 'b', driver: new MemoryPort({ name: 'b', mac: MAC }), ...config })
    }

    it('numbers it and takes the MTU of its driver, or a smaller one', () => {
      expect(add({})()).to.include({ index: 1, mtu: 1500, up: true })
      expect(add({ mtu: 68 })()).to.include({ mtu: 68 })
    })

    it('refuses a name twice, names that are none, and an MTU that driver, slab or protocol cannot do', () => {
      expect(add({ name: 'taken' }))
        .to.throw()
        .that.includes({ code: 'exists', place: 'name' })
      for (const name of ['', 'a b', 'a/b', 'x'.repeat(65), 'é'])
        expect(add({ name })).to.throw().that.includes({ code: 'invalid', place: 'name' })
      for (const mtu of [67, 1501, 576.5, Number.NaN])
        expect(add({ mtu })).to.throw().that.includes({ code: 'invalid', place: 'mtu' })
      const jumbo = new MemoryPort({ name: 'j', mac: MAC, maxFrameBytes: 9014 })
      expect(add({ driver: jumbo })).to.throw('expected an MTU of 68..1904 bytes, got 9000')
    })
  })
})
