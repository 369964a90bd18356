// biome-ignore-all lint/suspicious/noThenProperty: the action's own word for what follows; never awaited
import { expect } from 'chai'
import { describe, it } from 'mocha'
import type { Change } from '../../../engine/index.ts'
import { routersOf } from '../../../lab/index.ts'
import { changed, labOf } from './sample.ts'

const TUNNELS = 'tunnels: { s1: 10.0.2.2 }'
const FILTERS = 'filters: [ { to: 198.18.0.0/15, action: { tunnel: s1 } } ]'

function policyOf(text: string): readonly Change[] {
  return routersOf(labOf(text))[0]!.policy
}

function actionOf(text: string): unknown {
  const classes = 'classes: [ { name: web, weight: 1 } ]'
  const filters = `${classes}\n      filters: [ { action: ${text} } ]`
  const filter = policyOf(changed(FILTERS, filters)).find((each) => each.do === 'install-filter')
  return filter?.do === 'install-filter' ? filter.action : undefined
}

describe('resolvePolicy', () => {
  describe('actions', () => {
    const forward = { kind: 'forward' }
    const tunnel = { kind: 'tunnel', tunnel: 's1' }
    const cases: readonly (readonly [string, unknown])[] = [
      ['forward', forward],
      ['drop', { kind: 'drop' }],
      ['decapsulate', { kind: 'decapsulate' }],
      ['{ forward: {} }', forward],
      ['{ forward: { via: 10.0.2.2 } }', { kind: 'forward', via: '10.0.2.2' }],
      ['{ drop: no-server }', { kind: 'drop', reason: 'no-server' }],
      ['{ decapsulate: {} }', { kind: 'decapsulate' }],
      ['{ tunnel: s1 }', tunnel],
      ['{ class: web }', { kind: 'class', class: 'web', then: forward }],
      ['{ class: web, then: { tunnel: s1 } }', { kind: 'class', class: 'web', then: tunnel }],
      [
        '{ rewrite: { to: 10.0.2.2, toPort: 8080 }, then: { tunnel: s1 } }',
        { kind: 'rewrite', to: '10.0.2.2', toPort: 8080, then: tunnel },
      ],
      ['{ replicate: [ forward, { tunnel: s1 } ] }', { kind: 'replicate', to: [forward, tunnel] }],
      [
        '{ spread: [ { tunnel: s1, weight: 2 }, forward ], idle: 60s }',
        {
          kind: 'spread',
          to: [
            { action: tunnel, weight: 2 },
            { action: forward, weight: 1 },
          ],
          idleNs: 60e9,
        },
      ],
    ]
    for (const [text, action] of cases)
      it(`reads ${text}`, () => {
        expect(actionOf(text)).to.deep.equal(action)
      })
  })

  describe('filters', () => {
    it('keeps addresses, masks, protocols, port ranges, in-port, name and priority', () => {
      const filter =
        '{ name: odd, priority: 7, from: { value: 0.0.0.1, mask: 0.0.0.1 }, protocol: udp, fromPort: "1024-65535", toPort: 53, inPort: eth0, action: drop }'
      expect(policyOf(changed(FILTERS, `filters: [ ${filter} ]`))[1]).to.deep.equal({
        do: 'install-filter',
        name: 'odd',
        filter: {
          from: { value: '0.0.0.1', mask: '0.0.0.1' },
          protocol: 'udp',
          fromPort: { from: 1024, to: 65_535 },
          toPort: 53,
          inPort: 'eth0',
        },
        action: { kind: 'drop' },
        priority: 7,
      })
    })
  })

  describe('tunnels', () => {
    const tunnelsOf = (text: string) =>
      policyOf(changed(TUNNELS, `tunnels: { s1: 10.0.2.2, t: ${text} }`)).flatMap((each) =>
        each.do === 'open-tunnel' && each.name === 't' ? [each.tunnel] : [],
      )

    it('keeps what a tunnel says beyond its exit', () => {
      expect(tunnelsOf('{ to: 10.0.2.2, from: 10.0.2.1, kind: ip-in-ip, ttl: 9, mtu: 1400 }')).to.deep.equal([
        { to: '10.0.2.2', from: '10.0.2.1', kind: 'ip-in-ip', ttl: 9, mtu: 1400 },
      ])
      expect(tunnelsOf('{ to: 10.0.2.2, kind: mac-rewrite }')).to.deep.equal([
        { to: '10.0.2.2', kind: 'mac-rewrite' },
      ])
    })

    it('leads beyond connected networks by a route', () => {
      const text = changed(TUNNELS, 'tunnels: { s1: 10.7.7.7 }').replace(
        '    policy:',
        '    routes: [ { to: 10.0.0.0/8, blackhole: true }, { to: 10.7.0.0/16, via: 10.0.2.2 } ]\n    policy:',
      )
      expect(policyOf(text)[0]).to.deep.equal({ do: 'open-tunnel', name: 's1', tunnel: { to: '10.7.7.7' } })
    })

    it('takes packets out of tunnels at all own addresses or at those given', () => {
      const ends = (text: string) =>
        policyOf(changed(FILTERS, `decapsulate: ${text}`)).flatMap((each) =>
          each.do === 'install-filter' && each.action.kind === 'decapsulate' ? [each.filter] : [],
        )
      expect(ends('true')).to.deep.equal([
        { to: '10.0.1.1', protocol: 'ip-in-ip' },
        { to: '10.0.2.1', protocol: 'ip-in-ip' },
      ])
      expect(ends('[ 10.0.2.1 ]')).to.deep.equal([{ to: '10.0.2.1', protocol: 'ip-in-ip' }])
      expect(ends('false')).to.deep.equal([])
    })
  })

  describe('classes', () => {
    const classesOf = (text: string) =>
      policyOf(changed(FILTERS, `classes: [ ${text} ]`)).flatMap((each) =>
        each.do === 'create-class' ? [each.class] : [],
      )

    it('creates parents before children, whatever their order', () => {
      const text =
        '{ name: c, weight: 1, parent: b }, { name: b, weight: 1, parent: a }, { name: a, weight: 1 }, { name: d, weight: 1 }'
      expect(classesOf(text).map(({ name }) => name)).to.deep.equal(['a', 'b', 'c', 'd'])
    })

    it('finds a parent on the same port or on all ports', () => {
      const text =
        '{ name: b, weight: 1, port: eth1, parent: a }, { name: a, weight: 1, port: eth1 }, { name: d, weight: 1, port: eth0, parent: c }, { name: c, weight: 1 }'
      expect(classesOf(text).map(({ name }) => name)).to.deep.equal(['a', 'b', 'c', 'd'])
    })

    it('keeps weight, ceiling and limits', () => {
      const text =
        '{ name: a, port: eth1, weight: 2.5, ceiling: 10Mbps, burst: 15k, limit: { packets: 100, bytes: 150k }, discard: codel }'
      expect(classesOf(text)).to.deep.equal([
        {
          name: 'a',
          port: 'eth1',
          weight: 2.5,
          ceiling: { rateBps: 10e6, burstBytes: 15_000 },
          limitPackets: 100,
          limitBytes: 150_000,
          dropPolicy: 'codel',
        },
      ])
    })

    it('lets one name stand for different classes on different ports', () => {
      const text = '{ name: a, port: eth0, weight: 1 }, { name: a, port: eth1, weight: 2 }'
      expect(classesOf(text).map(({ port, weight }) => [port, weight])).to.deep.equal([
        ['eth0', 1],
        ['eth1', 2],
      ])
    })
  })
})
