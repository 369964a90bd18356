import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { RECIRCULATION_LIMIT } from '../../../engine/actions/apply.ts'
import type { Action } from '../../../engine/index.ts'
import { SECOND } from '../../../engine/index.ts'
import {
  echo,
  expectSound,
  fragmentsOf,
  icmp,
  ipInIp,
  seen,
  TCP_ACK,
  TCP_FIN,
  TCP_SYN,
  tcp,
  udp,
} from '../../support/packets.ts'
import { classed, rewritten, spread, tunneled } from '../../support/policies.ts'
import { TestRouter } from '../../support/test-router.ts'

const VHA = '198.18.0.80'

/** Clients behind `a`, three servers behind `b`, each with a tunnel. */
function cluster(): TestRouter {
  const router = new TestRouter()
  router.commit(
    [1, 2, 3].map((i) => ({ do: 'open-tunnel', name: `s${i}`, tunnel: { to: `10.0.2.1${i}` } }) as const),
  )
  return router
}

/** Far ends of the IP-in-IP packets that left, by flow. */
function exits(router: TestRouter): string[] {
  return router.take('b').map((packet) => {
    const outer = seen(packet)
    expect(outer.protocol).to.equal(4)
    expectSound(Uint8Array.from(outer.payload))
    return outer.to
  })
}

function expectIdle(router: TestRouter): void {
  const { actions, tunnels, flows } = router.stages
  expect([actions.size, tunnels.size, flows.size], 'actions, tunnels, flows').to.deep.equal([0, 0, 0])
}

