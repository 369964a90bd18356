import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { EngineError } from '../../../engine/errors.ts'
import {
  ADDRESS_OWNER,
  ROUTE_BLACKHOLE,
  ROUTE_BROADCAST,
  ROUTE_CONNECTED,
  ROUTE_LOCAL,
  ROUTE_VIA,
  RouteTable,
} from '../../../engine/routing/route-table.ts'
import { compileTarget } from '../../../engine/routing/route-target.ts'
import { echo, ip, seen, udp } from '../../support/packets.ts'
import { TestRouter } from '../../support/test-router.ts'

const PREFIX = '203.0.113.0/24'
const WITHIN = ip('203.0.113.9')

function gatewayOf(table: RouteTable, address: number): number {
  const route = table.lookup(address)
  return route < 0 ? -1 : table.gateway[route]!
}

describe('RouteTable', () => {
  describe('when several owners hold a route for a prefix (R-PR-04)', () => {
    it('takes the cheapest, then the oldest', () => {
      const table = new RouteTable()
      table.add(PREFIX, ROUTE_VIA, 0, 1, 5, 1)
      table.add(PREFIX, ROUTE_VIA, 0, 2, 5, 2)
      expect(gatewayOf(table, WITHIN)).to.equal(1)
      table.add(PREFIX, ROUTE_VIA, 0, 3, 4, 3)
      expect(gatewayOf(table, WITHIN)).to.equal(3)
      table.remove(PREFIX, 3)
      expect(gatewayOf(table, WITHIN)).to.equal(1)
      table.remove(PREFIX, 1)
      expect(gatewayOf(table, WITHIN)).to.equal(2)
      table.remove(PREFIX, 2)
      expect(gatewayOf(table, WITHIN)).to.equal(-1)
    })

    it('prefers what the router knows of itself to any of them, even at no cost', () => {
      const table = new RouteTable()
      table.add(PREFIX, ROUTE_VIA, 0, 1, 0, 1)
      table.add(PREFIX, ROUTE_CONNECTED, 1, 0, 0, ADDRESS_OWNER)
      expect(table.kind[table.lookup(WITHIN)]).to.equal(ROUTE_CONNECTED)
    })

    it('puts one back with its age', () => {
      const table = new RouteTable()
      table.add(PREFIX, ROUTE_VIA, 0, 1, 5, 1)
      table.add(PREFIX, ROUTE_VIA, 0, 2, 5, 2)
      const rows = table.rows()
      table.restore(table.remove(PREFIX, 1))
      expect(table.rows()).to.deep.equal(rows)
      expect(gatewayOf(table, WITHIN)).to.equal(1)
    })

    it('lets another owner have them, but for prefixes where it has its own', () => {
      const table = new RouteTable()
      table.add(PREFIX, ROUTE_VIA, 0, 1, 5, 1)
      table.add('10.0.0.0/8', ROUTE_VIA, 0, 1, 5, 1)
      table.add('10.0.0.0/8', ROUTE_VIA, 0, 2, 9, 2)
      table.setOwner(1, 1)
      expect(table.rows()).to.have.length(3)
      table.setOwner(1, 2)
      expect(table.rows().map(({ prefix, owner, via }) => [prefix, owner, via])).to.deep.equal([
        [PREFIX, 2, '0.0.0.1'],
        ['10.0.0.0/8', 2, '0.0.0.2'],
      ])
      table.removeOwner(2)
      expect(table.rows()).to.have.length(0)
    })
  })

  describe('when it changes', () => {
    it('raises its generation, and only then', () => {
      const table = new RouteTable()
      const { generation } = table
      table.add(PREFIX, ROUTE_BLACKHOLE, -1, 0, 1, 1)
      expect(table.generation).to.equal(generation + 1)
      expect(() => table.add(PREFIX, ROUTE_LOCAL, -1, 0, 1, 1)).to.throw(EngineError, 'exists already')
      expect(() => table.remove('10.0.0.0/8', 1)).to.throw(EngineError, 'no route')
      table.lookup(WITHIN)
      expect(table.generation).to.equal(generation + 1)
      table.remove(PREFIX, 1)
      expect(table.generation).to.equal(generation + 2)
    })

    it('holds many routes, and nothing of one for which there is no room', () => {
      const table = new RouteTable()
      for (let i = 0; i < 300; i++) table.add(`10.${i >> 8}.${i & 255}.0/24`, ROUTE_VIA, 1, i, 1, 1)
      expect(gatewayOf(table, ip('10.1.43.9'))).to.equal(299)
      const rows = table.rows()
      table.table.insert = () => {
        throw new EngineError('limit', 'no room')
      }
      expect(() => table.add(PREFIX, ROUTE_LOCAL, -1, 0, 1, 1, 'here')).to.throw('here: no room')
      expect(table.rows()).to.deep.equal(rows)
    })

    it('ignores host bits and refuses what is no prefix', () => {
      const table = new RouteTable()
      table.add('203.0.113.77/24', ROUTE_LOCAL, -1, 0, 1, 1)
      expect(table.rows()[0]?.prefix).to.equal(PREFIX)
      for (const text of ['', '1.2.3.4/33', '1.2.3/8', 'x'])
        expect(() => table.add(text, ROUTE_LOCAL, -1, 0, 1, 1))
          .to.throw(EngineError)
          .with.property('code', 'invalid')
    })

    it('agrees with a plain list of routes, whatever happens to it', () => {
      const prefix = fc
        .tuple(fc.constantFrom(0, 8, 15, 16, 17, 24, 31, 32), fc.nat({ max: 3 }), fc.nat({ max: 3 }))
        .map(([length, a, b]) => `10.${a}.${b}.0/${length}`)
      const step = fc.record({
        prefix,
        owner: fc.nat({ max: 2 }),
        cost: fc.nat({ max: 2 }),
        adds: fc.boolean(),
      })
      fc.assert(
        fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
          const table = new RouteTable()
          const model: { address: number; length: number; owner: number; cost: number; gateway: number }[] =
            []
          for (const [i, { prefix: text, owner, cost, adds }] of steps.entries()) {
            const [dotted, digits] = text.split('/') as [string, string]
            const length = Number(digits)
            const mask = length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0
            const address = (ip(dotted) & mask) >>> 0
            const same = model.findIndex(
              (each) => each.address === address && each.length === length && each.owner === owner,
            )
            if (adds && same < 0) {
              table.add(text, ROUTE_VIA, 0, i + 1, cost, owner)
              model.push({ address, length, owner, cost, gateway: i + 1 })
            } else if (!adds && same >= 0) {
              table.remove(text, owner)
              model.splice(same, 1)
            }
            for (const probe of ['10.0.0.0', '10.1.2.0', '10.3.3.1', '11.0.0.1'].map(ip)) {
              const covering = model.filter(
                (each) =>
                  each.length === 0 ||
                  (probe & ((0xffffffff << (32 - each.length)) >>> 0)) >>> 0 === each.address,
              )
              const longest = Math.max(...covering.map((each) => each.length))
              const [best] = covering
                .filter((each) => each.length === longest)
                .sort((a, b) => a.cost - b.cost || a.gateway - b.gateway)
              expect(gatewayOf(table, probe)).to.equal(best?.gateway ?? -1)
            }
          }
        }),
        { numRuns: 100 },
      )
    })
  })

  describe('when a target is compiled', () => {
    it('finds the port of a next hop, unless it is named', () => {
      const table = new RouteTable()
      table.add('10.0.1.0/24', ROUTE_CONNECTED, 3, 0, 0, ADDRESS_OWNER)
      const port = (name: string) => (name === 'b' ? 7 : undefined)
      const compile = (target: Parameters<typeof compileTarget>[0]) =>
        compileTarget(target, table, port, 'at')
      expect(compile({ kind: 'via', via: '10.0.1.9' })).to.include({ kind: ROUTE_VIA, port: 3 })
      expect(compile({ kind: 'via', via: '192.0.2.1', port: 'b' })).to.include({ kind: ROUTE_VIA, port: 7 })
      expect(compile({ kind: 'connected', port: 'b' })).to.include({ kind: ROUTE_CONNECTED, port: 7 })
      expect(() => compile({ kind: 'via', via: '192.0.2.1' })).to.throw('at.via: next hop 192.0.2.1 is on no')
      expect(() => compile({ kind: 'connected', port: 'z' })).to.throw('at.port: no port z')
    })
  })
})

