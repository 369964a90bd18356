import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { MILLISECOND } from '../../../engine/clock.ts'
import { dropCode } from '../../../engine/drop-reason.ts'
import { LENGTH, META_SHIFT, NONE, PacketSlab } from '../../../engine/packet.ts'
import { QueueManager } from '../../../engine/queues/queue-manager.ts'
import { CodelModel } from './models/codel-model.ts'

const QUEUE = 3

/** A queue under CoDel and a log of what it dropped, with the time. */
function codelQueue(capacity: number) {
  const slab = new PacketSlab({ capacity, stride: 256 })
  const drops: { packet: number; at: number }[] = []
  const queues = new QueueManager({
    slab,
    limitPackets: capacity,
    onDrop: (packet, code, now) => {
      expect(code).to.equal(dropCode('queue-codel'))
      drops.push({ packet, at: now / MILLISECOND })
    },
  })
  queues.open(QUEUE, { dropPolicy: 'codel', limitPackets: capacity, limitBytes: 1 << 30 })
  const add = (bytes: number, nowMs: number): number => {
    const packet = slab.allocate()
    slab.meta[(packet << META_SHIFT) + LENGTH] = bytes
    expect(queues.enqueue(QUEUE, packet, nowMs * MILLISECOND)).to.equal(0)
    return packet
  }
  return { slab, queues, drops, add }
}

describe('Codel (RFC 8289)', () => {
  describe('when a queue stands for longer than an interval', () => {
    it('drops at the times of the control law, ever faster', () => {
      const { queues, drops, add } = codelQueue(1000)
      for (let i = 0; i < 1000; i++) add(1000, 0)
      for (let ms = 10; ms < 600; ms++) queues.dequeue(QUEUE, ms * MILLISECOND)
      // Above the target from 10 ms on; each next drop comes 100 / sqrt(count) ms after the last one was due.
      const expected: number[] = [110]
      for (let due = 210, count = 1; due < 599; count++, due += 100 / Math.sqrt(count))
        expected.push(Math.ceil(due))
      expect(drops.map(({ at }) => at)).to.deep.equal(expected)
      expect(expected.slice(0, 5)).to.deep.equal([110, 210, 281, 339, 389])
    })
  })

  describe('when the delay comes below the target once in an interval', () => {
    it('drops nothing', () => {
      const { queues, drops, add } = codelQueue(1000)
      for (let ms = 0; ms < 1000; ms++) {
        // Packets wait 20 ms, but every 80 ms one is sent the moment it comes.
        if (ms % 80 === 0) while (queues.dequeue(QUEUE, ms * MILLISECOND) !== NONE);
        add(1000, ms)
        if (ms % 80 >= 20) queues.dequeue(QUEUE, ms * MILLISECOND)
      }
      expect(drops).to.deep.equal([])
    })
  })

  describe('when no more than a packet would be left', () => {
    it('sends it, however long it waited: a queue that has a packet always gives one', () => {
      const { queues, drops, add } = codelQueue(1000)
      for (let i = 0; i < 40; i++) add(700, 0)
      let sent = 0
      for (let second = 1; queues.lengthOf(QUEUE) > 0; second++) {
        expect(queues.dequeue(QUEUE, second * 1000 * MILLISECOND)).to.not.equal(NONE)
        sent++
      }
      expect(sent + drops.length).to.equal(40)
      expect(drops.length).to.be.above(5)
    })
  })

  describe('when traffic is anything', () => {
    it('does what the pseudocode of the RFC does', () => {
      const step = fc.record({
        waitMs: fc.oneof(fc.constant(0), fc.nat(3), fc.nat(40)),
        packets: fc.oneof(fc.constant(0), fc.nat(3), fc.nat(20)),
        bytes: fc.integer({ min: 60, max: 1514 }),
        sends: fc.nat(3),
      })
      let drops = 0
      fc.assert(
        fc.property(fc.array(step, { minLength: 50, maxLength: 300, size: 'max' }), (steps) => {
          const engine = codelQueue(8192)
          const model = new CodelModel()
          let nowMs = 0
          for (const { waitMs, packets, bytes, sends } of steps) {
            nowMs += waitMs
            for (let i = 0; i < packets; i++)
              model.queue.push({ id: engine.add(bytes, nowMs), bytes, enqueuedMs: nowMs })
            for (let i = 0; i < sends; i++)
              expect(engine.queues.dequeue(QUEUE, nowMs * MILLISECOND)).to.equal(model.dequeue(nowMs))
          }
          expect(engine.drops.map(({ packet }) => packet)).to.deep.equal(model.dropped)
          expect(engine.queues.lengthOf(QUEUE)).to.equal(model.queue.length)
          drops += model.dropped.length
        }),
        { numRuns: 60 },
      )
      expect(drops).to.be.above(50)
    })
  })
})
