import { expect } from 'chai'
import { describe, it } from 'mocha'
import { type Answer, MILLISECOND, SECOND, TABLE_NAMES } from '../../../engine/index.ts'
import {
  DEFAULT_ROWS,
  LEAST_INTERVAL_NS,
  ROW_LIMIT,
  WATCH_LIMIT,
} from '../../../engine/query/query-engine.ts'
import { TABLES } from '../../../engine/query/tables.ts'
import { echo, tcp, udp } from '../../support/packets.ts'
import { classed, spread, tunneled } from '../../support/policies.ts'
import { TestRouter } from '../../support/test-router.ts'

const VHA = '198.18.0.80'

/** A router with something in every table. */
function busy(): TestRouter {
  const router = new TestRouter()
  router.commit([
    { do: 'open-tunnel', name: 's1', tunnel: { to: '10.0.2.11' } },
    { do: 'create-class', class: { name: 'gold', port: 'b', weight: 3, ceiling: { rateBps: 8_000_000 } } },
  ])
  router.filter('web', classed('gold', spread([tunneled('s1')])), { to: VHA, inPort: 'a' })
  router.inject('a', tcp({ to: VHA }), udp({ to: VHA }), echo({ to: VHA }), udp(), udp({ to: '192.0.2.1' }))
  const host = { host: 's1', address: '10.0.2.2', state: 'active', virtualHosts: VHA, loads: '0.2' }
  router.engine.query.signaling = {
    hosts: () => [{ ...host, connections: 1, intervalMs: 1000, reports: 2, heardAtNs: 3 }],
    counters: () => [{ name: 'received', value: 1 }],
  }
  return router
}

/** A router with `count` flows of the owner `plugin`. */
function withFlows(count: number): TestRouter {
  const router = new TestRouter()
  const key = { from: '10.0.0.1', to: VHA, protocol: 17, toPort: 53 }
  router.commit(
    Array.from({ length: count }, (_, i) => ({
      do: 'install-flow',
      key: { ...key, from: `10.0.${i >> 16}.1`, fromPort: i & 0xffff },
      action: { kind: 'drop' },
      idleNs: 1000 * SECOND,
    })),
    'plugin',
  )
  return router
}

