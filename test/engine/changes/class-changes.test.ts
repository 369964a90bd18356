import { expect } from 'chai'
import { describe, it } from 'mocha'
import { MICROSECOND, MILLISECOND, SECOND } from '../../../engine/index.ts'
import { read16 } from '../../../engine/wire/index.ts'
import { seen, udp } from '../../support/packets.ts'
import { classed } from '../../support/policies.ts'
import { TestRouter, TWO_PORTS } from '../../support/test-router.ts'

/** Port `b` takes a frame every microsecond; packets to port 1 go to class `one`, those to 2 to `two`, and so on. */
function congested(weights: Readonly<Record<string, number>>, capacity = 4096): TestRouter {
  const router = new TestRouter(TWO_PORTS, { slab: { capacity } })
  router.inject('a', udp())
  router.take()
  router.commit(
    Object.entries(weights).map(
      ([name, weight]) => ({ do: 'create-class', class: { name, port: 'b', weight } }) as const,
    ),
  )
  for (const [i, name] of Object.keys(weights).entries())
    router.filter(name, classed(name), { protocol: 'udp', toPort: i + 1 })
  router.port('b').paceNs = MICROSECOND
  return router
}

const packet = (toPort: number) => udp({ toPort, data: 958 })
/** Destination ports of what left, in order. */
const ports = (router: TestRouter): number[] => router.take('b').map((each) => read16(seen(each).payload, 2))
const count = (values: readonly number[], value: number): number =>
  values.filter((each) => each === value).length
const queue = (router: TestRouter, name: string) => router.rows('queues', { port: 'b', class: name })[0]

