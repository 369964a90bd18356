import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { HeapArena } from '../../../engine/scheduler/heap-arena.ts'

function push(heap: HeapArena, base: number, length: number, key: number, node: number): void {
  heap.keys[base + length] = key
  heap.nodes[base + length] = node
  heap.siftUp(base, length)
}

describe('HeapArena', () => {
  describe('when entries come and go', () => {
    it('is a sorted list of (key, node) to whoever takes from the top or from the middle', () => {
      const step = fc.oneof(
        { weight: 3, arbitrary: fc.record({ do: fc.constant('push' as const), key: fc.nat(9) }) },
        { weight: 1, arbitrary: fc.record({ do: fc.constant('pop' as const), key: fc.nat(0) }) },
        { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), key: fc.nat(1000) }) },
      )
      fc.assert(
        fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
          const heap = new HeapArena()
          const base = heap.reserve(256)
          const model: [number, number][] = []
          let length = 0
          let node = 0
          for (const { do: what, key } of steps) {
            if (what === 'push') {
              push(heap, base, length++, key, node)
              model.push([key, node++])
              model.sort((a, b) => a[0] - b[0] || a[1] - b[1])
            } else if (model.length > 0) {
              const at = what === 'pop' ? 0 : key % model.length
              const [, gone] = model.splice(at, 1)[0]
              const index = heap.find(base, length, gone)
              if (at === 0) expect(index).to.equal(0)
              heap.remove(base, index, length--)
            }
            if (model.length > 0) expect([heap.keys[base], heap.nodes[base]]).to.deep.equal(model[0])
          }
          const drained: number[] = []
          while (length > 0) {
            drained.push(heap.nodes[base])
            heap.remove(base, 0, length--)
          }
          expect(drained).to.deep.equal(model.map(([, each]) => each))
        }),
        { numRuns: 200 },
      )
    })
  })

  describe('when blocks are reserved, enlarged and released', () => {
    it('keeps the entries of every heap and never lets two overlap', () => {
      const heap = new HeapArena()
      const heaps = Array.from({ length: 40 }, (_, id) => ({ id, base: heap.reserve(4), room: 4, length: 0 }))
      for (let round = 0; round < 60; round++)
        for (const each of heaps) {
          if (round > each.id * 2) continue
          if (each.length === each.room) {
            each.base = heap.enlarge(each.base, each.room, each.length)
            each.room *= 2
          }
          push(heap, each.base, each.length++, 100 - round, each.id * 1000 + round)
        }
      const blocks = heaps.map(({ base, room }) => [base, base + room]).sort((a, b) => a[0] - b[0])
      for (const [i, [from]] of blocks.entries()) if (i > 0) expect(from).to.be.at.least(blocks[i - 1][1])
      for (const { id, base, length } of heaps) {
        const nodes = [...heap.nodes.subarray(base, base + length)]
        expect(nodes.every((node) => Math.floor(node / 1000) === id)).to.equal(true)
        expect(heap.nodes[base] % 1000).to.equal(length - 1)
      }
    })

    it('uses released blocks again by their size', () => {
      const heap = new HeapArena()
      const small = heap.reserve(4)
      const large = heap.reserve(64)
      heap.release(small, 4)
      heap.release(large, 64)
      expect(heap.reserve(64)).to.equal(large)
      expect(heap.reserve(4)).to.equal(small)
    })
  })
})
