import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { NEVER } from '../../../engine/clock.ts'
import { EngineError } from '../../../engine/errors.ts'
import { PacketSlab } from '../../../engine/packet.ts'
import { MemoryPort, memoryLink } from '../../../engine/ports/memory-link.ts'

const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1)
const frameOf = (length: number, fill = 1): Uint8Array => new Uint8Array(length).fill(fill)

function send(port: MemoryPort, slab: PacketSlab, frame: Uint8Array, now = 0): boolean {
  const packet = slab.load(frame)
  const sent = port.transmit(slab, packet, now)
  slab.release(packet)
  return sent
}

function receiveAll(port: MemoryPort, slab: PacketSlab): number[][] {
  const into = new Int32Array(512)
  return [...into.subarray(0, port.receive(slab, into, 512, 0))].map((packet) => {
    const frame = [...slab.frame(packet)]
    slab.release(packet)
    return frame
  })
}

describe('MemoryPort', () => {
  describe('when its queue is full', () => {
    it('refuses the newest frame and counts it at its sender', () => {
      const [near, far] = memoryLink({ name: 'near', mac: MAC }, { name: 'far', mac: MAC, limitFrames: 3 })
      const slab = new PacketSlab({ capacity: 8 })
      const sent = [1, 2, 3, 4, 5].map((each) => send(near, slab, frameOf(60, each)))
      expect(sent).to.deep.equal([true, true, true, false, false])
      expect(near.counters.transmitDropped).to.equal(2)
      expect(receiveAll(far, slab).map((frame) => frame[0])).to.deep.equal([1, 2, 3])
      expect(send(near, slab, frameOf(60))).to.equal(true)
    })

    it('refuses and counts what a host delivers', () => {
      const port = new MemoryPort({ name: 'port', mac: MAC, limitFrames: 1 })
      expect([port.deliver(frameOf(60)), port.deliver(frameOf(60))]).to.deep.equal([true, false])
      expect([port.waiting, port.counters.receiveDropped]).to.deep.equal([1, 1])
    })
  })

  describe('when a host stands at its other side', () => {
    it('delivers a part of a buffer and refuses what is no frame', () => {
      const port = new MemoryPort({ name: 'port', mac: MAC })
      const slab = new PacketSlab({ capacity: 4 })
      expect(
        port.deliver(
          Uint8Array.from({ length: 40 }, (_, at) => at),
          10,
          14,
        ),
      ).to.equal(true)
      expect(port.deliver(frameOf(13))).to.equal(false)
      expect(port.deliver(frameOf(1515))).to.equal(false)
      expect(receiveAll(port, slab)).to.deep.equal([Array.from({ length: 14 }, (_, at) => at + 10)])
      expect(port.counters.receiveDropped).to.equal(2)
    })

    it('shows it each transmitted frame with its time', () => {
      const port = new MemoryPort({ name: 'port', mac: MAC })
      const seen: [number, number, number][] = []
      port.onTransmit = (bytes, start, length, now) => seen.push([bytes[start]!, length, now])
      send(port, new PacketSlab({ capacity: 1 }), frameOf(64, 9), 123)
      expect(seen).to.deep.equal([[9, 64, 123]])
    })

    it('loses and counts frames while nobody is there', () => {
      const port = new MemoryPort({ name: 'port', mac: MAC })
      expect(send(port, new PacketSlab({ capacity: 1 }), frameOf(64))).to.equal(false)
      expect(port.counters.transmitDropped).to.equal(1)
    })

    it('calls once when frames begin to wait, and again after they were taken', () => {
      const port = new MemoryPort({ name: 'port', mac: MAC })
      let calls = 0
      port.onArrival = () => calls++
      port.deliver(frameOf(60))
      port.deliver(frameOf(60))
      expect(calls).to.equal(1)
      receiveAll(port, new PacketSlab({ capacity: 4 }))
      port.deliver(frameOf(60))
      expect(calls).to.equal(2)
    })
  })

  describe('when the link goes down', () => {
    it('is down at both ends, and frames that had crossed can still be received', () => {
      const [near, far] = memoryLink({ name: 'near', mac: MAC }, { name: 'far', mac: MAC })
      const slab = new PacketSlab({ capacity: 4 })
      send(near, slab, frameOf(60))
      near.setUp(false)
      expect([near.up, far.up]).to.deep.equal([false, false])
      expect(far.pollAt(5)).to.equal(5)
      expect(receiveAll(far, slab)).to.have.length(1)
      expect(far.pollAt(5)).to.equal(NEVER)
      expect(near.deliver(frameOf(60))).to.equal(false)
    })

    it('is down at one end when the other is closed', () => {
      const [near, far] = memoryLink({ name: 'near', mac: MAC }, { name: 'far', mac: MAC })
      far.close()
      expect(near.up).to.equal(false)
      expect(near.readyAt(0)).to.equal(NEVER)
    })
  })

  describe('when both ends send at random', () => {
    it('keeps order and conserves frames', () => {
      const step = fc.record({
        forth: fc.boolean(),
        take: fc.boolean(),
        length: fc.integer({ min: 14, max: 1514 }),
      })
      fc.assert(
        fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
          const ends = memoryLink(
            { name: 'a', mac: MAC, limitFrames: 7 },
            { name: 'b', mac: MAC, limitFrames: 5 },
          )
          const slab = new PacketSlab({ capacity: 16 })
          const expected: number[][] = [[], []]
          for (const { forth, take, length } of steps) {
            const to = forth ? 1 : 0
            const end = ends[to]!
            if (take)
              expect(receiveAll(end, slab).map((each) => each.length)).to.deep.equal(expected[to]!.splice(0))
            else if (send(ends[1 - to]!, slab, frameOf(length))) expected[to]!.push(length)
            expect(end.waiting).to.equal(expected[to]!.length)
          }
          const [a, b] = ends
          expect(a.counters.transmittedFrames).to.equal(b.counters.receivedFrames + b.waiting)
          expect(b.counters.transmittedFrames).to.equal(a.counters.receivedFrames + a.waiting)
        }),
        { numRuns: 100 },
      )
    })
  })

  describe('when its options are out of bounds', () => {
    it('refuses them', () => {
      expect(() => new MemoryPort({ name: 'port', mac: MAC, limitFrames: 0 })).to.throw(EngineError, 'limit')
      expect(() => new MemoryPort({ name: 'port', mac: MAC, maxFrameBytes: 70_000 })).to.throw(EngineError)
    })
  })
})