describe('Traffic classes of a router', () => {
  describe('when a port is congested (R-PR-03, R-SLR-26)', () => {
    it('get their shares, and the default class what is left to it', () => {
      const router = congested({ x: 20, y: 30, z: 50 })
      for (let i = 0; i < 200; i++) router.inject('a', packet(1), packet(2), packet(3))
      router.take()
      router.advance(100 * MICROSECOND)
      const left = ports(router)
      expect(left).to.have.length(100)
      expect([1, 2, 3].map((each) => count(left, each))).to.deep.equal([20, 30, 50])
      router.inject('a', ...Array.from({ length: 100 }, () => packet(9)))
      router.take()
      router.advance(101 * MICROSECOND)
      expect(count(ports(router), 9), 'weight 1 of 101').to.be.within(1, 2)
    })

    it('share what one of them does not use', () => {
      const router = congested({ x: 20, y: 30, z: 50 })
      for (let i = 0; i < 100; i++) router.inject('a', packet(1), packet(2))
      router.take()
      router.advance(50 * MICROSECOND)
      const left = ports(router)
      expect([count(left, 1), count(left, 2)]).to.deep.equal([20, 30])
    })

    it('are known on every port under one name', () => {
      const router = new TestRouter()
      router.commit([{ do: 'create-class', class: { name: 'gold', weight: 2 } }])
      router.filter('all', classed('gold'))
      router.inject('a', udp())
      router.inject('b', udp({ from: '10.0.2.2', to: '10.0.1.2' }))
      expect(
        router.rows('queues', { class: 'gold' }).map(({ port, packetsOut }) => [port, packetsOut]),
      ).to.deep.equal([
        ['a', 1],
        ['b', 1],
      ])
    })

    it('need not exist: packets go to the default class until they do', () => {
      const router = new TestRouter()
      router.filter('all', classed('later'))
      router.inject('a', udp())
      expect(queue(router, 'default')).to.include({ packetsOut: 1 })
      router.commit([{ do: 'create-class', class: { name: 'later', port: 'b', weight: 1 } }])
      router.inject('a', udp())
      expect(queue(router, 'later')).to.include({ packetsOut: 1 })
    })
  })

  describe('when they change under load', () => {
    it('lose nothing when a weight is set, and share anew at once', () => {
      const router = congested({ x: 1, y: 1 })
      for (let i = 0; i < 300; i++) router.inject('a', packet(1), packet(2))
      const before = ports(router).length
      router.commit([{ do: 'set-class', name: 'x', port: 'b', weight: 3 }])
      router.advance(100 * MICROSECOND)
      expect(count(ports(router), 1)).to.be.within(74, 76)
      router.advance(SECOND)
      expect(ports(router)).to.have.length(600 - 100 - before)
      expect(router.dropped).to.deep.equal({})
    })

    it('lose nothing when one is removed: what waits leaves in its turn, the rest goes to the default class', () => {
      const router = congested({ x: 1, y: 1 })
      router.inject('a', ...Array.from({ length: 20 }, () => packet(1)))
      router.commit([{ do: 'remove-class', name: 'x', port: 'b' }])
      expect(router.rows('classes', { name: 'x' })[0]).to.include({ draining: true })
      router.inject('a', ...Array.from({ length: 5 }, () => packet(1)))
      router.advance(SECOND)
      expect(ports(router)).to.have.length(25)
      expect([
        router.rows('classes', { name: 'x' }).length,
        queue(router, 'default')?.['packetsOut'],
      ]).to.deep.equal([0, 6])
      expect(router.dropped).to.deep.equal({})
    })

    it('lose nothing when one becomes the parent of others', () => {
      const router = congested({ x: 1 })
      router.inject('a', ...Array.from({ length: 20 }, () => packet(1)))
      router.commit([{ do: 'create-class', class: { name: 'child', port: 'b', parent: 'x', weight: 9 } }])
      router.inject('a', ...Array.from({ length: 5 }, () => packet(1)))
      router.advance(SECOND)
      expect(ports(router)).to.have.length(25)
      expect(queue(router, 'x')).to.include({ packetsOut: 25 })
    })
  })

  describe('when a class has limits', () => {
    it('drops what is too much as queue-packet-limit and queue-byte-limit, counted for the class', () => {
      const router = congested({ x: 1, y: 1 })
      router.commit([
        { do: 'set-class', name: 'x', port: 'b', limitPackets: 5 },
        { do: 'set-class', name: 'y', port: 'b', limitBytes: 4000 },
      ])
      router.burst('a', [9, ...Array(10).fill(1), ...Array(10).fill(2)].map(packet))
      expect(router.dropped).to.deep.equal({ 'queue-packet-limit': 5, 'queue-byte-limit': 6 })
      expect(queue(router, 'x')).to.include({ 'dropped.queue-packet-limit': 5, packetsIn: 10 })
      expect(queue(router, 'y')).to.include({ 'dropped.queue-byte-limit': 6, packetsIn: 10 })
    })

    it('drops what has waited too long as queue-codel', () => {
      const router = congested({})
      router.commit([{ do: 'create-class', class: { name: 'c', port: 'b', weight: 1, dropPolicy: 'codel' } }])
      router.filter('c', classed('c'), { protocol: 'udp', toPort: 1 })
      router.port('b').paceNs = MILLISECOND
      for (let i = 0; i < 500; i++) router.inject('a', packet(1))
      router.advance(SECOND)
      expect(router.dropped['queue-codel']).to.be.above(0)
      expect(queue(router, 'c')?.['dropped.queue-codel']).to.equal(router.dropped['queue-codel'])
    })
  })

  describe('when a class has a ceiling', () => {
    it('is woken when it may send again, and never sends more', () => {
      const router = new TestRouter()
      router.inject('a', udp())
      router.take()
      router.commit([
        {
          do: 'create-class',
          class: { name: 'slow', port: 'b', weight: 1, ceiling: { rateBps: 8_000_000, burstBytes: 4000 } },
        },
      ])
      router.filter('slow', classed('slow'))
      router.inject('a', ...Array.from({ length: 100 }, () => packet(1)))
      const atOnce = ports(router).length
      expect(atOnce).to.be.within(4, 5)
      expect(router.engine.pollAt(router.now)).to.be.within(router.now + 1, router.now + MILLISECOND)
      router.advance(50 * MILLISECOND)
      // A megabyte a second is fifty frames of 1000 bytes in fifty milliseconds.
      expect(ports(router).length).to.be.within(49, 51)
      router.commit([{ do: 'set-class', name: 'slow', port: 'b', ceiling: null }])
      router.settle()
      expect(ports(router).length).to.be.within(44, 47)
      expect(router.engine.pollAt(router.now)).to.be.above(router.now + MILLISECOND)
    })
  })

  describe('when the router itself speaks', () => {
    it('asks before the classes have their turn: ARP is what lets them move', () => {
      const router = congested({ x: 1 })
      router.inject('a', ...Array.from({ length: 20 }, () => packet(1)))
      router.answersArp = false
      router.asked.length = 0
      router.inject('a', udp({ to: '10.0.2.99' }))
      router.advance(MICROSECOND)
      expect(router.asked).to.deep.equal(['b 10.0.2.99'])
      expect(router.engine.balance().queued).to.be.above(15)
    })
  })
})
