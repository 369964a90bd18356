import { expect } from 'chai'
import { describe, it } from 'mocha'
import { emitIcmp, PROTOCOL_ICMP } from '../../../../engine/wire/index.ts'
import { rawPair, watch } from '../../../support/raw-pair.ts'
import type { RawPeer } from '../../../support/raw-peer.ts'
import { pattern, transfer } from '../../../support/transfer.ts'
import { ADDRESS_A, ADDRESS_B, pair, VirtualWorld } from '../../../support/virtual-link.ts'

const MS = 1_000_000
const SECOND = 1000 * MS

/** Sends an ICMP error that quotes a segment of the stack's with this sequence number. */
function complain(peer: RawPeer, code: number, mtu: number, sequence: number, ports: [number, number]): void {
  const quote = new Uint8Array(28)
  const view = new DataView(quote.buffer)
  view.setUint8(0, 0x45)
  view.setUint16(2, 1500)
  view.setUint8(8, 60)
  view.setUint8(9, 6)
  view.setUint32(12, ADDRESS_B)
  view.setUint32(16, ADDRESS_A)
  view.setUint16(20, ports[0])
  view.setUint16(22, ports[1])
  view.setUint32(24, sequence)
  const icmp = new Uint8Array(36)
  emitIcmp(icmp, 0, 3, code, mtu, quote)
  peer.sendIp(PROTOCOL_ICMP, icmp)
  peer.settle()
}

describe('TCP and the path', () => {
  describe('when a router between two links of different MTU drops what is too big', () => {
    it('learns the path MTU and goes on with smaller segments', () => {
      const world = new VirtualWorld(1)
      const narrow = 1200
      const wide = world.lan({ mtu: 1500 })
      const client = world.host('client')
      const server = world.host('server')
      wide.attach(client, '10.0.1.2/24')
      wide.attach(server, '10.0.1.3/24')
      let tooBig = 0
      wide.options = {
        mtu: 1500,
        filter: (frame, from) => {
          if (frame.length - 14 <= narrow) return true
          tooBig++
          const icmp = new Uint8Array(8 + 28)
          emitIcmp(icmp, 0, 3, 4, narrow, frame.slice(14, 42))
          const stack = from === 'client' ? client : server
          world.at(world.now, () => {
            const packet = new Uint8Array(20 + icmp.length)
            packet.set(icmp, 20)
            // A router's message: from 10.0.1.1, through the injection door.
            stack.inject(ipv4(0x0a000101, from === 'client' ? 0x0a000102 : 0x0a000103, packet))
          })
          return false
        },
      }
      const result = transfer(client, server, 0x0a000103, 300_000)
      world.run()
      expect(result.receivedCrc).to.equal(result.sentCrc)
      expect(result.received).to.equal(300_000)
      expect(tooBig).to.be.within(1, 40)
      const causes = world.log.filter((event) => event.kind === 'retransmit').map((event) => event.cause)
      expect(causes).to.include('mtu')
      expect(causes).to.not.include('rto')
    })
  })

  describe('when ICMP errors are forged (RFC 5927)', () => {
    it('ignores those about numbers that are not in flight', () => {
      const { peer, accepted, stack } = rawPair()
      peer.open()
      const { connection } = accepted[0]
      connection.send(pattern(0, 1000))
      peer.settle()
      for (const offset of [-1, 1000, 50_000]) complain(peer, 4, 600, peer.expected + offset, [80, 5000])
      expect(stack.tcp.counters.unreachableIgnored).to.equal(3)
      expect(connection.block.congestion.segmentBytes).to.equal(1460)
      complain(peer, 4, 600, peer.expected, [80, 5000])
      expect(connection.block.congestion.segmentBytes).to.equal(560)
    })

    it('never makes segments tiny: below 552 bytes it lets routers fragment', () => {
      const { peer, accepted } = rawPair()
      peer.open()
      const { connection } = accepted[0]
      connection.send(pattern(0, 3000))
      peer.settle()
      peer.take()
      complain(peer, 4, 68, peer.expected, [80, 5000])
      expect(connection.block.congestion.segmentBytes).to.equal(512)
      const again = peer.take()
      expect(again.length).to.be.greaterThan(0)
      expect(again.every((segment) => !segment.dontFragment)).to.equal(true)
    })

    it('uses the plateaus for routers that do not say their MTU (RFC 1191)', () => {
      const { peer, accepted } = rawPair()
      peer.open()
      accepted[0].connection.send(pattern(0, 3000))
      peer.settle()
      complain(peer, 4, 0, peer.expected, [80, 5000])
      expect(accepted[0].connection.block.congestion.segmentBytes).to.equal(1492 - 40)
    })

    it('does not end an established connection, whatever they say', () => {
      const { peer, accepted } = rawPair()
      peer.open()
      accepted[0].connection.send(pattern(0, 100))
      peer.settle()
      for (const code of [0, 1, 2, 3, 5, 9, 10, 13]) complain(peer, code, 0, peer.expected, [80, 5000])
      expect(accepted[0].connection.state).to.equal('established')
    })
  })

  describe('when a port is unreachable while opening', () => {
    it('ends unreachable', () => {
      const { peer, stack } = rawPair(null)
      const record = watch(stack.tcp.connect({ to: ADDRESS_A, port: 5000 }))
      peer.settle()
      const [syn] = peer.take()
      complain(peer, 1, 0, syn.sequence, [syn.sourcePort, 5000])
      expect(record.closed).to.equal('')
      complain(peer, 3, 0, syn.sequence, [syn.sourcePort, 5000])
      expect(record.closed).to.equal('unreachable')
    })

    it('tells silence from soft errors at the end', () => {
      const { peer, stack, world } = rawPair(null)
      const settings = { synRetries: 1 }
      const record = watch(stack.tcp.connect({ to: ADDRESS_A, port: 5000, settings }))
      peer.settle()
      const [syn] = peer.take()
      complain(peer, 1, 0, syn.sequence, [syn.sourcePort, 5000])
      world.run(world.now + 100 * SECOND)
      expect(record.closed).to.equal('unreachable')
    })
  })

  describe('when both sides announce their MSS', () => {
    it('sends no more than the peer announced and the own link carries', () => {
      for (const [mtu, clamp, expected] of [
        [1500, 65_495, 1448],
        [1500, 1000, 988],
        [600, 65_495, 548],
      ]) {
        const { world, lan, a, b } = pair(1, { mtu })
        transfer(a, b, ADDRESS_B, 20_000, { maximumSegmentBytes: clamp })
        world.run()
        const largest = Math.max(...lan.frames('a').map((frame) => frame.length - 66))
        expect(largest, `${mtu}, ${clamp}`).to.equal(expected)
      }
    })
  })
})

/** Makes an IP header for `packet`, whose first 20 bytes are free. */
function ipv4(source: number, destination: number, packet: Uint8Array): Uint8Array {
  const view = new DataView(packet.buffer)
  view.setUint8(0, 0x45)
  view.setUint16(2, packet.length)
  view.setUint8(8, 64)
  view.setUint8(9, 1)
  view.setUint32(12, source)
  view.setUint32(16, destination)
  let sum = 0
  for (let i = 0; i < 20; i += 2) sum += view.getUint16(i)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  view.setUint16(10, ~sum & 0xffff)
  return packet
}
