import { expect } from 'chai'
import { before, describe, it } from 'mocha'
import { readBundle } from '../../../execution-env/bundle/index.ts'
import { buildPlugin } from '../../../sdk/build.ts'
import * as policies from '../../../sdk/policies/index.ts'
import { inFolder, pluginOf, runInIsolate, writeFiles } from '../kit.ts'

/** What every policy chooses, as one text. Self-contained: it also runs in an isolate. */
function choicesOf(kit: typeof policies): string {
  const names = ['10.0.2.2', '10.0.3.2', '10.0.4.2', '10.0.5.2', '10.0.6.2']
  const backends = names.map((name, index) => ({ name, weight: 1 + index * 0.7, load: (index * 7) % 5 }))
  const turns = new kit.RoundRobin<(typeof backends)[number]>()
  const drawn = new kit.Rendezvous<(typeof backends)[number]>({ seed: 3 })
  const table = new kit.Maglev(backends, { size: 10_007, seed: 3 })
  const near = new kit.Proximity({
    '10.0.0.0/9': { '10.0.2.2': 4, '10.0.3.2': 4 },
    '10.0.1.0/24': { '10.0.6.2': 1 },
  })
  const hours = new kit.TimeOfDay([{ days: ['mon', 'sat'], from: '22:30', to: '04:00', use: 'night' }])
  const lines: unknown[] = []
  for (let index = 0; index < 500; index++) {
    const source = (0x0a000000 + index * 7919 * 64) >>> 0
    const flow = { source, destination: 0xc6120050, protocol: 6, fromPort: 1024 + index, toPort: 80 }
    lines.push(turns.pick(backends)?.name, drawn.pick(backends, flow)?.name, table.pick(flow)?.name)
    lines.push(kit.leastLoad(backends, flow)?.name, near.nearest(backends, source).length)
    lines.push(hours.at(index * 9_999_999), hours.changesAt(index * 9_999_999), kit.hashFlow(flow, 5))
  }
  return JSON.stringify(lines)
}

describe('the policies in an isolate', () => {
  let code = ''
  before(async () => {
    const source = `import * as kit from 'pronto-router/sdk/policies'\nexport default { setup: (choose) => choose(kit) }`
    code = await inFolder(
      async (folder) => readBundle((await buildPlugin(writeFiles(folder, pluginOf(source)))).bytes).code,
    )
  })

  it('choose there what they choose here, all of them', () => {
    const there = runInIsolate(code, `({ default: plugin }) => plugin.setup(${choicesOf})`)
    expect(there).to.equal(choicesOf(policies))
  })
})
