import { expect } from 'chai'
import { describe, it } from 'mocha'
import { TCP_ACK, TCP_FIN, TCP_PSH, TCP_RST, TCP_SYN } from '../../../../engine/wire/index.ts'
import type { StackError } from '../../../../host/stack/index.ts'
import { rawPair, watch } from '../../../support/raw-pair.ts'
import { transfer } from '../../../support/transfer.ts'
import { ADDRESS_A, ADDRESS_B, pair } from '../../../support/virtual-link.ts'

const MS = 1_000_000
const SECOND = 1000 * MS

describe('TCP handshake', () => {
  describe('when a SYN finds a listener', () => {
    it('answers with its options and hands over the connection once acknowledged', () => {
      const { peer, accepted } = rawPair()
      const options = {
        mss: 1460,
        windowScale: 7,
        sackPermitted: true,
        hasTimestamp: true,
        timestampValue: 77,
      }
      const [answer] = peer.send({ flags: TCP_SYN, acknowledgment: 0, options })
      expect(answer.flags).to.equal(TCP_SYN | TCP_ACK)
      expect(answer.acknowledgment).to.equal(1001)
      expect(answer.options.mss).to.equal(1460)
      expect(answer.options.windowScale).to.equal(3)
      expect(answer.options.sackPermitted).to.equal(true)
      expect(answer.options.timestampEcho).to.equal(77)
      expect(accepted).to.have.length(0)
      peer.next++
      peer.expected = answer.sequence + 1
      const stamped = { hasTimestamp: true, timestampValue: 78, timestampEcho: answer.options.timestampValue }
      peer.send({ options: stamped })
      expect(accepted).to.have.length(1)
      expect(accepted[0].connection.state).to.equal('established')
    })

    it('offers no option that the SYN did not have', () => {
      const { peer } = rawPair()
      const [{ options }] = peer.send({ flags: TCP_SYN, acknowledgment: 0 })
      expect([options.windowScale, options.sackPermitted, options.hasTimestamp]).to.deep.equal([
        -1,
        false,
        false,
      ])
    })

    it('sends no more than 536 bytes a segment to a peer without the MSS option', () => {
      const { peer, accepted } = rawPair()
      peer.open({})
      accepted[0].connection.send(new Uint8Array(3000))
      peer.settle()
      expect(Math.max(...peer.take().map((segment) => segment.payload.length))).to.equal(536)
    })

    it('repeats the SYN-ACK when the SYN is repeated, and gives up silently in the end', () => {
      const { peer, stack, world } = rawPair({ settings: { synRetries: 2 } })
      const [first] = peer.send({ flags: TCP_SYN, acknowledgment: 0 })
      const [again] = peer.send({ flags: TCP_SYN, acknowledgment: 0 })
      expect([again.flags, again.sequence]).to.deep.equal([TCP_SYN | TCP_ACK, first.sequence])
      peer.settle(10 * SECOND)
      expect(peer.take().map((segment) => segment.flags)).to.deep.equal([18, 18])
      expect(stack.tcp.connections).to.equal(0)
      const causes = world.log.filter((event) => event.kind === 'retransmit').map((event) => event.cause)
      expect(causes).to.deep.equal(['syn', 'syn', 'syn'])
    })

    it('takes data that come with the acknowledgment of the SYN-ACK', () => {
      const { peer, accepted } = rawPair()
      const [answer] = peer.send({ flags: TCP_SYN, acknowledgment: 0, options: { mss: 1460 } })
      peer.next++
      peer.expected = answer.sequence + 1
      peer.send({ flags: TCP_ACK | TCP_PSH | TCP_FIN, payload: Uint8Array.of(1, 2, 3) })
      expect(accepted[0].data).to.deep.equal([1, 2, 3])
      expect(accepted[0].ended).to.equal(true)
    })
  })

  describe('when nothing listens', () => {
    it('answers SYN with RST, ACK', () => {
      const { peer } = rawPair(null)
      const [reset] = peer.send({ flags: TCP_SYN, acknowledgment: 0, payload: Uint8Array.of(1, 2) })
      expect([reset.flags, reset.sequence, reset.acknowledgment]).to.deep.equal([TCP_RST | TCP_ACK, 0, 1003])
    })

    it('answers ACK with RST of its number, and RST with nothing', () => {
      const { peer } = rawPair(null)
      const [reset] = peer.send({ flags: TCP_ACK, acknowledgment: 4711 })
      expect([reset.flags, reset.sequence]).to.deep.equal([TCP_RST, 4711])
      expect(peer.send({ flags: TCP_RST | TCP_ACK })).to.deep.equal([])
    })

    it('lets a stray handler take the packet instead (R-MC-14)', () => {
      const { peer, stack } = rawPair(null)
      const packets: Uint8Array[] = []
      stack.tcp.onStray = (packet) => packets.push(packet) > 0
      expect(peer.send({ flags: TCP_ACK, payload: Uint8Array.of(1, 2, 3) })).to.deep.equal([])
      expect(packets[0].length).to.equal(43)
    })
  })

  describe('when opening actively', () => {
    it('ends refused on RST, and not on a RST that acknowledges something else', () => {
      const { peer, stack } = rawPair(null)
      const record = watch(stack.tcp.connect({ to: ADDRESS_A, port: 5000 }))
      peer.settle()
      const [syn] = peer.take()
      peer.peerPort = syn.sourcePort
      peer.send({ flags: TCP_RST | TCP_ACK, acknowledgment: syn.sequence })
      peer.send({ flags: TCP_RST })
      expect(record.closed).to.equal('')
      peer.send({ flags: TCP_RST | TCP_ACK, acknowledgment: syn.sequence + 1 })
      expect(record.closed).to.equal('refused')
    })

    it('answers an unacceptable acknowledgment with RST and goes on', () => {
      const { peer, stack } = rawPair(null)
      const record = watch(stack.tcp.connect({ to: ADDRESS_A, port: 5000 }))
      peer.settle()
      const [syn] = peer.take()
      peer.peerPort = syn.sourcePort
      const [reset] = peer.send({ flags: TCP_SYN | TCP_ACK, acknowledgment: syn.sequence + 5 })
      expect([reset.flags, reset.sequence]).to.deep.equal([TCP_RST, (syn.sequence + 5) >>> 0])
      expect(record.connection.state).to.equal('syn-sent')
    })

    it('repeats the SYN with back-off and ends with a timeout', () => {
      const { world, lan, a } = pair(1, { filter: (frame) => frame[12] === 8 && frame[13] === 6 })
      const record = watch(a.tcp.connect({ to: ADDRESS_B, port: 80, settings: { synRetries: 3 } }))
      world.run()
      expect(record.closed).to.equal('timeout')
      const times = lan.passages.filter((each) => each.fate === 'filtered').map((each) => each.at / SECOND)
      expect(times.map(Math.round)).to.deep.equal([0, 1, 3, 7])
    })

    it('ends unreachable without a route, after the call', () => {
      const { world, a } = pair(1)
      const record = watch(a.tcp.connect({ to: 0x08080808, port: 80 }))
      expect(record.closed).to.equal('')
      world.run()
      expect(record.closed).to.equal('unreachable')
    })

    it('refuses groups, bad ports and foreign source addresses', () => {
      const { a } = pair(1)
      const code = (request: Parameters<typeof a.tcp.connect>[0]): string => {
        try {
          a.tcp.connect(request)
        } catch (error) {
          return (error as StackError).code
        }
        return 'accepted'
      }
      expect(code({ to: 0xe0000101, port: 80 })).to.equal('invalid')
      expect(code({ to: 0xffffffff, port: 80 })).to.equal('invalid')
      expect(code({ to: ADDRESS_B, port: 0 })).to.equal('invalid')
      expect(code({ to: ADDRESS_B, port: 80, from: 0x01020304 })).to.equal('invalid')
      a.tcp.connect({ to: ADDRESS_B, port: 80, fromPort: 4000 })
      expect(code({ to: ADDRESS_B, port: 80, fromPort: 4000 })).to.equal('exists')
    })
  })

  describe('when both sides open at once', () => {
    it('becomes one connection', () => {
      const { world, a, b } = pair(1, { delayNs: 5 * MS })
      const one = watch(a.tcp.connect({ to: ADDRESS_B, port: 7000, fromPort: 7000 }))
      const other = watch(b.tcp.connect({ to: ADDRESS_A, port: 7000, fromPort: 7000 }))
      let established = 0
      one.connection.onEstablished = () => established++
      other.connection.onEstablished = () => established++
      one.connection.send(Uint8Array.of(1, 2, 3))
      other.connection.send(Uint8Array.of(4, 5, 6))
      world.run(SECOND)
      expect(established).to.equal(2)
      expect([one.data, other.data]).to.deep.equal([
        [4, 5, 6],
        [1, 2, 3],
      ])
      one.connection.close()
      other.connection.close()
      world.run()
      expect([one.closed, other.closed]).to.deep.equal(['closed', 'closed'])
    })

    it('works with lost segments, too', () => {
      for (let seed = 0; seed < 20; seed++) {
        const { world, a, b } = pair(seed, { delayNs: 5 * MS, loss: 0.3 })
        const one = watch(a.tcp.connect({ to: ADDRESS_B, port: 7000, fromPort: 7000 }))
        const other = watch(b.tcp.connect({ to: ADDRESS_A, port: 7000, fromPort: 7000 }))
        one.connection.send(Uint8Array.of(1, 2, 3))
        other.connection.send(Uint8Array.of(4, 5, 6))
        one.connection.onEstablished = () => one.connection.close()
        other.connection.onEstablished = () => other.connection.close()
        world.run()
        expect([one.data, other.data], `seed ${seed}`).to.deep.equal([
          [4, 5, 6],
          [1, 2, 3],
        ])
      }
    })
  })

  describe('when sequence numbers wrap', () => {
    it('carries the data across', () => {
      const probe = pair(1)
      watch(probe.a.tcp.connect({ to: ADDRESS_B, port: 80, fromPort: 4000 }))
      probe.world.run(MS)
      const iss = new DataView(probe.lan.frames('a')[1].buffer).getUint32(38)
      const { world, a, b } = pair(1, { delayNs: MS })
      // The initial sequence number follows the clock: 4 microseconds a number.
      world.now = (0x1_0000_0000 - iss - 50_000) * 4000
      world.act(() => {})
      const result = transfer(a, b, ADDRESS_B, 200_000, {}, 80)
      world.run(world.now + 100 * SECOND)
      expect(result.received).to.equal(200_000)
      expect(result.receivedCrc).to.equal(result.sentCrc)
    })
  })
})