describe('QueryEngine', () => {
  describe('when a table is asked for (R-PR-04)', () => {
    for (const table of TABLE_NAMES)
      it(`gives rows of "${table}" with the columns that it promises`, () => {
        const rows = busy().rows(table)
        expect(rows.length, 'rows').to.be.above(0)
        for (const row of rows)
          expect(Object.keys(row).sort()).to.deep.equal([...TABLES[table].columns].sort())
        for (const cell of rows.flatMap((row) => Object.values(row)))
          expect(cell === null || ['string', 'number', 'boolean'].includes(typeof cell)).to.equal(true)
      })

    it('has no rows of signaling where there is none', () => {
      const router = new TestRouter()
      expect([...router.rows('hosts'), ...router.rows('signaling')]).to.deep.equal([])
    })

    it('shows what is there', () => {
      const router = busy()
      expect(router.rows('counters', { name: 'in' })[0]?.value, 'with three ARP replies').to.equal(8)
      expect(router.rows('counters', { name: 'dropped.no-route' })[0]?.value).to.equal(1)
      expect(router.rows('ports')[0]).to.include({ name: 'a', up: true, mtu: 1500, addresses: '10.0.1.1/24' })
      const flows = router.rows('flows')
      expect(flows.map(({ protocol }) => protocol)).to.have.members(['tcp', 'udp', 'icmp'])
      expect(flows.find(({ protocol }) => protocol === 'tcp')).to.include({
        from: '10.0.1.2',
        fromPort: 4000,
        to: VHA,
        toPort: 80,
        owner: 'router',
        action: 'class gold > tunnel 0',
        state: 'established',
        packets: 1,
        bytes: 54,
      })
      expect(router.rows('classes', { name: 'gold' })[0]).to.include({
        port: 'b',
        parent: null,
        ceilingBps: 8e6,
      })
      expect(router.rows('queues', { class: 'gold' })[0]).to.include({ packetsOut: 3, packets: 0 })
      expect(router.rows('tunnels')[0]).to.include({
        name: 'router/s1',
        to: '10.0.2.11',
        packets: 3,
        open: true,
      })
      expect(router.rows('filters')[0]).to.include({ name: 'web', to: `${VHA}/32`, inPort: 'a', packets: 3 })
      expect(router.rows('neighbours', { port: 'b' }).map(({ address }) => address)).to.have.members([
        '10.0.2.11',
        '10.0.2.2',
      ])
      expect(router.rows('limits', { name: 'icmp.sent' })[0]?.value).to.equal(1)
    })

    it('gives only the rows that meet all conditions', () => {
      const router = busy()
      expect(router.rows('flows', { protocol: 'udp', fromPort: 4000 })).to.have.length(1)
      expect(router.rows('flows', { protocol: 'udp', fromPort: 4001 })).to.have.length(0)
      expect(router.rows('classes', { parent: null }), 'two defaults and gold').to.have.length(3)
    })

    it('gives so many rows as are wanted, and says when there are more', () => {
      const { engine, now } = withFlows(DEFAULT_ROWS + 1)
      const get = (limit?: number) =>
        engine.query.get({ table: 'flows', ...(limit === undefined ? {} : { limit }) }, now)
      expect([get().rows.length, get().truncated]).to.deep.equal([DEFAULT_ROWS, true])
      expect([get(7).rows.length, get(7).truncated]).to.deep.equal([7, true])
      const all = get(DEFAULT_ROWS + 1)
      expect([all.rows.length, all.truncated, all.atNs, all.table]).to.deep.equal([
        DEFAULT_ROWS + 1,
        false,
        now,
        'flows',
      ])
    })

    it('looks at a bounded number of rows, however few there are to give', () => {
      const { engine, now } = withFlows(ROW_LIMIT)
      const wanted = { table: 'flows', where: { fromPort: 70_000 } }
      expect(engine.query.get(wanted, now)).to.deep.include({ rows: [], truncated: false })
      engine.control.commit(
        'other',
        [
          {
            do: 'install-flow',
            key: { from: '10.9.9.9', to: VHA, protocol: 17, fromPort: 1, toPort: 1 },
            action: { kind: 'drop' },
          },
        ],
        now,
      )
      expect(engine.query.get(wanted, now)).to.deep.include({ rows: [], truncated: true })
    })
  })

  describe('when a question is wrong', () => {
    const { engine, now } = new TestRouter()
    const wrong: readonly [
      what: string,
      query: Parameters<typeof engine.query.get>[0],
      code: string,
      place: string,
    ][] = [
      ['a table that is not there', { table: 'secrets' }, 'unknown', 'table'],
      ['a property of every object', { table: 'constructor' }, 'unknown', 'table'],
      [
        'a column that is not there, of an empty table',
        { table: 'flows', where: { colour: 1 } },
        'unknown',
        'where.colour',
      ],
      [
        'a column that every object has',
        { table: 'ports', where: { toString: 1 } },
        'unknown',
        'where.toString',
      ],
      ['no rows', { table: 'flows', limit: 0 }, 'invalid', 'limit'],
      ['too many rows', { table: 'flows', limit: ROW_LIMIT + 1 }, 'invalid', 'limit'],
      ['half a row', { table: 'flows', limit: 1.5 }, 'invalid', 'limit'],
    ]
    for (const [what, query, code, place] of wrong)
      it(`refuses ${what}`, () => {
        expect(() => engine.query.get(query, now))
          .to.throw()
          .that.includes({ code, place })
        expect(() => engine.query.watch(query, SECOND, () => {}, now))
          .to.throw()
          .that.includes({ code, place })
        expect(engine.query.pollAt).to.equal(Number.POSITIVE_INFINITY)
      })
  })

  describe('when a question is watched', () => {
    it('answers at once and then at every interval, until it is unwatched', () => {
      const router = new TestRouter()
      const answers: Answer[] = []
      const watch = router.engine.query.watch(
        { table: 'counters', where: { name: 'in' } },
        SECOND,
        (answer) => answers.push(answer),
        router.now,
      )
      expect(answers).to.have.length(1)
      const start = router.now
      router.inject('a', udp())
      router.advance(3 * SECOND)
      expect(answers.map(({ atNs }) => atNs - start)).to.deep.equal([0, SECOND, 2 * SECOND, 3 * SECOND])
      expect(answers.at(-1)?.rows[0]?.value).to.equal(2)
      router.engine.query.unwatch(watch)
      router.engine.query.unwatch(watch)
      router.advance(3 * SECOND)
      expect(answers).to.have.length(4)
    })

    it('does not make up for answers that were missed', () => {
      const router = new TestRouter()
      let count = 0
      router.engine.query.watch({ table: 'ports' }, 10 * MILLISECOND, () => count++, router.now)
      router.now += 10 * SECOND
      router.settle()
      expect(count).to.equal(2)
    })

    it('ends only the watch whose sink throws', () => {
      const router = new TestRouter()
      let failing = 0
      let other = 0
      const fail = () => {
        if (++failing > 1) throw new Error('no more')
      }
      router.engine.query.watch({ table: 'ports' }, SECOND, fail, router.now)
      router.engine.query.watch({ table: 'ports' }, SECOND, () => other++, router.now)
      router.advance(5 * SECOND)
      expect([failing, other]).to.deep.equal([2, 6])
    })

    it('watches nothing when the sink throws at once', () => {
      const router = new TestRouter()
      const sink = () => {
        throw new Error('not now')
      }
      expect(() => router.engine.query.watch({ table: 'ports' }, SECOND, sink, router.now)).to.throw(
        'not now',
      )
      expect(router.engine.query.pollAt).to.equal(Number.POSITIVE_INFINITY)
    })

    it('lets a sink end its own watch and begin others', () => {
      const router = new TestRouter()
      const { query } = router.engine
      const seen: string[] = []
      const watch = query.watch(
        { table: 'ports' },
        SECOND,
        () => {
          seen.push('one')
          if (seen.length !== 2) return
          query.unwatch(watch)
          query.watch({ table: 'routes' }, SECOND, () => seen.push('other'), router.now)
        },
        router.now,
      )
      router.advance(2 * SECOND)
      expect(seen).to.deep.equal(['one', 'one', 'other', 'other'])
    })

    it('bounds how often and how many', () => {
      const { engine, now } = new TestRouter()
      for (const interval of [LEAST_INTERVAL_NS - 1, 0, -1, Number.NaN])
        expect(() => engine.query.watch({ table: 'ports' }, interval, () => {}, now))
          .to.throw()
          .that.includes({ code: 'invalid', place: 'intervalNs' })
      for (let i = 0; i < WATCH_LIMIT; i++) engine.query.watch({ table: 'ports' }, SECOND, () => {}, now)
      expect(() => engine.query.watch({ table: 'ports' }, SECOND, () => {}, now))
        .to.throw()
        .that.includes({ code: 'limit' })
    })
  })
})
