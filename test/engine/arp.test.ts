import { expect } from 'chai'
import { describe, it } from 'mocha'
import { SECOND } from '../../engine/index.ts'
import { ARP_REPLY, ARP_REQUEST, createArp, formatIpv4Address, parseArp } from '../../engine/wire/index.ts'
import { type ArpOptions, arpFrame, patched, seen, udp } from '../support/packets.ts'
import { BROADCAST, HOST_MAC, OTHER_MAC, TestRouter } from '../support/test-router.ts'

const ROUTER_MAC = Uint8Array.of(2, 0, 0, 0, 0, 1)

interface Answer {
  readonly to: number[]
  readonly operation: number
  readonly sender: string
  readonly target: string
}

/** A router, and the ARP frames that leave its port `a`. */
function listening(): { router: TestRouter; frames: Answer[] } {
  const router = new TestRouter()
  const frames: Answer[] = []
  const port = router.port('a')
  port.onTransmit = (bytes, start) => {
    const arp = createArp()
    expect(parseArp(bytes, start + 14, start + 42, arp)).to.equal(0)
    frames.push({
      to: [...bytes.slice(start, start + 6)],
      operation: arp.operation,
      sender: formatIpv4Address(arp.senderAddress),
      target: formatIpv4Address(arp.targetAddress),
    })
  }
  return { router, frames }
}

const request = (options: Partial<ArpOptions> = {}): Uint8Array =>
  arpFrame({
    operation: ARP_REQUEST,
    senderMac: HOST_MAC,
    sender: '10.0.1.2',
    target: '10.0.1.1',
    ...options,
  })
const reply = (options: Partial<ArpOptions> = {}): Uint8Array =>
  request({ operation: ARP_REPLY, targetMac: ROUTER_MAC, destination: ROUTER_MAC, ...options })

