import { expect } from 'chai'
import { describe, it } from 'mocha'
import { arpFrame, echo, frameOf, ipPacket, patched, resealed, tcp, udp } from '../support/packets.ts'
import { BROADCAST, HOST_MAC, OTHER_MAC, TestRouter } from '../support/test-router.ts'

const GROUP_MAC = Uint8Array.of(1, 0, 0x5e, 1, 2, 3)

/** What becomes of one frame that arrives at port `a`. */
function fate(frame: Uint8Array): Record<string, number> {
  const router = new TestRouter()
  router.injectFrame('a', frame)
  return { ...router.dropped, ...(router.take('b').length > 0 ? { forwarded: 1 } : {}) }
}

const mac = (last: number) => Uint8Array.of(2, 0, 0, 0, 0, last)
const toRouter = (packet: Uint8Array, etherType = 0x0800, vlan = -1) =>
  frameOf(mac(1), HOST_MAC, packet, etherType, vlan)

describe('acceptFrame', () => {
  describe('when a frame arrives (R-PR-03)', () => {
    const cases: readonly [what: string, frame: Uint8Array, fate: string][] = [
      ['an IPv4 packet for the router to forward', toRouter(udp()), 'forwarded'],
      [
        'a padded frame',
        toRouter(Uint8Array.from([...udp({ data: 0 }), ...new Uint8Array(18)])),
        'forwarded',
      ],
      ['a header without anything in it', toRouter(new Uint8Array(0)), 'ip-truncated'],
      [
        'a frame that ends within its tag',
        frameOf(mac(1), HOST_MAC, new Uint8Array(0), 0x8100),
        'frame-truncated',
      ],
      ['a frame for another machine', frameOf(OTHER_MAC, HOST_MAC, udp()), 'not-for-this-mac'],
      ["a frame for another of the router's ports", frameOf(mac(2), HOST_MAC, udp()), 'not-for-this-mac'],
      ['a packet to one host in a broadcast frame', frameOf(BROADCAST, HOST_MAC, udp()), 'not-for-this-mac'],
      ['a packet to one host in a multicast frame', frameOf(GROUP_MAC, HOST_MAC, udp()), 'not-for-this-mac'],
      [
        'a multicast packet in a multicast frame',
        frameOf(GROUP_MAC, HOST_MAC, udp({ to: '239.1.2.3' })),
        'multicast-unwanted',
      ],
      [
        'a limited broadcast',
        frameOf(BROADCAST, HOST_MAC, udp({ to: '255.255.255.255' })),
        'multicast-unwanted',
      ],
      ['a tagged packet', toRouter(udp(), 0x0800, 5), 'vlan-unknown'],
      [
        'tagged ARP',
        arpFrame({ operation: 1, senderMac: HOST_MAC, sender: '10.0.1.2', target: '10.0.1.1', vlan: 5 }),
        'vlan-unknown',
      ],
      ['a tagged frame of another protocol', toRouter(new Uint8Array(40), 0x86dd, 5), 'vlan-unknown'],
      ['IPv6', toRouter(new Uint8Array(40), 0x86dd), 'ethertype-unsupported'],
      ['a length instead of a type', toRouter(new Uint8Array(40), 0x0040), 'ethertype-unsupported'],
      ['a labelled packet', toRouter(new Uint8Array(40), 0x8847), 'label-unknown'],
      ['ARP that is cut short', toRouter(new Uint8Array(20), 0x0806), 'arp-malformed'],
      ['a packet cut within its header', toRouter(udp().subarray(0, 19)), 'ip-truncated'],
      ['another IP version', toRouter(resealed(patched(udp(), [0, 0x65]))), 'ip-version'],
      ['a header shorter than one can be', toRouter(resealed(patched(udp(), [0, 0x44]))), 'ip-header-length'],
      ['more length than there is', toRouter(resealed(patched(udp(), [3, 0xff]))), 'ip-total-length'],
      ['a wrong header checksum', toRouter(patched(udp(), [10, 1])), 'ip-checksum'],
      ['source routing', toRouter(udp({ options: Uint8Array.of(131, 7, 4, 10, 0, 0, 1, 0) })), 'ip-options'],
      ['a source that no host has', toRouter(udp({ from: '127.0.0.1' })), 'martian-source'],
      ['a multicast source', toRouter(udp({ from: '224.1.1.1' })), 'martian-source'],
      ['a destination that no packet has', toRouter(udp({ to: '0.1.2.3' })), 'martian-destination'],
      ['a directed broadcast', toRouter(udp({ to: '10.0.2.255' })), 'martian-destination'],
      ["a network's own address", toRouter(udp({ to: '10.0.2.0' })), 'martian-destination'],
      ["one of the router's own addresses as source", toRouter(udp({ from: '10.0.2.1' })), 'own-source'],
      [
        'TCP without all of its header',
        toRouter(ipPacket(tcp().subarray(20, 39), { protocol: 6 })),
        'transport-truncated',
      ],
      [
        'a later fragment without data',
        toRouter(ipPacket(new Uint8Array(0), { fragmentOffset: 8, protocol: 17 })),
        'fragment-malformed',
      ],
    ]
    for (const [what, frame, expected] of cases)
      it(`${expected === 'forwarded' ? 'takes' : 'drops'} ${what}${expected === 'forwarded' ? '' : ` as ${expected}`}`, () => {
        expect(fate(frame)).to.deep.equal({ [expected]: 1 })
      })

    it('drops an ICMP error with an own address as its source, whatever it quotes', () => {
      const quote = udp({ from: '10.0.2.2', to: '10.0.1.2', fromPort: 53, toPort: 4000 })
      const forged = patched(echo({ from: '10.0.2.1', to: '10.0.2.2', data: 28 }), [20, 3], [21, 1])
      forged.set(quote.subarray(0, 28), 28)
      const router = new TestRouter()
      router.inject('a', forged)
      expect(router.dropped).to.deep.equal({ 'own-source': 1 })
    })
  })
})
