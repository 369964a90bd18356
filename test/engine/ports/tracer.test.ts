import { expect } from 'chai'
import { describe, it } from 'mocha'
import { PacketSlab } from '../../../engine/packet.ts'
import { MemoryPort } from '../../../engine/ports/memory-link.ts'
import { Tracer } from '../../../engine/ports/tracer.ts'

describe('Tracer', () => {
  describe('when frames pass, fail or are dropped above it', () => {
    it('shows each with its direction, time, bytes and comment', () => {
      const port = new MemoryPort({ name: 'port', mac: Uint8Array.of(2, 0, 0, 0, 0, 1) })
      port.onTransmit = () => {}
      const shown: unknown[] = []
      const tracer = new Tracer(port, (direction, bytes, start, length, now, comment) =>
        shown.push([direction, bytes[start], length, now, comment]),
      )
      const slab = new PacketSlab({ capacity: 4 })
      port.deliver(new Uint8Array(60).fill(7))
      const into = new Int32Array(4)
      expect(tracer.receive(slab, into, 4, 11)).to.equal(1)
      tracer.drop(slab, into[0]!, 'receive', 'policy', 12)
      tracer.transmit(slab, into[0]!, 13)
      port.setUp(false)
      tracer.transmit(slab, into[0]!, 14)
      expect(shown).to.deep.equal([
        ['receive', 7, 60, 11, ''],
        ['receive', 7, 60, 12, 'dropped: policy'],
        ['transmit', 7, 60, 13, ''],
        ['transmit', 7, 60, 14, 'dropped: transmit-failed'],
      ])
      expect(tracer.counters).to.equal(port.counters)
    })
  })
})
