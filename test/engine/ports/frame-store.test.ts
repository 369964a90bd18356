import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { NEVER } from '../../../engine/clock.ts'
import { EngineError } from '../../../engine/errors.ts'
import { NONE } from '../../../engine/packet.ts'
import { DelayLine } from '../../../engine/ports/delay-line.ts'
import { FrameQueue } from '../../../engine/ports/frame-queue.ts'
import { FrameStore } from '../../../engine/ports/frame-store.ts'

function read(store: FrameStore, slot: number): number[] {
  const bytes = new Uint8Array(store.lengths[slot]!)
  store.copyTo(slot, bytes, 0)
  return [...bytes]
}

describe('FrameStore', () => {
  describe('when it is new', () => {
    it('holds no memory, and grows up to its limit and no further', () => {
      const store = new FrameStore(1514, 10)
      expect(store.capacity).to.equal(0)
      for (let each = 0; each < 10; each++) expect(store.put(Uint8Array.of(each), 0, 1)).to.not.equal(NONE)
      expect([store.capacity, store.size]).to.deep.equal([10, 10])
      expect(store.put(Uint8Array.of(1), 0, 1)).to.equal(NONE)
    })
  })

  describe('when frames come and go', () => {
    it('keeps each frame intact until it is released, and reuses slots', () => {
      const frame = fc.uint8Array({ minLength: 0, maxLength: 64 })
      const step = fc.oneof(fc.record({ put: frame }), fc.record({ release: fc.nat(100) }))
      fc.assert(
        fc.property(fc.array(step, { maxLength: 100 }), fc.integer({ min: 1, max: 20 }), (steps, limit) => {
          const store = new FrameStore(64, limit)
          const held = new Map<number, number[]>()
          for (const each of steps) {
            if ('put' in each) {
              const slot = store.put(each.put, 0, each.put.length)
              expect(slot === NONE).to.equal(held.size === limit)
              if (slot === NONE) continue
              expect(held.has(slot)).to.equal(false)
              held.set(slot, [...each.put])
            } else if (held.size > 0) {
              const slot = [...held.keys()][each.release % held.size]!
              store.release(slot)
              held.delete(slot)
            }
            for (const [slot, bytes] of held) expect(read(store, slot)).to.deep.equal(bytes)
            expect(store.size).to.equal(held.size)
          }
        }),
        { numRuns: 100 },
      )
    })

    it('refuses a frame longer than a slot', () => {
      expect(new FrameStore(64, 4).put(new Uint8Array(65), 0, 65)).to.equal(NONE)
    })
  })

  describe('when its bounds are wrong', () => {
    for (const [bytes, limit] of [
      [13, 4],
      [65535, 4],
      [1514, 0],
      [1514, 2 ** 20 + 1],
    ] as const)
      it(`refuses ${limit} frames of ${bytes}`, () => {
        expect(() => new FrameStore(bytes, limit)).to.throw(EngineError)
      })
  })
})

describe('FrameQueue', () => {
  describe('when frames are pushed and shifted', () => {
    it('gives them back first in, first out', () => {
      const steps = fc.array(fc.option(fc.uint8Array({ minLength: 1, maxLength: 30 })), { maxLength: 100 })
      fc.assert(
        fc.property(steps, (list) => {
          const queue = new FrameQueue(30, 8)
          const model: number[][] = []
          for (const frame of list) {
            if (frame !== null) {
              expect(queue.push(frame, 0, frame.length)).to.equal(model.length < 8)
              if (model.length < 8) model.push([...frame])
            } else if (model.length > 0) {
              expect(read(queue.store, queue.head)).to.deep.equal(model.shift())
              queue.shift()
            } else expect(queue.head).to.equal(NONE)
            expect(queue.size).to.equal(model.length)
          }
        }),
        { numRuns: 100 },
      )
    })
  })
})

describe('DelayLine', () => {
  describe('when frames are due at different times', () => {
    it('releases them by time, and by arrival where times are equal', () => {
      const step = fc.option(fc.nat(20), { freq: 3 })
      fc.assert(
        fc.property(fc.array(step, { maxLength: 200 }), (list) => {
          const line = new DelayLine(16, 16)
          const model: { due: number; id: number }[] = []
          let id = 0
          for (const due of list) {
            if (due !== null) {
              const slot = line.push(Uint8Array.of(id), 0, 1, due)
              expect(slot === NONE).to.equal(model.length === 16)
              if (slot !== NONE) model.push({ due, id })
              id = (id + 1) & 0xff
              model.sort((one, other) => one.due - other.due)
            } else if (model.length > 0) {
              const next = model.shift()!
              expect([line.dueAt, read(line.store, line.first)]).to.deep.equal([next.due, [next.id]])
              line.shift()
            }
            expect(line.dueAt).to.equal(model[0]?.due ?? NEVER)
            expect(line.size).to.equal(model.length)
          }
        }),
        { numRuns: 200 },
      )
    })

    it('inverts the bit it is told to, and no other', () => {
      const line = new DelayLine(16, 4)
      const slot = line.push(Uint8Array.of(0, 0xff), 0, 2, 5)
      line.store.flipBit(slot, 0)
      line.store.flipBit(slot, 15)
      expect(read(line.store, slot)).to.deep.equal([0x80, 0xfe])
    })
  })
})
