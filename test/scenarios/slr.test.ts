import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import type { Report } from '../../lab/index.ts'
import { forEachBackend, labWithPlugins } from '../support/labs.ts'
import { requireTool, runTool } from '../support/oracle.ts'

const SERVERS = ['10.0.2.2', '10.0.3.2', '10.0.4.2']

/** A site: a client, the site's router and three servers of one service. */
interface SiteLab {
  readonly clients: string
  /** Configuration of the plugin. */
  readonly config: string
  readonly events?: string
  readonly duration?: string
  /** Loads that the agents of s1, s2, s3 report at first; without them they have none. */
  readonly loads?: readonly number[]
}

const config = (host = '', servers = SERVERS.map((each) => `{ address: ${each} }`).join(', ')) =>
  `{ virtualHosts: [ { to: 198.18.0.0/15${host} } ], servers: [ ${servers} ] }`

function siteLab({ clients, config: slr, events = '[]', duration, loads }: SiteLab) {
  const agent = (number: number) =>
    loads === undefined
      ? ''
      : `agent: { routers: [ 10.0.${number + 1}.1 ], interval: 500ms, load: ${loads[number - 1]} },`
  const server = (number: number) => `
  s${number}: { kind: host, addresses: { eth0: 10.0.${number + 1}.2/24 }, gateway: 10.0.${number + 1}.1,
        virtualHosts: [ 198.18.0.0/15 ], ${agent(number)}
        services: [ { protocol: http, port: 80, bytes: 10k }, { protocol: tcp, port: 7000 }, { protocol: udp, port: 53, bytes: 100 } ] }`
  const link = (number: number) =>
    `\n  - { endpoints: [ "r1:eth${number}", "s${number}:eth0" ], delay: 100us, mtu: 1520 }`
  return labWithPlugins(`
name: site
${duration === undefined ? '' : `duration: ${duration}`}
nodes:
  c1: { kind: host, addresses: { eth0: 10.0.1.2/24 }, gateway: 10.0.1.1, clients: ${clients} }
  r1: { kind: router, addresses: { eth0: 10.0.1.1/24, eth1: 10.0.2.1/24, eth2: 10.0.3.1/24, eth3: 10.0.4.1/24 },
        plugins: [ { plugin: ./plugins/slr, config: ${slr} } ] }${[1, 2, 3].map(server).join('')}
links:
  - { endpoints: [ "c1:eth0", "r1:eth0" ], delay: 2ms }${[1, 2, 3].map(link).join('')}
events: ${events}
`)
}

/** The site's servers are learnt by what they say. */
const learning = (host = '') =>
  `{ virtualHosts: [ { to: 198.18.0.0/15${host} } ], learn: { from: [ 10.0.0.0/8 ], silenceMs: 2000 } }`

const upgrade = (at: string, slr: string) =>
  `{ at: ${at}, upgrade: { router: r1, id: slr, plugin: ./plugins/slr, config: ${slr} } }`

/** Clients reach the site through r0; its servers answer through r2. */
const TWO_WAYS = `
name: two-ways
nodes:
  c1: { kind: host, addresses: { eth0: 10.0.1.2/24 }, gateway: 10.0.1.1,
        clients: [ { protocol: http, to: "198.18.0.80:80", rate: 20/s, count: 40 },
                   { protocol: tcp, to: "198.18.0.80:7000", count: 2, bytes: 200k },
                   { protocol: ping, to: 198.18.0.80, count: 3 } ] }
  r0: { kind: router, addresses: { eth0: 10.0.1.1/24, eth1: 10.0.9.1/24, eth2: 10.0.8.1/24 },
        routes: [ { to: 198.18.0.0/15, via: 10.0.9.2 } ] }
  r1: { kind: router, addresses: { eth0: 10.0.9.2/24, eth1: 10.0.2.1/24, eth2: 10.0.3.1/24 },
        routes: [ { to: 10.0.1.0/24, via: 10.0.9.1 } ],
        plugins: [ { plugin: ./plugins/slr, config: ${config('', '{ address: 10.0.2.2 }, { address: 10.0.3.2 }')} } ] }
  r2: { kind: router, addresses: { eth0: 10.0.8.2/24, eth1: 10.0.4.1/24, eth2: 10.0.5.1/24 },
        routes: [ { to: 10.0.1.0/24, via: 10.0.8.1 } ] }
  s1: { kind: host, addresses: { eth0: 10.0.2.2/24, eth1: 10.0.4.2/24 }, gateway: 10.0.4.1, virtualHosts: [ 198.18.0.0/15 ],
        services: [ { protocol: http, port: 80, bytes: 20k }, { protocol: tcp, port: 7000 } ] }
  s2: { kind: host, addresses: { eth0: 10.0.3.2/24, eth1: 10.0.5.2/24 }, gateway: 10.0.5.1, virtualHosts: [ 198.18.0.0/15 ],
        services: [ { protocol: http, port: 80, bytes: 20k }, { protocol: tcp, port: 7000 } ] }
links:
  - { endpoints: [ "c1:eth0", "r0:eth0" ], delay: 1ms }
  - { endpoints: [ "r0:eth1", "r1:eth0" ], delay: 1ms }
  - { endpoints: [ "r0:eth2", "r2:eth0" ], delay: 1ms }
  - { endpoints: [ "r1:eth1", "s1:eth0" ], mtu: 1520 }
  - { endpoints: [ "r1:eth2", "s2:eth0" ], mtu: 1520 }
  - { endpoints: [ "r2:eth1", "s1:eth1" ] }
  - { endpoints: [ "r2:eth2", "s2:eth1" ] }
`

