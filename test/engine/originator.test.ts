import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { echo, ip, patched, pattern, seen, udp } from '../support/packets.ts'
import { TestRouter } from '../support/test-router.ts'

const OWN = '10.0.2.1'

function datagram(payload: Uint8Array, from?: string) {
  const source = from === undefined ? {} : { from: ip(from) }
  return { ...source, to: ip('10.0.2.2'), fromPort: 4754, toPort: 5000, payload }
}

describe('Originator', () => {
  describe('when a datagram is sent', () => {
    it('leaves with the address of its port, right checksums and the payload', () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 1472 }), (payload) => {
          const router = new TestRouter()
          expect(router.engine.sendDatagram(datagram(payload), router.now)).to.equal(true)
          router.settle()
          const [packet] = router.take('b')
          const expected = udp({ from: OWN, fromPort: 4754, toPort: 5000, data: payload, id: 1 })
          expect(packet).to.deep.equal(expected)
          expect(router.engine.balance().originated).to.equal(2)
        }),
        { numRuns: 40 },
      )
    })

    it('leaves from any other address of the router that is asked for', () => {
      const router = new TestRouter()
      expect(router.engine.sendDatagram(datagram(pattern(4), '10.0.1.1'), router.now)).to.equal(true)
      router.settle()
      expect(router.take('b').map((packet) => seen(packet).from)).to.deep.equal(['10.0.1.1'])
    })

    it('copies the payload', () => {
      const router = new TestRouter()
      const payload = pattern(8)
      router.engine.sendDatagram(datagram(payload), router.now)
      payload.fill(0)
      router.settle()
      expect(router.take('b')[0]!.subarray(28)).to.deep.equal(pattern(8))
    })

    it('is refused under a name when it cannot set out', () => {
      const router = new TestRouter()
      const send = (more: object) =>
        router.engine.sendDatagram({ ...datagram(pattern(4)), ...more }, router.now)
      expect(send({ to: ip('192.0.2.9') })).to.equal(false)
      expect(send({ from: ip('192.0.2.1') })).to.equal(false)
      expect(send({ payload: new Uint8Array(4000) })).to.equal(false)
      expect(router.dropped).to.deep.equal({ 'no-route': 1, 'martian-source': 1, 'frame-oversized': 1 })
      router.expectConserved()
    })
  })

  describe('when a packet of the operating system is sent', () => {
    const send = (router: TestRouter, packet: Uint8Array): boolean => {
      const sent = router.engine.sendPacket(packet, 0, packet.length, router.now)
      router.settle()
      return sent
    }

    it('leaves as it is, without loss of a hop', () => {
      const router = new TestRouter()
      for (const packet of [echo({ from: OWN, ttl: 1 }), udp({ from: OWN, data: 0, tos: 7 })]) {
        expect(send(router, packet)).to.equal(true)
        expect(router.take('b')).to.deep.equal([packet])
      }
    })

    it('takes only the bytes it was told of', () => {
      const router = new TestRouter()
      const packet = udp({ from: OWN, data: 100 })
      const within = Uint8Array.from([1, 2, 3, ...packet, 4, 5])
      expect(router.engine.sendPacket(within, 3, packet.length, router.now)).to.equal(true)
      router.settle()
      expect(router.take('b')).to.deep.equal([packet])
    })

    it('leaves in fragments when it is longer than the MTU, and not at all when it forbids them', () => {
      const router = new TestRouter([{ name: 'b', address: '10.0.2.1/24', mtu: 576 }])
      expect(send(router, udp({ from: OWN, data: 1400 }))).to.equal(true)
      expect(router.take('b').map((packet) => packet.length)).to.deep.equal([572, 572, 324])
      expect(send(router, udp({ from: OWN, data: 1400, dontFragment: true }))).to.equal(true)
      expect(router.take('b')).to.deep.equal([])
      expect(router.dropped).to.deep.equal({ 'fragmentation-needed': 1 })
    })

    it("may come from a whole prefix that is the router's own", () => {
      const router = new TestRouter()
      router.commit([{ do: 'add-route', prefix: '198.18.0.0/15', target: { kind: 'local' } }])
      expect(send(router, echo({ from: '198.19.255.1' }))).to.equal(true)
    })

    it('is refused under a name when it bears an address of others, is spent or malformed', () => {
      const router = new TestRouter()
      const good = udp({ from: OWN })
      expect(send(router, udp({ from: '10.0.2.3' }))).to.equal(false)
      expect(send(router, udp({ from: OWN, ttl: 0 }))).to.equal(false)
      expect(send(router, patched(good, [10, good[10]! ^ 1]))).to.equal(false)
      expect(send(router, good.subarray(0, 19))).to.equal(false)
      expect(send(router, new Uint8Array(0))).to.equal(false)
      expect(send(router, new Uint8Array(5000))).to.equal(false)
      expect(router.dropped).to.deep.equal({
        'martian-source': 1,
        'ttl-expired': 1,
        'ip-checksum': 1,
        'ip-truncated': 2,
        'frame-oversized': 1,
      })
      expect(router.take()).to.deep.equal([])
    })

    it('survives any bytes', () => {
      const router = new TestRouter()
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, looksLikeIp) => {
          if (looksLikeIp && bytes.length > 0) bytes[0] = 0x45
          send(router, bytes)
        }),
        { numRuns: 300 },
      )
    })

    it('is dropped when the slab is full', () => {
      const router = new TestRouter(undefined, { slab: { capacity: 4 } })
      while (router.stages.slab.available > 0) router.stages.slab.allocate()
      const packet = udp({ from: OWN })
      expect(router.engine.sendPacket(packet, 0, packet.length, router.now)).to.equal(false)
      expect(router.dropped).to.deep.equal({ 'slab-full': 1 })
    })

    it('is refused by a closed engine', () => {
      const router = new TestRouter()
      router.engine.close(router.now)
      const packet = udp({ from: OWN })
      expect(router.engine.sendPacket(packet, 0, packet.length, router.now)).to.equal(false)
      expect(router.engine.sendDatagram(datagram(pattern(1)), router.now)).to.equal(false)
    })
  })
})
