import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import {
  type Action,
  EngineError,
  type Explanation,
  type ExplanationStep,
  explainFlow,
  type FlowQuestion,
} from '../../../engine/index.ts'
import { tcp } from '../../support/packets.ts'
import { TestRouter, TWO_PORTS } from '../../support/test-router.ts'

const QUESTION: FlowQuestion = {
  from: '10.0.1.9',
  to: '198.18.0.80',
  protocol: 'tcp',
  fromPort: 4000,
  toPort: 80,
  inPort: 'a',
}

function explain(router: TestRouter, more: Partial<FlowQuestion> = {}): Explanation {
  const { engine } = router
  const source = { stages: engine.stages, owners: engine.owners, names: engine.names }
  const before = JSON.stringify([engine.balance(), router.rows('filters'), router.rows('flows')])
  const explanation = explainFlow(source, { ...QUESTION, ...more }, router.now)
  router.expectConserved()
  expect(JSON.stringify([engine.balance(), router.rows('filters'), router.rows('flows')])).to.equal(before)
  return explanation
}

function textsOf(explanation: Explanation): string[] {
  return explanation.steps.map((each) => `${each.stage}: ${each.text}`)
}

/** Where an explanation says that packets come to rest: `b 10.0.2.2`, `drop policy` ... */
function endsOf(steps: readonly ExplanationStep[]): string[] {
  const last = steps.at(-1)!
  if (last.stage === 'copies') return last.branches!.flatMap(endsOf)
  if (last.stage === 'drop') return [`drop ${last.facts['reason']}`]
  return [`${last.facts['port']} ${last.facts['nextHop']}`]
}

function routerWithPolicy(): TestRouter {
  const router = new TestRouter()
  router.commit([
    { do: 'open-tunnel', name: 's1', tunnel: { to: '10.0.2.2' } },
    { do: 'open-tunnel', name: 's2', tunnel: { to: '10.0.2.3', kind: 'mac-rewrite' } },
    { do: 'create-class', class: { name: 'web', weight: 2 } },
    { do: 'add-route', prefix: '10.9.0.0/16', target: { kind: 'via', via: '10.0.2.9' } },
    { do: 'add-route', prefix: '10.8.0.0/16', target: { kind: 'blackhole' } },
  ])
  return router
}