/** A narrow link that neither end of a connection knows of lies between client and site. */
const NARROW = `
name: narrow
nodes:
  c1: { kind: host, addresses: { eth0: 10.0.1.2/24 }, gateway: 10.0.1.1,
        clients: [ { protocol: http, to: "198.18.0.80:80", rate: 10/s, count: 30, timeout: 3s } ] }
  ra: { kind: router, addresses: { eth0: 10.0.1.1/24, eth1: 10.0.9.1/24 }, routes: [ { to: 0.0.0.0/0, via: 10.0.9.2 } ] }
  rb: { kind: router, addresses: { eth0: 10.0.9.2/24, eth1: 10.0.8.1/24 },
        routes: [ { to: 10.0.1.0/24, via: 10.0.9.1 }, { to: 198.18.0.0/15, via: 10.0.8.2 } ] }
  r1: { kind: router, addresses: { eth0: 10.0.8.2/24, eth1: 10.0.2.1/24, eth2: 10.0.3.1/24 },
        routes: [ { to: 0.0.0.0/0, via: 10.0.8.1 } ],
        plugins: [ { plugin: ./plugins/slr, config: ${config('', '{ address: 10.0.2.2 }, { address: 10.0.3.2 }')} } ] }
  s1: { kind: host, addresses: { eth0: 10.0.2.2/24 }, gateway: 10.0.2.1, virtualHosts: [ 198.18.0.0/15 ],
        services: [ { protocol: http, port: 80, bytes: 50k } ] }
  s2: { kind: host, addresses: { eth0: 10.0.3.2/24 }, gateway: 10.0.3.1, virtualHosts: [ 198.18.0.0/15 ],
        services: [ { protocol: http, port: 80, bytes: 50k } ] }
links:
  - { endpoints: [ "c1:eth0", "ra:eth0" ] }
  - { endpoints: [ "ra:eth1", "rb:eth0" ], mtu: 1000 }
  - { endpoints: [ "rb:eth1", "r1:eth0" ] }
  - { endpoints: [ "r1:eth1", "s1:eth0" ], mtu: 1520 }
  - { endpoints: [ "r1:eth2", "s2:eth0" ], mtu: 1520 }
`

