import { join } from 'node:path'
import { expect } from 'chai'
import { before, describe, it } from 'mocha'
import { readBundle } from '../../execution-env/bundle/index.ts'
import type { JsonValue } from '../../execution-env/contract/index.ts'
import { buildPlugin } from '../../sdk/tools.ts'
import {
  bundle as bundleBytes,
  Rig,
  type RigOptions,
  type TestBundle,
  tunnelTo,
} from '../execution-env/rig.ts'
import { ROOT } from '../sdk/kit.ts'

const SERVERS = ['10.0.2.11', '10.0.2.12', '10.0.2.13']
const OPERATOR = { kind: 'operator', name: 'tester' } as const

const config = (
  servers: readonly (string | JsonValue)[] = SERVERS,
  over: Record<string, JsonValue> = {},
) => ({
  virtualHost: '198.18.0.0/15',
  servers: servers.map((each) => (typeof each === 'string' ? { address: each } : each)),
  ...over,
})

/** An example, built, on a router: with no more capabilities than it asks for. */
class Loaded {
  readonly rig: Rig
  readonly bundle: TestBundle

  constructor(bundle: TestBundle, configured: JsonValue, options: RigOptions = {}) {
    this.rig = new Rig(options)
    this.bundle = bundle
    expect(this.rig.load(bundle, { config: configured })).to.include({ ok: true })
  }

  /** Where the packets of these clients' ports went: far end -> how many. */
  spread(from: number, count: number): Record<string, number> {
    const counts: Record<string, number> = {}
    for (const each of this.places(from, count)) counts[each] = (counts[each] ?? 0) + 1
    return counts
  }

  /** Where a packet of each of these clients' ports went, in order. */
  places(from: number, count: number): string[] {
    this.rig.router.take()
    const places: string[] = []
    for (let port = from; port < from + count; port++) {
      this.rig.syn(port)
      this.rig.advance(1e6)
      const [packet] = this.rig.router.take('out')
      places.push(packet === undefined ? 'nowhere' : tunnelTo(packet))
    }
    return places
  }

  /** What the plugin answers an operator's message. */
  call(topic: string, body: JsonValue): JsonValue {
    const { rig } = this
    const result = rig.wait<{ ok: boolean }>((done) =>
      rig.dispatcher.deliver(this.bundle.name!, topic, body, OPERATOR, done, rig.now),
    )
    expect(result, JSON.stringify(result)).to.include({ ok: true })
    return (result as unknown as { value: JsonValue }).value
  }

  /** Replaces the plugin by the same one with another configuration, its state moved. */
  reconfigure(configured: JsonValue): void {
    const { rig, bundle } = this
    const bytes = bundleBytes(bundle)
    const outcome = rig.wait((done) =>
      rig.manager.upgrade(bundle.name!, bytes, { config: configured }, rig.now, done),
    )
    expect(outcome).to.include({ ok: true })
  }
}

async function built(name: string): Promise<TestBundle> {
  const { manifest, code } = readBundle((await buildPlugin(join(ROOT, 'examples', name))).bytes)
  const { version, capabilities, configSchema } = manifest
  return { name, version, capabilities, module: code, configSchema: configSchema as never }
}

