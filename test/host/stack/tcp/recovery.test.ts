import { expect } from 'chai'
import { describe, it } from 'mocha'
import { TCP_SYN } from '../../../../engine/wire/index.ts'
import type { StackEvent } from '../../../../host/stack/index.ts'
import { type RawPair, rawPair, watch } from '../../../support/raw-pair.ts'
import type { SeenSegment } from '../../../support/raw-peer.ts'
import { pattern } from '../../../support/transfer.ts'
import { ADDRESS_B, pair } from '../../../support/virtual-link.ts'

const MS = 1_000_000
const SECOND = 1000 * MS

/** A connection whose stack has ten segments of 1000 bytes outstanding and more to send. */
function outstanding(options = {}): RawPair & { sent: SeenSegment[] } {
  const all = rawPair()
  all.peer.open({ mss: 1000, ...options })
  all.accepted[0].connection.send(pattern(0, 100_000))
  all.peer.settle()
  const sent = all.peer.take()
  expect(sent.length).to.equal(10)
  return { ...all, sent }
}

const causes = (log: readonly StackEvent[]): string[] =>
  log.flatMap((event) => (event.kind === 'retransmit' ? [event.cause] : []))

describe('TCP recovery', () => {
  describe('without selective acknowledgments (NewReno)', () => {
    it('sends one new segment for each of the first two duplicates (limited transmit, RFC 3042)', () => {
      const { peer } = outstanding()
      expect(peer.send({}).map(({ sequence }) => (sequence - peer.expected) | 0)).to.deep.equal([10_000])
      expect(peer.send({}).map(({ sequence }) => (sequence - peer.expected) | 0)).to.deep.equal([11_000])
    })

    it('retransmits at the third, inflates, deflates at a partial acknowledgment, and ends at the full one', () => {
      const { peer, accepted, world } = outstanding()
      const { congestion } = accepted[0].connection.block
      peer.send({})
      peer.send({})
      const [again] = peer.send({})
      expect(again.sequence).to.equal(peer.expected)
      expect([congestion.threshold, congestion.window]).to.deep.equal([6000, 9000])
      for (let i = 0; i < 6; i++) peer.send({})
      expect(congestion.window).to.equal(15_000)
      const hole = peer.expected + 4000
      const answers = peer.send({ acknowledgment: hole })
      expect(congestion.window).to.equal(12_000)
      expect(answers[0].sequence).to.equal(hole >>> 0)
      const end = accepted[0].connection.block.sndNxt
      peer.send({ acknowledgment: end })
      expect(congestion.window).to.be.at.most(6000)
      expect(causes(world.log)).to.deep.equal(['fast', 'fast'])
    })

    it('does not take duplicates that its own timeout provoked for losses', () => {
      const { peer, accepted, world } = outstanding()
      peer.settle(250 * MS)
      peer.settle(1000 * MS)
      peer.take()
      peer.expected = (peer.expected + 10_000) >>> 0
      peer.send({})
      for (let i = 0; i < 5; i++) peer.send({})
      expect(causes(world.log).filter((cause) => cause === 'fast')).to.deep.equal([])
      expect(accepted[0].connection.block.phase).to.equal('open')
    })

    it('ignores duplicates that carry data or another window', () => {
      const { peer, world } = outstanding()
      for (let i = 0; i < 5; i++) peer.send({ window: 60_000 + i })
      for (let i = 0; i < 5; i++) {
        peer.send({ payload: Uint8Array.of(1), window: 60_004 })
        peer.next++
      }
      expect(causes(world.log)).to.deep.equal([])
    })
  })

  describe('with selective acknowledgments (RFC 6675)', () => {
    const sack = (first: number, ...edges: number[]): { sackBlocks: Uint32Array; sackCount: number } => ({
      sackBlocks: Uint32Array.from({ length: 8 }, (_, i) => (first + (edges[i] ?? 0)) >>> 0),
      sackCount: edges.length / 2,
    })

    it('retransmits every hole once, and nothing that has arrived', () => {
      const { peer, world } = outstanding({ sackPermitted: true })
      const una = peer.expected
      peer.send({ options: sack(una, 1000, 2000) })
      peer.send({ options: sack(una, 3000, 4000, 1000, 2000) })
      const answers = peer.send({ options: sack(una, 5000, 10_000, 3000, 4000, 1000, 2000) })
      const again = answers.map(({ sequence }) => (sequence - una) | 0).filter((offset) => offset < 10_000)
      expect(again).to.deep.equal([0, 2000, 4000])
      peer.send({ options: sack(una, 10_000, 11_000, 5000, 10_000, 3000, 4000) })
      expect(causes(world.log)).to.deep.equal(['fast', 'sack', 'sack'])
    })

    it('ignores blocks it already knows, so that copies of acknowledgments prove nothing', () => {
      const { peer, world } = outstanding({ sackPermitted: true })
      for (let i = 0; i < 10; i++) peer.send({ options: sack(peer.expected, 1000, 2000) })
      expect(causes(world.log)).to.deep.equal([])
    })

    it('sends all again after a timeout when the receiver has reneged', () => {
      const { peer } = outstanding({ sackPermitted: true })
      const una = peer.expected
      peer.send({ options: sack(una, 1000, 10_000) })
      peer.take()
      // The first segment is acknowledged, and what was held above it is gone.
      peer.expected = (una + 1000) >>> 0
      peer.send({})
      peer.settle(5 * SECOND)
      const again = peer.take().map(({ sequence }) => (sequence - una) | 0)
      expect(again).to.include(1000)
    })
  })

  describe('when the handshake had to be repeated', () => {
    it('begins with one segment and a timeout of three seconds (RFC 5681 3.1, RFC 6298 5.7)', () => {
      const { peer, accepted } = rawPair()
      const [answer] = peer.send({ flags: TCP_SYN, acknowledgment: 0, options: { mss: 1000 } })
      peer.settle(1500 * MS)
      expect(peer.take()).to.have.length(1)
      peer.next++
      peer.expected = (answer.sequence + 1) >>> 0
      peer.send({})
      accepted[0].connection.send(pattern(0, 10_000))
      peer.settle()
      expect(peer.take()).to.have.length(1)
      peer.settle(2900 * MS)
      expect(peer.take()).to.deep.equal([])
      peer.settle(200 * MS)
      expect(peer.take()).to.have.length(1)
    })
  })

  describe('when a connection was idle', () => {
    it('begins again with the initial window (RFC 5681 4.1)', () => {
      const { world, lan, a, b } = pair(1, { delayNs: 20 * MS })
      b.tcp.listen(80, 0, () => {})
      const { connection } = watch(a.tcp.connect({ to: ADDRESS_B, port: 80 }))
      connection.send(pattern(0, 250_000))
      world.run(10 * SECOND)
      expect(connection.queuedBytes).to.equal(0)
      expect(connection.block.congestion.window).to.be.greaterThan(50_000)
      const before = lan.frames('a').length
      connection.send(pattern(0, 250_000))
      expect(lan.frames('a').length - before).to.equal(10)
    })
  })

  describe('when segments arrive out of order', () => {
    it('echoes the timestamp of the segment that the acknowledgment answers (RFC 7323 4.3)', () => {
      const { peer } = rawPair()
      const stamped = (timestampValue: number) => ({ hasTimestamp: true, timestampValue, timestampEcho: 1 })
      const [answer] = peer.send({ flags: TCP_SYN, acknowledgment: 0, options: stamped(1000) })
      peer.next++
      peer.expected = (answer.sequence + 1) >>> 0
      peer.send({ options: stamped(1001) })
      const early = { sequence: peer.next + 10, payload: Uint8Array.of(1) }
      const [duplicate] = peer.send({ ...early, options: stamped(2000) })
      expect(duplicate.options.timestampEcho).to.equal(1001)
      const [ack] = peer.send({ options: stamped(2001), payload: new Uint8Array(10) })
      expect(ack.options.timestampEcho).to.equal(2001)
    })
  })
})
