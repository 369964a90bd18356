import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import {
  checkCommands,
  DECISION_WORDS,
  END_WORDS,
  FLOW_WORDS,
  unsupportedVerbs,
  VERBS,
} from '../../../execution-env/contract/api/index.ts'
import type { Capabilities, JsonValue } from '../../../execution-env/contract/index.ts'
import { GUEST_RUNTIME } from '../../../execution-env/guest/runtime.ts'
import {
  Batch,
  InProcessSandbox,
  ProcessSandbox,
  type Reply,
  type Sandbox,
  vet,
} from '../../../execution-env/sandbox/index.ts'
import { ALL } from '../rig.ts'

const AT = { now: 5_000, clock: 1_700_000_000_000 }

/** A guest in a sandbox, called synchronously. */
let guests = 0

class Guest {
  readonly name = `guest-${++guests}`
  readonly sandbox: Sandbox
  readonly questions: [string, JsonValue][] = []

  constructor(sandbox: Sandbox, code: string) {
    this.sandbox = sandbox
    const ask = (name: string) => (argument: JsonValue) => {
      this.questions.push([name, argument])
      if (name === 'flows')
        return { rows: [[167772418, 3323068496, (7 << 16) | 80, 6, 1, 3, 300, 1, 2]], next: 0 }
      return name === 'route' ? null : { table: 'flows', atNs: 1, rows: [], truncated: false }
    }
    const host = { query: ask('query'), route: ask('route'), flows: ask('flows') }
    sandbox.load(
      this.name,
      vet(code, 'guest.js'),
      { runtime: GUEST_RUNTIME, seed: [1, 2, 3, 4], host },
      AT,
      (reply) => expect(reply.ok, JSON.stringify(reply)).to.equal(true),
    )
    sandbox.poll(0)
  }

  call(entry: string, argument: JsonValue): Reply<JsonValue> {
    let result: Reply<JsonValue> | undefined
    this.sandbox.call(this.name, entry, argument, AT, (reply) => {
      result = reply
    })
    this.sandbox.poll(0)
    return result!
  }

  setup(capabilities: Capabilities = ALL, config: JsonValue = {}): Reply<JsonValue> {
    return this.call('setup', {
      id: 'guest',
      config,
      capabilities: capabilities as never,
      ports: ['in', 'out'],
    })
  }

  decide(records: readonly number[][]): Batch {
    const payloadWords = 8
    const words = FLOW_WORDS + payloadWords
    const batch = new Batch({ capacity: 256, inputWords: words, outputWords: DECISION_WORDS })
    records.forEach((record, i) => {
      batch.input.set(record, i * words)
    })
    batch.count = records.length
    this.sandbox.decide(this.name, 'decide', batch, AT, () => {})
    this.sandbox.poll(0)
    return batch
  }
}

const setupOf = (body: string): string =>
  `module.exports = { default: { setup(router, config) { ${body} } } }`
const record = (claim: number, fromPort = 1): number[] => [claim, 1, 2, (fromPort << 16) | 80, 6, 0, 1, 60, 0]

const SANDBOXES: Readonly<Record<string, () => Sandbox>> = {
  'in process': () => new InProcessSandbox(),
  'in a hardened isolate': () => new ProcessSandbox({ blocking: true }),
}