describe("The router's addresses", () => {
  it('bring themselves, their network and its two broadcast addresses (RFC 1812 5.2.3)', () => {
    const router = new TestRouter([{ name: 'a', address: '10.0.1.1/30 192.0.2.8/31 203.0.113.5/32' }])
    expect(router.rows('routes').map(({ prefix, kind }) => [prefix, kind])).to.deep.equal([
      ['10.0.1.1/32', 'local'],
      ['10.0.1.0/30', 'connected'],
      ['10.0.1.0/32', 'broadcast'],
      ['10.0.1.3/32', 'broadcast'],
      ['192.0.2.8/32', 'local'],
      ['192.0.2.8/31', 'connected'],
      ['203.0.113.5/32', 'local'],
    ])
    const { routes } = router.stages
    const kinds = ['10.0.1.1', '10.0.1.2', '10.0.1.3', '192.0.2.9'].map(
      (text) => routes.kind[routes.lookup(ip(text))],
    )
    expect(kinds).to.deep.equal([ROUTE_LOCAL, ROUTE_CONNECTED, ROUTE_BROADCAST, ROUTE_CONNECTED])
  })

  it('are what the router answers for, until they are taken away with all that they brought', () => {
    const router = new TestRouter()
    router.commit([{ do: 'add-address', port: 'b', address: '10.0.9.1/24' }])
    router.inject('a', echo({ to: '10.0.9.1' }), udp({ to: '10.0.9.7' }))
    expect(router.take('a').map((packet) => seen(packet).from)).to.deep.equal(['10.0.9.1'])
    router.commit([{ do: 'remove-address', port: 'b', address: '10.0.9.1/24' }])
    router.inject('a', echo({ to: '10.0.9.1' }), udp({ to: '10.0.9.7' }))
    expect(router.dropped).to.deep.equal({ 'no-route': 2 })
    expect(router.rows('routes').filter(({ prefix }) => String(prefix).startsWith('10.0.9'))).to.have.length(
      0,
    )
  })

  it('yield the one on the network of whom the router speaks to', () => {
    const router = new TestRouter([
      { name: 'a', address: '10.0.1.1/24 10.0.5.1/24' },
      { name: 'b', address: '10.0.2.1/24' },
    ])
    router.inject('a', udp({ from: '10.0.5.9', ttl: 1 }), udp({ from: '10.0.1.9', ttl: 1 }))
    expect(router.take('a').map((packet) => seen(packet).from)).to.deep.equal(['10.0.5.1', '10.0.1.1'])
  })
})
