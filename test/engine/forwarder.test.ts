import { expect } from 'chai'
import { describe, it } from 'mocha'
import { MILLISECOND, SECOND } from '../../engine/index.ts'
import { checksum, read16 } from '../../engine/wire/index.ts'
import { echo, fragmentsOf, icmp, ipPacket, pattern, seen, udp } from '../support/packets.ts'
import { rewritten, tunneled } from '../support/policies.ts'
import { HOST_MAC, TestRouter } from '../support/test-router.ts'

const VHA = '198.18.0.80'

/** The only ICMP error that left port `a`: type, code, rest and the quoted datagram. */
function notice(router: TestRouter): {
  type: number
  code: number
  rest: number
  quote: Uint8Array
  to: string
  from: string
} {
  const packets = router.take('a').map(seen)
  expect(packets, 'packets to the sender').to.have.length(1)
  const { payload, protocol, to, from } = packets[0]!
  expect(protocol).to.equal(1)
  return {
    type: payload[0]!,
    code: payload[1]!,
    rest: read16(payload, 6),
    quote: payload.subarray(8),
    to,
    from,
  }
}

function narrow(mtu: number): TestRouter {
  return new TestRouter([
    { name: 'a', address: '10.0.1.1/24' },
    { name: 'b', address: '10.0.2.1/24', mtu },
  ])
}

