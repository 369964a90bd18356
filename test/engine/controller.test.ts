import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { CHANGE_LIMIT } from '../../engine/controller.ts'
import { type Change, SECOND, TABLE_NAMES } from '../../engine/index.ts'
import { seen, TCP_SYN, tcp, udp } from '../support/packets.ts'
import { classed, spread, tunneled } from '../support/policies.ts'
import { TestRouter } from '../support/test-router.ts'

const VHA = '198.18.0.80'
const KEY = { from: '10.0.1.2', to: VHA, protocol: 17, fromPort: 4000, toPort: 53 } as const
const FORWARD = { kind: 'forward' } as const

/** Counters that a refusal may raise. */
const REFUSALS = ['flows.refused', 'flows.refusedByOwner', 'neighbours.refused', 'upcalls.refused']

/** Everything that can be asked about an engine, in an order that does not depend on how it came about. */
function pictureOf(router: TestRouter): Record<string, unknown> {
  const tables = TABLE_NAMES.map((table) => {
    const rows = router.rows(table).filter(({ name }) => !REFUSALS.includes(String(name)))
    return [table, rows.map((row) => JSON.stringify(row)).sort()]
  })
  const { routes, filters, actions, tunnels, flows, upcalls, own, labels } = router.stages
  const lookups = ['10.0.1.1', '10.0.1.7', '10.0.2.255', VHA, '203.0.113.1', '192.0.2.1'].map((each) => {
    const address = each.split('.').reduce((value, part) => value * 256 + Number(part), 0)
    const route = routes.lookup(address)
    return [
      each,
      own.has(address),
      route < 0 ? null : [routes.kind[route], routes.port[route], routes.gateway[route]],
    ]
  })
  return {
    ...Object.fromEntries(tables),
    lookups,
    sizes: [actions.size, tunnels.size, filters.size, flows.size, upcalls.open, labels.size],
    addresses: router.stages.ports.map(({ addresses }) => addresses),
  }
}

/** A router with one of everything, made by `router` and by `plugin`; upcall 1 of `plugin` is open. */
function populated(): TestRouter {
  const router = new TestRouter([
    { name: 'a', address: '10.0.1.1/24 10.1.1.1/24' },
    { name: 'b', address: '10.0.2.1/24' },
  ])
  router.commit([
    { do: 'add-route', prefix: '203.0.113.0/24', target: { kind: 'via', via: '10.0.2.254' }, cost: 5 },
    { do: 'open-tunnel', name: 'shared', tunnel: { to: '10.0.2.20' } },
    { do: 'create-class', class: { name: 'gold', weight: 3, ceiling: { rateBps: 1e6 } } },
  ])
  router.commit(
    [
      { do: 'open-tunnel', name: 's1', tunnel: { to: '10.0.2.11' } },
      { do: 'open-tunnel', name: 's2', tunnel: { to: '10.0.2.12', mtu: 1400 } },
      { do: 'create-class', class: { name: 'web', port: 'b', parent: 'gold', weight: 2, limitPackets: 9 } },
      { do: 'create-class', class: { name: 'video', port: 'b', parent: 'web', weight: 1 } },
      { do: 'add-route', prefix: '203.0.113.0/24', target: { kind: 'blackhole' }, cost: 5 },
      { do: 'install-filter', name: 'web', filter: { to: VHA }, action: classed('web', tunneled('s1')) },
      {
        do: 'install-filter',
        name: 'ask',
        filter: { protocol: 'tcp' },
        action: { kind: 'decide', waitNs: 50 * SECOND, otherwise: FORWARD },
        priority: 5,
      },
      { do: 'install-flow', key: KEY, action: tunneled('s2'), idleNs: 100 * SECOND },
    ],
    'plugin',
  )
  router.inject('a', tcp({ flags: TCP_SYN }))
  router.engine.nextUpcall()
  return router
}

