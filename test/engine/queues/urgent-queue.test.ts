import { expect } from 'chai'
import { describe, it } from 'mocha'
import { NONE, PacketSlab } from '../../../engine/packet.ts'
import { URGENT_LIMIT, UrgentQueue } from '../../../engine/queues/urgent-queue.ts'

describe('UrgentQueue', () => {
  it('gives frames in the order in which they came, and takes so many and no more', () => {
    const slab = new PacketSlab({ capacity: URGENT_LIMIT + 1, stride: 256 })
    const queue = new UrgentQueue(slab)
    expect(queue.shift()).to.equal(NONE)
    const packets = Array.from({ length: URGENT_LIMIT + 1 }, () => slab.allocate())
    expect(packets.map((packet) => queue.push(packet)).indexOf(false)).to.equal(URGENT_LIMIT)
    expect(queue.length).to.equal(URGENT_LIMIT)
    expect([queue.shift(), queue.shift()]).to.deep.equal([packets[0], packets[1]])
    expect(queue.push(packets[URGENT_LIMIT]!)).to.equal(true)
    const rest = Array.from({ length: URGENT_LIMIT - 1 }, () => queue.shift())
    expect(rest).to.deep.equal(packets.slice(2))
    expect([queue.shift(), queue.length]).to.deep.equal([NONE, 0])
  })
})
