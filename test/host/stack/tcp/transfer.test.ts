import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { auditRetransmissions } from '../../../support/retransmissions.ts'
import { transfer } from '../../../support/transfer.ts'
import { ADDRESS_B, type LinkOptions, pair } from '../../../support/virtual-link.ts'

const MS = 1_000_000

/** Runs one transfer to its end and checks contents, ends and books. */
function check(seed: number, options: LinkOptions, bytes: number, settings = {}): Record<string, number> {
  const { world, lan, a, b } = pair(seed, options)
  const result = transfer(a, b, ADDRESS_B, bytes, settings)
  world.run()
  expect(result.received).to.equal(bytes)
  expect(result.receivedCrc).to.equal(result.sentCrc)
  expect([result.client, result.server]).to.deep.equal(['closed', 'closed'])
  expect(a.tcp.connections + b.tcp.connections + a.tcp.lingering + b.tcp.lingering).to.equal(0)
  const log = world.log.filter((event) => event.host === 'a')
  const books = auditRetransmissions(lan.passages, log, 'a')
  expect(books.faults).to.deep.equal([])
  const theirs = auditRetransmissions(
    lan.passages,
    world.log.filter((event) => event.host === 'b'),
    'b',
  )
  expect(theirs.faults).to.deep.equal([])
  return books.causes
}

describe('TCP transfer', () => {
  describe('when the link is clean', () => {
    it('carries 10 MB with no retransmission', () => {
      expect(check(1, { delayNs: 2 * MS }, 10_000_000)).to.deep.equal({})
    })

    it('works without any option', () => {
      const settings = { timestamps: false, windowScaling: false, selectiveAcknowledgment: false }
      expect(check(2, { delayNs: 2 * MS }, 500_000, settings)).to.deep.equal({})
    })
  })

  describe('when the link loses 5 %, reorders and duplicates', () => {
    const rough: LinkOptions = {
      delayNs: 2 * MS,
      loss: 0.05,
      duplicate: 0.03,
      reorder: 0.05,
      reorderNs: 3 * MS,
    }

    it('carries 10 MB with matching checksums, and every retransmission is accounted for', () => {
      const causes = check(3, rough, 10_000_000)
      expect(causes['fast']).to.be.greaterThan(10)
      expect(causes['sack']).to.be.greaterThan(10)
      expect(causes['rto']).to.be.greaterThan(0)
    })

    it('carries 1 MB without selective acknowledgment (NewReno)', () => {
      // Without it, duplicated and overtaken segments cannot be told from lost ones: only losses here.
      const lossy = { ...rough, duplicate: 0, reorder: 0 }
      const causes = check(4, lossy, 1_000_000, { selectiveAcknowledgment: false })
      expect(causes['fast']).to.be.greaterThan(10)
    })

    it('carries 1 MB without timestamps', () => {
      check(5, rough, 1_000_000, { timestamps: false })
    })
  })

  describe('when the bottleneck has a short queue', () => {
    it('fills the link, repairing its own losses by fast retransmit alone', () => {
      const { world, a, b } = pair(6, { delayNs: 5 * MS, rateBps: 20e6, queueFrames: 40 })
      const result = transfer(a, b, ADDRESS_B, 5_000_000)
      // Not to the very end: the loss of the last segment has nothing behind it that would reveal it.
      world.run(10_000 * MS, () => result.received >= 4_500_000)
      const goodput = (result.received * 8e9) / world.now
      expect(goodput).to.be.greaterThan(0.8 * 20e6)
      const rto = world.log.filter((event) => event.kind === 'retransmit' && event.cause === 'rto')
      expect(rto).to.have.length(0)
    })
  })

  describe('for any loss, reordering, duplication and options', () => {
    it('delivers the bytes and closes', () => {
      const arbitrary = fc.record({
        seed: fc.nat(),
        bytes: fc.integer({ min: 0, max: 60_000 }),
        loss: fc.double({ min: 0, max: 0.25, noNaN: true }),
        duplicate: fc.double({ min: 0, max: 0.2, noNaN: true }),
        reorder: fc.double({ min: 0, max: 0.3, noNaN: true }),
        reorderMs: fc.integer({ min: 0, max: 30 }),
        delayMs: fc.integer({ min: 0, max: 100 }),
        timestamps: fc.boolean(),
        selectiveAcknowledgment: fc.boolean(),
        windowScaling: fc.boolean(),
        noDelay: fc.boolean(),
        receiveBytes: fc.integer({ min: 100, max: 100_000 }),
        sendBytes: fc.integer({ min: 100, max: 100_000 }),
      })
      fc.assert(
        fc.property(arbitrary, (given) => {
          const { seed, bytes, loss, duplicate, reorder, reorderMs, delayMs, ...settings } = given
          const link = { loss, duplicate, reorder, reorderNs: reorderMs * MS, delayNs: delayMs * MS }
          const { world, a, b } = pair(seed, link)
          const patient = { ...settings, userTimeoutNs: Number.POSITIVE_INFINITY, synRetries: 30 }
          const result = transfer(a, b, ADDRESS_B, bytes, { ...patient, finWaitNs: 1e15 })
          world.run()
          expect(result.received).to.equal(bytes)
          expect(result.receivedCrc).to.equal(result.sentCrc)
          expect(a.pollAt()).to.equal(Number.POSITIVE_INFINITY)
        }),
        { numRuns: 150 },
      )
    })
  })
})
