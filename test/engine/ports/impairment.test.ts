import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { MILLISECOND, NEVER, SECOND } from '../../../engine/clock.ts'
import { EngineError } from '../../../engine/errors.ts'
import {
  Impairment,
  type ImpairmentDecision,
  type ImpairmentOptions,
} from '../../../engine/ports/impairment.ts'
import { Random } from '../../../engine/random.ts'

const model = (options: ImpairmentOptions, seed = 1): Impairment =>
  new Impairment(options, Random.fromSeed(seed))

/** Decisions on frames offered back to back, each as soon as the link is ready. */
function stream(options: ImpairmentOptions, frames: number, bytes = 1000, seed = 1): ImpairmentDecision[] {
  const impairment = model(options, seed)
  let now = 0
  return Array.from({ length: frames }, () => {
    now = Math.max(now, impairment.readyAt)
    return { ...impairment.offer(now, bytes) }
  })
}

const arrivals = (decisions: readonly ImpairmentDecision[]): number[] =>
  decisions.map((each) => each.arrivesAt)

/** Bounds of a count of `n` draws of probability `p`, six standard deviations wide. */
function expectShare(count: number, n: number, p: number): void {
  const width = 6 * Math.sqrt(n * p * (1 - p))
  expect(count).to.be.within(n * p - width, n * p + width)
}

