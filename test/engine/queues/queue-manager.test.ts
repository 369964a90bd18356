import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { dropCode } from '../../../engine/drop-reason.ts'
import { EngineError } from '../../../engine/errors.ts'
import { LENGTH, META_SHIFT, NONE, PacketSlab } from '../../../engine/packet.ts'
import { QueueManager } from '../../../engine/queues/queue-manager.ts'

const BY_PACKETS = dropCode('queue-packet-limit')
const BY_BYTES = dropCode('queue-byte-limit')
const PORT_DOWN = dropCode('port-down')

function setUp(limitPackets = 64) {
  const slab = new PacketSlab({ capacity: 64, stride: 256 })
  const dropped: [number, number, number][] = []
  const queues = new QueueManager({
    slab,
    limitPackets,
    onDrop: (packet, code, now) => dropped.push([packet, code, now]),
  })
  const packet = (bytes: number): number => {
    const taken = slab.allocate()
    slab.meta[(taken << META_SHIFT) + LENGTH] = bytes
    return taken
  }
  return { slab, queues, dropped, packet }
}

describe('QueueManager (R-PR-03)', () => {
  describe('when packets go through a queue', () => {
    it('gives them in the order they came, each queue by itself', () => {
      const { queues, packet } = setUp()
      queues.open(0, {})
      queues.open(200, {})
      const [a, b, c] = [packet(100), packet(200), packet(300)]
      expect(queues.enqueue(0, a, 0)).to.equal(0)
      expect(queues.enqueue(200, b, 0)).to.equal(0)
      expect(queues.enqueue(0, c, 0)).to.equal(0)
      expect([queues.packets, queues.lengthOf(0), queues.lengthOf(200)]).to.deep.equal([3, 2, 1])
      expect([queues.dequeue(0, 0), queues.dequeue(0, 0), queues.dequeue(0, 0)]).to.deep.equal([a, c, NONE])
      expect(queues.dequeue(200, 0)).to.equal(b)
      expect(queues.packets).to.equal(0)
    })

    it('counts packets, bytes and how long they waited', () => {
      const { queues, packet } = setUp()
      queues.open(1, {})
      const waits = [0, 65_535, 65_536, 131_071, 131_072, 5_000_000, 2 ** 30 - 1, 2 ** 30, 2 ** 41, 2 ** 50]
      for (const wait of waits) {
        queues.enqueue(1, packet(100), 1000)
        queues.dequeue(1, 1000 + wait)
      }
      queues.enqueue(1, packet(50), 0)
      const report = queues.report(1)
      expect(report).to.include({ packets: 1, bytes: 50, packetsIn: 11, bytesIn: 1050 })
      expect(report).to.include({ packetsOut: 10, bytesOut: 1000, dropPolicy: 'tail' })
      // 5 ms is in [2^22, 2^23) ns: bucket 22 - 15.
      expect(report.delays).to.deep.equal([2, 2, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 3])
    })
  })

  describe('when a queue is full', () => {
    it('refuses by packets and by bytes; the packet stays the caller’s and is counted', () => {
      const { queues, packet, dropped } = setUp()
      queues.open(5, { limitPackets: 2, limitBytes: 1000 })
      queues.enqueue(5, packet(600), 0)
      expect(queues.enqueue(5, packet(500), 0)).to.equal(BY_BYTES)
      expect(queues.enqueue(5, packet(400), 0)).to.equal(0)
      expect(queues.enqueue(5, packet(1), 0)).to.equal(BY_PACKETS)
      expect(dropped).to.deep.equal([])
      const report = queues.report(5)
      expect(report.dropped).to.include({ 'queue-packet-limit': 1, 'queue-byte-limit': 1, 'queue-codel': 0 })
      expect(report).to.include({ packetsIn: 4, packets: 2, bytes: 1000 })
    })

    it('refuses what the port as a whole cannot hold', () => {
      const { queues, packet } = setUp(3)
      queues.open(0, {})
      queues.open(1, {})
      for (const queue of [0, 1, 0]) expect(queues.enqueue(queue, packet(100), 0)).to.equal(0)
      expect(queues.enqueue(1, packet(100), 0)).to.equal(BY_PACKETS)
      queues.dequeue(0, 0)
      expect(queues.enqueue(1, packet(100), 0)).to.equal(0)
    })

    it('keeps a quarter of the slab for arrivals unless it is told otherwise', () => {
      const slab = new PacketSlab({ capacity: 64, stride: 256 })
      expect(new QueueManager({ slab, onDrop: () => {} }).limitPackets).to.equal(48)
    })
  })

  describe('when its settings change', () => {
    it('keeps packets beyond a lower limit and refuses new ones', () => {
      const { queues, packet } = setUp()
      queues.open(0, {})
      for (let i = 0; i < 5; i++) queues.enqueue(0, packet(100), 0)
      queues.set(0, { limitPackets: 3, limitBytes: 400, dropPolicy: 'codel' })
      expect(queues.lengthOf(0)).to.equal(5)
      expect(queues.enqueue(0, packet(100), 0)).to.equal(BY_PACKETS)
      expect(queues.report(0)).to.include({ limitPackets: 3, limitBytes: 400, dropPolicy: 'codel' })
      queues.set(0, { dropPolicy: 'tail' })
      expect(queues.report(0)).to.include({ limitPackets: 3, dropPolicy: 'tail' })
    })

    it('refuses settings out of bounds', () => {
      const { queues } = setUp()
      for (const limitPackets of [0, -1, 1.5, Number.NaN, 2 ** 21])
        expect(() => queues.open(0, { limitPackets }))
          .to.throw(EngineError)
          .with.property('code', 'invalid')
      for (const limitBytes of [0, 2 ** 31, Number.NaN])
        expect(() => queues.open(0, { limitBytes }))
          .to.throw(EngineError)
          .with.property('place', 'limitBytes')
      const policy = 'red' as 'tail'
      expect(() => queues.open(0, { dropPolicy: policy }))
        .to.throw(EngineError)
        .with.property('code', 'invalid')
    })
  })

  describe('when a queue is moved, refused or purged', () => {
    it('moves packets and counters to another number', () => {
      const { queues, packet } = setUp()
      queues.open(0, { limitPackets: 7 })
      const [a, b] = [packet(10), packet(20)]
      queues.enqueue(0, a, 0)
      queues.enqueue(0, b, 0)
      queues.move(0, 99)
      expect(queues.report(99)).to.include({ packets: 2, bytes: 30, packetsIn: 2, limitPackets: 7 })
      expect([queues.accepts(0), queues.accepts(99)]).to.deep.equal([false, true])
      expect([queues.dequeue(99, 0), queues.dequeue(99, 0), queues.dequeue(99, 0)]).to.deep.equal([
        a,
        b,
        NONE,
      ])
    })

    it('says that it takes no more, also for numbers that are no queue', () => {
      const { queues } = setUp()
      queues.open(0, {})
      expect(queues.accepts(0)).to.equal(true)
      queues.refuse(0)
      expect([queues.accepts(0), queues.accepts(-1), queues.accepts(12), queues.accepts(1e6)]).to.deep.equal([
        false,
        false,
        false,
        false,
      ])
    })

    it('gives purged packets to the sink under the reason it is told', () => {
      const { queues, packet, dropped } = setUp()
      queues.open(0, {})
      const [a, b] = [packet(10), packet(20)]
      queues.enqueue(0, a, 0)
      queues.enqueue(0, b, 0)
      queues.purge(0, PORT_DOWN, 77)
      expect(dropped).to.deep.equal([
        [a, PORT_DOWN, 77],
        [b, PORT_DOWN, 77],
      ])
      expect(queues.packets).to.equal(0)
      expect(queues.report(0).dropped.purged).to.equal(2)
    })
  })

  describe('when anything happens', () => {
    it('has every packet out, dropped, refused or still queued', () => {
      const step = fc.record({
        queue: fc.nat(2),
        bytes: fc.integer({ min: 1, max: 900 }),
        what: fc.constantFrom('in', 'in', 'in', 'out', 'purge', 'wait'),
      })
      fc.assert(
        fc.property(fc.array(step, { maxLength: 300, size: 'max' }), (steps) => {
          const slab = new PacketSlab({ capacity: 64, stride: 256 })
          const released = (packet: number) => slab.release(packet)
          const queues = new QueueManager({ slab, onDrop: released, codel: { targetNs: 5, intervalNs: 100 } })
          for (let queue = 0; queue < 3; queue++)
            queues.open(queue, {
              limitPackets: 20,
              limitBytes: 9000,
              dropPolicy: queue === 1 ? 'codel' : 'tail',
            })
          let now = 0
          for (const { queue, bytes, what } of steps) {
            if (what === 'wait') now += bytes
            else if (what === 'purge') queues.purge(queue, PORT_DOWN, now)
            else if (what === 'out') {
              const packet = queues.dequeue(queue, now)
              if (packet !== NONE) slab.release(packet)
            } else {
              const packet = slab.allocate()
              slab.meta[(packet << META_SHIFT) + LENGTH] = bytes
              if (queues.enqueue(queue, packet, now) !== 0) slab.release(packet)
            }
            let queued = 0
            for (let each = 0; each < 3; each++) {
              const report = queues.report(each)
              const dropped = Object.values(report.dropped).reduce((sum, count) => sum + count, 0)
              expect(report.packetsIn).to.equal(report.packetsOut + dropped + report.packets)
              expect(report.bytes === 0).to.equal(report.packets === 0)
              expect(report.delays.reduce((sum, count) => sum + count, 0)).to.equal(report.packetsOut)
              queued += report.packets
            }
            expect(queues.packets).to.equal(queued)
            expect(slab.available).to.equal(64 - queued)
          }
        }),
        { numRuns: 60 },
      )
    })
  })
})