describe('Forwarder', () => {
  describe('when a packet is routed (R-PR-03)', () => {
    it('leaves by the port of its network in a frame from that port to the neighbour', () => {
      const router = new TestRouter()
      const packet = udp({ ttl: 64 })
      router.inject('a', packet)
      const [frame] = router.takeFrames('b')
      expect([...frame!.subarray(0, 14)]).to.deep.equal([...HOST_MAC, 2, 0, 0, 0, 0, 2, 8, 0])
      expect(seen(frame!.subarray(14))).to.deep.include({ to: '10.0.2.2', from: '10.0.1.2', ttl: 63 })
      expect(seen(frame!.subarray(14)).payload).to.deep.equal(packet.subarray(20))
    })

    it('goes to the gateway of its route', () => {
      const router = new TestRouter()
      router.commit([{ do: 'add-route', prefix: '0.0.0.0/0', target: { kind: 'via', via: '10.0.2.254' } }])
      router.inject('a', udp({ to: '203.0.113.7' }))
      expect(router.asked).to.deep.equal(['b 10.0.2.254'])
      expect(seen(router.take('b')[0]!).to).to.equal('203.0.113.7')
    })

    it('may go back to where it came from', () => {
      const router = new TestRouter()
      router.inject('a', udp({ to: '10.0.1.77' }))
      expect(router.take('a').map((packet) => seen(packet).to)).to.deep.equal(['10.0.1.77'])
    })

    it('is dropped in silence where a route says so', () => {
      const router = new TestRouter()
      router.commit([{ do: 'add-route', prefix: '203.0.113.0/24', target: { kind: 'blackhole' } }])
      router.inject('a', udp({ to: '203.0.113.7' }))
      expect(router.dropped).to.deep.equal({ blackhole: 1 })
      expect(router.take()).to.have.length(0)
    })
  })

  describe('when a packet cannot be delivered', () => {
    it('tells the sender that its time ran out, unless the packet is for the router itself', () => {
      const router = new TestRouter()
      const packet = udp({ ttl: 1 })
      router.inject('a', packet)
      expect(notice(router)).to.deep.include({
        type: 11,
        code: 0,
        to: '10.0.1.2',
        from: '10.0.1.1',
        quote: packet,
      })
      router.inject('a', echo({ to: '10.0.1.1', ttl: 1 }))
      expect(router.take('a').map((each) => seen(each).payload[0])).to.deep.equal([0])
      expect(router.dropped).to.deep.equal({ 'ttl-expired': 1 })
    })

    it('tells the sender that no route leads there', () => {
      const router = new TestRouter()
      router.inject('a', udp({ to: '203.0.113.7' }))
      expect(notice(router)).to.deep.include({ type: 3, code: 0 })
      expect(router.dropped).to.deep.equal({ 'no-route': 1 })
    })

    it('tells nobody about multicast, ICMP errors and later fragments', () => {
      const router = new TestRouter()
      const error = icmp(3, 1, 0, udp({ from: '203.0.113.7', to: '10.0.1.2' }).subarray(0, 28), {
        to: '203.0.113.7',
      })
      const later = fragmentsOf(ipPacket(pattern(64), { to: '203.0.113.7' }), 32)[1]!
      router.inject('a', udp({ to: '239.1.1.1', ttl: 1 }), error, later)
      expect(router.dropped).to.deep.equal({ 'multicast-unwanted': 1, 'no-route': 2 })
      expect(router.take()).to.have.length(0)
    })

    it('limits what it tells and counts the rest', () => {
      const router = new TestRouter()
      for (let i = 0; i < 300; i++) router.inject('a', udp({ to: '203.0.113.7' }))
      expect(router.take('a')).to.have.length(100)
      expect(router.rows('limits', { name: 'icmp.rateLimited' })[0]?.value).to.equal(200)
      router.advance(10 * MILLISECOND)
      for (let i = 0; i < 300; i++) router.inject('a', udp({ to: '203.0.113.7' }))
      expect(router.take('a'), 'a thousand a second').to.have.length(10)
    })

    it('quotes a rewritten packet as its sender knows it', () => {
      const router = narrow(576)
      router.filter('nat', rewritten({ from: '10.0.2.1', to: '10.0.2.50', fromPort: 1, toPort: 2 }))
      const packet = udp({ data: 1000, dontFragment: true })
      router.inject('a', packet)
      const told = notice(router)
      expect(told).to.deep.include({ type: 3, code: 4, rest: 576, to: '10.0.1.2' })
      expect(told.quote.subarray(12, 28)).to.deep.equal(packet.subarray(12, 28))
      expect(checksum(told.quote, 0, 20), 'its header checksum').to.equal(0)
    })

    it('quotes what a tunnel carries, not the tunnel, undoing what was rewritten before it', () => {
      const router = new TestRouter()
      router.inject('a', echo({ to: '10.0.1.1' }))
      router.take()
      router.answersArp = false
      router.commit([{ do: 'open-tunnel', name: 't', tunnel: { to: '10.0.2.9' } }])
      router.filter('nat', rewritten({ from: '10.0.2.1', to: VHA, toPort: 7 }, tunneled('t')))
      const packet = udp({ from: '10.0.1.2', to: '203.0.113.1' })
      router.inject('a', packet)
      expect(router.dropped).to.deep.equal({ 'tunnel-recursion': 1 })
      router.commit([{ do: 'remove-filter', name: 'nat' }])
      router.filter('nat', rewritten({ to: VHA, toPort: 7 }, tunneled('t')))
      router.inject('a', packet)
      router.advance(4 * SECOND)
      const told = notice(router)
      expect(told).to.deep.include({ type: 3, code: 1, to: '10.0.1.2' })
      expect(told.quote.subarray(12)).to.deep.equal(packet.subarray(12))
      expect(router.dropped['arp-unresolved']).to.equal(1)
    })
  })

  describe('when a packet is too long for its port', () => {
    it('is sent in fragments that make the same datagram', () => {
      const router = narrow(576)
      const packet = udp({ data: 1400, id: 9 })
      router.inject('a', packet)
      const parts = router.take('b').map(seen)
      expect(parts.every(({ totalBytes }) => totalBytes <= 576)).to.equal(true)
      expect(parts.map(({ moreFragments }) => moreFragments)).to.deep.equal([true, true, false])
      const data = new Uint8Array(packet.length - 20)
      for (const part of parts) data.set(part.payload, part.fragmentOffset)
      expect(data).to.deep.equal(packet.subarray(20))
      expect(router.engine.balance()).to.deep.include({ copies: 2, dropped: {} })
    })

    it('is refused with the MTU when it must not be fragmented', () => {
      const router = narrow(576)
      const packet = udp({ data: 1400, dontFragment: true })
      router.inject('a', packet)
      const told = notice(router)
      expect(told).to.deep.include({ type: 3, code: 4, rest: 576 })
      expect(told.quote.subarray(20)).to.deep.equal(packet.subarray(20, 20 + told.quote.length - 20))
      expect(router.dropped).to.deep.equal({ 'fragmentation-needed': 1 })
    })

    it('is dropped as slab-full when its fragments find no room', () => {
      const router = new TestRouter(
        [
          { name: 'a', address: '10.0.1.1/24' },
          { name: 'b', address: '10.0.2.1/24', mtu: 68 },
        ],
        { slab: { capacity: 16 } },
      )
      router.inject('a', udp({ data: 1400 }))
      expect(router.dropped).to.deep.equal({ 'slab-full': 1 })
    })
  })

  describe('when a packet enters a tunnel (R-SLR-10)', () => {
    function tunneling(mtu = 1500): TestRouter {
      const router = narrow(mtu)
      router.commit([{ do: 'open-tunnel', name: 't', tunnel: { to: '10.0.2.9' } }])
      router.filter('web', tunneled('t'), { to: VHA })
      return router
    }

    it('goes to the far end with the datagram inside, one less to live', () => {
      const router = tunneling()
      const packet = udp({ to: VHA, ttl: 30, tos: 0x2a })
      router.inject('a', packet)
      expect(router.asked).to.deep.equal(['b 10.0.2.9'])
      const outer = seen(router.take('b')[0]!)
      expect(outer).to.deep.include({ from: '10.0.2.1', to: '10.0.2.9', protocol: 4, ttl: 64 })
      expect(outer.payload).to.deep.equal(udp({ to: VHA, ttl: 29, tos: 0x2a }))
    })

    it('is fragmented inside when it is too long', () => {
      const router = tunneling(576)
      const packet = udp({ to: VHA, data: 1000 })
      router.inject('a', packet)
      const inner = router.take('b').map((each) => seen(Uint8Array.from(seen(each).payload)))
      expect(inner.map(({ moreFragments }) => moreFragments)).to.deep.equal([true, false])
      expect(inner.map(({ fragmentOffset }) => fragmentOffset)).to.deep.equal([0, 536])
    })

    it('is refused with the MTU of the tunnel when it must not be fragmented', () => {
      const router = tunneling()
      router.inject('a', udp({ to: VHA, data: 1472, dontFragment: true }))
      expect(notice(router)).to.deep.include({ type: 3, code: 4, rest: 1480 })
      router.inject('a', udp({ to: VHA, data: 1452, dontFragment: true }))
      expect(seen(router.take('b')[0]!).totalBytes).to.equal(1500)
    })

    it('respects the port that leads to the far end now, though the tunnel was opened over another', () => {
      const router = new TestRouter([
        { name: 'a', address: '10.0.1.1/24' },
        { name: 'b', address: '10.0.2.1/24' },
        { name: 'c', address: '10.0.3.1/24', mtu: 300 },
      ])
      router.commit([
        { do: 'add-route', prefix: '203.0.113.0/24', target: { kind: 'via', via: '10.0.2.254' } },
        { do: 'open-tunnel', name: 't', tunnel: { to: '203.0.113.9' } },
      ])
      router.filter('web', tunneled('t'), { to: VHA })
      router.commit([
        { do: 'remove-route', prefix: '203.0.113.0/24' },
        { do: 'add-route', prefix: '203.0.113.0/24', target: { kind: 'via', via: '10.0.3.254' } },
      ])
      router.inject('a', udp({ to: VHA, data: 400, dontFragment: true }))
      expect(notice(router)).to.deep.include({ type: 3, code: 4, rest: 280 })
      router.inject('a', udp({ to: VHA, data: 252, dontFragment: true }))
      expect(seen(router.take('c')[0]!).totalBytes).to.equal(300)
      router.inject('a', udp({ to: VHA, data: 400 }))
      expect(router.take('c').every((each) => each.length <= 300)).to.equal(true)
    })

    it('is dropped where the far end cannot be routed to any more', () => {
      const router = new TestRouter()
      router.commit([
        { do: 'add-route', prefix: '203.0.113.0/24', target: { kind: 'via', via: '10.0.2.254' } },
        { do: 'open-tunnel', name: 't', tunnel: { to: '203.0.113.9' } },
      ])
      router.filter('web', tunneled('t'), { to: VHA })
      router.commit([{ do: 'remove-route', prefix: '203.0.113.0/24' }])
      router.inject('a', udp({ to: VHA }))
      expect(notice(router)).to.deep.include({ type: 3, code: 0 })
      for (const kind of ['blackhole', 'local'] as const) {
        router.commit([{ do: 'add-route', prefix: '203.0.113.0/24', target: { kind } }])
        router.inject('a', udp({ to: VHA }))
        router.commit([{ do: 'remove-route', prefix: '203.0.113.0/24' }])
      }
      expect(router.dropped).to.deep.equal({ 'no-route': 1, blackhole: 1, 'martian-destination': 1 })
    })

    it('never enters when it comes from the far end or from the router (RFC 2003 3.2)', () => {
      const router = tunneling()
      router.inject('b', udp({ from: '10.0.2.9', to: VHA }))
      expect(router.dropped).to.deep.equal({ 'tunnel-recursion': 1 })
    })

    it('reaches a neighbour by its MAC alone where the tunnel is of that kind', () => {
      const router = new TestRouter()
      router.commit([{ do: 'open-tunnel', name: 't', tunnel: { to: '10.0.2.9', kind: 'mac-rewrite' } }])
      router.filter('web', tunneled('t'), { to: VHA })
      router.inject('a', udp({ to: VHA, ttl: 9 }))
      expect(router.asked).to.deep.equal(['b 10.0.2.9'])
      expect(router.take('b')).to.deep.equal([udp({ to: VHA, ttl: 8 })])
      router.inject('b', udp({ from: '10.0.2.9', to: VHA }))
      expect(router.dropped).to.deep.equal({ 'tunnel-recursion': 1 })
    })
  })

  describe('when the far end of a tunnel by MAC alone is on no connected network any more', () => {
    it('drops as tunnel-unreachable what a gateway would send elsewhere, and tells the sender', () => {
      const router = new TestRouter()
      router.commit([{ do: 'open-tunnel', name: 't', tunnel: { to: '10.0.2.9', kind: 'mac-rewrite' } }])
      router.filter('web', tunneled('t'), { to: VHA })
      router.commit([
        { do: 'remove-address', port: 'b', address: '10.0.2.1/24' },
        { do: 'add-address', port: 'b', address: '10.0.3.1/24' },
        { do: 'add-route', prefix: '10.0.2.0/24', target: { kind: 'via', via: '10.0.3.254' } },
      ])
      router.inject('a', udp({ to: VHA }))
      expect(router.dropped).to.deep.equal({ 'tunnel-unreachable': 1 })
      expect(notice(router)).to.deep.include({ type: 3, code: 1 })
    })
  })

  describe('when the slab runs full', () => {
    it('bounds what congested ports hold, so that others go on', () => {
      const ports = ['a', 'b', 'c', 'd'].map((name, i) => ({
        name,
        address: `10.0.${i + 1}.1/24`,
        scheduler: { limitPackets: 1000 },
      }))
      const router = new TestRouter(ports, { slab: { capacity: 90 } })
      for (const to of ['10.0.2.2', '10.0.3.2', '10.0.4.2']) router.inject('a', udp({ to }))
      for (const name of ['b', 'c']) router.port(name).paceNs = 1000 * SECOND
      router.inject('a', udp({ to: '10.0.2.2' }), udp({ to: '10.0.3.2' }))
      for (let i = 0; i < 100; i++) router.inject('a', udp({ to: '10.0.2.2' }), udp({ to: '10.0.3.2' }))
      expect(router.rows('ports').map(({ queued }) => queued)).to.deep.equal([0, 40, 40, 0])
      expect(router.dropped).to.deep.equal({ 'slab-full': 120 })
      router.take()
      router.inject('a', udp({ to: '10.0.4.2' }), udp({ to: '10.0.4.2' }))
      expect(router.take('d')).to.have.length(2)
      expect(router.port('a').counters.receiveDropped).to.equal(0)
    })
  })

  describe('when a link goes down', () => {
    it('drops what waits for it and what comes, telling the senders, and goes on when it is back', () => {
      const router = new TestRouter()
      router.inject('a', udp(), echo({ to: '10.0.1.1' }))
      router.port('b').paceNs = SECOND
      router.inject('a', udp(), udp(), udp())
      router.answersArp = false
      router.inject('a', udp({ to: '10.0.2.99' }))
      // Two packets and a question wait for the link, a packet for an answer.
      expect(router.engine.balance()).to.deep.include({ queued: 3, parked: 1 })
      router.take()
      router.setUp('b', false)
      expect(router.dropped).to.deep.equal({ 'port-down': 4 })
      expect(router.rows('neighbours', { port: 'b' })).to.have.length(0)
      expect(router.take('a').map((each) => [...seen(each).payload.subarray(0, 2)])).to.deep.equal(
        Array.from({ length: 3 }, () => [3, 1]),
      )
      router.inject('a', udp())
      expect(router.dropped).to.deep.equal({ 'port-down': 5 })
      expect(router.rows('ports', { name: 'b' })[0]).to.include({ up: false, queued: 0 })
      router.answersArp = true
      router.setUp('b', true)
      router.advance(2 * SECOND)
      router.take()
      router.inject('a', udp())
      expect(router.asked.at(-1)).to.equal('b 10.0.2.2')
      router.advance(SECOND)
      expect(router.take('b')).to.have.length(1)
    })
  })

  describe('when a frame cannot be transmitted', () => {
    it('counts it as transmit-failed', () => {
      const router = new TestRouter()
      router.inject('a', udp())
      const driver = router.port('b')
      driver.transmit = () => false
      router.inject('a', udp())
      expect(router.dropped).to.deep.equal({ 'transmit-failed': 1 })
    })
  })
})
