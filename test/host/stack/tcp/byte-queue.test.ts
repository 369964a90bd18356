import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { ByteQueue } from '../../../../host/stack/tcp/byte-queue.ts'

describe('ByteQueue', () => {
  it('agrees with one flat array for any sequence of calls', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('append' as const), size: fc.integer({ min: 0, max: 5000 }) }),
      fc.record({ kind: fc.constant('discard' as const), size: fc.nat(6000) }),
      fc.record({ kind: fc.constant('shift' as const), size: fc.constant(0) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.nat(), (steps, where) => {
        const queue = new ByteQueue()
        let model: number[] = []
        let counter = 0
        for (const { kind, size } of steps) {
          if (kind === 'append') {
            const bytes = Uint8Array.from({ length: size }, () => counter++)
            queue.append(bytes)
            model.push(...bytes)
          } else if (kind === 'discard') {
            const count = Math.min(size, model.length)
            queue.discard(count)
            model = model.slice(count)
          } else {
            const taken = queue.shift()
            expect(taken === undefined).to.equal(model.length === 0)
            if (taken !== undefined) expect([...taken]).to.deep.equal(model.splice(0, taken.length))
          }
          expect(queue.length).to.equal(model.length)
          const offset = model.length === 0 ? 0 : where % model.length
          const length = Math.min(1500, model.length - offset)
          expect([...queue.read(offset, length)]).to.deep.equal(model.slice(offset, offset + length))
        }
        expect([...queue.toBytes()]).to.deep.equal(model)
      }),
      { numRuns: 50 },
    )
  })

  it('gathers small pieces, so that bytes bound the number of chunks', () => {
    const queue = new ByteQueue()
    for (let i = 0; i < 100_000; i++) queue.append(Uint8Array.of(i))
    let chunks = 0
    while (queue.shift() !== undefined) chunks++
    expect(chunks).to.be.lessThan(100)
  })
})
