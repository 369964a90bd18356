// biome-ignore-all lint/suspicious/noThenProperty: the action's own word for what follows; never awaited
import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { type Change, Engine, EngineError, MemoryPort, ROUTER_OWNER } from '../../../engine/index.ts'
import { type Lab, LabFileError, parseLabFile, type RouterNode, routersOf } from '../../../lab/index.ts'
import { labOf, SAMPLE } from './sample.ts'

/** Commits what a lab says of a router to a real engine. @throws EngineError */
function configure(router: RouterNode): Engine {
  const engine = new Engine({ seed: 1, slab: { capacity: 64 } })
  for (const [index, { name }] of router.interfaces.entries())
    engine.addPort({ name, driver: new MemoryPort({ name, mac: Uint8Array.of(2, 0, 0, 0, 0, index) }) })
  const addresses = router.interfaces.flatMap(({ name, addresses }) =>
    addresses.map(
      ({ address, prefixLength }): Change => ({
        do: 'add-address',
        port: name,
        address: `${address}/${prefixLength}`,
      }),
    ),
  )
  const routes = router.routes.map(
    ({ prefix, target, cost }): Change => ({ do: 'add-route', prefix, target, cost }),
  )
  engine.control.commit(ROUTER_OWNER, [...addresses, ...routes, ...router.policy], 0)
  return engine
}

/** Mostly what is right, now and then what may be wrong. */
const mostly = <T, U>(right: fc.Arbitrary<T>, wrong: fc.Arbitrary<U>): fc.Arbitrary<T | U> =>
  fc.oneof({ arbitrary: right, weight: 40 }, { arbitrary: wrong, weight: 1 })
const anyOf = (...values: readonly (string | number)[]) => fc.constantFrom(...values)

const own = mostly(anyOf('10.0.1.1', '10.0.2.1'), anyOf('10.0.2.2', '10.9.9.9'))
const neighbour = mostly(
  anyOf('10.0.1.2', '10.0.2.2'),
  anyOf('10.0.2.1', '10.7.7.7', '239.1.1.1', '10.0.2.255'),
)
const exit = mostly(
  anyOf('10.0.1.2', '10.0.2.2', '10.0.2.77'),
  anyOf('10.0.2.1', '10.7.7.7', '10.0.2.255', '10.0.2.0'),
)
const prefix = mostly(
  anyOf('10.7.0.0/16', '0.0.0.0/0', '10.0.1.0/25', '198.18.0.0/15'),
  anyOf('10.0.2.0/24', '10.0.2.1/32'),
)
const some = <T>(value: fc.Arbitrary<T>) => fc.array(value, { maxLength: 3 })

const action = fc.letrec<{ action: unknown }>((tie) => ({
  action: fc.oneof(
    { maxDepth: 9 },
    anyOf('forward', 'drop', 'decapsulate'),
    fc.record({ tunnel: mostly(anyOf('s1', 's2'), anyOf('s3', 'default')) }),
    fc.record({ forward: fc.record({ via: neighbour }, { requiredKeys: [] }) }),
    fc.record({ drop: mostly(anyOf('policy', 'no-server'), anyOf('none')) }),
    fc.record(
      { class: mostly(anyOf('web', 'bulk'), anyOf('all', 'default')), then: tie('action') },
      { requiredKeys: ['class'] },
    ),
    fc.record({
      rewrite: fc.record({ to: exit, toPort: mostly(fc.nat(65_535), anyOf(65_536)) }),
      then: tie('action'),
    }),
    fc.record({ replicate: fc.array(tie('action'), { minLength: 1, maxLength: 2 }) }),
    fc.record(
      {
        spread: fc.array(
          fc.record({ tunnel: anyOf('s1', 's2'), weight: mostly(anyOf(1, 2, 65_535), anyOf(0.5, 65_536)) }),
          { minLength: 1, maxLength: 3 },
        ),
        idle: mostly(anyOf('1ns', '60s'), anyOf('0s')),
      },
      { requiredKeys: ['spread'] },
    ),
  ),
})).action

const classSettings = fc.record(
  {
    ceiling: anyOf('1kbps', '1.5kbps', '1Tbps'),
    limit: fc.record({ packets: anyOf(1, 1e6), bytes: anyOf('64', '1G') }, { requiredKeys: [] }),
    discard: anyOf('tail', 'codel'),
  },
  { requiredKeys: [] },
)
const classes = fc
  .tuple(
    classSettings,
    classSettings,
    classSettings,
    anyOf(0.001, 1, 2.5, 1e6),
    mostly(anyOf('all'), anyOf('default')),
  )
  .map(([all, web, bulk, weight, name]) => [
    { name: 'web', parent: 'all', weight, port: 'eth1', ...web },
    { name, weight: 1, ...all, ...(all.ceiling !== undefined && { burst: '1G' }) },
    { name: 'bulk', parent: 'all', weight: 3, ...bulk },
  ])

const filter = fc.record(
  {
    priority: anyOf(0, -999_999, 999_999),
    from: prefix,
    to: fc.oneof(prefix, own, fc.constant({ value: '0.0.0.1', mask: '0.0.0.3' })),
    protocol: anyOf('tcp', 'udp'),
    toPort: mostly(anyOf(0, 80, '1024-65535'), anyOf('90-80')),
    inPort: mostly(anyOf('eth0', 'eth1'), anyOf('eth2')),
    action,
  },
  { requiredKeys: ['action', 'protocol'] },
)

const tunnel = fc.oneof(
  exit,
  fc.record(
    { to: exit, from: own, kind: anyOf('ip-in-ip'), ttl: anyOf(1, 255), mtu: anyOf(88, 1500, 9216) },
    { requiredKeys: ['to'] },
  ),
  fc.record({ to: exit, kind: anyOf('mac-rewrite') }),
)

const policy = fc.record(
  {
    tunnels: fc.record({ s1: tunnel, s2: tunnel }),
    classes,
    filters: some(filter),
    decapsulate: fc.oneof(fc.boolean(), fc.array(own, { maxLength: 1, minLength: 1 })),
  },
  { requiredKeys: ['tunnels', 'classes'] },
)

const routes = some(
  fc.oneof(
    fc.record({ to: prefix, via: neighbour }),
    fc.record({ to: prefix, blackhole: fc.constant(true), cost: anyOf(1, 65_535) }),
  ),
)

describe('a lab that loads', () => {
  it('is a lab whose routers the engine accepts', () => {
    expect(routersOf(labOf(SAMPLE)).map((router) => configure(router).stages.tunnels.size)).to.deep.equal([1])
  })

  it('is so whatever its policies and routes are', () => {
    let loaded = 0
    const property = fc.property(policy, routes, (eachPolicy, eachRoutes) => {
      const text = SAMPLE.replace(
        / {4}policy:[\s\S]*? {2}s1:/,
        () => `    routes: ${JSON.stringify(eachRoutes)}\n    policy: ${JSON.stringify(eachPolicy)}\n  s1:`,
      )
      let lab: Lab
      try {
        lab = parseLabFile(text, 'lab.yaml', { folder: '/', exists: () => true }).lab
      } catch (error) {
        if (error instanceof LabFileError) return
        throw error
      }
      loaded++
      try {
        configure(routersOf(lab)[0]!)
      } catch (error) {
        if (error instanceof EngineError) throw new Error(`refused by the engine: ${error.message}`)
        throw error
      }
    })
    fc.assert(property, { numRuns: 400 })
    expect(loaded).to.be.greaterThan(40)
  })
})
