import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { type LocalService, SECOND } from '../../engine/index.ts'
import { read16 } from '../../engine/wire/index.ts'
import {
  echo,
  fragmentsOf,
  icmp,
  ipInIp,
  ipPacket,
  patched,
  pattern,
  seen,
  tcp,
  udp,
} from '../support/packets.ts'
import { rewritten, tunneled } from '../support/policies.ts'
import { TestRouter } from '../support/test-router.ts'

const VHA = '198.18.0.80'

/** Payloads of the datagrams that a service was given. */
function service(): { given: Uint8Array[]; serve: LocalService } {
  const given: Uint8Array[] = []
  return { given, serve: (slab, packet) => given.push(slab.frame(packet).slice(14)) > 0 }
}

describe('LocalServices', () => {
  describe('when an echo request is for the router', () => {
    it('returns all data, from the address that was asked (RFC 1122 3.2.2.6)', () => {
      fc.assert(
        fc.property(
          fc.uint8Array({ maxLength: 1400 }),
          fc.nat({ max: 255 }),
          fc.constantFrom('10.0.1.1', '10.0.2.1'),
          (data, tos, to) => {
            const router = new TestRouter()
            router.inject('a', icmp(8, 0, 0xdeadbeef, data, { to, tos, ttl: 3 }))
            const [packet] = router.take('a')
            const answer = seen(packet!)
            expect([answer.from, answer.to, answer.ttl, packet![1]]).to.deep.equal([to, '10.0.1.2', 64, tos])
            expect(answer.payload).to.deep.equal(icmp(0, 0, 0xdeadbeef, data).subarray(20))
            expect(router.engine.balance()).to.deep.include({ delivered: 2, originated: 2, out: 2 })
          },
        ),
        { numRuns: 60 },
      )
    })

    it('answers for whole prefixes that are its own', () => {
      const router = new TestRouter()
      router.commit([{ do: 'add-route', prefix: '198.18.0.0/15', target: { kind: 'local' } }])
      router.inject('a', echo({ to: '198.19.255.1' }))
      expect(router.take('a').map((packet) => seen(packet).from)).to.deep.equal(['198.19.255.1'])
    })

    it('answers one that comes in fragments, in fragments if it must', () => {
      const router = new TestRouter([{ name: 'a', address: '10.0.1.1/24', mtu: 576 }])
      const asked = echo({ to: '10.0.1.1', data: 1400, id: 3 })
      const parts = fragmentsOf(asked, 552)
      router.inject('a', parts[1]!, parts[2]!, parts[0]!)
      const data = new Uint8Array(asked.length - 20)
      for (const part of router.take('a').map(seen)) data.set(part.payload, part.fragmentOffset)
      expect(data).to.deep.equal(icmp(0, 0, 0x70001, pattern(1400)).subarray(20))
      expect(router.engine.balance()).to.deep.include({ merged: 2, parked: 0, dropped: {} })
    })

    it('gives up one whose fragments do not all come', () => {
      const router = new TestRouter()
      const parts = fragmentsOf(echo({ to: '10.0.1.1', data: 1400, id: 3 }), 552)
      router.inject('a', parts[0]!, parts[1]!)
      expect(router.engine.balance().parked).to.equal(1)
      router.advance(20 * SECOND)
      expect(router.dropped).to.deep.equal({ 'fragment-expired': 1 })
      expect(router.take()).to.have.length(0)
    })

    it('gives up one that is longer than a frame of the slab', () => {
      const router = new TestRouter()
      const parts = fragmentsOf(echo({ to: '10.0.1.1', data: 4000, id: 3 }), 1400)
      router.inject('a', ...parts)
      expect(router.dropped).to.have.property('frame-oversized')
      expect(router.take()).to.have.length(0)
    })

    it('drops one with a wrong checksum as icmp-malformed', () => {
      const router = new TestRouter()
      router.inject('a', patched(echo({ to: '10.0.1.1' }), [22, 0]))
      expect(router.dropped).to.deep.equal({ 'icmp-malformed': 1 })
    })
  })

  describe('when nobody serves what is asked for', () => {
    const cases: readonly [what: string, packet: Uint8Array, code: number][] = [
      ['a UDP port', udp({ to: '10.0.1.1' }), 3],
      ['a TCP port', tcp({ to: '10.0.1.1' }), 3],
      ['a protocol', ipPacket(pattern(20), { to: '10.0.1.1', protocol: 89 }), 2],
      ['tunnels (RFC 2003 4)', ipInIp(udp(), { to: '10.0.1.1' }), 2],
    ]
    for (const [what, packet, code] of cases)
      it(`refuses ${what} with the error that its sender expects`, () => {
        const router = new TestRouter()
        router.inject('a', packet)
        const [told] = router.take('a').map(seen)
        expect([...told!.payload.subarray(0, 2)]).to.deep.equal([3, code])
        expect(told!.payload.subarray(8)).to.deep.equal(packet)
        expect(router.dropped).to.deep.equal({ 'no-such-service': 1 })
      })

    it('takes other ICMP messages in silence', () => {
      const router = new TestRouter()
      router.inject(
        'a',
        icmp(13, 0, 7, pattern(12), { to: '10.0.1.1' }),
        icmp(0, 0, 7, pattern(12), { to: '10.0.1.1' }),
      )
      expect(router.take()).to.have.length(0)
      expect(router.dropped).to.deep.equal({})
    })
  })

  describe('when a service is registered', () => {
    it('gets the datagrams of its port, and another those of the whole protocol', () => {
      const router = new TestRouter()
      const dns = service()
      const rest = service()
      const ospf = service()
      router.engine.local.serve(17, 53, dns.serve)
      router.engine.local.serve(17, 0, rest.serve)
      router.engine.local.serve(89, 0, ospf.serve)
      const other = ipPacket(pattern(8), { to: '10.0.1.1', protocol: 89 })
      router.inject('a', udp({ to: '10.0.1.1' }), udp({ to: '10.0.2.1', toPort: 54 }), other)
      expect([dns.given.length, rest.given.length]).to.deep.equal([1, 1])
      expect(ospf.given).to.deep.equal([other])
      router.engine.local.serve(17, 53, undefined)
      router.inject('a', udp({ to: '10.0.1.1' }))
      expect([dns.given.length, rest.given.length]).to.deep.equal([1, 2])
      expect(router.engine.balance()).to.deep.include({ delivered: 4, dropped: {} })
    })

    it('gets whole datagrams, and never one that is broken', () => {
      const router = new TestRouter()
      const { given, serve } = service()
      router.engine.local.serve(17, 53, serve)
      const whole = udp({ to: '10.0.1.1', data: 1000, id: 4 })
      router.inject('a', ...fragmentsOf(whole, 400).reverse())
      expect(given).to.deep.equal([whole])
      const broken = fragmentsOf(patched(udp({ to: '10.0.1.1', data: 1000, id: 5 }), [900, 0xee]), 400)
      router.inject('a', ...broken, patched(udp({ to: '10.0.1.1' }), [30, 0xee]))
      expect([given.length, router.dropped['transport-checksum']]).to.deep.equal([1, 2])
    })

    it('gets what its port leaves to hardware to complete', () => {
      const router = new TestRouter()
      const { given, serve } = service()
      router.engine.local.serve(17, 53, serve)
      Object.assign(router.port('a').capabilities, { checksumsComplete: false })
      router.inject('a', patched(udp({ to: '10.0.1.1' }), [26, 0xee]))
      expect(given).to.have.length(1)
    })

    it('gets what was rewritten to it by the port that it has now', () => {
      const router = new TestRouter()
      const { given, serve } = service()
      router.engine.local.serve(17, 5353, serve)
      router.filter('dns', rewritten({ to: '10.0.1.1', toPort: 5353 }), { to: VHA })
      router.inject('a', udp({ to: VHA, toPort: 53 }))
      expect(given.map((packet) => read16(packet, 22))).to.deep.equal([5353])
    })

    it('may change the engine while it has a datagram', () => {
      const router = new TestRouter()
      router.commit([{ do: 'open-tunnel', name: 't', tunnel: { to: '10.0.2.9' } }])
      router.filter(
        'both',
        { kind: 'replicate', to: [tunneled('t'), rewritten({ to: '10.0.1.1' })] },
        { to: VHA },
      )
      router.engine.local.serve(17, 53, () => {
        router.commit([
          { do: 'remove-filter', name: 'both' },
          { do: 'close-tunnel', name: 't' },
        ])
        return true
      })
      router.inject('a', udp({ to: VHA }))
      expect(router.take('b').map((packet) => seen(packet).to)).to.deep.equal(['10.0.2.9'])
      expect([router.stages.actions.size, router.stages.tunnels.size]).to.deep.equal([0, 0])
    })
  })

  describe('when there is a punt', () => {
    it('hands it what nothing else takes, whole', () => {
      const router = new TestRouter()
      const { given, serve } = service()
      router.engine.local.punt = serve
      const datagram = udp({ to: '10.0.1.1', data: 1000, id: 4 })
      const stamp = icmp(13, 0, 7, pattern(12), { to: '10.0.1.1' })
      router.inject('a', ...fragmentsOf(datagram, 400), stamp, echo({ to: '10.0.1.1' }))
      expect(given).to.deep.equal([datagram, stamp])
      expect(router.take('a')).to.have.length(1)
    })
  })

  describe('when an ICMP error comes from inside a tunnel (RFC 2003 4, R-SLR-10)', () => {
    function entry(): TestRouter {
      const router = new TestRouter()
      router.commit([{ do: 'open-tunnel', name: 't', tunnel: { to: '10.0.2.9' } }])
      router.filter('web', tunneled('t'), { to: VHA })
      return router
    }

    it('lowers the MTU of the tunnel and tells the sender, end to end', () => {
      const router = entry()
      const packet = udp({ to: VHA, data: 1400, dontFragment: true })
      router.inject('a', packet)
      const [outer] = router.take('b')
      router.inject('b', icmp(3, 4, 1300, outer!.subarray(0, 576), { from: '10.0.2.77', to: '10.0.2.1' }))
      expect(router.rows('tunnels')[0]).to.include({ mtuBytes: 1300, errors: 1 })
      const [told] = router.take('a').map(seen)
      expect([...told!.payload.subarray(0, 2), read16(told!.payload, 6)]).to.deep.equal([3, 4, 1280])
      expect(told!.payload.subarray(20, 24)).to.deep.equal(packet.subarray(12, 16))
      router.inject('a', packet)
      expect(router.dropped).to.deep.equal({ 'fragmentation-needed': 1 })
      expect(seen(router.take('a')[0]!).payload[1]).to.equal(4)
      router.inject('a', udp({ to: VHA, data: 1252, dontFragment: true }))
      expect(router.take('b').map((each) => each.length)).to.deep.equal([1300])
    })

    it('lowers the MTU on the word of a quote too short to name the sender, who learns it with the next packet', () => {
      const router = entry()
      router.inject('a', udp({ to: VHA, data: 1400, dontFragment: true }))
      const [outer] = router.take('b')
      router.inject('b', icmp(3, 4, 1300, outer!.subarray(0, 28), { from: '10.0.2.77', to: '10.0.2.1' }))
      expect(router.take('a')).to.have.length(0)
      router.inject('a', udp({ to: VHA, data: 1400, dontFragment: true }))
      expect(read16(seen(router.take('a')[0]!).payload, 6)).to.equal(1280)
    })

    it('tells senders for a while that the far end is unreachable, and lets their packets go on', () => {
      const router = entry()
      router.inject('a', udp({ to: VHA }))
      const [outer] = router.take('b')
      router.inject('b', icmp(3, 1, 0, outer!.subarray(0, 28), { from: '10.0.2.77', to: '10.0.2.1' }))
      const packet = udp({ to: VHA })
      router.inject('a', packet)
      expect(router.take('b'), 'goes on').to.have.length(1)
      router.inject('a', packet)
      const [told] = router.take('a').map(seen)
      expect([...told!.payload.subarray(0, 2)]).to.deep.equal([3, 1])
      router.advance(60 * SECOND)
      router.inject('a', packet)
      expect(router.take('a')).to.have.length(0)
    })

    it('believes nobody who names a tunnel that is not there, and tells nobody', () => {
      const router = entry()
      const forged = ipInIp(udp({ to: VHA }), { from: '10.0.2.1', to: '10.0.2.66', dontFragment: true })
      router.inject('b', icmp(3, 4, 100, forged, { from: '10.0.2.77', to: '10.0.2.1' }))
      expect(router.take()).to.have.length(0)
      expect(router.rows('limits', { name: 'tunnels.reportsRefused' })[0]?.value).to.equal(1)
      expect(router.rows('tunnels')[0]?.mtuBytes).to.equal(1500)
    })
  })
})