/** One change of every kind that can be carried out on a populated router, by its owner. */
const GOOD: readonly (readonly [owner: string, change: Change])[] = [
  ['plugin', { do: 'open-tunnel', name: 's3', tunnel: { to: '10.0.2.13' } }],
  ['plugin', { do: 'close-tunnel', name: 's1' }],
  ['plugin', { do: 'close-tunnel', name: 's2' }],
  [
    'plugin',
    {
      do: 'install-filter',
      name: 'new',
      filter: { to: VHA },
      action: spread([tunneled('s1'), tunneled('router/shared')]),
    },
  ],
  ['plugin', { do: 'remove-filter', name: 'web' }],
  ['plugin', { do: 'install-flow', key: KEY, action: classed('video', tunneled('s1')), idleNs: 7 * SECOND }],
  ['plugin', { do: 'install-flow', key: { ...KEY, toPort: 9 }, action: { kind: 'drop' } }],
  ['plugin', { do: 'remove-flow', key: KEY }],
  ['plugin', { do: 'resume', upcall: 0, action: tunneled('s2') }],
  ['plugin', { do: 'create-class', class: { name: 'audio', port: 'b', parent: 'web', weight: 7 } }],
  ['plugin', { do: 'create-class', class: { name: 'new', weight: 7, dropPolicy: 'codel' } }],
  ['plugin', { do: 'set-class', name: 'web', weight: 9, ceiling: { rateBps: 2e6 }, limitPackets: 50 }],
  ['router', { do: 'set-class', name: 'gold', ceiling: null, limitBytes: 5000 }],
  ['plugin', { do: 'remove-class', name: 'video' }],
  ['plugin', { do: 'add-route', prefix: '192.0.2.0/24', target: { kind: 'via', via: '10.0.1.254' } }],
  ['plugin', { do: 'add-route', prefix: '192.0.3.0/24', target: { kind: 'local' } }],
  ['router', { do: 'remove-route', prefix: '203.0.113.0/24' }],
  ['plugin', { do: 'remove-route', prefix: '203.0.113.0/24' }],
  ['router', { do: 'add-address', port: 'b', address: '10.0.3.1/24' }],
  ['router', { do: 'remove-address', port: 'a', address: '10.0.1.1/24' }],
]

/** A change that every transaction is refused for. */
const BAD: Change = { do: 'remove-filter', name: 'is not there' }

