import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { ReceiveBuffer } from '../../../../host/stack/tcp/receive-buffer.ts'
import { advance } from '../../../../host/stack/tcp/sequence.ts'

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

/** Takes everything that continues the stream. */
function drain(buffer: ReceiveBuffer, sequence: number): number[] {
  const all: number[] = []
  for (let next = buffer.take(sequence); next !== undefined; next = buffer.take(sequence)) {
    all.push(...next)
    sequence = advance(sequence, next.length)
  }
  return all
}

describe('ReceiveBuffer', () => {
  describe('when segments overlap with other content', () => {
    it('keeps what came first', () => {
      const buffer = new ReceiveBuffer(10)
      buffer.insert(12, bytes(1, 1, 1))
      buffer.insert(10, bytes(2, 2, 2, 2, 2, 2, 2, 2))
      expect(drain(buffer, 10)).to.deep.equal([2, 2, 1, 1, 1, 2, 2, 2])
    })
  })

  describe('when it is full', () => {
    it('drops what does not fit and says so', () => {
      const buffer = new ReceiveBuffer(2)
      expect(buffer.insert(10, bytes(1))).to.equal(true)
      expect(buffer.insert(20, bytes(2))).to.equal(true)
      expect(buffer.insert(30, bytes(3))).to.equal(false)
      expect(buffer.length).to.equal(2)
      expect(buffer.bytes).to.equal(2)
    })
  })

  describe('when SACK blocks are asked for', () => {
    it('names the newest block first, then the others as last reported (RFC 2018)', () => {
      const buffer = new ReceiveBuffer(10)
      const into = new Uint32Array(8)
      buffer.insert(100, bytes(1, 1))
      buffer.insert(300, bytes(1, 1))
      buffer.insert(200, bytes(1, 1))
      buffer.insert(302, bytes(1))
      expect(buffer.sackBlocks(into, 3)).to.equal(3)
      expect([...into.subarray(0, 6)]).to.deep.equal([300, 303, 200, 202, 100, 102])
      expect(buffer.sackBlocks(into, 1)).to.equal(1)
      expect([...into.subarray(0, 2)]).to.deep.equal([300, 303])
    })
  })

  it('puts any pieces in any order together, across the wrap of sequence numbers', () => {
    const piece = fc.tuple(fc.nat(300), fc.integer({ min: 1, max: 60 }))
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 40 }),
        fc.constantFrom(0, 0xffffff80, 0x7fffff80),
        (pieces, base) => {
          const buffer = new ReceiveBuffer(1000)
          const held = new Set<number>()
          for (const [offset, length] of pieces) {
            const content = Uint8Array.from({ length }, (_, i) => offset + i)
            buffer.insert(advance(base, offset), content)
            for (let i = 0; i < length; i++) held.add(offset + i)
          }
          expect(buffer.bytes).to.equal(held.size)
          let end = 0
          while (held.has(end)) end++
          const expected = Array.from({ length: end }, (_, i) => i & 255)
          expect(drain(buffer, base)).to.deep.equal(expected)
        },
      ),
      { numRuns: 200 },
    )
  })
})
