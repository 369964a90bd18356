import { expect } from 'chai'
import { before, describe, it } from 'mocha'
import { LabPluginError } from '../../../lab/index.ts'
import { labWithPlugins } from '../../support/labs.ts'
import { remainsOf, requireNetns, runReal, withOwnRuntime } from '../../support/netns.ts'

const ID = Math.random().toString(36).slice(2, 7)
const PLUGIN = './examples/round-robin'

const config = (...servers: string[]) =>
  `config: { virtualHost: 198.18.0.0/15, servers: [ ${servers.map((each) => `{ address: ${each} }`).join(', ')} ] }`

/** A client, a router with a plugin, and two servers of one service. */
const site = (name: string, clients: string, events: string, plugin = config('10.0.2.2')) => `
name: ${name}
nodes:
  c1: { kind: host, addresses: { eth0: 10.0.1.2/24 }, gateway: 10.0.1.1, clients: ${clients} }
  r1: { kind: router, addresses: { eth0: 10.0.1.1/24, eth1: 10.0.2.1/24, eth2: 10.0.3.1/24 },
        plugins: [ { plugin: ${PLUGIN}, id: rr, ${plugin} } ] }
  s1: { kind: host, addresses: { eth0: 10.0.2.2/24 }, gateway: 10.0.2.1, virtualHosts: [ 198.18.0.0/15 ],
        services: &both [ { protocol: http, port: 80, bytes: 10k }, { protocol: tcp, port: 7000 } ] }
  s2: { kind: host, addresses: { eth0: 10.0.3.2/24 }, gateway: 10.0.3.1, virtualHosts: [ 198.18.0.0/15 ], services: *both }
links:
  - { endpoints: [ "c1:eth0", "r1:eth0" ], rate: 50Mbps }
  - { endpoints: [ "r1:eth1", "s1:eth0" ] }
  - { endpoints: [ "r1:eth2", "s2:eth0" ] }
events: ${events}
`

describe('plugins of labs of real hosts', function () {
  this.timeout(90_000)
  withOwnRuntime()
  before(async function () {
    await requireNetns(this)
  })

  describe('when events change them', () => {
    it('upgrades, loads and unloads them, and keeps a stream whole though their sandbox is killed', async () => {
      const clients = `[ { protocol: tcp, to: "198.18.0.80:7000", count: 1, bytes: 20M, timeout: 80s },
        { protocol: http, to: "198.18.0.80:80", count: 4, timeout: 20s },
        { protocol: http, to: "198.18.0.80:80", count: 4, start: 4s, timeout: 20s },
        { protocol: http, to: "198.18.0.80:80", count: 4, start: 14s, timeout: 20s } ]`
      const events = `[ { at: 2s, upgrade: { router: r1, id: rr, plugin: ${PLUGIN}, ${config('10.0.3.2')} } },
        { at: 7s, kill: { router: r1, part: sandbox } },
        { at: 9s, unload: { router: r1, id: rr, flows: drain } },
        { at: 10s, load: { router: r1, id: again, plugin: ${PLUGIN}, ${config('10.0.2.2')} } } ]`
      const report = await runReal(labWithPlugins(site(`nn-${ID}-plugins`, clients, events)))
      const [stream, first, second, third] = report.clients['c1']!
      expect(stream).to.deep.include({ completed: 1, corrupted: 0, servers: { s1: 1 }, bytesIn: 20e6 })
      expect(first!.servers, 'before the upgrade').to.deep.equal({ s1: 4 })
      expect(second!.servers, 'after the upgrade').to.deep.equal({ s2: 4 })
      expect(third!.servers, 'by the plugin that was loaded').to.deep.equal({ s1: 4 })
      const again = report.routers['r1']!.plugins.find(({ id }) => id === 'again')
      expect(again).to.include({ name: 'round-robin', state: 'running' })
      expect(again!.decisions).to.be.at.least(4)
      expect(report.conservation).to.equal(true)
      expect(remainsOf(`nn-${ID}-plugins`)).to.deep.equal([])
    })
  })

  describe('when one cannot be had', () => {
    it('fails in words: at the start, and when an event asks for it', async () => {
      const wrong = 'config: { virtualHost: 198.18.0.0/15, servers: none }'
      for (const [plugin, events] of [
        [wrong, '[]'],
        [
          config('10.0.2.2'),
          `[ { at: 100ms, upgrade: { router: r1, id: rr, plugin: ${PLUGIN}, ${wrong} } } ]`,
        ],
      ] as const) {
        const lab = labWithPlugins(site(`nn-${ID}-refused`, '[]', events, plugin))
        const failure = await runReal(lab).catch((error: unknown) => error)
        expect(failure).to.be.instanceOf(LabPluginError)
        expect((failure as Error).message).to.match(/r1: .*servers/)
        expect(remainsOf(`nn-${ID}-refused`)).to.deep.equal([])
      }
    })
  })
})
