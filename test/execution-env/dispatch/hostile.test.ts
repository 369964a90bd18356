import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import type { CommandName } from '../../../execution-env/contract/api/index.ts'
import type { JsonValue } from '../../../execution-env/contract/index.ts'
import {
  type Batch,
  type Done,
  InProcessSandbox,
  type Moment,
  type Sandbox,
} from '../../../execution-env/sandbox/index.ts'
import { Rig } from '../rig.ts'

/** What a sandbox process says that was taken over. */
interface Wild {
  readonly words: readonly number[]
  readonly requests: readonly JsonValue[]
  readonly value: JsonValue
}

/** A sandbox that serves honestly until it is let loose, and then says anything. */
class WildSandbox extends InProcessSandbox {
  wild: Wild | undefined

  override call(
    instance: string,
    entry: string,
    argument: JsonValue,
    at: Moment,
    done: Done<JsonValue>,
  ): void {
    super.call(instance, entry, argument, at, (reply) => {
      const { wild } = this
      done(wild === undefined ? reply : { ...reply, ok: true, value: wild.value, requests: wild.requests })
    })
  }

  override decide(
    instance: string,
    entry: string,
    batch: Batch,
    at: Moment,
    done: (batch: Batch) => void,
  ): void {
    super.decide(instance, entry, batch, at, (decided) => {
      const { wild } = this
      if (wild !== undefined) {
        for (let i = 0; i < decided.output.length; i++) decided.output[i] = wild.words[i % wild.words.length]!
        decided.requests = wild.requests
      }
      done(decided)
    })
  }
}

const SETUP = `
  const tunnel = router.tunnels.open({ to: '10.0.2.2' })
  router.flows.claim({ to: '198.18.0.0/15' }, () => ({ tunnel }))
  router.flows.ended({}, () => {})
  router.messages.on('*', () => 1)
  return { exportState: () => ({ version: 1 }), importState() {} }`

const word = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 4 }) },
  fc.integer({ min: -2, max: 6 }),
  fc.constantFrom(2 ** 31 - 1, -(2 ** 31), 4096, 4097, 65_536),
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
)

const name = fc.constantFrom('a', 'b', 'own', 'router/x', '', '*')
const address = fc.constantFrom(
  '10.0.2.2',
  '10.0.2.3',
  '11.0.0.1',
  '198.18.0.1',
  '0.0.0.0',
  '255.255.255.255',
  'x',
)
const prefix = fc.constantFrom('198.18.0.0/16', '198.18.0.0/15', '198.0.0.0/8', '0.0.0.0/0', '198.19.7.7')
const small = fc.integer({ min: 0, max: 6 })
const key = fc.record({
  from: address,
  to: address,
  protocol: fc.constant(6),
  fromPort: small,
  toPort: small,
})

type Json = fc.Arbitrary<JsonValue>
// biome-ignore lint/suspicious/noThenProperty: a field of the action
const goesOn = (action: Json) => ({ then: action })
const action: Json = fc.letrec<{ action: JsonValue }>((tie) => ({
  action: fc.oneof(
    { maxDepth: 3 },
    fc.record({ kind: fc.constantFrom('forward', 'drop', 'decapsulate', 'decide', 'spread') }),
    fc.record({ kind: fc.constant('tunnel'), tunnel: fc.oneof(name, address) }),
    fc.record({ kind: fc.constant('forward'), via: address }),
    fc.record({ kind: fc.constant('class'), class: name, ...goesOn(tie('action')) }),
    fc.record({ kind: fc.constant('replicate'), to: fc.array(tie('action'), { maxLength: 3 }) }),
    fc.record({ kind: fc.constant('rewrite'), to: address, toPort: small, ...goesOn(tie('action')) }),
  ) as Json,
})).action

const of = (command: CommandName, fields: Record<string, fc.Arbitrary<unknown>> = {}): Json =>
  fc.record({ do: fc.constant(command), ...fields }) as Json

