import { expect } from 'chai'
import { describe, it } from 'mocha'
import { LENGTH, META_SHIFT, NONE, PacketSlab } from '../../../engine/packet.ts'
import { ACCEPTING, OPEN, QueueTable, STATE_SHIFT } from '../../../engine/queues/queue-table.ts'

describe('QueueTable', () => {
  describe('when many queues are opened', () => {
    it('grows without disturbing the chains and counters of the others', () => {
      const slab = new PacketSlab({ capacity: 2000, stride: 256 })
      const table = new QueueTable(slab)
      for (let queue = 0; queue < 1000; queue++) {
        table.open(queue, 10, 10_000, OPEN | ACCEPTING)
        for (let i = 0; i < 2; i++) {
          const packet = slab.allocate()
          slab.meta[(packet << META_SHIFT) + LENGTH] = queue
          table.append(queue, packet)
        }
        table.countDelay(queue, 0, 1e6)
      }
      for (let queue = 0; queue < 1000; queue++) {
        const packets = [table.take(queue), table.take(queue), table.take(queue)]
        expect(packets).to.deep.equal([2 * queue, 2 * queue + 1, NONE])
        expect(table.delaysOf(queue)[4]).to.equal(1)
      }
    })
  })

  describe('when a count of the histogram passes 32 bits', () => {
    it('goes on counting, moves with the queue, and begins at zero when the record is used again', () => {
      const table = new QueueTable(new PacketSlab({ capacity: 1, stride: 256 }))
      table.open(3, 1, 1, OPEN)
      table.countDelay(3, 0, 0)
      const word = table.state.indexOf(1, (3 << STATE_SHIFT) + 16)
      table.state[word] = -2
      expect(table.delaysOf(3)[0]).to.equal(2 ** 32 - 2)
      for (let i = 0; i < 3; i++) table.countDelay(3, 0, 0)
      expect(table.delaysOf(3)[0]).to.equal(2 ** 32 + 1)
      table.move(3, 5)
      expect(table.delaysOf(5)[0]).to.equal(2 ** 32 + 1)
      table.open(5, 1, 1, OPEN)
      expect(table.delaysOf(5)).to.deep.equal(new Array(16).fill(0))
    })
  })
})
