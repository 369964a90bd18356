import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { Scoreboard } from '../../../../host/stack/tcp/scoreboard.ts'
import { advance, distance } from '../../../../host/stack/tcp/sequence.ts'

function board(...edges: number[]): Scoreboard {
  const scoreboard = new Scoreboard()
  scoreboard.update(Uint32Array.from(edges), edges.length / 2, 1000, 100_000)
  return scoreboard
}

describe('Scoreboard', () => {
  describe('when blocks are absurd', () => {
    it('ignores what lies below the acknowledgment, beyond what was sent, or is empty', () => {
      const scoreboard = new Scoreboard()
      const blocks = Uint32Array.of(500, 900, 2000, 200_000, 5000, 5000, 7000, 6000)
      expect(scoreboard.update(blocks, 4, 1000, 100_000)).to.equal(0)
      expect(scoreboard.length).to.equal(0)
    })

    it('bounds the number of ranges', () => {
      const scoreboard = new Scoreboard()
      for (let i = 0; i < 1000; i++)
        scoreboard.update(Uint32Array.of(2000 + i * 4, 2002 + i * 4), 1, 1000, 100_000)
      expect(scoreboard.length).to.equal(256)
    })
  })

  describe('when three ranges or more than two segments lie above a hole', () => {
    it('counts it as lost (RFC 6675 IsLost)', () => {
      expect(board(2000, 2100).firstLost(1000)).to.equal(false)
      expect(board(2000, 4000).firstLost(1000)).to.equal(false)
      expect(board(2000, 4001).firstLost(1000)).to.equal(true)
      expect(board(2000, 2010, 3000, 3010, 4000, 4010).firstLost(1000)).to.equal(true)
    })

    it('finds lost holes from below, and not those with too little above', () => {
      const scoreboard = board(2000, 3000, 4000, 5000, 6000, 7000)
      expect(scoreboard.findLost(1000, 1000)).to.equal(true)
      expect([scoreboard.holeStart, scoreboard.holeEnd]).to.deep.equal([1000, 2000])
      expect(scoreboard.findLost(2000, 1000)).to.equal(false)
    })

    it('leaves lost and acknowledged bytes out of the pipe (RFC 6675 SetPipe)', () => {
      const scoreboard = board(2000, 3000, 4000, 5000, 6000, 7000)
      // 1000-2000 lost; 3000-4000, 5000-6000 and 7000-8000 are still out.
      expect(scoreboard.pipe(1000, 8000, 1000, 1000)).to.equal(3000)
      expect(scoreboard.pipe(1000, 8000, 2000, 1000)).to.equal(4000)
    })
  })

  describe('when the first missing byte is in a range', () => {
    it('knows that the receiver reneged', () => {
      expect(board(2000, 3000).reneged(1500)).to.equal(false)
      expect(board(2000, 3000).reneged(2000)).to.equal(true)
    })
  })

  it('agrees with a set of bytes for any blocks, across the wrap of sequence numbers', () => {
    const block = fc.tuple(fc.nat(400), fc.integer({ min: 1, max: 50 }))
    fc.assert(
      fc.property(
        fc.array(block, { maxLength: 40 }),
        fc.nat(400),
        fc.constantFrom(0, 0xffffff00),
        (blocks, acknowledged, base) => {
          const scoreboard = new Scoreboard()
          const model = new Set<number>()
          const next = advance(base, 450)
          for (const [offset, length] of blocks) {
            const edges = Uint32Array.of(advance(base, offset), advance(base, offset + length))
            const before = model.size
            if (offset + length <= 450) for (let i = 0; i < length; i++) model.add(offset + i)
            expect(scoreboard.update(edges, 1, base, next)).to.equal(model.size - before)
          }
          const edge = scoreboard
            .toArray()
            .findIndex((each, i) => i % 2 === 1 && distance(base, each) > acknowledged)
          // Acknowledgments cover whole ranges, as a receiver's do.
          const inside = edge > 0 && distance(base, scoreboard.toArray()[edge - 1]) < acknowledged
          const una = inside ? distance(base, scoreboard.toArray()[edge]) : acknowledged
          for (const each of model) if (each < una) model.delete(each)
          scoreboard.acknowledge(advance(base, una))
          expect(scoreboard.bytes).to.equal(model.size)
          expect(scoreboard.bytesBetween(base, next)).to.equal(model.size)
          let hole = una
          while (model.has(hole)) hole++
          expect(scoreboard.findHole(advance(base, una), next)).to.equal(hole < 450)
          if (hole < 450) expect(scoreboard.holeStart).to.equal(advance(base, hole))
        },
      ),
      { numRuns: 200 },
    )
  })
})
