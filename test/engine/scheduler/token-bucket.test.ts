import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { SECOND } from '../../../engine/clock.ts'
import { EngineError } from '../../../engine/errors.ts'
import { TokenBucket } from '../../../engine/scheduler/token-bucket.ts'

describe('TokenBucket', () => {
  describe('when it is new', () => {
    it('is full: it gives its burst at once, then waits until it holds something again', () => {
      const bucket = TokenBucket.ofRate(8_000_000, 3000) // a byte a microsecond
      expect(bucket.eligibleAt).to.be.at.most(0)
      bucket.consume(1500, 0)
      expect(bucket.eligibleAt).to.be.at.most(0)
      bucket.consume(1500, 0)
      expect(bucket.tokens(0)).to.equal(0)
      expect(bucket.eligibleAt).to.equal(1)
    })
  })

  describe('when it gives more than it holds', () => {
    it('is in debt and says to the nanosecond when it is out of it', () => {
      const bucket = TokenBucket.ofRate(8_000_000, 1000)
      bucket.consume(1500, 5000)
      expect(bucket.tokens(5000)).to.equal(-500)
      expect(bucket.eligibleAt).to.equal(5000 + 500_000 + 1)
      expect(bucket.tokens(bucket.eligibleAt)).to.be.above(0)
      expect(bucket.tokens(bucket.eligibleAt - 1)).to.be.at.most(0)
    })
  })

  describe('when it rests', () => {
    it('fills to its burst and no further', () => {
      const bucket = TokenBucket.ofRate(8_000_000, 2000)
      bucket.consume(2000, 0)
      expect(bucket.tokens(1_000_000)).to.equal(1000)
      expect(bucket.tokens(60 * SECOND)).to.equal(2000)
      bucket.consume(2000, 60 * SECOND)
      expect(bucket.tokens(60 * SECOND)).to.equal(0)
    })
  })

  describe('when it runs for very long at a rate that divides nothing', () => {
    it('does not drift: a million packets take exactly their time', () => {
      const rateBps = 7_777_777
      const bucket = TokenBucket.ofRate(rateBps, 1)
      let now = 0
      for (let i = 0; i < 1_000_000; i++) {
        bucket.consume(1499, now)
        now = bucket.eligibleAt
      }
      // The first byte was in the bucket. Eligible from the first whole nanosecond after it is empty.
      const exact = ((1_000_000n * 1499n - 1n) * 8_000_000_000n) / BigInt(rateBps)
      expect(BigInt(now)).to.equal(exact + 1n)
    })
  })

  describe('when services come at any times', () => {
    it('lets through at most burst + rate t + one service in any interval, and never holds back without need', () => {
      const steps = fc.array(
        fc.record({ wait: fc.nat(3_000_000), bytes: fc.integer({ min: 40, max: 1500 }) }),
        {
          minLength: 1,
          maxLength: 80,
          size: 'max',
        },
      )
      const rates = fc.integer({ min: 1_000, max: 100_000_000 })
      fc.assert(
        fc.property(steps, rates, fc.integer({ min: 1, max: 20_000 }), (list, rateBps, burst) => {
          const bucket = TokenBucket.ofRate(rateBps, burst)
          const sent: { at: number; bytes: number }[] = []
          let now = 0
          // The same in exact integers: tokens times 8e9, at most burst times 8e9.
          let tokens = BigInt(burst) * 8_000_000_000n
          for (const { wait, bytes } of list) {
            const before = now
            now = Math.max(now + wait, bucket.eligibleAt)
            tokens += BigInt(now - before) * BigInt(rateBps)
            if (tokens > BigInt(burst) * 8_000_000_000n) tokens = BigInt(burst) * 8_000_000_000n
            expect(tokens > 0n).to.equal(true)
            if (now > before + wait) expect(tokens - BigInt(rateBps) <= 0n).to.equal(true)
            bucket.consume(bytes, now)
            tokens -= BigInt(bytes) * 8_000_000_000n
            sent.push({ at: now, bytes })
          }
          for (let from = 0; from < sent.length; from++) {
            let bytes = 0
            for (let to = from; to < sent.length; to++) {
              bytes += sent[to].bytes
              const allowed = burst + (rateBps * (sent[to].at - sent[from].at)) / 8e9 + 1500
              expect(bytes).to.be.at.most(allowed)
            }
          }
        }),
        { numRuns: 150 },
      )
    })
  })

  describe('when the unit is not a byte', () => {
    it('counts nanoseconds of a processor in long turns exactly', () => {
      const bucket = new TokenBucket(1e9, 333_333_333, 1) // a third of a processor
      bucket.consume(50_000_001, 0)
      const exact = (50_000_000n * 1_000_000_000n) / 333_333_333n
      expect(BigInt(bucket.eligibleAt)).to.equal(exact + 1n)
    })

    it('is exact for amounts whose products are beyond doubles', () => {
      const [unit, rate, amount] = [999_999_937, 333_333_331, 123_456_789_123]
      const bucket = new TokenBucket(unit, rate, 1)
      for (let i = 0; i < 1000; i++) bucket.consume(amount, 0)
      const exact = ((1000n * BigInt(amount) - 1n) * BigInt(unit)) / BigInt(rate)
      expect(BigInt(bucket.eligibleAt)).to.equal(exact + 1n)
    })
  })

  describe('when it is reshaped', () => {
    it('keeps tokens and debt, cut to the new burst', () => {
      const bucket = TokenBucket.ofRate(8_000_000, 10_000)
      bucket.consume(4000, 0)
      bucket.reshape(16_000_000, 20_000, 0)
      expect(bucket.tokens(0)).to.equal(6000)
      bucket.reshape(8_000_000, 1000, 0)
      expect(bucket.tokens(0)).to.equal(1000)
      bucket.consume(3000, 0)
      bucket.reshape(80_000_000, 1000, 0)
      expect(bucket.tokens(0)).to.equal(-2000)
      expect(bucket.eligibleAt).to.equal(200_001)
    })
  })

  describe('when it is given nonsense', () => {
    it('refuses rates, bursts and amounts out of bounds', () => {
      const refused = (make: () => void) =>
        expect(make).to.throw(EngineError).with.property('code', 'invalid')
      for (const bad of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
        refused(() => TokenBucket.ofRate(bad, 1500))
        refused(() => TokenBucket.ofRate(1e6, bad))
      }
      refused(() => TokenBucket.ofRate(1, 2 ** 40))
      const bucket = TokenBucket.ofRate(1e6, 1500)
      refused(() => bucket.reshape(0, 1, 0))
      expect(() => bucket.consume(-1, 0)).to.throw('amount')
      expect(() => bucket.consume(Number.NaN, 0)).to.throw('amount')
    })
  })
})
