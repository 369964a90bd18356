import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { TCP_ACK, TCP_FIN, TCP_PSH, TCP_RST, TCP_SYN, TCP_URG } from '../../../../engine/wire/index.ts'
import { rawPair, watch } from '../../../support/raw-pair.ts'
import { ADDRESS_B, pair } from '../../../support/virtual-link.ts'

const MS = 1_000_000
const SECOND = 1000 * MS

describe('TCP under attack', () => {
  describe('when RST is forged (RFC 5961 section 3)', () => {
    it('ignores it outside the window', () => {
      const { peer, accepted } = rawPair()
      peer.open()
      for (const offset of [-1, -70_000, 70_000, 0x7fffffff])
        expect(peer.send({ flags: TCP_RST, sequence: peer.next + offset }), `${offset}`).to.deep.equal([])
      expect(accepted[0].connection.state).to.equal('established')
    })

    it('challenges it inside the window, and obeys it at the exact number', () => {
      const { peer, accepted } = rawPair()
      peer.open()
      const [challenge] = peer.send({ flags: TCP_RST, sequence: peer.next + 1 })
      expect([challenge.flags, challenge.acknowledgment]).to.deep.equal([TCP_ACK, peer.next])
      expect(accepted[0].connection.state).to.equal('established')
      peer.send({ flags: TCP_RST })
      expect(accepted[0].closed).to.equal('reset')
    })

    it('limits the challenges to ten a second', () => {
      const { peer, stack } = rawPair()
      peer.open()
      let answers = 0
      for (let i = 1; i <= 200; i++) answers += peer.send({ flags: TCP_RST, sequence: peer.next + i }).length
      expect(answers).to.equal(10)
      expect(stack.tcp.counters.challengeAcks).to.equal(10)
      peer.settle(SECOND)
      expect(peer.send({ flags: TCP_RST, sequence: peer.next + 1 })).to.have.length(1)
    })
  })

  describe('when SYN is forged (RFC 5961 section 4)', () => {
    it('challenges it and lives, wherever it lies', () => {
      const { peer, accepted } = rawPair()
      peer.open()
      for (const offset of [0, 1, -1, 100_000]) {
        const [challenge] = peer.send({ flags: TCP_SYN, sequence: peer.next + offset })
        expect([challenge.flags, challenge.acknowledgment], `${offset}`).to.deep.equal([TCP_ACK, peer.next])
      }
      expect(accepted[0].connection.state).to.equal('established')
    })

    it('finds out that the peer has started anew (half-open connection)', () => {
      const { peer, accepted } = rawPair()
      peer.open()
      peer.next = 777_000
      const [challenge] = peer.send({ flags: TCP_SYN, acknowledgment: 0 })
      // The peer has no such connection: it answers the challenge with RST of the number it was given.
      peer.send({ flags: TCP_RST, sequence: challenge.acknowledgment })
      expect(accepted[0].closed).to.equal('reset')
      expect(peer.send({ flags: TCP_SYN, acknowledgment: 0 })[0].flags).to.equal(TCP_SYN | TCP_ACK)
    })
  })

  describe('when data are forged (RFC 5961 section 5)', () => {
    it('drops data that acknowledge too old or unsent numbers', () => {
      const { peer, accepted } = rawPair()
      peer.open()
      for (const offset of [1, 100_000, -70_000, -0x7fffff00]) {
        const [challenge] = peer.send({
          acknowledgment: peer.expected + offset,
          payload: Uint8Array.of(6, 6, 6),
        })
        expect(challenge.acknowledgment).to.equal(peer.next)
      }
      expect(accepted[0].data).to.deep.equal([])
    })

    it('drops data without ACK', () => {
      const { peer, accepted } = rawPair()
      peer.open()
      expect(peer.send({ flags: TCP_PSH, payload: Uint8Array.of(6) })).to.deep.equal([])
      expect(accepted[0].data).to.deep.equal([])
    })

    it('answers old and far data with its own numbers', () => {
      const { peer, accepted, stack } = rawPair()
      peer.open()
      const [one] = peer.send({ sequence: peer.next - 5, payload: Uint8Array.of(1, 2) })
      const [two] = peer.send({ sequence: peer.next + 500_000, payload: Uint8Array.of(1, 2) })
      expect([one.acknowledgment, two.acknowledgment]).to.deep.equal([peer.next, peer.next])
      expect(accepted[0].data).to.deep.equal([])
      expect(stack.tcp.counters.oldDuplicates).to.equal(2)
    })

    it('keeps the first of two contents for the same numbers', () => {
      const { peer, accepted } = rawPair()
      peer.open()
      peer.send({ sequence: peer.next + 2, payload: Uint8Array.of(3, 4) })
      peer.send({ sequence: peer.next + 1, payload: Uint8Array.of(66, 66, 66, 66, 5) })
      peer.send({ payload: Uint8Array.of(1, 77) })
      expect(accepted[0].data).to.deep.equal([1, 66, 3, 4, 66, 5])
    })

    it('takes urgent data as any other', () => {
      const { peer, accepted } = rawPair()
      peer.open()
      peer.send({ flags: TCP_ACK | TCP_URG, payload: Uint8Array.of(1, 2, 3) })
      expect(accepted[0].data).to.deep.equal([1, 2, 3])
    })
  })

  describe('when old segments come back (PAWS, RFC 7323 section 5)', () => {
    const stamped = (
      timestampValue: number,
    ): { hasTimestamp: true; timestampValue: number; timestampEcho: number } => ({
      hasTimestamp: true,
      timestampValue,
      timestampEcho: 0,
    })

    it('drops data with an old timestamp though the numbers are right', () => {
      const { peer, accepted, stack } = rawPair()
      peer.send({ flags: TCP_SYN, acknowledgment: 0, options: stamped(1000) }).forEach((answer) => {
        peer.expected = answer.sequence + 1
      })
      peer.next++
      peer.send({ options: stamped(1001) })
      const [answer] = peer.send({ options: stamped(900), payload: Uint8Array.of(6) })
      expect(answer.acknowledgment).to.equal(peer.next)
      expect(accepted[0].data).to.deep.equal([])
      expect(stack.tcp.counters.pawsRejected).to.equal(1)
      peer.send({ options: stamped(1001), payload: Uint8Array.of(1) })
      expect(accepted[0].data).to.deep.equal([1])
    })

    it('drops segments that lack the timestamp agreed on, but not RST', () => {
      const { peer, accepted } = rawPair()
      peer.send({ flags: TCP_SYN, acknowledgment: 0, options: stamped(1000) }).forEach((answer) => {
        peer.expected = answer.sequence + 1
      })
      peer.next++
      peer.send({ options: stamped(1001) })
      expect(peer.send({ payload: Uint8Array.of(6) })).to.deep.equal([])
      expect(accepted[0].data).to.deep.equal([])
      peer.send({ flags: TCP_RST })
      expect(accepted[0].closed).to.equal('reset')
    })
  })

  describe('when SYNs flood a listener', () => {
    it('keeps no more than the backlog, and serves again when they have timed out', () => {
      const { peer, stack, accepted } = rawPair({ backlog: 16, settings: { synRetries: 1 } })
      let answers = 0
      for (let i = 0; i < 5000; i++)
        answers += peer.send({ flags: TCP_SYN, acknowledgment: 0, sourcePort: 10_000 + i }).length
      expect(answers).to.equal(16)
      expect(stack.tcp.connections).to.equal(16)
      expect(stack.tcp.counters.backlogFull).to.equal(5000 - 16)
      peer.settle(5 * SECOND)
      peer.take()
      expect(stack.tcp.connections).to.equal(0)
      peer.open()
      expect(accepted).to.have.length(1)
    })

    it('keeps no more connections than the limit', () => {
      const { world, lan, b, a } = pair(1)
      const small = world.host('small', { tcp: { connections: 5 } })
      lan.attach(small, '10.0.0.3/24')
      small.tcp.listen(80, 0, () => {})
      const clients = Array.from({ length: 8 }, () =>
        watch(a.tcp.connect({ to: 0x0a000003, port: 80, settings: { synRetries: 0 } })),
      )
      world.run()
      expect(clients.filter((each) => each.closed === 'timeout')).to.have.length(3)
      expect(small.tcp.counters.connectionLimit).to.equal(3)
      expect(b.tcp.connections).to.equal(0)
    })
  })

  describe('when a SYN goes to many (RFC 9293 MUST-57)', () => {
    it('discards it in silence', () => {
      const { peer, stack, lan, world } = rawPair()
      stack.igmp.join(0xef000001)
      world.run(10 * SECOND)
      const before = lan.frames('b').length
      peer.peer = 0xef000001
      peer.send({ flags: TCP_SYN, acknowledgment: 0 })
      peer.peer = 0x0a0000ff
      peer.send({ flags: TCP_SYN, acknowledgment: 0 })
      peer.peer = 0xffffffff
      peer.send({ flags: TCP_SYN, acknowledgment: 0 })
      peer.send({ flags: TCP_ACK })
      expect(lan.frames('b').length).to.equal(before)
      expect(stack.tcp.counters.segmentsIn).to.equal(4)
    })
  })

  describe('when out-of-order data pile up', () => {
    it('bounds the segments it keeps', () => {
      const { peer, stack } = rawPair()
      peer.open()
      for (let i = 0; i < 700; i++) peer.send({ sequence: peer.next + 2 + i * 2, payload: Uint8Array.of(1) })
      expect(stack.tcp.counters.outOfOrderLimit).to.equal(700 - 512)
    })
  })

  describe('for any segments at all', () => {
    it('neither throws nor grows, and an honest connection lives on', () => {
      const flag = fc.constantFrom(
        0,
        TCP_ACK,
        TCP_SYN,
        TCP_RST,
        TCP_FIN,
        TCP_SYN | TCP_ACK,
        TCP_ACK | TCP_FIN,
        63,
        255,
      )
      const segment = fc.record({
        flags: flag,
        near: fc.boolean(),
        sequence: fc.integer({ min: -70_000, max: 70_000 }),
        acknowledgment: fc.oneof(fc.integer({ min: -70_000, max: 70_000 }), fc.nat(0xffffffff)),
        window: fc.nat(65_535),
        payload: fc.uint8Array({ maxLength: 40 }),
        sourcePort: fc.constantFrom(5000, 5001),
      })
      fc.assert(
        fc.property(fc.array(segment, { maxLength: 40 }), fc.nat(), (segments, seed) => {
          const { peer, stack, world, accepted } = rawPair({}, seed)
          peer.open()
          const { connection } = accepted[0]
          connection.send(new Uint8Array(5000))
          for (const { near, sequence, acknowledgment, ...rest } of segments) {
            // The exact number ends connections, as it may: everything else must not.
            const exact = sequence === 0 && (rest.flags & TCP_RST) !== 0 ? 1 : sequence
            peer.send({
              ...rest,
              sequence: near ? connection.block.rcvNxt + exact : exact * 65_537,
              acknowledgment: connection.block.sndUna + acknowledgment,
            })
          }
          expect(stack.tcp.connections).to.be.lessThan(4)
          expect(connection.block.outOfOrder?.bytes ?? 0).to.be.at.most(262_144)
          world.run(world.now + SECOND)
        }),
        { numRuns: 100 },
      )
    })
  })
})

describe('TCP across a crash of one side', () => {
  it('ends the survivor with reset when it speaks, and a new connection works', () => {
    const { world, lan, a } = pair(1)
    const client = watch(a.tcp.connect({ to: ADDRESS_B, port: 80 }))
    world.stacks[1].tcp.listen(80, 0, () => {})
    world.run(SECOND)
    expect(client.connection.state).to.equal('established')
    // A fresh stack takes over the address: same link, new MAC, no memory.
    const old = world.stacks[1].devices[0].device.mac
    lan.options = { filter: (frame) => !frame.subarray(6, 12).every((byte, i) => byte === old[i]) }
    const fresh = world.host('b2')
    lan.attach(fresh, '10.0.0.2/24')
    fresh.tcp.listen(80, 0, () => {})
    client.connection.send(Uint8Array.of(1))
    world.run(world.now + 200 * SECOND)
    expect(client.closed).to.equal('reset')
    const again = watch(a.tcp.connect({ to: ADDRESS_B, port: 80 }))
    world.run(world.now + SECOND)
    expect(again.connection.state).to.equal('established')
  })
})
