/** Every reason to drop is reached from outside, counted and shown; those that nothing reaches are listed here. */
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { DROP_REASONS, type DropReason, MILLISECOND, SECOND } from '../../engine/index.ts'
import {
  arpFrame,
  echo,
  fragmentsOf,
  frameOf,
  ipInIp,
  ipPacket,
  patched,
  pattern,
  resealed,
  tcp,
  udp,
} from '../support/packets.ts'
import { classed, tunneled } from '../support/policies.ts'
import { HOST_MAC, OTHER_MAC, TestRouter } from '../support/test-router.ts'

const VHA = '198.18.0.80'
const ROUTER_MAC = Uint8Array.of(2, 0, 0, 0, 0, 1)

/** Reasons for which no packet from outside is dropped today, and why. */
const UNREACHED: Partial<Record<DropReason, string>> = {
  none: 'is no drop',
  'fragment-unsupported': 'whoever needs whole datagrams gets them by reassembly',
  'label-malformed': 'labels are not forwarded yet; frames that bear them are label-unknown',
  'tunnel-fragmented': 'exits put fragments together first',
  'tunnel-closed': 'actions hold their tunnels: only a caller of the tunnel table could name a closed one',
  'tunnel-unexpected': 'exits take from anywhere unless the tunnel table is given peers',
  'flow-table-full': 'a full table costs stickiness, not packets',
  'class-removed': 'removed classes drain',
  'icmp-rate-limited': 'errors that are not sent are no packets; the limits table counts them',
  'igmp-malformed': 'multicast is not delivered yet',
}

function tunneling(): TestRouter {
  const router = new TestRouter()
  router.commit([{ do: 'open-tunnel', name: 't', tunnel: { to: '10.0.2.9' } }])
  router.filter('in', tunneled('t'), { to: VHA })
  router.filter('out', { kind: 'decapsulate' }, { to: '10.0.1.1', protocol: 'ip-in-ip' })
  return router
}

function receiving(frame: Uint8Array): TestRouter {
  const router = new TestRouter()
  router.injectFrame('a', frame)
  return router
}

const arrived = (...packets: readonly Uint8Array[]): TestRouter => {
  const router = new TestRouter()
  router.inject('a', ...packets)
  return router
}

/** A router whose port `b` is slow, with a packet on it. */
function slow(): TestRouter {
  const router = new TestRouter()
  router.inject('a', udp())
  router.port('b').paceNs = SECOND
  router.inject('a', udp())
  return router
}

const exit = (outer: Uint8Array): TestRouter => {
  const router = tunneling()
  router.inject('a', outer)
  return router
}

const outer = (inner: Uint8Array, options: Parameters<typeof ipInIp>[1] = {}): Uint8Array =>
  ipInIp(inner, { from: '10.0.1.9', to: '10.0.1.1', ...options })

