import { resolve } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { parseLabFile } from '../../lab/index.ts'
import { race } from '../../lab/sim/drive.ts'
import { LabPlugins } from '../../lab/sim/lab-plugins.ts'
import { Simulation } from '../../lab/sim/simulation.ts'

const folder = resolve(import.meta.dirname, '../fixtures/proxies')

const LAB = `
name: proxies
duration: 2500ms
nodes:
  r1: { kind: router, addresses: { eth0: 10.0.1.1/24 }, plugins: [ { plugin: asker } ] }
  s1: { kind: host, addresses: { eth0: 10.0.1.2/24 }, gateway: 10.0.1.1 }
links:
  - { endpoints: [ "r1:eth0", "s1:eth0" ] }
`

/** What the plugin has logged, each line with its time. */
async function logged(): Promise<string[]> {
  const { lab } = parseLabFile(LAB, 'proxies.yaml', { folder, exists: () => true })
  const plugins = await LabPlugins.prepare(lab)
  try {
    const simulation = new Simulation(lab, undefined, plugins)
    await race(simulation)
    return simulation.routers[0]!.plugins!.manager.logs('asker').map(({ atNs, text }) => `${atNs} ${text}`)
  } finally {
    await plugins.close()
  }
}

describe('the proxies of a simulated router (R-PR-02)', () => {
  it('know the hosts of the lab and nothing beyond it, at the same virtual times in every run', async () => {
    const lines = await logged()
    const texts = lines.map((each) => each.slice(each.indexOf(' ') + 1))
    expect(texts).to.have.length(10)
    expect(texts[0]).to.match(
      /^s1 \{"ok":true,"name":"s1","publicKey":"MCow[^"]+","notAfterMs":\d+,"serial":"[0-9a-f]+"\}$/,
    )
    expect(texts.slice(1, 5)).to.deep.equal([
      'nobody unknown',
      'http unsupported',
      'sign unknown',
      'verify {"ok":true,"valid":false}',
    ])
    expect(texts.slice(5)).to.deep.equal(texts.slice(0, 5))
    expect(await logged()).to.deep.equal(lines)
  }).timeout(60_000)
})
