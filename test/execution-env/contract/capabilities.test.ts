import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { formatViolation } from '../../../execution-env/contract/bounded-words.ts'
import { patternCovers } from '../../../execution-env/contract/bounds.ts'
import {
  ACTION_NAMES,
  type Capabilities,
  capabilitiesSchema,
  describeCapabilities,
  intersect,
  normalise,
  within,
} from '../../../execution-env/contract/capabilities.ts'
import { checkOf } from '../../../execution-env/contract/schema.ts'

const check = checkOf(capabilitiesSchema)

const list = <T>(item: fc.Arbitrary<T>) => fc.array(item, { maxLength: 4 })
const prefix = fc.constantFrom(
  '0.0.0.0/0',
  '10.0.0.0/8',
  '10.0.0.0/9',
  '10.128.0.0/9',
  '10.0.0.1',
  '198.18.0.0/15',
  '198.18.0.0/16',
  '198.19.0.0/16',
)
const group = fc.constantFrom('224.0.0.0/4', '232.0.0.0/5', '239.192.0.0/14', '239.192.0.1')
const topic = fc.constantFrom('*', 'host/*', 'host/state', 'host/load/*', 'host/load/cpu', 'slr/who-has')
const origin = fc.constantFrom('*', 'https://a.example', 'https://b.example:8443')
const number = (max: number) => fc.integer({ min: 0, max })

const traffic = (payload: number) =>
  fc.record(
    {
      to: list(prefix),
      from: list(prefix),
      actions: list(fc.constantFrom(...ACTION_NAMES)),
      targets: list(prefix),
      payloadBytes: number(payload),
    },
    { requiredKeys: [] },
  )