/** What makes a router drop something for each reason. */
const CAUSES: Partial<Record<DropReason, () => TestRouter>> = {
  'frame-truncated': () => receiving(frameOf(ROUTER_MAC, HOST_MAC, new Uint8Array(0), 0x8100)),
  'frame-oversized': () => arrived(...fragmentsOf(echo({ to: '10.0.1.1', data: 3000 }), 1400)),
  'not-for-this-mac': () => receiving(frameOf(OTHER_MAC, HOST_MAC, udp())),
  'vlan-unknown': () => receiving(frameOf(ROUTER_MAC, HOST_MAC, udp(), 0x0800, 7)),
  'ethertype-unsupported': () => receiving(frameOf(ROUTER_MAC, HOST_MAC, pattern(40), 0x86dd)),
  'port-down': () => {
    const router = new TestRouter()
    router.setUp('b', false)
    router.inject('a', udp())
    return router
  },
  'slab-full': () => {
    const ports = [
      { name: 'a', address: '10.0.1.1/24' },
      { name: 'b', address: '10.0.2.1/24', mtu: 68 },
    ]
    const router = new TestRouter(ports, { slab: { capacity: 8 } })
    router.inject('a', udp({ data: 1000 }))
    return router
  },
  'transmit-failed': () => {
    const router = arrived(udp())
    router.port('b').transmit = () => false
    router.inject('a', udp())
    return router
  },
  'arp-malformed': () => receiving(frameOf(ROUTER_MAC, HOST_MAC, pattern(46), 0x0806)),
  'arp-spoofed': () =>
    receiving(arpFrame({ operation: 1, senderMac: HOST_MAC, sender: '10.0.1.1', target: '10.0.1.1' })),
  'arp-unresolved': () => {
    const router = new TestRouter()
    router.answersArp = false
    router.inject('a', udp())
    router.advance(4 * SECOND)
    return router
  },
  'arp-pending-full': () => {
    const router = new TestRouter()
    router.answersArp = false
    router.inject('a', ...Array.from({ length: 9 }, () => udp()))
    return router
  },
  'ip-truncated': () => arrived(udp().subarray(0, 10)),
  'ip-version': () => arrived(resealed(patched(udp(), [0, 0x55]))),
  'ip-header-length': () => arrived(patched(udp(), [0, 0x43])),
  'ip-total-length': () => arrived(patched(udp(), [2, 9])),
  'ip-checksum': () => arrived(patched(udp(), [10, 1])),
  'ip-options': () => arrived(udp({ options: Uint8Array.of(137, 7, 4, 10, 0, 0, 1, 0) })),
  'martian-source': () => arrived(udp({ from: '240.0.0.1' })),
  'martian-destination': () => arrived(udp({ to: '127.0.0.1' })),
  'own-source': () => arrived(udp({ from: '10.0.1.1' })),
  'ttl-expired': () => arrived(udp({ ttl: 1 })),
  'fragmentation-needed': () => {
    const ports = [
      { name: 'a', address: '10.0.1.1/24' },
      { name: 'b', address: '10.0.2.1/24', mtu: 576 },
    ]
    const router = new TestRouter(ports)
    router.inject('a', udp({ data: 1000, dontFragment: true }))
    return router
  },
  'fragment-malformed': () => arrived(ipPacket(pattern(9), { moreFragments: true, protocol: 17 })),
  'fragment-unknown': () => {
    const router = arrived(fragmentsOf(udp({ data: 100 }), 64)[1]!)
    router.advance(10 * SECOND)
    return router
  },
  'fragment-table-full': () =>
    arrived(...Array.from({ length: 40 }, (_, id) => fragmentsOf(udp({ data: 100, id }), 64)[1]!)),
  'fragment-expired': () => {
    const router = arrived(fragmentsOf(echo({ to: '10.0.1.1', data: 100 }), 64)[0]!)
    router.advance(20 * SECOND)
    return router
  },
  'transport-truncated': () => arrived(ipPacket(pattern(7), { protocol: 17 })),
  'transport-checksum': () => {
    const router = new TestRouter()
    router.engine.local.serve(17, 53, () => true)
    router.inject('a', patched(udp({ to: '10.0.1.1' }), [30, 1]))
    return router
  },
  'no-route': () => arrived(udp({ to: '192.0.2.1' })),
  blackhole: () => {
    const router = new TestRouter()
    router.commit([{ do: 'add-route', prefix: '192.0.2.0/24', target: { kind: 'blackhole' } }])
    router.inject('a', udp({ to: '192.0.2.1' }))
    return router
  },
  'multicast-unwanted': () => arrived(udp({ to: '239.0.0.1' })),
  'no-such-service': () => arrived(tcp({ to: '10.0.2.1' })),
  'recirculation-limit': () => exit(outer(outer(outer(outer(outer(udp())))))),
  'label-unknown': () => receiving(frameOf(ROUTER_MAC, HOST_MAC, pattern(40), 0x8847)),
  'tunnel-recursion': () => {
    const router = tunneling()
    router.inject('b', udp({ from: '10.0.2.9', to: VHA }))
    return router
  },
  'tunnel-malformed': () => exit(ipPacket(pattern(40), { from: '10.0.1.9', to: '10.0.1.1', protocol: 4 })),
  'tunnel-ecn': () => exit(outer(udp({ tos: 0 }), { tos: 3 })),
  'tunnel-ttl': () => exit(outer(udp({ ttl: 0 }))),
  'tunnel-unreachable': () => {
    const router = new TestRouter()
    router.commit([{ do: 'open-tunnel', name: 't', tunnel: { to: '10.0.2.9', kind: 'mac-rewrite' } }])
    router.filter('all', tunneled('t'), { to: VHA })
    router.commit([
      { do: 'remove-address', port: 'b', address: '10.0.2.1/24' },
      { do: 'add-route', prefix: '10.0.2.0/24', target: { kind: 'via', via: '10.0.1.254' } },
    ])
    router.inject('a', udp({ to: VHA }))
    return router
  },
  policy: () => {
    const router = new TestRouter()
    router.filter('all', { kind: 'drop' })
    router.inject('a', udp())
    return router
  },
  'no-server': () => {
    const router = new TestRouter()
    router.filter('all', { kind: 'drop', reason: 'no-server' })
    router.inject('a', udp())
    return router
  },
  'upcall-full': () => {
    const router = new TestRouter(undefined, { upcalls: { limit: 1 } })
    router.filter('all', { kind: 'decide', waitNs: SECOND, otherwise: { kind: 'forward' } })
    router.inject('a', udp({ fromPort: 1 }), udp({ fromPort: 2 }))
    return router
  },
  'upcall-expired': () => {
    const router = new TestRouter()
    router.filter('all', {
      kind: 'decide',
      waitNs: SECOND,
      otherwise: { kind: 'drop', reason: 'upcall-expired' },
    })
    router.inject('a', udp())
    router.advance(2 * SECOND)
    return router
  },
  'queue-packet-limit': () => {
    const router = slow()
    router.commit([{ do: 'create-class', class: { name: 'x', port: 'b', weight: 1, limitPackets: 1 } }])
    router.filter('all', classed('x'))
    router.inject('a', udp(), udp())
    return router
  },
  'queue-byte-limit': () => {
    const router = slow()
    router.commit([{ do: 'create-class', class: { name: 'x', port: 'b', weight: 1, limitBytes: 100 } }])
    router.filter('all', classed('x'))
    router.inject('a', udp({ data: 200 }))
    return router
  },
  'queue-codel': () => {
    const router = slow()
    router.commit([{ do: 'create-class', class: { name: 'x', port: 'b', weight: 1, dropPolicy: 'codel' } }])
    router.filter('all', classed('x'))
    router.port('b').paceNs = 50 * MILLISECOND
    router.inject('a', ...Array.from({ length: 60 }, () => udp({ data: 1400 })))
    router.advance(5 * SECOND)
    return router
  },
  'copy-limit': () => {
    const router = new TestRouter(undefined, { slab: { capacity: 8 } })
    router.filter('all', { kind: 'replicate', to: [{ kind: 'drop' }, { kind: 'drop' }] })
    router.burst('a', Array(8).fill(udp()))
    return router
  },
  'icmp-malformed': () => arrived(patched(echo({ to: '10.0.1.1' }), [30, 0xee])),
  'engine-closed': () => {
    const router = slow()
    router.inject('a', udp())
    router.engine.close(router.now)
    return router
  },
}

describe('Drop reasons (R-PR-04)', () => {
  for (const reason of DROP_REASONS) {
    const unreached = UNREACHED[reason]
    if (unreached !== undefined)
      it(`knows that nothing is dropped as ${reason}: ${unreached}`, () => {
        expect(CAUSES[reason]).to.equal(undefined)
      })
    else
      it(`drops a packet as ${reason}, counts it and shows it`, () => {
        const router = CAUSES[reason]!()
        expect(router.dropped[reason], JSON.stringify(router.dropped)).to.be.above(0)
        expect(router.rows('counters', { name: `dropped.${reason}` })[0]?.value).to.equal(
          router.dropped[reason],
        )
        if (reason !== 'copy-limit') expect(router.drops).to.include(reason)
        router.expectConserved()
      })
  }
})