describe('the example round-robin (R-SLR-11, R-SLR-13)', () => {
  let bundle: TestBundle
  before(async () => {
    bundle = await built('round-robin')
  })

  it('takes servers in turn by their weights, and keeps a flow where it began', () => {
    const plugin = new Loaded(bundle, config([{ address: SERVERS[0]!, weight: 2 }, SERVERS[1]!, SERVERS[2]!]))
    const first = plugin.places(1_000, 40)
    expect(count(first)).to.deep.equal({ [SERVERS[0]!]: 20, [SERVERS[1]!]: 10, [SERVERS[2]!]: 10 })
    expect(plugin.places(1_000, 40)).to.deep.equal(first)
    expect(plugin.rig.isConserved).to.equal(true)
  })

  it('sends nothing new to a server in maintenance, and remembers that over an upgrade', () => {
    const plugin = new Loaded(bundle, config())
    const began = plugin.places(1_000, 6)
    const answer = plugin.call('server/state', { address: SERVERS[0]!, state: 'maintenance' })
    expect(answer).to.deep.include({ address: SERVERS[0]!, state: 'maintenance', flows: 2 })
    expect(plugin.spread(2_000, 20)).to.deep.equal({ [SERVERS[1]!]: 10, [SERVERS[2]!]: 10 })
    plugin.reconfigure(config())
    expect(plugin.spread(3_000, 20)).to.deep.equal({ [SERVERS[1]!]: 10, [SERVERS[2]!]: 10 })
    expect(plugin.places(1_000, 6)).to.deep.equal(began)
  })

  it('drops new flows when no server is left', () => {
    const plugin = new Loaded(bundle, config([SERVERS[0]!]))
    plugin.call('server/state', { address: SERVERS[0]!, state: 'maintenance' })
    expect(plugin.spread(1_000, 3)).to.deep.equal({ nowhere: 3 })
    expect(plugin.call('server/state', { address: '10.9.9.9', state: 'active' })).to.deep.equal({
      error: 'no server 10.9.9.9',
    })
  })
})

describe('the example consistent-hash (R-SLR-11, R-SLR-13)', () => {
  let bundle: TestBundle
  before(async () => {
    bundle = await built('consistent-hash')
  })

  it('finds the same server for a flow on a router that has never seen it', () => {
    const places = new Loaded(bundle, config()).places(1_000, 60)
    expect(new Loaded(bundle, config([...SERVERS].reverse()), { seed: 9 }).places(1_000, 60)).to.deep.equal(
      places,
    )
    expect(Object.keys(count(places))).to.have.length(3)
    expect(new Loaded(bundle, config(SERVERS, { seed: 1 })).places(1_000, 60)).not.to.deep.equal(places)
  })

  it('keeps flows that run when servers come and go, and moves few others', () => {
    const plugin = new Loaded(bundle, config())
    const before = plugin.places(1_000, 60)
    plugin.reconfigure(config(SERVERS.slice(1)))
    expect(plugin.places(1_000, 60), 'pinned flows').to.deep.equal(before)
    const anew = new Loaded(bundle, config(SERVERS.slice(1))).places(1_000, 60)
    for (const [index, place] of before.entries())
      if (place !== SERVERS[0]) expect(anew[index], `flow ${index}`).to.equal(place)
  })

  it('takes a server out by a message', () => {
    const plugin = new Loaded(bundle, config())
    plugin.call('server/state', { address: SERVERS[1]!, state: 'terminating' })
    expect(Object.keys(plugin.spread(1_000, 60))).to.have.members([SERVERS[0], SERVERS[2]])
  })
})

describe('the example time-of-day (R-SLR-13)', () => {
  it('sends new flows where the hour says, and leaves those alone that run', async () => {
    const bundle = await built('time-of-day')
    // The calendar of the rig begins at 22:13:20 on a Tuesday.
    const windows = [
      { days: ['tue'], from: '22:00', to: '22:14', servers: SERVERS.slice(0, 1) },
      { servers: SERVERS.slice(1) },
    ]
    const plugin = new Loaded(bundle, { virtualHost: '198.18.0.0/15', windows } as unknown as JsonValue)
    expect(plugin.rig.log('time-of-day')).to.deep.equal(['the servers change in 0.01 hours'])
    expect(plugin.spread(1_000, 10)).to.deep.equal({ [SERVERS[0]!]: 10 })
    plugin.rig.advance(20e9)
    expect(plugin.spread(1_000, 10)).to.deep.equal({ [SERVERS[0]!]: 10 })
    plugin.rig.advance(25e9)
    expect(plugin.spread(2_000, 10)).to.deep.equal({ [SERVERS[1]!]: 5, [SERVERS[2]!]: 5 })
    expect(plugin.spread(1_000, 10)).to.deep.equal({ [SERVERS[0]!]: 10 })
  })
})

function count(places: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const each of places) counts[each] = (counts[each] ?? 0) + 1
  return counts
}
