import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { parseLabFile } from '../../lab/index.ts'
import { race } from '../../lab/sim/drive.ts'
import { LabPlugins } from '../../lab/sim/lab-plugins.ts'
import { measure } from '../../lab/sim/measure.ts'
import { Simulation } from '../../lab/sim/simulation.ts'

const examples = resolve(import.meta.dirname, '../../examples')

/** Steady traffic through a router that has a static policy below whatever plugin is loaded. */
const STEADY = `
name: hot-change
duration: 12s
nodes:
  c1: { kind: host, addresses: { eth0: 10.0.1.2/24 }, gateway: 10.0.1.1,
        clients: [ { protocol: http, to: "198.18.0.80:80", rate: 100/s, count: 1100 },
                   { protocol: tcp, to: "198.18.0.80:7000", count: 3, concurrency: 3, bytes: 4M } ] }
  r1:
    kind: router
    addresses: { eth0: 10.0.1.1/24, eth1: 10.0.2.1/24, eth2: 10.0.3.1/24 }
    policy:
      tunnels: { s1: 10.0.2.2, s2: 10.0.3.2 }
      filters: [ { to: 198.18.0.0/15, priority: -1, action: { spread: [ { tunnel: s1 }, { tunnel: s2 } ] } } ]
  s1: { kind: host, addresses: { eth0: 10.0.2.2/24 }, gateway: 10.0.2.1, virtualHosts: [ 198.18.0.0/15 ],
        services: [ { protocol: http, port: 80, bytes: 5k }, { protocol: tcp, port: 7000 } ] }
  s2: { kind: host, addresses: { eth0: 10.0.3.2/24 }, gateway: 10.0.3.1, virtualHosts: [ 198.18.0.0/15 ],
        services: [ { protocol: http, port: 80, bytes: 5k }, { protocol: tcp, port: 7000 } ] }
links:
  - { endpoints: [ "c1:eth0", "r1:eth0" ], rate: 100Mbps, delay: 2ms }
  - { endpoints: [ "r1:eth1", "s1:eth0" ], rate: 1Gbps, delay: 100us, mtu: 1520 }
  - { endpoints: [ "r1:eth2", "s2:eth0" ], rate: 1Gbps, delay: 100us, mtu: 1520 }
events:
  - at: 2s
    load: { router: r1, plugin: ./round-robin, config: { virtualHost: 198.18.0.0/15, servers: [ { address: 10.0.2.2, weight: 3 }, { address: 10.0.3.2 } ] } }
  - at: 4s
    upgrade: { router: r1, id: round-robin, plugin: ./round-robin, config: { virtualHost: 198.18.0.0/15, servers: [ { address: 10.0.2.2 }, { address: 10.0.3.2, weight: 3 } ] } }
  - { at: 8s, unload: { router: r1, id: round-robin, flows: drain } }
`

/** Why something is refused. */
const refusalOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'nothing is',
    (error: Error) => error.message,
  )

describe('a plugin on a router with steady traffic', () => {
  it('is loaded, upgraded with state, rolled back and unloaded without a lost packet or failed connection (R-PR-02)', async () => {
    const { lab } = parseLabFile(STEADY, 'hot-change.yaml', { folder: examples, exists: () => true })
    const plugins = await LabPlugins.prepare(lab)
    try {
      const simulation = new Simulation(lab, undefined, plugins)
      const router = simulation.routers[0]!
      const versions: string[] = []
      const look = (at: number, what: () => void) => simulation.timeline.schedule(at * 1e9, { happen: what })
      const weights = () =>
        router
          .plugins!.report()
          .map((each) => `${each.id} ${each.state}`)
          .join(',')
      for (const at of [1, 3, 5, 7, 11]) look(at, () => versions.push(`${at}: ${weights()}`))
      let rolledBack = false
      look(6, () => {
        const command = { do: 'rollback', id: 'round-robin', by: 'test' } as const
        void router.plugins!.administration.carryOut(command).then(() => {
          rolledBack = true
        })
      })
      await race(simulation)
      const report = measure(simulation, 1)

      expect(versions).to.deep.equal([
        '1: ',
        '3: round-robin running',
        '5: round-robin running',
        '7: round-robin running',
        // Its flows drain for as long as they may be idle.
        '11: round-robin stopping',
      ])
      expect(rolledBack).to.equal(true)
      const [pages, streams] = report.clients['c1']!
      expect(pages).to.deep.include({ attempted: 1100, completed: 1100, failed: 0, corrupted: 0 })
      expect(streams).to.deep.include({ attempted: 3, completed: 3, failed: 0, corrupted: 0 })
      const { packets } = report.routers['r1']!
      expect(packets.dropped).to.deep.equal({})
    } finally {
      await plugins.close()
    }
  }).timeout(60_000)

  it('fails the lab with its name and reason when it cannot be loaded', async () => {
    const bad = STEADY.replace('servers: [ { address: 10.0.2.2, weight: 3 }', 'servers: [ { address: 7 }')
    const { lab } = parseLabFile(bad, 'hot-change.yaml', { folder: examples, exists: () => true })
    const plugins = await LabPlugins.prepare(lab)
    try {
      const simulation = new Simulation(lab, undefined, plugins)
      expect(await refusalOf(race(simulation))).to.match(/^r1: cannot load .*round-robin/)
    } finally {
      await plugins.close()
    }
  }).timeout(60_000)

  it('ends the lab when it hangs, naming the plugin', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pronto-hang-'))
    try {
      const manifest = { name: 'hang', version: '1.0.0', apiVersion: 1, entry: 'plugin.ts' }
      const capabilities = { flows: { to: ['198.18.0.0/15'], actions: ['drop'] } }
      writeFileSync(join(folder, 'pronto.json'), JSON.stringify({ ...manifest, capabilities }))
      writeFileSync(
        join(folder, 'plugin.ts'),
        "export default { setup(router: any) { router.flows.claim({ to: '198.18.0.0/15' }, () => { for (;;); }) } }",
      )
      const start = STEADY.slice(0, STEADY.indexOf('  - at: 4s'))
      const text = start.replace(/plugin: \.\/round-robin, config: .*/, `plugin: ${folder} }`)
      const { lab } = parseLabFile(text, 'hang.yaml', { folder: examples, exists: () => true })
      const plugins = await LabPlugins.prepare(lab)
      try {
        const simulation = new Simulation(lab, undefined, plugins)
        expect(await refusalOf(race(simulation))).to.match(
          /plugin r1#1\/hang.* ended its sandbox \(timeout\)/,
        )
      } finally {
        await plugins.close()
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  }).timeout(60_000)
})