describe('Impairment', () => {
  describe('when nothing is impaired', () => {
    it('lets each frame arrive at once, intact and once', () => {
      expect(model({}).offer(77, 1514)).to.deep.equal({
        cause: 'none',
        frameBytes: 1514,
        arrivesAt: 77,
        duplicateAt: NEVER,
        corruptedBit: -1,
        reordered: false,
      })
    })
  })

  describe('when it has a rate', () => {
    it('takes exactly n * b * 8 / rate for n frames of b bytes, carrying fractions of a nanosecond', () => {
      const inputs = [
        fc.integer({ min: 1, max: 10 ** 12 }),
        fc.integer({ min: 14, max: 9014 }),
        fc.nat(10 ** 9),
        fc.integer({ min: 1, max: 300 }),
      ] as const
      fc.assert(
        fc.property(...inputs, (rateBps, bytes, start, frames) => {
          const impairment = model({ rateBps })
          let now = start
          for (let each = 0; each < frames; each++) {
            impairment.offer(now, bytes)
            now = impairment.readyAt
          }
          const exact = (BigInt(frames * bytes * 8) * BigInt(SECOND)) / BigInt(rateBps)
          expect(BigInt(now - start)).to.equal(exact)
        }),
        { numRuns: 300 },
      )
    })

    it('takes exactly the sum for frames of mixed lengths that queue', () => {
      const lengths = fc.array(fc.integer({ min: 14, max: 1514 }), { minLength: 1, maxLength: 100 })
      fc.assert(
        fc.property(fc.integer({ min: 1000, max: 10 ** 10 }), lengths, (rateBps, list) => {
          const impairment = model({ rateBps })
          for (const length of list) expect(impairment.offer(5, length).cause).to.equal('none')
          const bits = list.reduce((sum, each) => sum + each * 8, 0)
          expect(BigInt(impairment.readyAt - 5)).to.equal((BigInt(bits) * BigInt(SECOND)) / BigInt(rateBps))
        }),
        { numRuns: 200 },
      )
    })

    it('delivers a frame when its last bit has left and crossed', () => {
      const decisions = stream({ rateBps: 8_000_000, delayNs: 2 * MILLISECOND }, 3)
      expect(arrivals(decisions)).to.deep.equal([3 * MILLISECOND, 4 * MILLISECOND, 5 * MILLISECOND])
    })

    it('starts anew after a pause', () => {
      const impairment = model({ rateBps: 3_000_000 })
      impairment.offer(0, 100)
      expect(impairment.readyAt).to.equal(266_666)
      impairment.offer(SECOND, 100)
      expect(impairment.readyAt).to.equal(SECOND + 266_666)
    })

    it('drops what does not fit into its queue, and says so', () => {
      const impairment = model({ rateBps: 8_000_000, queueBytes: 3000 })
      const causes = Array.from({ length: 5 }, () => impairment.offer(0, 1000).cause)
      expect(causes).to.deep.equal(['none', 'none', 'none', 'queue-full', 'queue-full'])
      expect(impairment.offer(MILLISECOND, 1000).cause).to.equal('none')
      expect(impairment.counters.queueFull).to.equal(2)
    })

    it('sends a frame on an idle link whatever the queue', () => {
      const impairment = model({ rateBps: 1000, queueBytes: 0 })
      expect(impairment.offer(0, 1514).cause).to.equal('none')
      expect(impairment.offer(impairment.readyAt, 1514).cause).to.equal('none')
      expect(impairment.offer(impairment.readyAt - 1, 14).cause).to.equal('queue-full')
    })
  })

  describe('when its delay varies', () => {
    it('stays within the jitter, uses all of it and never reorders', () => {
      const impairment = model({ delayNs: 10_000, jitterNs: 4000 })
      let least = Number.POSITIVE_INFINITY
      let most = 0
      let last = 0
      for (let now = 0; now < 2_000_000_000; now += 100_000) {
        const { arrivesAt } = impairment.offer(now, 100)
        expect(arrivesAt).to.be.at.least(last)
        last = arrivesAt
        least = Math.min(least, arrivesAt - now)
        most = Math.max(most, arrivesAt - now)
      }
      expect(least).to.be.within(6000, 6010)
      expect(most).to.be.within(13_990, 14_000)
    })

    it('keeps the order of frames closer together than the jitter', () => {
      const times = arrivals(
        stream({ delayNs: MILLISECOND, jitterNs: MILLISECOND, rateBps: 10 ** 9 }, 2000, 64),
      )
      expect(times).to.deep.equal([...times].sort((one, other) => one - other))
    })
  })

  describe('when it loses, duplicates, corrupts and reorders', () => {
    const options = {
      rateBps: 10 ** 8,
      loss: 0.1,
      duplicate: 0.05,
      corrupt: 0.02,
      reorder: { probability: 0.03 },
    }
    const frames = 40_000

    for (const seed of [1, 2, 3])
      it(`keeps to its probabilities (seed ${seed})`, () => {
        const decisions = stream(options, frames, 1000, seed)
        const passed = decisions.filter((each) => each.cause === 'none')
        expectShare(frames - passed.length, frames, 0.1)
        expectShare(passed.filter((each) => each.duplicateAt !== NEVER).length, passed.length, 0.05)
        expectShare(passed.filter((each) => each.corruptedBit >= 0).length, passed.length, 0.02)
        expectShare(passed.filter((each) => each.reordered).length, passed.length, 0.03)
      })

    it('does nothing at probability 0 and everything at 1', () => {
      const none = stream({ loss: 0, duplicate: 0, corrupt: 0 }, 1000)
      expect(none.every((each) => each.cause === 'none' && each.duplicateAt === NEVER)).to.equal(true)
      expect(stream({ loss: 1 }, 1000).every((each) => each.cause === 'lost')).to.equal(true)
      const all = stream({ duplicate: 1, corrupt: 1 }, 1000)
      expect(all.every((each) => each.duplicateAt === each.arrivesAt && each.corruptedBit >= 0)).to.equal(
        true,
      )
    })

    it('inverts any bit of the frame and none behind it', () => {
      const bits = stream({ corrupt: 1 }, 20_000, 14).map((each) => each.corruptedBit)
      expect(new Set(bits).size).to.equal(14 * 8)
      expect(Math.max(...bits)).to.equal(14 * 8 - 1)
    })

    it('spends the link time of frames it loses', () => {
      const lossy = model({ rateBps: 8_000_000, loss: 1 })
      lossy.offer(0, 1000)
      expect(lossy.readyAt).to.equal(MILLISECOND)
    })

    it('accounts for every frame offered', () => {
      const share = fc.double({ min: 0, max: 1, noNaN: true })
      const offers = fc.array(fc.record({ wait: fc.nat(200_000), bytes: fc.integer({ min: 14, max: 2000 }) }))
      fc.assert(
        fc.property(
          share,
          share,
          fc.integer({ min: 0, max: 9000 }),
          fc.nat(),
          offers,
          (loss, duplicate, queueBytes, seed, list) => {
            const impairment = model(
              { rateBps: 10 ** 7, queueBytes, loss, duplicate, maxFrameBytes: 1514 },
              seed,
            )
            let now = 0
            for (const { wait, bytes } of list) impairment.offer((now += wait), bytes)
            const { offered, oversize, queueFull, lost, passed, duplicated } = impairment.counters
            expect(offered).to.equal(list.length)
            expect(oversize + queueFull + lost + passed).to.equal(offered)
            expect(oversize).to.equal(list.filter((each) => each.bytes > 1514).length)
            expect(duplicated).to.be.at.most(passed)
          },
        ),
        { numRuns: 200 },
      )
    })
  })

  describe('when it reorders', () => {
    it('lets the next three frames of a back-to-back stream overtake (enough for fast retransmit)', () => {
      const decisions = stream(
        { rateBps: 10 ** 8, delayNs: 50_000, jitterNs: 20_000, reorder: { probability: 0.02 } },
        20_000,
        1514,
      )
      const late = decisions.map((each, at) => ({ ...each, at })).filter((each) => each.reordered)
      expect(late.length).to.be.greaterThan(200)
      for (const { at, arrivesAt } of late) {
        const next = decisions.slice(at + 1, at + 4).filter((each) => !each.reordered)
        for (const other of next) expect(other.arrivesAt).to.be.lessThan(arrivesAt)
      }
    })

    it('delays by the gap it was given', () => {
      const [first, second] = stream({ delayNs: 100, reorder: { probability: 1, delayNs: 5000 } }, 2)
      expect([first?.arrivesAt, second?.arrivesAt]).to.deep.equal([5100, 5100])
    })
  })

  describe('when a frame is longer than the link carries', () => {
    it('drops it by name and counts it', () => {
      const impairment = model({ maxFrameBytes: 1514 })
      expect(impairment.offer(0, 1515).cause).to.equal('oversize')
      expect(impairment.offer(0, 1514).cause).to.equal('none')
      expect(impairment.counters.oversize).to.equal(1)
    })
  })

  describe('when it is run again with the same seed', () => {
    const options = {
      rateBps: 10 ** 7,
      delayNs: 10 ** 6,
      jitterNs: 10 ** 5,
      loss: 0.2,
      duplicate: 0.1,
      corrupt: 0.1,
      reorder: { probability: 0.1 },
    }

    it('decides the same', () => {
      fc.assert(
        fc.property(fc.nat(), (seed) => {
          expect(stream(options, 50, 500, seed)).to.deep.equal(stream(options, 50, 500, seed))
        }),
        { numRuns: 50 },
      )
    })

    it('loses the same frames whatever else is impaired', () => {
      const lost = (decisions: ImpairmentDecision[]): boolean[] =>
        decisions.map((each) => each.cause === 'lost')
      expect(lost(stream({ loss: 0.2 }, 1000))).to.deep.equal(lost(stream(options, 1000)))
    })

    it('tells its log of every decision', () => {
      const told: [string, number][] = []
      const log = (decision: ImpairmentDecision, now: number): number => told.push([decision.cause, now])
      const impairment = new Impairment({ maxFrameBytes: 100 }, Random.fromSeed(1), log)
      impairment.offer(5, 60)
      impairment.offer(6, 101)
      expect(told).to.deep.equal([
        ['none', 5],
        ['oversize', 6],
      ])
    })
  })

  describe('when its options are out of bounds', () => {
    const wrong: readonly [ImpairmentOptions, string][] = [
      [{ rateBps: 0 }, 'rateBps'],
      [{ rateBps: 1.5 }, 'rateBps'],
      [{ delayNs: -1 }, 'delayNs'],
      [{ delayNs: 5, jitterNs: 6 }, 'jitterNs'],
      [{ loss: 1.01 }, 'loss'],
      [{ duplicate: Number.NaN }, 'duplicate'],
      [{ corrupt: -0.1 }, 'corrupt'],
      [{ reorder: { probability: 2 } }, 'reorder.probability'],
      [{ reorder: { probability: 0.1, delayNs: 0 } }, 'reorder.delayNs'],
      [{ maxFrameBytes: 13 }, 'maxFrameBytes'],
      [{ queueBytes: -1 }, 'queueBytes'],
    ]
    for (const [options, place] of wrong)
      it(`refuses ${JSON.stringify(options)}`, () => {
        expect(() => model(options))
          .to.throw(EngineError)
          .with.property('place', place)
      })
  })
})
