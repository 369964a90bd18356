import { expect } from 'chai'
import { beforeEach, describe, it } from 'mocha'
import { SECOND } from '../../../engine/index.ts'
import { checkArgument } from '../../../execution-env/contract/api/index.ts'
import type { CallResult } from '../../../execution-env/dispatch/mailbox.ts'
import { ROUND_ROBIN } from '../policies.ts'
import { ALL, Rig } from '../rig.ts'

const MS = 1e6
const ME = { kind: 'operator', name: 'me' } as const

describe('Dispatcher', () => {
  let rig: Rig

  beforeEach(() => {
    rig = new Rig()
  })

  const load = (id: string, setup: string, more: object = {}): void => {
    const outcome = rig.load({ setup, ...more }, { id })
    expect(outcome, JSON.stringify(outcome)).to.include({ ok: true })
  }
  const call = (id: string, topic: string, body: unknown): CallResult =>
    rig.wait((done) => rig.dispatcher.deliver(id, topic, body as never, ME, done, rig.now))

  describe('when plugins talk (R-PR-02)', () => {
    it('brings a message to whoever listens most closely, and says who sent it', () => {
      load(
        'a',
        `
        router.messages.on('*', () => router.log.info('any'))
        router.messages.on('host/*', (body, from, topic) => router.log.info('below', topic, body, from.kind, from.name))`,
      )
      load('b', `router.messages.on('host/state', (body) => router.log.info('exact', body))`)
      load(
        'c',
        `router.timers.after('1ms', () => {
        router.messages.send('host/state', { load: 7 }); router.messages.send('other', 1, 'a'); router.messages.send('other', 1, 'b') })`,
      )
      rig.advance(50 * MS)
      expect(rig.log('a')).to.deep.equal(['below host/state {"load":7} plugin c', 'any'])
      expect(rig.log('b')).to.deep.equal(['exact {"load":7}'])
      expect(rig.report('b').counters).to.include({ messagesIn: 1, messagesDropped: 1 })
      expect(rig.report('c').counters).to.include({ messagesOut: 3 })
    })

    it('sends what setup asks for, within the limits of its own version', () => {
      load('a', `router.messages.on('*', (body) => router.log.info(body))`)
      load('b', `router.messages.send('up', 1)`)
      rig.advance(50 * MS)
      expect(rig.log('a')).to.deep.equal(['1'])
      expect(rig.report('b').counters).to.include({ messagesOut: 1, messagesDropped: 0 })
    })

    it('refuses a body that is not of the listener’s schema before it gets there', () => {
      load(
        'a',
        `router.messages.on('x', (body) => body.n + 1,
        { type: 'object', required: ['n'], properties: { n: { type: 'integer', maximum: 9 } }, additionalProperties: false })`,
      )
      expect(call('a', 'x', { n: 4 })).to.deep.equal({ ok: true, value: 5 })
      expect(call('a', 'x', { n: 10 })).to.include({ ok: false, code: 'invalid' })
      expect(call('a', 'x', { n: 1, m: 1 })).to.include({ ok: false, code: 'invalid' })
      expect(call('a', 'y', {})).to.include({ ok: false, code: 'unknown' })
      expect(call('nobody', 'x', {})).to.include({ ok: false, code: 'unknown' })
    })

    it('tells what a neighbour says to all that listen, may listen and want such a body', () => {
      const schema = `{ type: 'object', required: ['load'], properties: { load: { type: 'number', maximum: 1 } } }`
      load('a', `router.messages.on('host/*', (body, from, topic) => router.log.info(topic, body, from))`)
      load('b', `router.messages.on('host/state', () => router.log.info('heard'), ${schema})`)
      load('c', `router.messages.on('other', () => router.log.info('other'))`)
      const refused = rig.load(
        {
          setup: `router.messages.on('host/state', () => 0)`,
          capabilities: { messages: { on: ['site/*'] } },
        },
        { id: 'd' },
      )
      expect(refused).to.include({ ok: false })
      const from = { kind: 'neighbour', name: '10.0.2.2' } as const
      rig.dispatcher.tell('host/state', { load: 7 }, from, rig.now)
      rig.dispatcher.tell('host/state', { load: 0.5 }, from, rig.now)
      rig.advance(50 * MS)
      expect(rig.log('a')).to.deep.equal([
        'host/state {"load":7} {"kind":"neighbour","name":"10.0.2.2"}',
        'host/state {"load":0.5} {"kind":"neighbour","name":"10.0.2.2"}',
      ])
      expect(rig.log('b')).to.deep.equal(['heard'])
      expect(rig.log('c')).to.deep.equal([])
      expect(rig.report('b').counters).to.include({ messagesIn: 1, messagesDropped: 1 })
    })

    it('bounds what neighbours make a plugin hear', () => {
      load('a', `router.messages.on('host/state', () => 0)`, { limits: { messagesPerSecond: 10 } })
      for (let i = 0; i < 10_000; i++)
        rig.dispatcher.tell('host/state', i, { kind: 'neighbour', name: '10.0.2.2' }, rig.now)
      rig.advance(50 * MS)
      expect(rig.report('a').counters).to.include({ messagesIn: 10, messagesDropped: 9_990 })
    })

    it('refuses a schema that could take for ever', () => {
      const outcome = rig.load({
        setup: `router.messages.on('x', () => 1, { type: 'string', pattern: '(a+)+$' })`,
      })
      expect(outcome).to.include({ ok: false })
      expect(JSON.stringify(outcome)).to.include('schema')
    })

    it('tells an operator what the handler threw, and that its commands were refused', () => {
      load(
        'a',
        `
        router.messages.on('throw', () => { throw new Error('not today') })
        router.messages.on('ask', () => { router.tunnels.open({ to: '11.0.0.1' }); return 'done' })`,
      )
      expect(call('a', 'throw', null)).to.include({ ok: false, code: 'thrown' })
      expect(call('a', 'ask', null)).to.include({ ok: false, code: 'refused' })
      expect(rig.log('a').join('\n')).to.include('not today').and.include('tunnels.open')
      expect(rig.report('a').tunnels).to.equal(0)
    })

    it('limits rate and size of messages', () => {
      load('a', `router.messages.on('x', () => null)`, {
        limits: { messagesPerSecond: 10, messageBytes: 100 },
      })
      load('b', `router.timers.every('1ms', () => router.messages.send('x', 'hello', 'a'))`)
      rig.advance(SECOND)
      expect(rig.report('a').counters!.messagesIn).to.be.within(10, 22)
      expect(rig.report('a').counters!.messagesDropped).to.be.greaterThan(900)
      expect(call('a', 'x', 'y'.repeat(200))).to.include({ ok: false, code: 'limit' })
    })
  })

  describe('when time passes', () => {
    it('calls timers on time, once or again and again, until they are cancelled', () => {
      load(
        'a',
        `
        const at = (name) => router.log.info(name, Math.round(router.now() / 1e6))
        const start = router.now()
        router.timers.after('20ms', () => at('once'))
        const again = router.timers.every('10ms', () => { at('again'); if (router.now() - start > 40e6) router.timers.cancel(again) })
        router.timers.cancel(router.timers.after('5ms', () => at('never')))`,
      )
      rig.advance(200 * MS)
      const names = rig.log('a').map((each) => each.split(' ')[0])
      expect(names).to.deep.equal(
        ['again', 'once', 'again', 'again', 'again', 'again'].slice(0, names.length),
      )
      expect(names.filter((each) => each === 'once')).to.have.length(1)
      const times = rig
        .log('a')
        .filter((each) => each.startsWith('again'))
        .map((each) => Number(each.split(' ')[1]))
      for (const [i, at] of times.slice(1).entries()) expect(at - times[i]!).to.equal(10)
    })

    it('never calls a timer again before its last call, and limits the rate', () => {
      rig = new Rig({ timing: { kind: 'modelled', callNs: 50 * MS, recordNs: 0, loadNs: MS } })
      load('a', `router.timers.every('10ms', () => 0)`)
      rig.advance(SECOND)
      expect(rig.report('a').counters!.calls).to.be.within(15, 21)
      expect(rig.report('a').counters!.timersMissed).to.be.greaterThan(70)
      load('b', `for (let i = 0; i < 50; i++) router.timers.every('1s', () => 0)`, {
        capabilities: { timers: { perSecond: 5 } },
      })
      rig.advance(10 * SECOND)
      expect(rig.report('b').counters!.timers).to.be.within(40, 60)
    })
  })

  describe('when asked', () => {
    it('answers tables and routes while the plugin waits, within what is granted', () => {
      rig.router.commit([
        { do: 'add-route', prefix: '9.0.0.0/8', target: { kind: 'via', via: '10.0.2.7' }, cost: 3 },
      ])
      load(
        'a',
        `
        router.log.info(router.query.get({ table: 'routes', where: { prefix: '9.0.0.0/8' } }).rows[0].via)
        router.log.info(router.routes.lookup('9.1.1.1'))
        for (const ask of [() => router.query.get({ table: 'flows' }), () => router.routes.lookup('8.8.8.8'),
          () => router.query.get({ table: 'routes', where: { colour: 'red' } }), () => router.routes.lookup('9.1.1')])
          try { ask() } catch (error) { router.log.info(error.code) }`,
        {
          capabilities: { query: { get: ['routes'] }, routes: { lookup: ['9.0.0.0/8'] } },
        },
      )
      expect(rig.log('a')).to.deep.equal([
        '10.0.2.7',
        '{"kind":"via","cost":3,"nextHop":"10.0.2.7","port":"out"}',
        'forbidden',
        'forbidden',
        'unknown',
        'invalid',
      ])
    })

    it('watches tables at intervals and routes at changes', () => {
      load(
        'a',
        `
        router.query.watch({ table: 'limits', where: { name: 'flows.size' } }, '1s', (answer) => router.log.info('size', answer.rows[0].value))
        router.routes.watch('9.1.1.1', (route) => router.log.info('route', route === undefined ? 'none' : route.nextHop))`,
      )
      rig.advance(100 * MS)
      rig.router.commit([{ do: 'add-route', prefix: '9.0.0.0/8', target: { kind: 'via', via: '10.0.2.7' } }])
      rig.advance(100 * MS)
      rig.router.commit([{ do: 'add-route', prefix: '8.0.0.0/8', target: { kind: 'via', via: '10.0.2.7' } }])
      rig.advance(100 * MS)
      rig.router.commit([{ do: 'remove-route', prefix: '9.0.0.0/8' }])
      rig.advance(2 * SECOND)
      expect(rig.log('a').filter((each) => each.startsWith('route'))).to.deep.equal([
        'route none',
        'route 10.0.2.7',
        'route none',
      ])
      expect(rig.log('a').filter((each) => each.startsWith('size'))).to.have.length.within(3, 4)
    })

    it('lets plugins answer queries', () => {
      load('a', `router.query.answer('load', (n) => ({ load: n * 2 }))`)
      const ask = (name: string): CallResult => rig.wait((done) => rig.dispatcher.ask('a', name, 21, done))
      expect(ask('load')).to.deep.equal({ ok: true, value: { load: 42 } })
      expect(ask('cost')).to.include({ ok: false, code: 'unknown' })
    })

    it('lists its own flows', () => {
      const servers = ['10.0.2.2']
      rig.load(
        {
          setup: `${ROUND_ROBIN.replace(
            'return {',
            `router.messages.on('list', () => {
            const list = []
            router.flows.each((flow) => list.push([flow.fromPort, flow.tunnel.key]))
            return list })
            return {`,
          )}`,
        },
        { id: 'a', config: { service: '198.18.0.0/15', servers } },
      )
      for (let port = 1; port <= 700; port++) rig.syn(port)
      rig.advance(100 * MS)
      const result = call('a', 'list', null)
      expect(result.ok && (result.value as unknown[]).length).to.equal(700)
      expect(result.ok && (result.value as unknown[])[0]).to.deep.equal([700, '10.0.2.2'])
    })
  })

  describe('when flows end', () => {
    it('tells in batches which, why, how much and where they went', () => {
      load(
        'a',
        `
        const tunnel = router.tunnels.open({ to: '10.0.2.2' })
        router.flows.claim({ to: '198.18.0.0/15' }, (flow) => ({ tunnel, idle: flow.toPort === 80 ? '1s' : '9s' }))
        router.flows.ended({ toPort: 80, protocol: 'tcp' }, (ends) => router.log.info(ends.length, ends.map((end) =>
          [end.fromPort, end.reason, end.packets, end.tunnel === tunnel].join(' '))))`,
      )
      for (let port = 1; port <= 3; port++) rig.syn(port)
      rig.syn(4, '198.18.0.80', 81)
      rig.advance(5 * SECOND)
      const seen = rig.log('a').flatMap((each) => JSON.parse(each.replace(/^\d+ /, '')))
      expect(seen.sort()).to.deep.equal(['1 idle 1 true', '2 idle 1 true', '3 idle 1 true'])
    })
  })

  describe('when processors are shared (R-PR-04, R-SLR-26)', () => {
    it('gives busy plugins their shares and counts what each took', () => {
      rig = new Rig({ timing: { kind: 'modelled', callNs: MS, recordNs: 0, loadNs: MS } })
      const busy = `for (let i = 0; i < 20; i++) router.timers.every('10ms', () => 0)`
      rig.load({ setup: busy }, { id: 'a', cpu: { weight: 1 } })
      rig.load({ setup: busy }, { id: 'b', cpu: { weight: 3 } })
      const cpu = (id: string) => rig.report(id).counters!.cpuNs
      const before = [cpu('a'), cpu('b')]
      rig.advance(4 * SECOND)
      const used = [cpu('a') - before[0]!, cpu('b') - before[1]!]
      expect(used[1]! / used[0]!).to.be.within(2.7, 3.3)
      expect(used[0]! + used[1]!).to.be.within(3.8 * SECOND, 4.01 * SECOND)
    })

    it('does not promise more than there is, and keeps the ceiling', () => {
      rig = new Rig({ timing: { kind: 'modelled', callNs: MS, recordNs: 0, loadNs: MS } })
      const busy = `for (let i = 0; i < 20; i++) router.timers.every('10ms', () => 0)`
      const half = { ...ALL, cpu: { share: 0.6 } }
      expect(rig.load({ setup: busy, capabilities: half }, { id: 'a', cpu: { ceiling: 0.7 } })).to.include({
        ok: true,
      })
      const refused = rig.load({ setup: busy, capabilities: half }, { id: 'b' })
      expect(refused).to.deep.include({ ok: false })
      expect(!refused.ok && refused.failure.code).to.equal('limit')
      const before = rig.report('a').counters!.cpuNs
      rig.advance(2 * SECOND)
      expect(rig.report('a').counters!.cpuNs - before).to.be.within(1.3 * SECOND, 1.5 * SECOND)
    })
  })

  it('tells plugins nothing that has no form', () => {
    expect(
      checkArgument.deliver({ event: 'message', subscription: 1, topic: 'x', from: ME, body: null }),
    ).to.deep.equal([])
  })
})