describe('Applier', () => {
  describe('when an action forwards', () => {
    it('routes by the destination, one less to live', () => {
      const router = new TestRouter()
      router.filter('all', { kind: 'forward' })
      router.inject('a', udp({ ttl: 9 }))
      const [packet] = router.take('b').map(seen)
      expect([packet?.to, packet?.ttl]).to.deep.equal(['10.0.2.2', 8])
    })

    it('sends to a named neighbour whatever the destination', () => {
      const router = new TestRouter()
      router.filter('all', { kind: 'forward', via: '10.0.2.77' })
      router.inject('a', udp({ to: '203.0.113.5' }))
      expect(router.asked).to.deep.equal(['b 10.0.2.77'])
      expect(router.take('b').map((each) => seen(each).to)).to.deep.equal(['203.0.113.5'])
    })

    it('drops as no-route what should go to a next hop that is on no connected network', () => {
      const router = new TestRouter()
      router.commit([{ do: 'add-route', prefix: '0.0.0.0/0', target: { kind: 'via', via: '10.0.2.9' } }])
      router.filter('all', { kind: 'forward', via: '203.0.113.1' })
      router.filter('own', { kind: 'forward', via: '10.0.2.1' }, { toPort: 99, protocol: 'udp' })
      router.inject('a', udp(), udp({ toPort: 99 }))
      expect(router.dropped['no-route']).to.equal(2)
    })
  })

  describe('when an action spreads (R-SLR-11)', () => {
    const policy = spread([tunneled('s1'), tunneled('s2'), tunneled('s3')], [1, 2, 5])

    it('keeps every flow on its branch, through a change of policy, and gives new flows the new one', () => {
      const router = cluster()
      router.filter('web', policy, { to: VHA })
      const flow = (port: number, flags = TCP_ACK) => tcp({ to: VHA, fromPort: port, flags })
      const ports = Array.from({ length: 40 }, (_, i) => 2000 + i)
      router.inject('a', ...ports.map((port) => flow(port, TCP_SYN)))
      const first = exits(router)
      expect(new Set(first).size, 'servers in use').to.equal(3)
      router.commit([
        { do: 'remove-filter', name: 'web' },
        { do: 'install-filter', name: 'web', filter: { to: VHA }, action: tunneled('s1') },
      ])
      router.inject('a', ...ports.map((port) => flow(port)))
      expect(exits(router)).to.deep.equal(first)
      router.inject('a', ...ports.map((port) => flow(port + 1000, TCP_SYN)))
      expect(new Set(exits(router))).to.deep.equal(new Set(['10.0.2.11']))
      expect(router.rows('flows')).to.have.length(40)
    })

    it('lets a closed tunnel live until the last flow through it has ended, and no longer', () => {
      const router = cluster()
      router.filter('web', spread([tunneled('s2')]), { to: VHA })
      router.inject('a', tcp({ to: VHA, flags: TCP_SYN }), tcp({ to: VHA, flags: TCP_ACK }))
      router.commit([
        { do: 'remove-filter', name: 'web' },
        { do: 'close-tunnel', name: 's1' },
        { do: 'close-tunnel', name: 's2' },
        { do: 'close-tunnel', name: 's3' },
      ])
      expect(router.stages.tunnels.size).to.equal(1)
      expect(router.rows('tunnels')[0]).to.include({ name: null, open: false, users: 1 })
      router.take()
      router.inject('a', tcp({ to: VHA, flags: TCP_ACK }))
      expect(exits(router)).to.deep.equal(['10.0.2.12'])
      router.inject('a', tcp({ to: VHA, flags: TCP_FIN | TCP_ACK }))
      router.advance(20 * SECOND)
      expectIdle(router)
    })

    it('decides anew when a new connection begins under the key of one that has ended', () => {
      const router = cluster()
      router.filter('web', spread([tunneled('s1')]), { to: VHA })
      router.inject('a', tcp({ to: VHA, flags: TCP_SYN }), tcp({ to: VHA, flags: TCP_FIN | TCP_ACK }))
      router.commit([
        { do: 'remove-filter', name: 'web' },
        { do: 'install-filter', name: 'web', filter: { to: VHA }, action: spread([tunneled('s3')]) },
      ])
      router.take()
      router.inject('a', tcp({ to: VHA, flags: TCP_ACK }), tcp({ to: VHA, flags: TCP_SYN }), tcp({ to: VHA }))
      expect(exits(router)).to.deep.equal(['10.0.2.11', '10.0.2.13', '10.0.2.13'])
    })

    it('shares flows out in proportion to the weights', () => {
      const router = new TestRouter(undefined, { slab: { capacity: 2048 } })
      const reasons = ['policy', 'no-server', 'blackhole'] as const
      router.filter(
        'all',
        spread(
          reasons.map((reason) => ({ kind: 'drop', reason })),
          [1, 2, 5],
        ),
      )
      for (let flow = 0; flow < 8000; flow++) router.inject('a', udp({ fromPort: flow, data: 0, toPort: 9 }))
      const [one, two, five] = reasons.map((reason) => router.dropped[reason]!)
      expect(one).to.be.within(900, 1100)
      expect(two).to.be.within(1850, 2150)
      expect(five).to.be.within(4800, 5200)
    })

    it('shares out a choice within a choice evenly as well', () => {
      const router = new TestRouter(undefined, { slab: { capacity: 2048 } })
      const drop = (reason: 'policy' | 'no-server' | 'blackhole'): Action => ({ kind: 'drop', reason })
      router.filter('all', spread([drop('policy'), spread([drop('no-server'), drop('blackhole')])]))
      for (let flow = 0; flow < 4000; flow++) router.inject('a', udp({ fromPort: flow, data: 0, toPort: 9 }))
      const { policy: outer, 'no-server': one, blackhole: other } = router.dropped
      expect(outer).to.be.within(1850, 2150)
      expect(one).to.be.within(900, 1100)
      expect(other).to.be.within(900, 1100)
    })

    it('chooses alike for one seed and otherwise for another', () => {
      const chosen = (seed: number): string[] => {
        const router = new TestRouter(undefined, { seed })
        router.filter('all', spread([rewritten({ to: '10.0.2.11' }), rewritten({ to: '10.0.2.12' })]))
        router.inject('a', ...Array.from({ length: 64 }, (_, i) => udp({ fromPort: i })))
        return router.take('b').map((packet) => seen(packet).to)
      }
      expect(chosen(1)).to.deep.equal(chosen(1))
      expect(chosen(1)).to.not.deep.equal(chosen(2))
    })

    it('pins modifiers with the choice', () => {
      const router = cluster()
      router.commit([{ do: 'create-class', class: { name: 'gold', port: 'b', weight: 3 } }])
      router.filter('web', classed('gold', spread([tunneled('s1')])), { to: VHA })
      router.inject('a', tcp({ to: VHA, flags: TCP_SYN }), tcp({ to: VHA }), tcp({ to: VHA }))
      expect(router.rows('queues', { port: 'b', class: 'gold' })[0]).to.include({ packetsOut: 3 })
      expect(router.rows('flows')[0]).to.include({ packets: 3, action: 'class gold > tunnel 0' })
    })

    it('goes on when the flow table is full, counting what it could not pin', () => {
      const router = new TestRouter(undefined, { flows: { capacity: 2 } })
      router.filter('all', spread([{ kind: 'forward' }]))
      router.inject('a', ...[1, 2, 3, 3].map((fromPort) => udp({ fromPort })))
      expect(router.take('b')).to.have.length(4)
      expect(router.rows('limits', { name: 'flows.unpinned' })[0]?.value).to.equal(2)
    })

    it('settles a flow that was pinned to the choice itself', () => {
      const router = cluster()
      const key = { from: '10.0.1.2', to: VHA, protocol: 17, fromPort: 4000, toPort: 53 }
      router.commit([{ do: 'install-flow', key, action: policy }])
      expect(router.rows('flows')[0]?.action).to.match(/^spread/)
      router.inject('a', udp({ to: VHA }), udp({ to: VHA }))
      const [one, other] = exits(router)
      expect(one).to.equal(other)
      expect(router.rows('flows')[0]).to.include({ packets: 2 })
      expect(router.rows('flows')[0]?.action).to.match(/^tunnel/)
    })
  })

  describe('when an action replicates', () => {
    it('sends a copy by every branch, each with its own changes', () => {
      const router = cluster()
      router.filter('all', {
        kind: 'replicate',
        to: [rewritten({ to: '10.0.2.50' }), tunneled('s1'), { kind: 'forward' }, { kind: 'drop' }],
      })
      const packet = udp({ ttl: 20 })
      router.inject('a', packet)
      const left = router.take('b').map(seen)
      expect(left.map((each) => each.to).sort()).to.deep.equal(['10.0.2.11', '10.0.2.2', '10.0.2.50'])
      const inner = seen(Uint8Array.from(left.find((each) => each.protocol === 4)!.payload))
      expect([inner.to, inner.ttl]).to.deep.equal(['10.0.2.2', 19])
      expect(router.engine.balance()).to.deep.include({ copies: 3, dropped: { policy: 1 } })
    })

    it('chooses within a branch without making the choice the only action of the flow', () => {
      const router = cluster()
      const choice = spread([tunneled('s1'), tunneled('s2'), tunneled('s3')])
      router.filter('all', { kind: 'replicate', to: [{ kind: 'forward' }, choice, choice] })
      router.inject('a', udp(), udp())
      const left = router.take('b').map((packet) => seen(packet).to)
      expect(left).to.have.length(6)
      expect(left.filter((to) => to === '10.0.2.2')).to.have.length(2)
      expect(new Set(left).size, 'one server and the host').to.equal(2)
      expect(router.rows('flows')).to.have.length(0)
    })

    it('counts the copies for which there is no room', () => {
      const router = new TestRouter(undefined, { slab: { capacity: 16 } })
      router.filter('all', { kind: 'replicate', to: [{ kind: 'drop' }, { kind: 'drop' }] })
      router.burst(
        'a',
        Array.from({ length: 16 }, () => udp()),
      )
      // The first of sixteen that arrived together finds no room for its copy.
      expect(router.dropped).to.deep.equal({ policy: 31, 'copy-limit': 1 })
    })
  })

  describe('when an action decapsulates (R-SLR-10)', () => {
    const wrap = (packet: Uint8Array, times: number): Uint8Array =>
      times === 0 ? packet : wrap(ipInIp(packet, { from: '10.0.1.9', to: '10.0.1.1' }), times - 1)

    it('takes off at most as many headers as the bound says', () => {
      const router = new TestRouter()
      router.filter('exit', { kind: 'decapsulate' }, { protocol: 'ip-in-ip', to: '10.0.1.1' })
      router.inject('a', wrap(udp(), RECIRCULATION_LIMIT))
      expect(router.take('b').map((packet) => seen(packet).to)).to.deep.equal(['10.0.2.2'])
      router.inject('a', wrap(udp(), RECIRCULATION_LIMIT + 1))
      expect(router.take('b')).to.have.length(0)
      expect(router.dropped).to.deep.equal({ 'recirculation-limit': 1 })
    })

    it('gives back the datagram that went in, but for its time to live (RFC 2003)', () => {
      fc.assert(
        fc.property(
          fc.uint8Array({ maxLength: 100 }),
          fc.integer({ min: 2, max: 255 }),
          fc.nat({ max: 255 }),
          (data, ttl, tos) => {
            const router = cluster()
            router.filter('in', tunneled('s1'), { to: VHA })
            router.filter('exit', { kind: 'decapsulate' }, { protocol: 'ip-in-ip', to: '10.0.2.1' })
            const sent = udp({ to: VHA, data, ttl, tos })
            router.inject('a', sent)
            const outer = router.take('b')[0]!
            const back = new TestRouter()
            back.filter('exit', { kind: 'decapsulate' }, { protocol: 'ip-in-ip', to: '10.0.2.1' })
            back.commit([
              { do: 'add-route', prefix: '198.18.0.0/15', target: { kind: 'via', via: '10.0.1.9' } },
            ])
            back.inject('b', ipInIp(seen(outer).payload, { from: '10.0.2.11', to: '10.0.2.1', tos }))
            const [out] = back.take('a')
            if (ttl === 2) expect(back.dropped).to.deep.equal({ 'ttl-expired': 1 })
            else expect(out).to.deep.equal(udp({ to: VHA, data, ttl: ttl - 2, tos }))
          },
        ),
        { numRuns: 30 },
      )
    })

    it('puts the fragments of an outer datagram together first', () => {
      const router = new TestRouter()
      router.filter('exit', { kind: 'decapsulate' }, { protocol: 'ip-in-ip', to: '10.0.1.1' })
      const sent = udp({ data: 1300 })
      const parts = fragmentsOf(ipInIp(sent, { from: '10.0.1.9', to: '10.0.1.1', id: 5 }), 512)
      router.inject('a', parts[2]!, parts[0]!)
      expect(router.take('b')).to.have.length(0)
      expect(router.engine.balance().parked).to.equal(1)
      router.inject('a', parts[1]!)
      expect(router.take('b').map((packet) => seen(packet).totalBytes)).to.deep.equal([1328])
      expect(router.engine.balance()).to.deep.include({ in: 4, merged: 2, out: 2, parked: 0, dropped: {} })
    })
  })

  describe('when an action rewrites', () => {
    it('leaves an ICMP error that speaks of the flow as it is, on the way of the flow', () => {
      const router = new TestRouter()
      // The flow from the server back to the client, as the error about the client's packet sees it.
      const key = { from: '10.0.1.2', to: '10.0.2.2', protocol: 17, fromPort: 4000, toPort: 53 }
      router.commit([{ do: 'install-flow', key, action: rewritten({ to: '10.0.2.50' }) }])
      const quote = udp({ from: '10.0.2.2', to: '10.0.1.2', fromPort: 53, toPort: 4000 })
      router.inject('a', icmp(3, 3, 0, quote.subarray(0, 28), { from: '10.0.1.2', to: '10.0.2.2' }))
      expect(router.take('b').map((packet) => seen(packet).to)).to.deep.equal(['10.0.2.2'])
      expect(router.rows('flows')[0]).to.include({ packets: 1 })
      router.inject('a', udp())
      expect(router.take('b').map((packet) => seen(packet).to)).to.deep.equal(['10.0.2.50'])
    })

    it('turns multicast into unicast that is forwarded', () => {
      const router = new TestRouter()
      router.filter('group', rewritten({ to: '10.0.2.2' }), { to: '239.1.2.3' })
      router.inject('a', udp({ to: '239.1.2.3' }))
      expect(router.take('b').map((packet) => seen(packet).to)).to.deep.equal(['10.0.2.2'])
    })

    it('lets the fragments of a datagram follow the first one, whatever their order', () => {
      const router = new TestRouter()
      router.filter('dns', rewritten({ to: '10.0.2.50', toPort: 5353 }), { protocol: 'udp', toPort: 53 })
      const whole = udp({ data: 400, id: 77 })
      const parts = fragmentsOf(whole, 160)
      router.inject('a', parts[2]!, parts[1]!, parts[0]!)
      const left = router.take('b').map(seen)
      expect(left.map((each) => each.to)).to.deep.equal(['10.0.2.50', '10.0.2.50', '10.0.2.50'])
      const joined = new Uint8Array(408)
      for (const each of left) joined.set(each.payload, each.fragmentOffset)
      const again = udp({ data: 400, toPort: 5353, to: '10.0.2.50' })
      expect(joined).to.deep.equal(again.subarray(20))
    })
  })

  describe('when everything that a policy made is taken away', () => {
    it('holds no action, tunnel or flow any more', () => {
      const router = cluster()
      const action = spread([
        classed('gold', tunneled('s1')),
        rewritten({ toPort: 81 }, { kind: 'replicate', to: [tunneled('s2'), tunneled('s3')] }),
      ])
      router.commit([{ do: 'install-filter', name: 'all', filter: {}, action }], 'router')
      router.inject(
        'a',
        ...Array.from({ length: 20 }, (_, i) => udp({ fromPort: i, to: VHA })),
        echo({ to: VHA }),
      )
      expect(router.stages.flows.size).to.equal(21)
      router.engine.control.removeOwner('router', 'purge', router.now)
      expectIdle(router)
      expect(router.stages.filters.size).to.equal(0)
    })
  })
})