for (const [where, make] of Object.entries(SANDBOXES))
  describe(`Guest ${where}`, () => {
    let sandbox: Sandbox
    const guest = (code: string): Guest => new Guest(sandbox, code)

    before(() => {
      sandbox = make()
    })

    after(() => sandbox.close())

    it('asks in setup for what the plugin opens, in order and in the agreed form', () => {
      const reply = guest(
        setupOf(`
          const t = router.tunnels.open({ to: '10.0.0.1', ttl: 9 })
          router.tunnels.open({ to: '10.0.0.2', kind: 'mac-rewrite' })
          const top = router.classes.create({ name: 'top', weight: 2 })
          const low = router.classes.create({ name: 'low', weight: 1, parent: top })
          router.classes.set(low, { weight: 3 })
          router.flows.claim({ to: '198.18.0.0/15' }, () => null, { wait: '20ms', otherwise: { spread: [
            { action: { tunnel: t, class: low }, weight: 2 }, { action: { forward: true }, weight: 1 }] } })
          router.timers.every('1.5s', () => {})
          router.messages.on('host/*', () => {})
          router.messages.send('hello', { a: 1 }, 'other')
          router.query.watch({ table: 'flows' }, '1s', () => {})
          router.query.answer('load', () => 1)
          router.routes.watch('10.0.0.1', () => {})
          router.flows.ended({}, () => {})
          router.flows.pin({ from: '1.1.1.1', to: '198.18.0.1', protocol: 17, fromPort: 1, toPort: 2, more: 1 },
            { rewrite: { to: '10.0.0.9' }, idle: '2s' })
          router.tunnels.close(t)
          return { exportState: () => ({ version: 3 }), stateVersions: [3] }`),
      ).setup()
      expect(reply.ok, JSON.stringify(reply)).to.equal(true)
      expect(checkCommands(reply.requests)).to.deep.equal([])
      expect(reply.requests.map((each) => (each as { do: string }).do)).to.deep.equal([
        ...[
          'open-tunnel',
          'open-tunnel',
          'create-class',
          'create-class',
          'set-class',
          'claim',
          'timer',
          'listen',
        ],
        ...['send', 'watch', 'answer', 'watch-route', 'follow', 'pin', 'close-tunnel'],
      ])
      expect(reply.requests[1]).to.include({ key: 'mac-rewrite:10.0.0.2', tunnel: 2 })
      expect(reply.requests[5]).to.deep.include({ waitNs: 20e6 })
      expect(reply.requests[13]).to.deep.include({ idleNs: 2e9 })
      expect(reply.ok && reply.value).to.deep.equal({
        exportsState: true,
        importsState: false,
        stateVersions: [3],
      })
    })

    it('defines an action once and names it by number ever after', () => {
      const one = guest(
        setupOf(`
          const a = router.tunnels.open({ to: '10.0.0.1' }), b = router.tunnels.open({ to: '10.0.0.2' })
          router.flows.claim({}, (flow) => flow.fromPort % 2 ? { tunnel: a, idle: '60s', class: 'web' } : { tunnel: b })
          router.flows.claim({}, () => ({ drop: 'no-server' }))`),
      )
      one.setup()
      const batch = one.decide([record(1, 1), record(1, 2), record(1, 3), record(2), record(9)])
      expect([...batch.output.slice(0, 15)]).to.deep.equal([
        1, 60_000, 0, 2, 0, 0, 1, 60_000, 0, 3, 1_000, 0, 0, 0, 0,
      ])
      expect(batch.requests).to.deep.equal([
        {
          do: 'define-action',
          number: 1,
          // biome-ignore lint/suspicious/noThenProperty: a field of the action
          action: { kind: 'class', class: 'web', then: { kind: 'tunnel', tunnel: '10.0.0.1' } },
        },
        { do: 'define-action', number: 2, action: { kind: 'tunnel', tunnel: '10.0.0.2' } },
        { do: 'define-action', number: 3, action: { kind: 'drop', reason: 'no-server' } },
      ])
      const again = one.decide([record(1, 1), record(1, 2)])
      expect([...again.output.slice(0, 6)]).to.deep.equal([1, 60_000, 0, 2, 0, 0])
      expect(again.requests).to.deep.equal([])
      expect(one.call('deliver', { event: 'forget-actions' }).ok).to.equal(true)
      expect(one.decide([record(1, 2)]).requests).to.deep.equal([
        { do: 'define-action', number: 1, action: { kind: 'tunnel', tunnel: '10.0.0.2' } },
      ])
    })

    it('starts anew before it keeps too many actions', () => {
      const one = guest(
        setupOf(`let i = 0
          router.flows.claim({}, () => ({ rewrite: { toPort: ++i } }))`),
      )
      one.setup()
      let highest = 0
      let forgotten = 0
      for (let round = 0; round < 30; round++) {
        const { requests, failure } = one.decide(Array.from({ length: 256 }, () => record(1)))
        expect(failure).to.equal(undefined)
        for (const each of requests as { do: string; number?: number }[]) {
          if (each.do === 'forget-actions') forgotten++
          highest = Math.max(highest, each.number ?? 0)
        }
      }
      expect(highest).to.be.within(3_000, 4_096)
      expect(forgotten).to.equal(2)
    })

    it('takes back what a handler that throws has asked for', () => {
      const one = guest(
        setupOf(`router.flows.claim({}, (flow) => {
          router.messages.send('a', flow.fromPort)
          if (flow.fromPort === 2) throw new TypeError('two')
          return { forward: true } })`),
      )
      one.setup()
      const { requests, faulty, faults, output } = one.decide([record(1, 1), record(1, 2), record(1, 3)])
      expect(requests.map((each) => (each as { body?: number }).body ?? 'define')).to.deep.equal([
        1,
        'define',
        3,
      ])
      expect(faulty).to.equal(1)
      expect(faults[0]).to.include({ record: 1 })
      expect(faults[0]!.message).to.include('two')
      expect([...output.slice(0, 9)]).to.deep.equal([1, 0, 0, 0, 0, 0, 1, 0, 0])
    })

    it('calls each handler of ended flows with its own', () => {
      const one = guest(
        setupOf(`
          const t = router.tunnels.open({ to: '10.0.0.1' })
          for (const name of ['a', 'b']) router.flows.ended({}, (ends) => router.log.info(name, ends.map((e) =>
            [e.from, e.toPort, e.reason, e.packets, e.bytes, e.tunnel === t])))`),
      )
      one.setup()
      const batch = new Batch({ capacity: 8, inputWords: END_WORDS, outputWords: 0 })
      batch.input.set([1, 167772418, 2, 80, 6 | (1 << 8), 1, 7, 0, 5, 2], 0)
      batch.input.set([2, 167772418, 2, 81, 17, 0, 1, 0, 1, 0], END_WORDS)
      batch.count = 2
      one.sandbox.decide(one.name, 'ended', batch, AT, () => {})
      one.sandbox.poll(0)
      expect(batch.logs.map((each) => each.text)).to.deep.equal([
        `a [["10.0.1.2",80,"closed",7,${5 + 2 * 2 ** 32},true]]`,
        'b [["10.0.1.2",81,"idle",1,1,false]]',
      ])
    })

    it('delivers events to whoever waits, and answers what they answer', () => {
      const one = guest(
        setupOf(`
          let once = 0
          router.timers.after('1s', () => { once++; return once })
          router.messages.on('x', (body, from, topic) => ({ body, from, topic, now: router.now(), clock: router.clock() }))
          const silent = router.query.answer('y', () => 'y')
          router.query.answer('z', (n) => { router.timers.cancel(silent); return n * 2 })
          router.routes.watch('10.0.0.1', (route) => route === undefined ? 'none' : route.kind)`),
      )
      one.setup()
      const value = (event: JsonValue): JsonValue => {
        const reply = one.call('deliver', event)
        return reply.ok ? reply.value : reply.failure.message
      }
      expect(value({ event: 'timer', subscription: 1 })).to.equal(1)
      expect(value({ event: 'timer', subscription: 1 }), 'once').to.equal(null)
      const from = { kind: 'operator', name: 'me' }
      expect(value({ event: 'message', subscription: 2, topic: 'x', from, body: 3 })).to.deep.equal({
        body: 3,
        from,
        topic: 'x',
        now: AT.now,
        clock: AT.clock,
      })
      expect(value({ event: 'query', subscription: 4, argument: 21 })).to.equal(42)
      expect(value({ event: 'query', subscription: 3, argument: 0 }), 'cancelled').to.equal(null)
      expect(value({ event: 'route', subscription: 5, route: null })).to.equal('none')
      expect(value({ event: 'route', subscription: 5, route: { kind: 'via', cost: 1 } })).to.equal('via')
    })

    it('calls back once with what the proxies answer (R-PR-02)', () => {
      const one = guest(
        setupOf(`
          router.http.get('https://a.example/', (response) => response.body ?? response.code, { redirects: 1 })
          router.certificates.lookup('servers/s1', (found) => found.ok)
          router.keys.sign('own', 'text', () => 1)
          router.keys.verify({ publicKey: 'AAAA' }, 'text', 'c2ln', (verdict) => verdict.valid)`),
      )
      const { requests } = one.setup({
        http: { get: ['*'] },
        certificates: { lookup: ['*'] },
        keys: { sign: ['*'], verify: ['*'] },
      })
      expect(checkCommands(requests)).to.deep.equal([])
      expect(requests).to.deep.equal([
        { do: 'fetch', url: 'https://a.example/', redirects: 1, subscription: 1 },
        { do: 'lookup-certificate', name: 'servers/s1', subscription: 2 },
        { do: 'sign', key: 'own', text: 'text', subscription: 3 },
        { do: 'verify', publicKey: 'AAAA', text: 'text', signature: 'c2ln', subscription: 4 },
      ])
      const value = (subscription: number, answer: object): JsonValue => {
        const reply = one.call('deliver', { event: 'service', subscription, answer } as JsonValue)
        return reply.ok ? reply.value : reply.failure.message
      }
      expect(value(1, { ok: false, code: 'timeout', reason: '' })).to.equal('timeout')
      expect(value(1, { ok: true, status: 200, contentType: '', body: 'late' }), 'once').to.equal(null)
      expect(value(4, { ok: true, valid: true })).to.equal(true)
    })

    it('asks and waits for routes, tables and its own flows', () => {
      const one = guest(
        setupOf(`
          router.tunnels.open({ to: '10.0.0.1' })
          router.log.info(String(router.routes.lookup('1.2.3.4')), router.query.get({ table: 'flows' }).truncated)
          router.flows.each((flow) => router.log.info(flow))`),
      )
      const reply = one.setup()
      expect(one.questions.map(([name]) => name)).to.deep.equal(['route', 'query', 'flows'])
      expect(reply.logs[0]!.text).to.equal('undefined false')
      expect(JSON.parse(reply.logs[1]!.text)).to.deep.include({
        from: '10.0.1.2',
        fromPort: 7,
        toPort: 80,
        packets: 3,
        tunnel: { key: '10.0.0.1' },
      })
    })

    it('moves state out and in', () => {
      const one = guest(
        setupOf(`let n = 0
          return { exportState: () => ({ version: 2, n }), importState: (state) => { n = state.n + 1 } }`),
      )
      one.setup()
      expect(one.call('importState', { version: 2, n: 41 }).ok).to.equal(true)
      const reply = one.call('exportState', null)
      expect(reply.ok && reply.value).to.deep.equal({ version: 2, n: 42 })
    })

    it('has every word of the API, frozen; each verb says what is missing', () => {
      const one = guest(
        setupOf(`
          const verbs = ${JSON.stringify(VERBS)}
          const codes = {}
          for (const word in verbs) for (const verb in verbs[word])
            try { router[word][verb]({}, () => {}) } catch (error) { codes[word + '.' + verb] = error.code }
          let frozen = Object.isFrozen(router)
          for (const word in router) if (typeof router[word] === 'object') frozen = frozen && Object.isFrozen(router[word])
          try { 'use strict'; router.flows.claim = 1; frozen = false } catch {}
          for (const verb in codes) router.log.info(verb, codes[verb])
          router.log.info({ frozen, id: router.id, version: router.apiVersion, config: Object.isFrozen(config.a) })`),
      )
      const reply = one.setup({}, { a: {} })
      const lines = reply.logs.map((each) => each.text)
      const rest = JSON.parse(lines.pop()!)
      expect(rest).to.deep.equal({ frozen: true, id: 'guest', version: 1, config: true })
      const expected = Object.entries(VERBS).flatMap(([word, verbs]) =>
        Object.entries(verbs).map(
          ([verb, need]) => `${word}.${verb} ${need === 'unsupported' ? need : 'forbidden'}`,
        ),
      )
      expect(lines).to.deep.equal(expected)
      expect(unsupportedVerbs()).to.include.members([
        'tags.allocate',
        'groups.admit',
        'peers.open',
        'routes.announce',
      ])
    })

    for (const [what, code, message] of [
      ['exports nothing', 'module.exports = 1', 'exports no setup function'],
      ['throws in setup', setupOf("throw new Error('no')"), 'no'],
      ['returns a number from setup', setupOf('return 3'), 'expected hooks'],
      ['returns a hook that is none', setupOf('return { exportState: 3 }'), 'not a function'],
      [
        'opens a tunnel twice',
        setupOf("for (let i = 0; i < 2; i++) router.tunnels.open({ to: '10.0.0.1' })"),
        'is open already',
      ],
      ['closes what is none', setupOf('router.tunnels.close({})'), 'not an open tunnel'],
      [
        'forges a handle',
        setupOf("router.flows.claim({}, () => 1, { otherwise: { tunnel: { key: '10.0.0.1' } } })"),
        'not an open tunnel',
      ],
      ['gives no handler', setupOf('router.flows.claim({})'), 'expected a function'],
      ['gives a wrong time', setupOf("router.timers.every('soon', () => 1)"), 'expected a duration'],
      [
        'mixes actions',
        setupOf('router.flows.claim({}, () => 1, { otherwise: { drop: true, forward: true } })'),
        'expected one of',
      ],
      [
        'names a tag',
        setupOf('router.flows.claim({}, () => 1, { otherwise: { tag: 1 } })'),
        'tags are not in this version',
      ],
    ] as const)
      it(`refuses a plugin that ${what}`, () => {
        const reply = guest(code).setup()
        expect(reply.ok).to.equal(false)
        if (!reply.ok) expect(reply.failure.message).to.include(message)
        expect(reply.requests).to.deep.equal([])
      })
  })
