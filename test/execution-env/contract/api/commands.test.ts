import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import {
  COMMAND_NAMES,
  type Command,
  checkCommands,
  WIRE_DEPTH_MAX,
  type WireAction,
} from '../../../../execution-env/contract/api/index.ts'

const key = { from: '10.0.1.2', to: '198.18.0.80', protocol: 6, fromPort: 1, toPort: 80 }
const tunnel: WireAction = { kind: 'tunnel', tunnel: 'a' }

/** One of each. */
const SAMPLES: readonly Command[] = [
  {
    do: 'claim',
    claim: 1,
    filter: {
      from: { value: '10.0.0.1', mask: '255.0.0.3' },
      to: '198.18.0.0/15',
      protocol: 'tcp',
      toPort: { from: 80, to: 90 },
    },
    waitNs: 1e8,
    otherwise: { kind: 'spread', to: [{ action: { kind: 'forward', via: '10.0.2.2' }, weight: 3 }] },
  },
  { do: 'unclaim', claim: 1 },
  { do: 'pin', key, action: tunnel, idleNs: 1e9 },
  { do: 'unpin', key },
  { do: 'follow', subscription: 1, filter: {} },
  { do: 'open-tunnel', tunnel: 1, key: 'a', to: '10.0.2.2', kind: 'mac-rewrite', ttl: 9, mtu: 1500 },
  { do: 'close-tunnel', key: 'a' },
  {
    do: 'create-class',
    name: 'web',
    weight: 2,
    parent: 'all',
    ceiling: { rateBps: 1e6 },
    dropPolicy: 'codel',
  },
  { do: 'set-class', name: 'web', ceiling: null, weight: 1 },
  { do: 'remove-class', name: 'web' },
  { do: 'listen', subscription: 2, topic: 'host/*', schema: { type: 'object' } },
  { do: 'send', topic: 'host/state', to: 'other', body: { load: [1, 2] } },
  { do: 'answer', subscription: 3, name: 'load' },
  { do: 'watch', subscription: 4, query: { table: 'flows', where: { owner: 'a' }, limit: 5 }, everyNs: 1e9 },
  { do: 'watch-route', subscription: 5, address: '10.0.0.1' },
  { do: 'timer', subscription: 6, afterNs: 1e9, repeat: true },
  { do: 'cancel', subscription: 6 },
  { do: 'fetch', subscription: 7, url: 'https://a.example/prices', redirects: 2 },
  { do: 'lookup-certificate', subscription: 8, name: 'servers/s1' },
  { do: 'sign', subscription: 9, key: 'own', text: 'moved to 10.0.2.3' },
  { do: 'verify', subscription: 10, key: 'servers/s1', text: 'moved', signature: 'c2lnbmVk' },
  // biome-ignore lint/suspicious/noThenProperty: a field of the action
  { do: 'define-action', number: 1, action: { kind: 'class', class: 'web', then: tunnel } },
  { do: 'define-fallback', number: 2, action: { kind: 'drop', reason: 'no-server' } },
  { do: 'forget-actions' },
]

describe('commands of the plugin API', () => {
  it('has a sample of every command here', () => {
    expect(SAMPLES.map((each) => each.do).sort()).to.deep.equal([...COMMAND_NAMES].sort())
  })

  for (const sample of SAMPLES) {
    it(`accepts ${sample.do}, and nothing of it more or less`, () => {
      expect(checkCommands([sample])).to.deep.equal([])
      expect(checkCommands([{ ...sample, extra: 1 }])[0]).to.include({ code: 'unknown', place: '[0].extra' })
      const required =
        { unclaim: 'claim', cancel: 'subscription' }[sample.do as string] ?? Object.keys(sample)[1]
      if (required === undefined) return
      const { [required as 'do']: _, ...less } = sample
      expect(checkCommands([less])[0]).to.include({ code: 'missing', place: `[0].${required}` })
    })
  }

  for (const [what, command] of [
    ['a spread where a flow is pinned', { do: 'pin', key, action: { kind: 'spread', to: [] } }],
    ['a question as an action', { do: 'pin', key, action: { kind: 'decide', waitNs: 1, otherwise: tunnel } }],
    [
      'a drop in the name of another stage',
      { do: 'define-action', number: 1, action: { kind: 'drop', reason: 'ip-checksum' } },
    ],
    ['a tunnel of another owner', { do: 'pin', key, action: { kind: 'tunnel', tunnel: 'other/a' } }],
    ['a wait of an hour', { do: 'claim', claim: 1, filter: {}, waitNs: 3.6e12 }],
    ['a negative number', { do: 'unclaim', claim: -1 }],
    ['a fraction', { do: 'cancel', subscription: 1.5 }],
    ['an address that is none', { do: 'open-tunnel', tunnel: 1, key: 'a', to: '10.0.0.256' }],
    ['a topic with a wildcard in a message', { do: 'send', topic: 'host/*', body: null }],
    ['an unknown command', { do: 'reboot' }],
    ['a file', { do: 'fetch', subscription: 1, url: 'file:///etc/passwd' }],
    ['an address with a user', { do: 'fetch', subscription: 1, url: 'https://a.example@b.example/' }],
    ['a hundred redirects', { do: 'fetch', subscription: 1, url: 'https://a.example/', redirects: 100 }],
    ['a pattern as a name', { do: 'lookup-certificate', subscription: 1, name: 'servers/*' }],
    ['a long text to be signed', { do: 'sign', subscription: 1, key: 'own', text: 'x'.repeat(20_000) }],
    ['a list', []],
    ['null', null],
  ] as const)
    it(`refuses ${what}`, () => {
      expect(checkCommands([command])).to.have.length.greaterThan(0)
    })

  it('bounds nesting and number', () => {
    const nested = (depth: number): WireAction =>
      // biome-ignore lint/suspicious/noThenProperty: a field of the action
      depth === 1 ? tunnel : { kind: 'class', class: 'c', then: nested(depth - 1) }
    const define = (depth: number) => [{ do: 'define-action', number: 1, action: nested(depth) }]
    expect(checkCommands(define(WIRE_DEPTH_MAX))).to.deep.equal([])
    expect(checkCommands(define(WIRE_DEPTH_MAX + 1))).to.have.length.greaterThan(0)
    expect(checkCommands(Array(1025).fill({ do: 'forget-actions' }))).to.have.length.greaterThan(0)
  })

  it('says something about whatever is not a command, and never throws', () => {
    const names = fc.constantFrom(...COMMAND_NAMES, 'x')
    const strange = fc.record({ do: names }, { requiredKeys: [] })
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.array(strange), fc.array(fc.jsonValue())), (value) => {
        const problems = checkCommands(value)
        const isList =
          Array.isArray(value) && value.every((each) => (each as { do?: unknown })?.do === 'forget-actions')
        expect(problems.length === 0).to.equal(
          isList && (value as object[]).every((each) => Object.keys(each).length === 1),
        )
      }),
      { numRuns: 300 },
    )
  })
})