describe('ArpResponder', () => {
  describe('when someone asks', () => {
    it('answers for the address of that port and remembers who asked (RFC 826)', () => {
      const { router, frames } = listening()
      router.injectFrame('a', request())
      expect(frames).to.deep.equal([
        { to: [...HOST_MAC], operation: ARP_REPLY, sender: '10.0.1.1', target: '10.0.1.2' },
      ])
      expect(router.rows('neighbours')).to.deep.equal([
        { port: 'a', address: '10.0.1.2', mac: '02:aa:00:00:00:01', state: 'reachable' },
      ])
      expect(router.engine.balance()).to.deep.include({ in: 1, delivered: 1, originated: 1, out: 1 })
    })

    it('answers a probe, which claims nothing (RFC 5227)', () => {
      const { router, frames } = listening()
      router.injectFrame('a', request({ sender: '0.0.0.0' }))
      expect(frames.map(({ target }) => target)).to.deep.equal(['0.0.0.0'])
      expect(router.rows('neighbours')).to.have.length(0)
    })

    it('says nothing for other addresses, those of its other ports included', () => {
      const { router, frames } = listening()
      router.injectFrame('a', request({ target: '10.0.1.77' }))
      router.injectFrame('a', request({ target: '10.0.2.1' }))
      expect(frames).to.have.length(0)
      expect(router.rows('neighbours'), 'nor does it learn from them').to.have.length(0)
    })
  })

  describe('when a claim is doubtful', () => {
    const cases: readonly [what: string, frame: Uint8Array][] = [
      ["one of the router's addresses", request({ sender: '10.0.1.1' })],
      ['an address of another port', request({ sender: '10.0.2.1' })],
      ['an address outside the network of the port', request({ sender: '10.0.2.9' })],
      ['an address that nobody asked for', reply({ sender: '203.0.113.7' })],
      ['the broadcast address of the network', request({ sender: '10.0.1.255' })],
      ['the address of the network', request({ sender: '10.0.1.0' })],
      ['a MAC that is not the source of the frame', request({ source: OTHER_MAC })],
      ['a multicast MAC', request({ senderMac: Uint8Array.of(1, 0, 0x5e, 0, 0, 1) })],
      ['the broadcast MAC', request({ senderMac: BROADCAST })],
      ['no MAC', request({ senderMac: new Uint8Array(6) })],
      ["the router's own MAC", request({ senderMac: ROUTER_MAC })],
    ]
    for (const [what, frame] of cases)
      it(`refuses a sender who claims ${what}`, () => {
        const { router, frames } = listening()
        router.injectFrame('a', frame)
        expect(router.dropped).to.deep.equal({ 'arp-spoofed': 1 })
        expect([frames.length, router.rows('neighbours').length]).to.deep.equal([0, 0])
      })

    it('keeps a live neighbour against another MAC, whatever it sends', () => {
      const { router } = listening()
      router.injectFrame('a', request())
      for (const frame of [
        request({ senderMac: OTHER_MAC }),
        reply({ senderMac: OTHER_MAC }),
        request({ senderMac: OTHER_MAC, target: '10.0.1.2' }),
      ])
        router.injectFrame('a', frame)
      expect(router.rows('neighbours')[0]?.mac).to.equal('02:aa:00:00:00:01')
      expect(router.rows('limits', { name: 'neighbours.ignored' })[0]?.value).to.equal(3)
    })

    it('does not learn from announcements and foreign conversations', () => {
      const { router } = listening()
      router.injectFrame('a', request({ target: '10.0.1.2' }))
      router.injectFrame('a', reply({ target: '10.0.1.9' }))
      router.injectFrame('a', reply())
      expect(router.rows('neighbours')).to.have.length(0)
    })

    const malformed: readonly [what: string, change: readonly [number, number]][] = [
      ['hardware', [15, 6]],
      ['protocol', [16, 0x86]],
      ['length of a MAC', [18, 8]],
      ['length of an address', [19, 16]],
      ['operation', [21, 9]],
    ]
    for (const [what, change] of malformed)
      it(`drops a message with a strange ${what} as arp-malformed`, () => {
        const { router } = listening()
        router.injectFrame('a', patched(request(), change))
        expect(router.dropped).to.deep.equal({ 'arp-malformed': 1 })
      })
  })

  describe('when the router asks', () => {
    it('names its address on the network of the next hop', () => {
      const router = new TestRouter([
        { name: 'a', address: '10.0.1.1/24' },
        { name: 'b', address: '10.0.2.1/24 10.0.9.1/24' },
      ])
      const senders: string[] = []
      router.port('b').onTransmit = (bytes, start, length) => {
        const arp = createArp()
        parseArp(bytes, start + 14, start + length, arp)
        senders.push(formatIpv4Address(arp.senderAddress))
      }
      router.inject('a', udp({ to: '10.0.9.7' }), udp({ to: '10.0.2.7' }))
      expect(senders).to.deep.equal(['10.0.9.1', '10.0.2.1'])
    })

    it('believes a next hop outside the networks of the port that it asked for', () => {
      const router = new TestRouter()
      router.commit([
        { do: 'add-route', prefix: '203.0.113.0/24', target: { kind: 'connected', port: 'b' } },
        { do: 'add-route', prefix: '198.51.100.0/24', target: { kind: 'via', via: '192.0.2.1', port: 'b' } },
      ])
      router.inject('a', udp({ to: '203.0.113.7' }), udp({ to: '198.51.100.7' }))
      expect(router.asked).to.deep.equal(['b 203.0.113.7', 'b 192.0.2.1'])
      expect(router.take('b').map((packet) => seen(packet).to)).to.deep.equal(['203.0.113.7', '198.51.100.7'])
      expect(router.dropped).to.deep.equal({})
    })

    it('sends what waited in order, and keeps asking those it uses', () => {
      const router = new TestRouter()
      router.answersArp = false
      router.burst(
        'a',
        [1, 2, 3].map((toPort) => udp({ toPort })),
      )
      expect([router.asked.length, router.engine.balance().parked]).to.deep.equal([1, 3])
      router.answersArp = true
      router.advance(SECOND)
      expect(router.take('b').map((packet) => seen(packet).payload[3])).to.deep.equal([1, 2, 3])
      router.asked.length = 0
      for (let second = 0; second < 40; second++) {
        router.inject('a', udp())
        router.advance(SECOND)
      }
      expect(router.asked).to.deep.equal(['b 10.0.2.2'])
      expect(router.take('b')).to.have.length(40)
    })

    it('drops what finds no place to wait as arp-pending-full', () => {
      const router = new TestRouter()
      router.answersArp = false
      router.inject('a', ...Array.from({ length: 10 }, () => udp()))
      expect(router.dropped).to.deep.equal({ 'arp-pending-full': 2 })
    })

    it('drops answers that a port cannot take: too many at once, or its link is down', () => {
      const router = new TestRouter()
      const ask = () => router.port('a').deliver(request())
      router.injectFrame('a', request())
      router.port('a').paceNs = SECOND
      for (let i = 0; i < 70; i++) ask()
      router.settle()
      expect(router.dropped).to.deep.equal({ 'queue-packet-limit': 6 })
      ask()
      router.port('a').setUp(false)
      router.settle()
      expect(router.dropped).to.deep.equal({ 'queue-packet-limit': 6, 'port-down': 64 })
    })

    it('gives up what nobody answers for as arp-unresolved and tells the sender', () => {
      const router = new TestRouter()
      router.injectFrame('a', request())
      router.answersArp = false
      const packet = udp()
      router.inject('a', packet)
      router.advance(3 * SECOND)
      expect(router.dropped).to.deep.equal({ 'arp-unresolved': 1 })
      const [told] = router.take('a').map(seen)
      expect([...told!.payload.subarray(0, 2)]).to.deep.equal([3, 1])
      expect(told!.payload.subarray(28)).to.deep.equal(packet.subarray(20))
    })

    it('does not send to whoever got the number of a neighbour that went while a packet was queued', () => {
      const router = new TestRouter()
      router.inject('a', udp())
      router.take()
      router.port('b').paceNs = 10 * SECOND
      router.answersArp = false
      router.burst('a', Array(8).fill(udp()))
      router.advance(30.5 * SECOND)
      router.inject('a', udp())
      router.advance(4 * SECOND)
      expect(router.rows('neighbours', { address: '10.0.2.2' })).to.have.length(0)
      expect(router.engine.balance().queued).to.be.above(0)
      const sent = router.take('b').length
      router.injectFrame('b', request({ sender: '10.0.2.66', senderMac: OTHER_MAC, target: '10.0.2.1' }))
      router.advance(200 * SECOND)
      expect(router.take('b')).to.have.length(0)
      // With them what the router said about them, to a sender who is silent as well.
      expect(router.dropped['arp-unresolved']).to.be.at.least(9 - sent)
    })
  })
})