describe('explainFlow', () => {
  describe('when a filter decides', () => {
    it('names it, its owner, the path, and what it goes before', () => {
      const router = routerWithPolicy()
      router.commit([{ do: 'install-filter', name: 'all', filter: {}, action: { kind: 'drop' } }])
      router.commit(
        [
          { do: 'open-tunnel', name: 't', tunnel: { to: '10.0.2.7' } },
          {
            do: 'install-filter',
            name: 'web',
            filter: { to: '198.18.0.0/15', protocol: 'tcp' },
            // biome-ignore lint/suspicious/noThenProperty: an action's own word
            action: { kind: 'class', class: 'web', then: { kind: 'tunnel', tunnel: 't' } },
            priority: 5,
          },
        ],
        'spread',
      )
      const explanation = explain(router)
      expect(explanation).to.deep.include({
        flow: 'tcp 10.0.1.9:4000 > 198.18.0.80:80',
        decidedBy: 'filter',
        owner: 'spread',
      })
      expect(textsOf(explanation)).to.deep.equal([
        'flow-table: no flow is pinned',
        'filters: filter spread/web of priority 5: class web > tunnel spread/t; it goes before router/all (lower priority)',
        'tunnel: tunnel spread/t (ip-in-ip) to 10.0.2.7',
        'route: route 10.0.2.0/24 (connected) of router',
        'send: sent by b to 10.0.2.7 (ARP would ask for it) in class web',
      ])
    })
  })

  describe('when a flow is pinned', () => {
    it('says by whom, whatever the filters say', () => {
      const router = routerWithPolicy()
      router.filter('all', { kind: 'drop' })
      const key = { from: '10.0.1.9', to: '198.18.0.80', protocol: 6, fromPort: 4000, toPort: 80 }
      router.commit([{ do: 'open-tunnel', name: 's1', tunnel: { to: '10.0.2.2' } }], 'p')
      router.commit([{ do: 'install-flow', key, action: { kind: 'tunnel', tunnel: 's1' } }], 'p')
      const explanation = explain(router)
      expect(explanation).to.include({ decidedBy: 'flow', owner: 'p' })
      expect(explanation.steps[0]!.text).to.equal('pinned by p: tunnel p/s1')
      expect(explain(router, { fromPort: 4001 })).to.include({ decidedBy: 'filter', owner: 'router' })
    })
  })

  describe('when a plugin is to decide (R-PR-01)', () => {
    it('says who is asked and what happens without an answer', () => {
      const router = routerWithPolicy()
      router.commit(
        [
          {
            do: 'install-filter',
            name: 'claim',
            filter: { to: '198.18.0.0/15' },
            action: { kind: 'decide', waitNs: 50e6, otherwise: { kind: 'forward', via: '10.0.2.5' } },
          },
        ],
        'spread',
      )
      const step = explain(router).steps.at(-1)!
      expect(step.text).to.equal('spread is asked and has 50 ms; without an answer: forward via 10.0.2.5')
      expect(step.branches!.map(endsOf)).to.deep.equal([['b 10.0.2.5']])
    })
  })

  describe('when routing decides', () => {
    it('tells the route, or why there is none', () => {
      const router = routerWithPolicy()
      const last = (to: string) => textsOf(explain(router, { to })).slice(2)
      expect(last('10.9.1.1')).to.deep.equal([
        'route: route 10.9.0.0/16 (via) of router',
        'send: sent by b to 10.0.2.9 (ARP would ask for it) in class default',
      ])
      expect(last('10.8.1.1')).to.deep.equal([
        'route: route 10.8.0.0/16 (blackhole) of router',
        'drop: dropped: blackhole',
      ])
      expect(last('10.7.1.1')).to.deep.equal(['drop: dropped: no route to 10.7.1.1'])
      expect(last('10.0.2.1')).to.deep.equal([
        'route: route 10.0.2.1/32 (local) of router',
        'deliver: delivered here: 10.0.2.1 is an own address',
      ])
      expect(last('224.1.2.3')).to.deep.equal(['drop: dropped: multicast-unwanted'])
      expect(textsOf(explain(router, { from: '10.0.2.1' }))).to.deep.equal([
        'drop: its source is an address of this router',
      ])
    })
  })

  describe('when a neighbour is known or its port is down', () => {
    it('says so', () => {
      const router = routerWithPolicy()
      router.inject('a', tcp({ from: '10.0.1.9', to: '10.0.2.2', fromPort: 1, toPort: 2 }))
      expect(explain(router, { to: '10.0.2.2' }).steps.at(-1)!.text).to.equal(
        'sent by b to 10.0.2.2 (02:aa:00:00:00:01, reachable) in class default',
      )
      router.setUp('b', false)
      expect(explain(router, { to: '10.0.2.2' }).steps.at(-1)!.text).to.contain(
        'sent by b, which is down, to',
      )
    })
  })

  describe('when the question makes no sense', () => {
    const cases: readonly (readonly [Partial<FlowQuestion>, string, string])[] = [
      [{ from: 'here' }, 'invalid', 'from: expected an IPv4 address, got "here"'],
      [{ inPort: 'c' }, 'unknown', 'inPort: no port c'],
      [{ toPort: 70_000 }, 'invalid', 'toPort: expected a port within 0..65535, got 70000'],
      [{ protocol: 'icmp' }, 'invalid', 'protocol: ports need protocol tcp or udp'],
      [{ protocol: 300 }, 'invalid', 'protocol: expected tcp, udp, icmp, igmp, ip-in-ip or 0..255, got 300'],
    ]
    for (const [more, code, message] of cases)
      it(`is refused: ${message}`, () => {
        expect(() => explain(routerWithPolicy(), more))
          .to.throw(EngineError, message)
          .with.property('code', code)
      })
  })

  describe('when many copies are nested', () => {
    it('follows a bounded number of them', () => {
      const router = routerWithPolicy()
      const many = (of: Action): Action => ({ kind: 'replicate', to: Array.from({ length: 8 }, () => of) })
      router.filter('copies', many(many({ kind: 'forward' })))
      const count = (steps: readonly ExplanationStep[]): number =>
        steps.reduce(
          (sum, each) =>
            sum + 1 + (each.branches ?? []).flatMap((one) => [count(one)]).reduce((a, b) => a + b, 0),
          0,
        )
      expect(count(explain(router).steps)).to.be.lessThan(100)
    })
  })

  const action = fc.letrec<{ leaf: Action; any: Action }>((tie) => ({
    leaf: fc.constantFrom<Action>(
      { kind: 'forward' },
      { kind: 'forward', via: '10.0.2.5' },
      { kind: 'forward', via: '10.7.0.5' },
      { kind: 'drop', reason: 'no-server' },
      { kind: 'tunnel', tunnel: 's1' },
      { kind: 'tunnel', tunnel: 's2' },
    ),
    any: fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      tie('leaf'),
      tie('any').map((then): Action => ({ kind: 'class', class: 'web', then })),
      tie('any').map((then): Action => ({ kind: 'rewrite', to: '10.0.2.77', toPort: 8080, then })),
      fc
        .array(tie('any'), { minLength: 1, maxLength: 3 })
        .map(
          (all): Action => ({ kind: 'spread', to: all.map((each, i) => ({ action: each, weight: i + 1 })) }),
        ),
      fc.array(tie('any'), { minLength: 1, maxLength: 3 }).map((to): Action => ({ kind: 'replicate', to })),
    ),
  })).any

  const filter = fc.record({
    filter: fc.constantFrom(
      {},
      { to: '198.18.0.0/15' },
      { protocol: 'tcp' as const, toPort: 80 },
      { from: '10.0.1.0/24', inPort: 'a' },
      { inPort: 'b' },
    ),
    priority: fc.integer({ min: -1, max: 1 }),
    action,
  })

  it('agrees with what the engine then does', () => {
    fc.assert(
      fc.property(
        fc.array(filter, { maxLength: 5 }),
        fc.constantFrom('198.18.0.80', '10.9.1.1', '10.8.1.1', '10.7.1.1', '10.0.2.44'),
        fc.integer({ min: 1, max: 65_535 }),
        (filters, to, fromPort) => {
          const router = new TestRouter([...TWO_PORTS])
          router.commit([
            { do: 'open-tunnel', name: 's1', tunnel: { to: '10.0.2.2' } },
            { do: 'open-tunnel', name: 's2', tunnel: { to: '10.0.2.3', kind: 'mac-rewrite' } },
            { do: 'create-class', class: { name: 'web', weight: 2 } },
            { do: 'add-route', prefix: '10.9.0.0/16', target: { kind: 'via', via: '10.0.2.9' } },
            { do: 'add-route', prefix: '10.8.0.0/16', target: { kind: 'blackhole' } },
            ...filters.map((each, i) => ({ do: 'install-filter' as const, name: `f${i}`, ...each })),
          ])
          const said = endsOf(explain(router, { to, fromPort }).steps)
          router.inject('a', tcp({ from: '10.0.1.9', to, fromPort, toPort: 80, flags: 2 }))
          const asked = new Set(router.asked)
          const done = [
            ...router.drops.map((reason) => `drop ${reason}`),
            ...router.sent.filter((each) => each.port === 'b').map(() => 'sent'),
          ]
          expect(said.map((each) => (each.startsWith('b ') ? 'sent' : each)).sort()).to.deep.equal(
            done.sort(),
          )
          for (const each of said) if (each.startsWith('b ')) expect([...asked]).to.include(each)
        },
      ),
      { numRuns: 200 },
    )
  })
})