describe('Controller', () => {
  describe('when a change is carried out', () => {
    for (const [owner, change] of GOOD)
      it(`does "${change.do}" (${owner}), and leaves no trace of it when a later change is refused (R-PR-05)`, () => {
        const router = populated()
        const before = pictureOf(router)
        const error = router.refusal([change, BAD], owner)
        expect([error.code, error.place]).to.deep.equal(['unknown', 'changes[1].name'])
        expect(pictureOf(router)).to.deep.equal(before)
        router.commit([change], owner)
        expect(pictureOf(router)).to.not.deep.equal(before)
      })
  })

  describe('when a transaction is refused', () => {
    it('leaves everything as it was, whatever changes came before', () => {
      const anyOf = (wanted: string) =>
        fc.constantFrom(...GOOD.filter(([owner]) => owner === wanted).map(([, change]) => change))
      const transaction = fc.oneof(
        fc.tuple(fc.constant('plugin'), fc.array(anyOf('plugin'), { maxLength: 12 })),
        fc.tuple(fc.constant('router'), fc.array(anyOf('router'), { maxLength: 4 })),
      )
      const history = fc.array(fc.tuple(transaction, fc.boolean()), { minLength: 1, maxLength: 4 })
      fc.assert(
        fc.property(history, (steps) => {
          const router = populated()
          for (const [[owner, changes], goesWell] of steps) {
            const before = pictureOf(router)
            if (!goesWell) {
              router.refusal([...changes, BAD], owner)
              expect(pictureOf(router)).to.deep.equal(before)
              continue
            }
            try {
              router.commit(changes, owner)
            } catch {
              expect(pictureOf(router)).to.deep.equal(before)
            }
            router.settle()
            router.inject('a', udp({ to: VHA }), tcp({ to: '203.0.113.9', fromPort: 7 }))
          }
          for (const owner of ['plugin', 'router'])
            router.engine.control.removeOwner(owner, 'purge', router.now)
          router.advance(60 * SECOND)
          const { actions, tunnels, filters, flows } = router.stages
          expect([actions.size, tunnels.size, filters.size, flows.size]).to.deep.equal([0, 0, 0, 0])
          expect(router.rows('classes').map(({ name }) => name)).to.deep.equal(['default', 'default'])
        }),
        { numRuns: 150 },
      )
    })

    const refusals: readonly [what: string, owner: string, changes: Change[], code: string, place: string][] =
      [
        ['an unknown change', 'plugin', [{ do: 'dance' } as unknown as Change], 'invalid', 'changes[0]'],
        [
          'a name twice',
          'plugin',
          [{ do: 'open-tunnel', name: 's1', tunnel: { to: '10.0.2.13' } }],
          'exists',
          'changes[0].name',
        ],
        [
          'a name with a slash',
          'plugin',
          [{ do: 'open-tunnel', name: 'a/b', tunnel: { to: '10.0.2.13' } }],
          'invalid',
          'changes[0].name',
        ],
        [
          'an empty name',
          'plugin',
          [{ do: 'install-filter', name: '', filter: {}, action: FORWARD }],
          'invalid',
          'changes[0].name',
        ],
        [
          'a tunnel to itself',
          'plugin',
          [{ do: 'open-tunnel', name: 'x', tunnel: { to: '10.0.2.1' } }],
          'invalid',
          'changes[0].tunnel.to',
        ],
        [
          'a tunnel to nowhere',
          'plugin',
          [{ do: 'open-tunnel', name: 'x', tunnel: { to: '192.0.2.9' } }],
          'unknown',
          'changes[0].tunnel.to',
        ],
        [
          'a tunnel to a broadcast address',
          'plugin',
          [{ do: 'open-tunnel', name: 'x', tunnel: { to: '10.0.2.255' } }],
          'unknown',
          'changes[0].tunnel.to',
        ],
        [
          'to close what is not there',
          'plugin',
          [{ do: 'close-tunnel', name: 'x' }],
          'unknown',
          'changes[0].name',
        ],
        [
          "to close another's tunnel",
          'plugin',
          [{ do: 'close-tunnel', name: 'router/shared' }],
          'unknown',
          'changes[0].name',
        ],
        [
          'a tunnel that the same transaction closed',
          'plugin',
          [
            { do: 'close-tunnel', name: 's1' },
            { do: 'install-filter', name: 'x', filter: {}, action: tunneled('s1') },
          ],
          'unknown',
          'changes[1].action.tunnel',
        ],
        [
          'a filter on a port that is not there',
          'plugin',
          [{ do: 'install-filter', name: 'x', filter: { inPort: 'z' }, action: FORWARD }],
          'unknown',
          'changes[0].filter.inPort',
        ],
        [
          'a filter on half an address',
          'plugin',
          [{ do: 'install-filter', name: 'x', filter: { to: '10.0' }, action: FORWARD }],
          'invalid',
          'changes[0].filter.to',
        ],
        [
          'an absurd priority',
          'plugin',
          [{ do: 'install-filter', name: 'x', filter: {}, action: FORWARD, priority: 1e9 }],
          'invalid',
          'changes[0].priority',
        ],
        [
          'a filter twice',
          'plugin',
          [{ do: 'install-filter', name: 'web', filter: {}, action: FORWARD }],
          'exists',
          'changes[0].name',
        ],
        [
          'a key that is none',
          'plugin',
          [{ do: 'install-flow', key: { ...KEY, fromPort: 70_000 }, action: FORWARD }],
          'invalid',
          'changes[0].key.fromPort',
        ],
        [
          'a key with a bad address',
          'plugin',
          [{ do: 'remove-flow', key: { ...KEY, to: 'x' } }],
          'invalid',
          'changes[0].key.to',
        ],
        [
          'a protocol that is none',
          'plugin',
          [{ do: 'remove-flow', key: { ...KEY, protocol: 256 } }],
          'invalid',
          'changes[0].key.protocol',
        ],
        [
          'an idle time of nothing',
          'plugin',
          [{ do: 'install-flow', key: KEY, action: FORWARD, idleNs: 0 }],
          'invalid',
          'changes[0].idleNs',
        ],
        [
          "another's flow",
          'router',
          [{ do: 'install-flow', key: KEY, action: FORWARD }],
          'conflict',
          'changes[0].key',
        ],
        [
          "to remove another's flow",
          'router',
          [{ do: 'remove-flow', key: KEY }],
          'unknown',
          'changes[0].key',
        ],
        [
          'to remove a flow twice',
          'plugin',
          [
            { do: 'remove-flow', key: KEY },
            { do: 'remove-flow', key: KEY },
          ],
          'unknown',
          'changes[1].key',
        ],
        [
          'a class on a port that is not there',
          'plugin',
          [{ do: 'create-class', class: { name: 'x', port: 'z', weight: 1 } }],
          'unknown',
          'changes[0].class.port',
        ],
        [
          'a class below one that is not there',
          'plugin',
          [{ do: 'create-class', class: { name: 'x', parent: 'z', weight: 1 } }],
          'unknown',
          'changes[0].class.parent',
        ],
        [
          'a class without weight',
          'plugin',
          [{ do: 'create-class', class: { name: 'x', weight: 0 } }],
          'invalid',
          'changes[0].class.weight',
        ],
        [
          'a class twice',
          'router',
          [{ do: 'create-class', class: { name: 'web', port: 'b', weight: 1 } }],
          'exists',
          'changes[0].class.name',
        ],
        [
          'a class that exists on one of all ports',
          'router',
          [{ do: 'create-class', class: { name: 'video', weight: 1 } }],
          'exists',
          'changes[0].class.name',
        ],
        [
          "to set another's class",
          'plugin',
          [{ do: 'set-class', name: 'gold', weight: 1 }],
          'unknown',
          'changes[0].name',
        ],
        [
          "to set another's class by its whole name",
          'plugin',
          [{ do: 'set-class', name: 'router/gold', weight: 1 }],
          'unknown',
          'changes[0].name',
        ],
        [
          'a class set to nothing',
          'plugin',
          [{ do: 'set-class', name: 'web', weight: -1 }],
          'invalid',
          'changes[0].weight',
        ],
        [
          'to remove a class with children',
          'plugin',
          [{ do: 'remove-class', name: 'web' }],
          'in-use',
          'changes[0].name',
        ],
        [
          "to remove a class with another's children",
          'router',
          [{ do: 'remove-class', name: 'gold', port: 'b' }],
          'in-use',
          'changes[0].name',
        ],
        [
          'a class below one that the same transaction removed',
          'plugin',
          [
            { do: 'remove-class', name: 'video' },
            { do: 'create-class', class: { name: 'x', port: 'b', parent: 'video', weight: 1 } },
          ],
          'unknown',
          'changes[1].class.parent',
        ],
        [
          'a route twice',
          'plugin',
          [{ do: 'add-route', prefix: '203.0.113.99/24', target: { kind: 'local' } }],
          'exists',
          'changes[0].prefix',
        ],
        [
          'a route to half a prefix',
          'plugin',
          [{ do: 'add-route', prefix: '203.0.113/24', target: { kind: 'local' } }],
          'invalid',
          'changes[0].prefix',
        ],
        [
          'a route of negative cost',
          'plugin',
          [{ do: 'add-route', prefix: '192.0.2.0/24', target: { kind: 'local' }, cost: -1 }],
          'invalid',
          'changes[0].cost',
        ],
        [
          'a next hop on no network',
          'plugin',
          [{ do: 'add-route', prefix: '192.0.2.0/24', target: { kind: 'via', via: '192.0.9.1' } }],
          'invalid',
          'changes[0].target.via',
        ],
        [
          'a next hop that is no address',
          'plugin',
          [{ do: 'add-route', prefix: '192.0.2.0/24', target: { kind: 'via', via: 'gw' } }],
          'invalid',
          'changes[0].target.via',
        ],
        [
          'a route by a port that is not there',
          'plugin',
          [{ do: 'add-route', prefix: '192.0.2.0/24', target: { kind: 'connected', port: 'z' } }],
          'unknown',
          'changes[0].target.port',
        ],
        [
          "to remove another's route",
          'other',
          [{ do: 'remove-route', prefix: '203.0.113.0/24' }],
          'unknown',
          'changes[0].prefix',
        ],
        [
          'to remove the route of an address',
          'router',
          [{ do: 'remove-route', prefix: '10.0.1.1/32' }],
          'unknown',
          'changes[0].prefix',
        ],
        [
          "the router's addresses to a plugin",
          'plugin',
          [{ do: 'add-address', port: 'a', address: '10.0.9.1/24' }],
          'forbidden',
          'changes[0]',
        ],
        [
          'to take an address away for a plugin',
          'plugin',
          [{ do: 'remove-address', port: 'a', address: '10.0.1.1/24' }],
          'forbidden',
          'changes[0]',
        ],
        [
          'an address twice',
          'router',
          [{ do: 'add-address', port: 'b', address: '10.0.1.1/24' }],
          'exists',
          'changes[0].address',
        ],
        [
          'two addresses in one network',
          'router',
          [{ do: 'add-address', port: 'b', address: '10.0.1.9/24' }],
          'conflict',
          'changes[0].address',
        ],
        [
          'an address without its network',
          'router',
          [{ do: 'add-address', port: 'b', address: '10.0.9.1' }],
          'invalid',
          'changes[0].address',
        ],
        [
          'a broadcast address',
          'router',
          [{ do: 'add-address', port: 'b', address: '10.0.9.255/24' }],
          'invalid',
          'changes[0].address',
        ],
        [
          "a network's own address",
          'router',
          [{ do: 'add-address', port: 'b', address: '10.0.9.0/24' }],
          'invalid',
          'changes[0].address',
        ],
        [
          'a multicast address',
          'router',
          [{ do: 'add-address', port: 'b', address: '224.0.0.5/24' }],
          'invalid',
          'changes[0].address',
        ],
        [
          'an address on a port that is not there',
          'router',
          [{ do: 'add-address', port: 'z', address: '10.0.9.1/24' }],
          'unknown',
          'changes[0].port',
        ],
        [
          'to remove an address that is not there',
          'router',
          [{ do: 'remove-address', port: 'a', address: '10.0.1.1/25' }],
          'unknown',
          'changes[0].address',
        ],
      ]
    for (const [what, owner, changes, code, place] of refusals)
      it(`refuses ${what} as ${code}`, () => {
        const router = populated()
        const before = pictureOf(router)
        const error = router.refusal(changes, owner)
        expect([error.code, error.place, error.message]).to.deep.equal([
          code,
          place,
          `${place}: ${error.reason}`,
        ])
        expect(pictureOf(router)).to.deep.equal(before)
      })

    it('refuses owners without a name and transactions without an end', () => {
      const router = populated()
      for (const owner of ['', 'a/b', '-x', 'x'.repeat(129)])
        expect(router.refusal([], owner).code).to.equal('invalid')
      const many = Array.from({ length: CHANGE_LIMIT + 1 }, () => BAD)
      expect(router.refusal(many).code).to.equal('limit')
    })
  })

  describe('when one transaction changes a thing twice', () => {
    it('replaces a flow that it removes and pins again', () => {
      const router = populated()
      const changes: Change[] = [
        { do: 'remove-flow', key: KEY },
        { do: 'install-flow', key: KEY, action: tunneled('s1') },
      ]
      router.refusal([...changes, BAD], 'plugin')
      router.commit(changes, 'plugin')
      expect(router.rows('flows')).to.have.length(1)
      router.inject('a', udp({ to: VHA }))
      expect(router.take('b').map((packet) => seen(packet).to)).to.deep.equal(['10.0.2.11'])
      router.commit([...changes, { do: 'remove-flow', key: KEY }], 'plugin')
      expect(router.rows('flows')).to.have.length(0)
    })

    it('replaces a filter under its name', () => {
      const router = populated()
      router.commit(
        [
          { do: 'remove-filter', name: 'web' },
          { do: 'install-filter', name: 'web', filter: { to: VHA }, action: { kind: 'drop' } },
        ],
        'plugin',
      )
      router.inject('a', udp({ to: VHA, toPort: 99 }))
      expect(router.dropped).to.deep.equal({ policy: 1 })
    })

    it('removes classes with their children, children first', () => {
      const router = populated()
      router.commit(
        [
          { do: 'remove-class', name: 'video' },
          { do: 'remove-class', name: 'web' },
        ],
        'plugin',
      )
      expect(router.rows('classes', { port: 'b' }).map(({ name }) => name)).to.deep.equal(['default', 'gold'])
    })

    it('uses what it opened before', () => {
      const router = populated()
      router.commit(
        [
          { do: 'open-tunnel', name: 'x', tunnel: { to: '10.0.2.99' } },
          { do: 'install-flow', key: KEY, action: tunneled('x') },
          { do: 'close-tunnel', name: 'x' },
        ],
        'plugin',
      )
      router.inject('a', udp({ to: VHA }))
      expect(router.take('b').map((packet) => seen(packet).to)).to.deep.equal(['10.0.2.99'])
    })
  })

  describe('when the flow table is full in the middle of a transaction', () => {
    it('takes the place of expired flows without confusing them with those of the transaction', () => {
      const router = new TestRouter(undefined, { flows: { capacity: 2 } })
      const key = (toPort: number) => ({ ...KEY, toPort })
      router.commit([
        { do: 'install-flow', key: key(1), action: FORWARD, idleNs: SECOND },
        { do: 'install-flow', key: key(2), action: FORWARD, idleNs: 1000 * SECOND },
      ])
      router.now += 10 * SECOND
      router.commit([
        { do: 'remove-flow', key: key(1) },
        { do: 'install-flow', key: key(3), action: FORWARD, idleNs: 1000 * SECOND },
      ])
      expect(router.rows('flows').map(({ toPort }) => toPort)).to.have.members([2, 3])
      const error = router.refusal([
        { do: 'remove-flow', key: key(2) },
        { do: 'install-flow', key: key(4), action: FORWARD },
      ])
      expect([error.code, error.place]).to.deep.equal(['limit', 'changes[1].key'])
      expect(router.rows('flows').map(({ toPort }) => toPort)).to.have.members([2, 3])
    })
  })

  describe('when an owner is removed', () => {
    it('takes all that it made along, and nothing else, as often as one likes', () => {
      const router = populated()
      const before = pictureOf(populated())
      router.engine.control.removeOwner('plugin', 'purge', router.now)
      router.engine.control.removeOwner('plugin', 'purge', router.now)
      router.engine.control.removeOwner('nobody', 'purge', router.now)
      const owners = ['flows', 'filters', 'routes'].flatMap((table) =>
        router.rows(table).map(({ owner }) => owner),
      )
      expect(new Set(owners)).to.deep.equal(new Set(['router']))
      expect(router.rows('tunnels').map(({ name }) => name)).to.deep.equal(['router/shared'])
      expect(router.rows('classes', { port: 'b' }).map(({ name }) => name)).to.deep.equal(['default', 'gold'])
      expect(router.stages.labels.size, 'that of gold').to.equal(1)
      expect(pictureOf(router)['addresses']).to.deep.equal(before['addresses'])
    })

    it('lets its flows drain when asked to, with the tunnels that they need', () => {
      const router = populated()
      router.engine.control.removeOwner('plugin', 'drain', router.now)
      expect(router.rows('flows')).to.have.length(1)
      router.inject('a', udp({ to: VHA }))
      expect(router.take('b').some((packet) => seen(packet).to === '10.0.2.12')).to.equal(true)
      router.advance(120 * SECOND)
      expect([
        router.stages.flows.size,
        router.stages.tunnels.size,
        router.stages.actions.size,
      ]).to.deep.equal([0, 1, 0])
    })

    it("leaves a class below which others have classes, as the operator's, until they are gone", () => {
      const router = populated()
      router.commit(
        [{ do: 'create-class', class: { name: 'theirs', port: 'b', parent: 'web', weight: 1 } }],
        'other',
      )
      router.engine.control.removeOwner('plugin', 'purge', router.now)
      const names = () => router.rows('classes', { port: 'b' }).map(({ name }) => name)
      expect(names()).to.deep.equal(['default', 'gold', 'web', 'theirs'])
      expect(router.refusal([{ do: 'remove-class', name: 'web' }]).code).to.equal('in-use')
      router.engine.control.removeOwner('other', 'purge', router.now)
      router.commit([{ do: 'remove-class', name: 'web' }])
      expect(names()).to.deep.equal(['default', 'gold'])
    })

    it('takes the routes of the operator, but never those of the addresses', () => {
      const router = populated()
      router.engine.control.removeOwner('router', 'purge', router.now)
      expect(new Set(router.rows('routes', { owner: 'router' }).map(({ kind }) => kind))).to.deep.equal(
        new Set(['local', 'connected', 'broadcast']),
      )
      router.inject('a', udp())
      expect(router.take('b')).to.have.length(1)
    })

    it('works on ports whose names bear the sign that class names use', () => {
      const router = new TestRouter([{ name: 'eth0@if5', address: '10.0.1.1/24' }])
      router.commit([{ do: 'create-class', class: { name: 'x@y', weight: 1 } }], 'plugin')
      router.engine.control.removeOwner('plugin', 'purge', router.now)
      expect(router.rows('classes')).to.have.length(1)
    })
  })

  describe('when an owner is adopted', () => {
    it('passes everything on, so that nothing is left of the old one', () => {
      const router = populated()
      const renamed = JSON.parse(JSON.stringify(pictureOf(router)).replaceAll('plugin', 'plugin-2')) as object
      router.engine.control.adopt('plugin', 'plugin-2')
      expect(JSON.parse(JSON.stringify(pictureOf(router)))).to.deep.equal(renamed)
      const adopted = pictureOf(router)
      router.engine.control.removeOwner('plugin', 'purge', router.now)
      expect(pictureOf(router)).to.deep.equal(adopted)
      router.commit(
        [
          { do: 'remove-filter', name: 'web' },
          { do: 'close-tunnel', name: 's1' },
        ],
        'plugin-2',
      )
      router.engine.control.removeOwner('plugin-2', 'purge', router.now)
      expect([
        router.stages.flows.size,
        router.stages.actions.size,
        router.stages.tunnels.size,
      ]).to.deep.equal([0, 0, 1])
    })

    it('changes nothing when it adopts itself, or nobody', () => {
      const router = populated()
      const before = pictureOf(router)
      router.engine.control.adopt('plugin', 'plugin')
      router.engine.control.adopt('nobody', 'plugin')
      expect(pictureOf(router)).to.deep.equal(before)
    })

    it('refuses as a conflict when both have something of one name', () => {
      const router = populated()
      router.commit([{ do: 'open-tunnel', name: 's1', tunnel: { to: '10.0.2.99' } }], 'other')
      const before = pictureOf(router)
      expect(() => router.engine.control.adopt('plugin', 'other')).to.throw('tunnel s1 exists on both sides')
      expect(pictureOf(router)).to.deep.equal(before)
    })

    it('keeps the route of the one who adopts where both have one', () => {
      const router = populated()
      router.commit([{ do: 'add-route', prefix: '203.0.113.0/24', target: { kind: 'local' } }], 'other')
      router.engine.control.adopt('plugin', 'other')
      expect(
        router.rows('routes', { prefix: '203.0.113.0/24' }).map(({ owner, kind }) => [owner, kind]),
      ).to.deep.equal([
        ['router', 'via'],
        ['other', 'local'],
      ])
    })
  })
})
