import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import type { Change } from '../../../engine/index.ts'
import { EMPTY_CONFIG, planChanges, type RouterConfig } from '../../../router/config/index.ts'
import { changed, commit, configOf, engineFor, refusalOf, SAMPLE, stateOf } from './kit.ts'

const PORTS = ['eth0', 'eth1']

function engineOf(config: RouterConfig) {
  const engine = engineFor(PORTS)
  commit(engine, planChanges(EMPTY_CONFIG, config).changes)
  return engine
}

function planOf(from: string, to: string): readonly Change[] {
  return planChanges(configOf(SAMPLE), configOf(changed(from, to))).changes
}

/** Texts of configurations that differ in everything that can change while a router runs. */
const texts = fc
  .record({
    address: fc.constantFrom('10.0.2.1/24', '10.0.2.1/24', '10.0.2.7/24', '10.0.2.1/25'),
    swapped: fc.boolean(),
    routes: fc.subarray(['10.9.0.0/16', '10.8.0.0/16', '10.9.1.0/24']),
    via: fc.constantFrom('10.0.2.9', '10.0.2.10'),
    ttl: fc.constantFrom(9, 10),
    tunnels: fc.subarray(['t1', 't2', 't3']),
    classes: fc.subarray(['gold', 'silver', 'bronze']),
    weight: fc.integer({ min: 1, max: 3 }),
    ceiling: fc.constantFrom(
      '',
      ', ceiling: 1Mbps',
      ', ceiling: 2Mbps, burst: 5k',
      ', limit: { packets: 9 }',
    ),
    filters: fc.array(
      fc.record({
        name: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
        priority: fc.constantFrom(0, 0, 5),
        action: fc.constantFrom('forward', 'drop', 't1', 't2', 't3', 'gold'),
      }),
      { maxLength: 5 },
    ),
  })
  .map((each) => {
    const [one, two] = each.swapped ? ['eth1', 'eth0'] : ['eth0', 'eth1']
    const named = new Map(each.filters.map((filter) => [filter.name, filter]))
    const action = (what: string): string | undefined => {
      if (what === 'forward') return 'forward'
      if (what === 'drop') return '{ drop: policy }'
      if (what === 'gold') return each.classes.includes('gold') ? '{ class: gold }' : undefined
      return each.tunnels.includes(what) ? `{ spread: [ { tunnel: ${what} }, forward ] }` : undefined
    }
    const lines = [...named.values()].flatMap(({ name, priority, action: what }) => {
      const text = action(what)
      return text === undefined ? [] : [`    - { name: ${name}, priority: ${priority}, action: ${text} }`]
    })
    return [
      'name: r1',
      `addresses: { ${one}: 10.0.1.1/24, ${two}: ${each.address} }`,
      `routes: [ ${each.routes.map((to) => `{ to: ${to}, via: ${each.via} }`).join(', ')} ]`,
      'policy:',
      `  tunnels: { ${each.tunnels.map((name, i) => `${name}: { to: 10.0.2.${i + 20}, ttl: ${each.ttl} }`).join(', ')} }`,
      `  classes: [ ${each.classes.map((name) => `{ name: ${name}, weight: ${each.weight}${each.ceiling} }`).join(', ')} ]`,
      `  filters:${lines.length === 0 ? ' []' : ''}`,
      ...lines,
      '',
    ].join('\n')
  })

describe('planChanges', () => {
  it('leaves a router as if it had been started with the new file (declare, diff, apply)', () => {
    fc.assert(
      fc.property(texts, texts, (first, second) => {
        const [before, after] = [configOf(first), configOf(second)]
        const engine = engineOf(before)
        commit(engine, planChanges(before, after).changes)
        expect(stateOf(engine)).to.deep.equal(stateOf(engineOf(after)))
        commit(engine, planChanges(after, before).changes)
        expect(stateOf(engine)).to.deep.equal(stateOf(engineOf(before)))
      }),
      { numRuns: 150 },
    )
  })

  describe('when both say the same', () => {
    it('does nothing, whatever the order of keys', () => {
      expect(planOf('{ to: 10.9.0.2, ttl: 9 }', '{ ttl: 9, to: 10.9.0.2 }')).to.deep.equal([])
    })
  })

  describe('when a filter is put before others of its priority', () => {
    it('installs those anew after it: among equals the older goes first', () => {
      const changes = planOf('    - { name: b,', '    - { name: n, action: drop }\n    - { name: b,')
      expect(changes.map((each) => `${each.do} ${'name' in each ? each.name : ''}`)).to.deep.equal([
        'remove-filter b',
        'install-filter n',
        'install-filter b',
      ])
    })
  })

  describe('when a filter of another priority is added', () => {
    it('leaves the others alone', () => {
      const changes = planOf(
        '    - { name: b,',
        '    - { name: n, priority: 1, action: drop }\n    - { name: b,',
      )
      expect(changes.map((each) => each.do)).to.deep.equal(['install-filter'])
    })
  })

  describe('when a tunnel changes', () => {
    it('installs anew what sends into it, and nothing else', () => {
      const changes = planOf('s1: 10.0.2.2', 's1: 10.0.2.3')
      expect(changes.map((each) => `${each.do} ${'name' in each ? each.name : ''}`)).to.deep.equal([
        'remove-filter a',
        'remove-filter b',
        'close-tunnel s1',
        'open-tunnel s1',
        'install-filter a',
        'install-filter b',
      ])
    })
  })

  describe('when the way to a far end changes', () => {
    it('opens its tunnel anew, whose words are the same', () => {
      const changes = planOf('via: 10.0.2.9', 'via: 10.0.2.8')
      expect(changes.map((each) => each.do)).to.include.members(['close-tunnel', 'open-tunnel'])
      expect(changes.filter((each) => each.do === 'open-tunnel').map((each) => each.name)).to.deep.equal([
        's2',
      ])
    })
  })

  describe('when a class changes', () => {
    it('sets what can be set', () => {
      expect(planOf('weight: 3, ceiling: 10Mbps', 'weight: 4')).to.deep.equal([
        {
          do: 'set-class',
          name: 'web',
          weight: 4,
          ceiling: null,
          limitPackets: 1000,
          limitBytes: 1_500_000,
        },
      ])
    })

    it('refuses another parent, discard or port before anything has changed', () => {
      const cases = [
        ['parent: web, weight: 2', 'weight: 2', 'its parent'],
        ['weight: 2 }', 'weight: 2, discard: codel }', 'its discard'],
        ['parent: web, weight: 2', 'port: eth0, weight: 2', 'its port'],
      ] as const
      for (const [from, to, what] of cases)
        expect(refusalOf(() => planOf(from, to))).to.deep.include({
          code: 'unsupported',
          place: 'class gold',
          reason: `${what} cannot change while the router runs; give it another name, or restart`,
        })
    })
  })

  describe('when something changes that packets depend on', () => {
    it('lists it for the next start', () => {
      const text = changed(
        'name: r1',
        'name: r2\nstate: s\ncontrol: { local: { read: adm } }\nports: { eth0: { mtu: 900 } }',
      )
      const plan = planChanges(configOf(SAMPLE), configOf(text))
      expect(plan).to.deep.equal({ changes: [], restart: ['name', 'ports', 'state', 'control.local'] })
    })
  })
})