/** What tshark shows of a capture: one text a packet, without repetition. */
function shown(
  captures: ReadonlyMap<string, Uint8Array>,
  name: string,
  filter: string,
  fields: readonly string[],
) {
  const folder = mkdtempSync(join(tmpdir(), 'pronto-slr-'))
  try {
    const file = join(folder, 'capture.pcapng')
    writeFileSync(file, captures.get(`${name}.pcapng`)!)
    const columns = fields.flatMap((field) => ['-e', field])
    const text = runTool('tshark', ['-r', file, '-n', '-Y', filter, '-T', 'fields', ...columns])
    return new Set(text.split('\n').filter((line) => line !== ''))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Reasons for which the site's router dropped packets, but for full queues: real TCP asks links for all they have. */
const dropped = ({ routers }: Report) =>
  Object.keys(routers['r1']!.packets.dropped).filter((reason) => !reason.startsWith('queue-'))

describe('service level routing at a site', () => {
  forEachBackend((backend) => {
    it('spreads TCP, UDP and ICMP echo over the servers, to unmodified clients (R-SLR-01, R-SLR-02, R-SLR-09, R-SLR-12)', async () => {
      const clients = `[ { protocol: http, to: "198.18.0.80:80", rate: 100/s, count: 300 },
        { protocol: tcp, to: "198.19.7.7:7000", rate: 5/s, count: 12, bytes: 100k },
        { protocol: udp, to: "198.18.0.53:53", rate: 50/s, count: 60 }, { protocol: ping, to: 198.18.0.80, count: 3 } ]`
      const report = await backend.run(siteLab({ clients, config: config() }))
      const [pages, streams, datagrams, pings] = report.clients['c1']!
      expect(pages).to.deep.include({ completed: 300, failed: 0, corrupted: 0 })
      for (const name of ['s1', 's2', 's3']) expect(pages!.servers[name], name).to.be.within(85, 115)
      expect(streams).to.include({ completed: 12, failed: 0, corrupted: 0 })
      expect(datagrams).to.include({ completed: 60, failed: 0, corrupted: 0 })
      expect(pings).to.include({ completed: 3, failed: 0 })
      expect(report.conservation).to.equal(true)
    }).timeout(60_000)

    it('keeps every flow where it began when the policy changes, and sends new ones by the new policy (R-SLR-11, R-SLR-13)', async () => {
      const clients = `[ { protocol: http, to: "198.18.0.80:80", rate: 100/s, count: 600 },
        { protocol: tcp, to: "198.18.0.80:7000", count: 6, concurrency: 6, bytes: 20M, timeout: 60s } ]`
      const only3 = config(', rules: [ { servers: [ 10.0.4.2 ], strict: true } ]')
      const events = `[ ${upgrade('2s', config(', policy: maglev, seed: 7'))}, ${upgrade('4s', only3)} ]`
      const report = await backend.run(siteLab({ clients, config: config(), events }))
      const [pages, streams] = report.clients['c1']!
      expect(pages).to.deep.include({ completed: 600, failed: 0, corrupted: 0 })
      expect(pages!.servers['s3'], '200 of the last two seconds and a third of the others').to.be.within(
        290,
        380,
      )
      expect(streams).to.include({ completed: 6, failed: 0, corrupted: 0 })
      expect(Object.keys(streams!.servers)).to.have.members(['s1', 's2', 's3'])
      expect(dropped(report)).to.deep.equal([])
    }).timeout(60_000)

    it('drains a server without a failed connection (R-SLR-11, R-SLR-13)', async () => {
      const clients = `[ { protocol: http, to: "198.18.0.80:80", rate: 100/s, count: 500 },
        { protocol: tcp, to: "198.18.0.80:7000", count: 3, concurrency: 3, bytes: 20M, timeout: 60s } ]`
      const drain = (at: string, what: string) =>
        `{ at: ${at}, load: { router: r1, id: drain-${at}, plugin: ./test/fixtures/plugins/drain, config: ${what} } }`
      const events = `[ ${drain('1s', '{ address: 10.0.2.2 }')}, ${drain('3s', '{ address: 10.0.3.2, state: maintenance }')} ]`
      for (const policy of ['least-load', 'maglev']) {
        const slr = config(`, policy: ${policy}`)
        const report = await backend.run(siteLab({ clients, config: slr, events }))
        const [pages, streams] = report.clients['c1']!
        expect(pages, policy).to.deep.include({ completed: 500, failed: 0, corrupted: 0 })
        expect(pages!.servers['s1'], 'a third of the first second').to.be.within(20, 48)
        expect(pages!.servers['s2'], 'and half of the next two').to.be.within(105, 165)
        expect(streams, policy).to.include({ completed: 3, failed: 0, corrupted: 0 })
        expect(dropped(report)).to.deep.equal([])
      }
    }).timeout(60_000)

    it('learns servers by hello, and sends new flows where the load is least (R-SLR-13, R-SLR-17)', async () => {
      const clients = `[ { protocol: http, to: "198.18.0.80:80", rate: 100/s, count: 400, start: 1s } ]`
      const events = `[ { at: 3s, set: { host: s1, load: 0.95 } } ]`
      const lab = siteLab({ clients, config: learning(', flowLoad: 0.001'), events, loads: [0.1, 0.5, 0.9] })
      const report = await backend.run(lab)
      const [pages] = report.clients['c1']!
      expect(pages).to.deep.include({ completed: 400, failed: 0, corrupted: 0 })
      expect(pages!.servers['s1'], 'until it reports that it is busy').to.be.within(195, 265)
      expect(pages!.servers['s2'], 'from then on').to.be.within(135, 205)
      expect(pages!.servers).to.not.have.property('s3')
    }).timeout(60_000)

    it('leaves a server that fails out until it is back, and lets flows without connections go on (R-SLR-02, R-SLR-17)', async () => {
      const clients = `[ { protocol: http, to: "198.18.0.80:80", rate: 60/s, count: 1080, timeout: 1s, start: 3s },
        { protocol: ping, to: 198.18.0.80, count: 13, timeout: 900ms, start: 2s } ]`
      const events = '[ { at: 6500ms, fail: s1 }, { at: 11s, recover: s1 } ]'
      const lab = siteLab({ clients, config: learning(), events, loads: [0, 0.1, 0.1] })
      const report = await backend.run(lab)
      const [pages, pings] = report.clients['c1']!
      expect(pages!.completed + pages!.failed).to.equal(1080)
      expect(pages!.corrupted).to.equal(0)
      // What begins until the silence of 3.5 intervals is noticed; what it was sent counts against it meanwhile.
      expect(pages!.failed).to.be.within(1, 60)
      // Half of 210 or some more before it fails, and of what begins in the 10 seconds after its return.
      expect(pages!.servers['s1']).to.be.within(160, 520)
      expect(pages!.servers['s2']).to.be.within(200, 450)
      // The pings began at s1: one flow, which another server answers when s1 is known to be gone.
      expect(pings!.failed).to.be.within(1, 3)
      expect(pings!.completed).to.equal(13 - pings!.failed)
      expect(report.conservation).to.equal(true)
    }).timeout(60_000)

    it('takes what it knows of its servers to the next version (R-SLR-11, R-SLR-17)', async () => {
      const clients = `[ { protocol: http, to: "198.18.0.80:80", rate: 100/s, count: 400, start: 1s },
        { protocol: tcp, to: "198.18.0.80:7000", count: 3, concurrency: 3, bytes: 20M, timeout: 60s, start: 1s } ]`
      const events = `[ ${upgrade('2700ms', learning(', policy: weighted'))}, { at: 4200ms, kill: { router: r1, part: sandbox } } ]`
      const report = await backend.run(siteLab({ clients, config: learning(), events, loads: [0, 0, 0] }))
      const [pages, streams] = report.clients['c1']!
      expect(pages).to.deep.include({ completed: 400, failed: 0, corrupted: 0 })
      for (const name of ['s1', 's2', 's3']) expect(pages!.servers[name], name).to.be.within(110, 160)
      expect(streams).to.include({ completed: 3, failed: 0, corrupted: 0 })
      expect(report.routers['r1']!.plugins[0]).to.include({ state: 'running' })
    }).timeout(60_000)

    it('lets answers take another way, and shows a client its virtual host only (R-SLR-05, R-SLR-06)', async function () {
      requireTool(this, 'tshark')
      const { report, captures } = await backend.runWithCaptures(labWithPlugins(TWO_WAYS))
      for (const client of report.clients['c1']!) expect(client).to.include({ failed: 0, corrupted: 0 })
      const peers = shown(captures, 'c1-eth0', 'ip', ['ip.src', 'ip.dst'])
      expect(peers).to.deep.equal(new Set(['10.0.1.2\t198.18.0.80', '198.18.0.80\t10.0.1.2']))
      for (const end of ['r1-eth0', 'r1-eth1', 'r1-eth2'])
        expect(
          shown(captures, end, 'ip.src == 198.18.0.0/15', ['ip.src']),
          `answers on ${end}`,
        ).to.deep.equal(new Set())
      for (const [end, address] of [
        ['r1-eth1', '10.0.2.2'],
        ['r1-eth2', '10.0.3.2'],
      ] as const)
        expect(shown(captures, end, 'ip.proto == 4', ['ip.src', 'ip.dst']), end).to.deep.equal(
          new Set([`10.0.${address[5]}.1,10.0.1.2\t${address},198.18.0.80`]),
        )
    }).timeout(60_000)

    it('lets ICMP errors about a flow find its server (R-SLR-12)', async function () {
      requireTool(this, 'tshark')
      const { report, captures } = await backend.runWithCaptures(labWithPlugins(NARROW))
      const [pages] = report.clients['c1']!
      expect(pages).to.include({ completed: 30, failed: 0, corrupted: 0 })
      expect(Object.keys(pages!.servers)).to.have.members(['s1', 's2'])
      for (const [end, address] of [
        ['s1-eth0', '10.0.2.2'],
        ['s2-eth0', '10.0.3.2'],
      ] as const)
        expect([...shown(captures, end, 'icmp.code == 4', ['ip.dst', 'icmp.mtu'])], end).to.deep.equal([
          `${address},198.18.0.80,10.0.1.2\t1000`,
        ])
    }).timeout(60_000)
  })
})
