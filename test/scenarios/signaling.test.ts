import { resolve } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { type LabFile, parseLabFile } from '../../lab/index.ts'
import { Simulation } from '../../lab/sim/simulation.ts'
import { simulate, simulateWithCaptures, withoutWall } from '../support/labs.ts'

const folder = resolve(import.meta.dirname, '../fixtures/signaling')

interface Parts {
  readonly plugin?: boolean
  readonly loss?: string
  readonly events?: string
  readonly seed?: number
}

/** Two servers that report to a router; a client whose requests go where the plugin sends them. */
function labOf({ plugin = true, loss = '0%', events = '', seed = 1 }: Parts = {}): LabFile {
  const text = `
name: reported-load
seed: ${seed}
duration: 10s
nodes:
  c1: { kind: host, addresses: { eth0: 10.0.1.2/24 }, gateway: 10.0.1.1,
        clients: [ { protocol: http, to: "198.18.0.80:80", rate: 20/s, start: 1s } ] }
  r1: { kind: router, addresses: { eth0: 10.0.1.1/24, eth1: 10.0.2.1/24, eth2: 10.0.3.1/24 }
        ${plugin ? ', plugins: [ { plugin: lowest-load } ]' : ''} }
  s1: { kind: host, addresses: { eth0: 10.0.2.2/24 }, gateway: 10.0.2.1, virtualHosts: [ 198.18.0.0/15 ],
        agent: { routers: [ 10.0.2.1 ], interval: 500ms, load: 0.2 }, services: [ { protocol: http, port: 80 } ] }
  s2: { kind: host, addresses: { eth0: 10.0.3.2/24 }, gateway: 10.0.3.1, virtualHosts: [ 198.18.0.0/15 ],
        agent: { routers: [ 10.0.2.1 ], interval: 500ms, load: 0.5 }, services: [ { protocol: http, port: 80 } ] }
links:
  - { endpoints: [ "c1:eth0", "r1:eth0" ], delay: 1ms }
  - { name: to-s1, endpoints: [ "r1:eth1", "s1:eth0" ], delay: 1ms, mtu: 1520, loss: ${loss} }
  - { name: to-s2, endpoints: [ "r1:eth2", "s2:eth0" ], delay: 1ms, mtu: 1520, loss: ${loss} }
${events === '' ? '' : `events:\n${events}`}`
  return parseLabFile(text, 'reported-load.yaml', { folder, exists: () => true })
}

/** What a router without plugins knows of hosts, looked at some times. */
function hostsSeen(labFile: LabFile, at: readonly number[]): string[] {
  const simulation = new Simulation(labFile.lab)
  const seen: string[] = []
  for (const seconds of at)
    simulation.timeline.schedule(seconds * 1e9, {
      happen: () => {
        const hosts = [...(simulation.routers[0]!.signaling?.server.view.hosts() ?? [])]
        seen.push(`${seconds}: ${hosts.map(({ host, state }) => `${host} ${state}`).join(', ')}`)
      },
    })
  while (simulation.step(1000, Number.POSITIVE_INFINITY));
  return seen
}

describe('hosts of a lab with agents (R-SLR-17)', () => {
  it('are known to a router a few round trips after the beginning, until they fail, and again when they are back', () => {
    const lab = labOf({
      plugin: false,
      events: '  - { at: 2s, fail: s1 }\n  - { at: 6s, recover: s1 }\n',
    })
    expect(hostsSeen(lab, [0.02, 3, 4, 6.1])).to.deep.equal([
      '0.02: s1 active, s2 active',
      '3: s1 active, s2 active',
      '4: s2 active',
      '6.1: s2 active, s1 active',
    ])
  })

  it('say hello again to a router that has lost its memory', () => {
    const lab = labOf({ plugin: false, events: '  - { at: 2s, kill: { router: r1, part: process } }\n' })
    expect(hostsSeen(lab, [1.9, 2.01, 4])).to.deep.equal([
      '1.9: s1 active, s2 active',
      '2.01: ',
      '4: s2 active, s1 active',
    ])
  })

  it('come through loss', () => {
    const seen = hostsSeen(labOf({ plugin: false, loss: '20%' }), [9.9])
    expect(seen[0]).to.include('s1 active').and.include('s2 active')
  })

  it('get the flows that their load deserves, and a change of load moves new flows only', async () => {
    const events = '  - { at: 5s, set: { host: s1, load: 0.9 } }\n'
    const { clients, routers, conservation } = await simulate(labOf({ events }))
    const [client] = clients['c1']!
    expect(client).to.include({ failed: 0 })
    // Flows begin from 1 s to 10 s, twenty a second; s1 has the lower load until about 5.5 s.
    expect(client!.servers['s1']).to.be.within(75, 95)
    expect(client!.servers['s2']).to.be.within(85, 105)
    expect(routers['r1']!.plugins[0]).to.include({ state: 'running', restarts: 0 })
    expect(conservation).to.equal(true)
  }).timeout(60_000)

  it('get no flows when they are gone', async () => {
    const events = '  - { at: 4s, fail: s1 }\n'
    const { clients } = await simulate(labOf({ events }))
    const { servers } = clients['c1']![0]!
    // The silence is noticed after 1.75 s at most; what was sent to s1 until then is lost.
    expect(servers['s1']).to.be.within(55, 65)
    expect(servers['s2']).to.be.within(80, 95)
  }).timeout(60_000)

  it('give the same report and the same bytes for one seed, certificates and signatures included', async () => {
    const runs = [1, 1, 2].map((seed) => simulateWithCaptures(labOf({ seed, loss: '5%' })))
    const [first, second, other] = await Promise.all(runs)
    expect(withoutWall(second!.report)).to.deep.equal(withoutWall(first!.report))
    for (const [file, bytes] of first!.captures)
      expect(Buffer.compare(Buffer.from(bytes), Buffer.from(second!.captures.get(file)!)), file).to.equal(0)
    const all = (run: typeof first) => Buffer.concat([...run!.captures.values()])
    expect(Buffer.compare(all(first), all(other))).to.not.equal(0)
  }).timeout(60_000)
})