/** Commands of the right form about the wrong things, and things of no form. */
const command: Json = fc.oneof(
  { weight: 1, arbitrary: fc.jsonValue() as Json },
  {
    weight: 8,
    arbitrary: of('define-action', {
      number: small,
      action: fc.constantFrom({ kind: 'tunnel', tunnel: '10.0.2.2' }, { kind: 'forward' }),
    }),
  },
  ...[
    of('claim', { claim: small, filter: fc.record({ to: prefix }), waitNs: fc.constantFrom(1, 1e9, 1e12) }),
    of('claim', {
      claim: small,
      filter: fc.record({ from: prefix }),
      waitNs: fc.constant(1e8),
      otherwise: action,
    }),
    of('unclaim', { claim: small }),
    of('pin', { key, action }),
    of('unpin', { key }),
    of('follow', { subscription: small, filter: fc.record({ to: prefix }) }),
    of('open-tunnel', { tunnel: small, key: name, to: address }),
    of('close-tunnel', { key: fc.oneof(name, address) }),
    of('create-class', { name, weight: fc.constantFrom(0.1, 1, 1e6) }),
    of('create-class', { name, weight: fc.constant(1), parent: name }),
    of('set-class', { name, weight: fc.constantFrom(0.1, 1e6) }),
    of('remove-class', { name }),
    of('send', { topic: name, body: fc.jsonValue() }),
    of('fetch', {
      subscription: small,
      url: fc.constantFrom('https://a.example/', 'https://a.example@b.example/', 'http://10.0.2.9:8080', 'x'),
      redirects: small,
    }),
    of('lookup-certificate', { subscription: small, name }),
    of('sign', { subscription: small, key: name, text: fc.string() }),
    of('verify', { subscription: small, key: name, text: fc.string(), signature: fc.string() }),
    of('listen', { subscription: small, topic: name, schema: fc.jsonValue() }),
    of('watch', {
      subscription: small,
      query: fc.record({ table: fc.constantFrom('flows', 'nothing') }),
      everyNs: fc.constant(1),
    }),
    of('watch-route', { subscription: small, address }),
    of('timer', { subscription: small, afterNs: fc.constantFrom(1, 1e6, 1e9), repeat: fc.boolean() }),
    of('cancel', { subscription: small }),
    of('define-action', { number: fc.oneof(small, word), action }),
    of('define-fallback', { number: fc.oneof(small, word), action }),
    of('forget-actions'),
  ].map((arbitrary) => ({ weight: 2, arbitrary })),
)

const often = (value: number) => fc.oneof({ weight: 4, arbitrary: fc.constant(value) }, word)

const wild: fc.Arbitrary<Wild> = fc.record({
  words: fc
    .array(fc.tuple(word, often(0), often(0)), { minLength: 1, maxLength: 4 })
    .map((each) => each.flat()),
  requests: fc.array(command, { maxLength: 4 }),
  value: fc.jsonValue() as fc.Arbitrary<JsonValue>,
})

describe('Dispatcher', () => {
  describe('when what comes out of a sandbox is anything at all (R-PR-02)', () => {
    it('lets nothing in that was not granted, throws nothing, and loses no packet', () => {
      const totals = { transactions: 0, refusedTransactions: 0, decisions: 0, refusedDecisions: 0 }
      fc.assert(
        fc.property(fc.array(wild, { minLength: 1, maxLength: 6 }), (says) => {
          const sandbox = new WildSandbox()
          const rig = new Rig({ sandbox: () => sandbox as Sandbox })
          expect(rig.load({ setup: SETUP })).to.include({ ok: true })
          let port = 0
          for (const each of says) {
            sandbox.wild = each
            for (let i = 0; i < 3; i++) rig.syn(++port)
            rig.dispatcher.deliver('policy', 'x', 1, { kind: 'operator', name: 'me' }, undefined, rig.now)
            rig.advance(1.1e9)
            expect(rig.isConserved).to.equal(true)
          }
          for (const row of rig.rows('tunnels')) expect(String(row['to'])).to.match(/^10\./)
          for (const row of rig.rows('filters')) expect(String(row['to'])).to.match(/^198\.1[89]\./)
          for (const row of rig.rows('flows')) expect(String(row['to'])).to.match(/^198\.1[89]\./)
          for (const each of Object.keys(totals) as (keyof typeof totals)[])
            totals[each] += rig.report().counters?.[each] ?? 0
          sandbox.wild = undefined
          if (rig.report().state === 'running')
            rig.wait((done) => rig.manager.stop('policy', 'purge', rig.now, done))
          rig.advance(1e9)
          for (const table of ['filters', 'flows', 'tunnels'])
            expect(rig.rows(table), table).to.deep.equal([])
          expect(rig.router.engine.stages.actions.size).to.equal(0)
        }),
        { numRuns: 150 },
      )
      for (const [each, count] of Object.entries(totals)) expect(count, each).to.be.greaterThan(5)
    })
  })
})