/** Every word and field of the language. */
const capabilities: fc.Arbitrary<Capabilities> = fc.record(
  {
    flows: traffic(128),
    packets: traffic(65_535),
    tunnels: fc.record({ open: list(prefix) }, { requiredKeys: [] }),
    tags: fc.record({ bind: list(prefix), count: number(10) }, { requiredKeys: [] }),
    groups: fc.record(
      { join: list(group), admit: list(group), deliver: list(group), send: list(group) },
      { requiredKeys: [] },
    ),
    classes: fc.record({ linkShare: number(4).map((n) => n / 4), ports: list(topic) }, { requiredKeys: [] }),
    routes: fc.record(
      { announce: list(prefix), lookup: list(prefix), watch: list(prefix) },
      { requiredKeys: [] },
    ),
    messages: fc.record({ on: list(topic), send: list(topic), hops: number(3) }, { requiredKeys: [] }),
    peers: fc.record({ open: list(prefix) }, { requiredKeys: [] }),
    query: fc.record({ get: list(topic), watch: list(topic), answer: list(topic) }, { requiredKeys: [] }),
    http: fc.record({ get: list(origin) }, { requiredKeys: [] }),
    certificates: fc.record({ lookup: list(topic) }, { requiredKeys: [] }),
    keys: fc.record({ sign: list(topic), verify: list(topic) }, { requiredKeys: [] }),
    timers: fc.record({ perSecond: number(10) }, { requiredKeys: [] }),
    cpu: fc.record({ share: number(4).map((n) => n / 4) }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
)

const isWithin = (one: Capabilities, other: Capabilities): boolean => within(one, other).length === 0
const RUNS = { numRuns: 150 }

/** The language read another way: whether one single thing is allowed. */
function allows(
  given: Capabilities,
  word: keyof Capabilities,
  field: string,
  thing: string | number,
): boolean {
  const bound = (given[word] as Record<string, unknown> | undefined)?.[field]
  if (typeof thing === 'number') return typeof bound === 'number' && thing <= bound
  if (!Array.isArray(bound)) return false
  return bound.some((each: string) => each === '*' || each === thing || isBelow(thing, each))
}

function isBelow(thing: string, bound: string): boolean {
  if (bound.endsWith('/*')) return thing.startsWith(bound.slice(0, -1))
  const [address, length] = bound.split('/')
  const bits = (text: string) =>
    text
      .split('.')
      .map((byte) => Number(byte).toString(2).padStart(8, '0'))
      .join('')
  return /^\d+\./.test(thing) && bits(thing).startsWith(bits(address!).slice(0, Number(length ?? 32)))
}

const THINGS: readonly [keyof Capabilities, string, readonly (string | number)[]][] = [
  ['flows', 'to', ['10.0.0.1', '10.0.0.2', '10.200.0.1', '198.18.5.5', '198.19.5.5', '1.1.1.1']],
  ['flows', 'actions', [...ACTION_NAMES]],
  ['flows', 'payloadBytes', [1, 64, 128]],
  ['groups', 'join', ['224.0.0.1', '232.1.1.1', '239.192.0.1', '239.192.0.2']],
  ['messages', 'on', ['host/state', 'host/load/cpu', 'host/load/io', 'slr/who-has', 'slr/other']],
  ['messages', 'hops', [1, 2, 3]],
  ['http', 'get', ['https://a.example', 'https://b.example:8443', 'https://c.example']],
  ['classes', 'linkShare', [0.25, 0.5, 1]],
]

describe('capabilities', () => {
  describe('as a lattice (R-PR-02, R-PR-05)', () => {
    it('is reflexive, and anything is within itself in normal form', () => {
      fc.assert(
        fc.property(capabilities, (a) => {
          expect(within(a, a)).to.deep.equal([])
          expect(isWithin(a, normalise(a))).to.equal(true)
          expect(isWithin(normalise(a), a)).to.equal(true)
        }),
        RUNS,
      )
    })

    it('is antisymmetric on normal forms and transitive', () => {
      fc.assert(
        fc.property(capabilities, capabilities, capabilities, (a, b, c) => {
          if (isWithin(a, b) && isWithin(b, a)) expect(normalise(a)).to.deep.equal(normalise(b))
          const [low, middle] = [intersect(intersect(a, b), c), intersect(a, b)]
          expect(isWithin(low, middle) && isWithin(middle, a) && isWithin(low, a)).to.equal(true)
          if (isWithin(a, b) && isWithin(b, c)) expect(isWithin(a, c)).to.equal(true)
        }),
        RUNS,
      )
    })

    it('intersects to the greatest that is within both', () => {
      fc.assert(
        fc.property(capabilities, capabilities, capabilities, (a, b, c) => {
          const both = intersect(a, b)
          expect(isWithin(both, a)).to.equal(true)
          expect(isWithin(both, b)).to.equal(true)
          const lower = intersect(c, both)
          expect(isWithin(lower, a) && isWithin(lower, b)).to.equal(true)
          if (isWithin(c, a) && isWithin(c, b)) expect(isWithin(c, both)).to.equal(true)
          expect(isWithin(a, b)).to.equal(JSON.stringify(both) === JSON.stringify(normalise(a)))
        }),
        RUNS,
      )
    })

    it('intersects idempotently, in any order and grouping, down to nothing', () => {
      fc.assert(
        fc.property(capabilities, capabilities, capabilities, (a, b, c) => {
          expect(intersect(a, a)).to.deep.equal(normalise(a))
          expect(intersect(a, b)).to.deep.equal(intersect(b, a))
          expect(intersect(intersect(a, b), c)).to.deep.equal(intersect(a, intersect(b, c)))
          expect(intersect(a, {})).to.deep.equal({})
          expect(within({}, a)).to.deep.equal([])
        }),
        RUNS,
      )
    })

    it('agrees with the meaning of the bounds, thing by thing', () => {
      fc.assert(
        fc.property(capabilities, capabilities, (a, b) => {
          const both = intersect(a, b)
          for (const [word, field, things] of THINGS)
            for (const thing of things) {
              const expected = allows(a, word, field, thing) && allows(b, word, field, thing)
              expect(allows(both, word, field, thing), `${word}.${field} ${thing}`).to.equal(expected)
              expect(allows(normalise(a), word, field, thing)).to.equal(allows(a, word, field, thing))
              if (isWithin(a, b) && allows(a, word, field, thing))
                expect(allows(b, word, field, thing), `${word}.${field} ${thing}`).to.equal(true)
            }
        }),
        RUNS,
      )
    })

    it('stays within its own schema', () => {
      fc.assert(
        fc.property(capabilities, capabilities, (a, b) => {
          expect(check(a)).to.deep.equal([])
          expect(check(normalise(a))).to.deep.equal([])
          expect(check(intersect(a, b))).to.deep.equal([])
        }),
        { numRuns: 100 },
      )
    })
  })

  describe('when more is asked than is granted', () => {
    it('names each part, the place and the grant', () => {
      const requested: Capabilities = {
        flows: { to: ['198.18.0.0/15', '10.0.0.0/8'], actions: ['drop', 'tunnel'], payloadBytes: 128 },
        messages: { on: ['host/*'] },
        cpu: { share: 0.5 },
      }
      const granted: Capabilities = {
        flows: { to: ['198.18.0.0/16', '198.19.0.0/16'], actions: ['drop'], payloadBytes: 64 },
        messages: { on: ['host/state'] },
      }
      expect(within(requested, granted).map(formatViolation)).to.deep.equal([
        'flows.to: 10.0.0.0/8 is beyond the grant of 198.18.0.0/15',
        'flows.actions: tunnel is beyond the grant of drop',
        'flows.payloadBytes: 128 is beyond the grant of 64',
        'messages.on: host/* is beyond the grant of host/state',
        'cpu.share: 0.5 is asked for, nothing is granted',
      ])
    })

    it('grants nothing by default', () => {
      expect(within({ timers: { perSecond: 1 } }, {})).to.have.length(1)
      expect(within({ flows: {} }, {})).to.deep.equal([])
      expect(normalise({ flows: { to: [] }, timers: { perSecond: 0 } })).to.deep.equal({})
    })
  })

  describe('patterns', () => {
    it('match whole steps of a name', () => {
      expect(patternCovers('host/*', 'host/state')).to.equal(true)
      expect(patternCovers('host/*', 'host/a/b')).to.equal(true)
      expect(patternCovers('host/*', 'host/a/*')).to.equal(true)
      expect(patternCovers('host/*', 'host')).to.equal(false)
      expect(patternCovers('host/*', 'hostile/x')).to.equal(false)
      expect(patternCovers('host/a/*', 'host/*')).to.equal(false)
      expect(patternCovers('host/state', 'host/state/x')).to.equal(false)
      expect(patternCovers('*', '*')).to.equal(true)
      expect(patternCovers('host/*', '*')).to.equal(false)
    })
  })

  describe('when a text is not of the language', () => {
    const refused: readonly [string, unknown, string][] = [
      ['a word that does not exist', { flow: {} }, 'flow'],
      ['a field that does not exist', { flows: { too: [] } }, 'flows.too'],
      ['a prefix with bits beyond its length', { flows: { to: ['10.0.0.1/8'] } }, 'flows.to[0]'],
      ['a unicast prefix for a group', { groups: { join: ['10.0.0.0/8'] } }, 'groups.join[0]'],
      ['more than all of multicast', { groups: { join: ['224.0.0.0/3'] } }, 'groups.join[0]'],
      ['a pattern with a star inside', { messages: { on: ['ho*t/state'] } }, 'messages.on[0]'],
      ['a pattern that ends in half a step', { messages: { on: ['host/st*'] } }, 'messages.on[0]'],
      ['a path out of the hierarchy', { messages: { on: ['../x'] } }, 'messages.on[0]'],
      ['an origin with a path', { http: { get: ['https://a.example/'] } }, 'http.get[0]'],
      ['an origin of another scheme', { http: { get: ['file:///etc/passwd'] } }, 'http.get[0]'],
      ['an origin with a user', { http: { get: ['https://a@b.example'] } }, 'http.get[0]'],
      ['a default port written out', { http: { get: ['https://a.example:443'] } }, 'http.get[0]'],
      ['a share beyond all', { cpu: { share: 1.1 } }, 'cpu.share'],
      ['a negative ceiling', { timers: { perSecond: -1 } }, 'timers.perSecond'],
      ['a set where a ceiling is expected', { timers: { perSecond: [] } }, 'timers.perSecond'],
      ['an unknown action', { flows: { actions: ['explode'] } }, 'flows.actions[0]'],
    ]
    for (const [what, value, place] of refused)
      it(`refuses ${what}`, () => {
        expect(check(value).map((each) => each.place)).to.deep.equal([place])
      })

    it('refuses endless lists', () => {
      const to = Array.from({ length: 257 }, () => '10.0.0.0/8')
      expect(check({ flows: { to } })[0]).to.include({ code: 'limit', place: 'flows.to' })
    })
  })

  it('describes itself in a line per word', () => {
    const text = describeCapabilities({
      flows: { actions: ['tunnel', 'drop'], to: ['198.18.0.0/16', '198.19.0.0/16'] },
      timers: { perSecond: 2 },
      cpu: { share: 0 },
    })
    expect(text).to.deep.equal(['flows: to 198.18.0.0/15; actions drop, tunnel', 'timers: perSecond 2'])
  })
})
