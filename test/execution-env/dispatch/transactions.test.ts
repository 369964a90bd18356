import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import type { Command } from '../../../execution-env/contract/api/index.ts'
import type { JsonValue } from '../../../execution-env/contract/index.ts'
import { ALL, Rig } from '../rig.ts'

const SERVICE = '198.18.0.0/15'

/** Everything of an owner that can be seen, in the engine and beside it. */
function snapshot(rig: Rig, id = 'policy'): string {
  const tenant = rig.dispatcher.tenants.get(id)!
  const program = tenant.program!
  const counters = ['packets', 'bytes', 'lastSeenNs', 'createdNs', 'id']
  const rows = ['filters', 'tunnels', 'classes', 'flows'].map((table) =>
    rig.rows(table).map((row) => Object.entries(row).filter(([column]) => !counters.includes(column))),
  )
  const maps = [tenant.holdings.claims, tenant.holdings.tunnels, tenant.holdings.classes]
  const numbers = [program.claims, program.tunnels, program.subscriptions]
  return JSON.stringify([rows, [...maps, ...numbers].map((each) => [...each])])
}

function loaded(): Rig {
  const rig = new Rig()
  const outcome = rig.load({
    setup: `router.flows.claim({ to: '198.18.0.1' }, () => null); router.tunnels.open({ to: '10.0.2.9', key: 'base' })`,
  })
  expect(outcome, JSON.stringify(outcome)).to.include({ ok: true })
  return rig
}

function carryOut(rig: Rig, commands: readonly Command[]): boolean {
  const tenant = rig.dispatcher.tenants.get('policy')!
  const requests = commands as unknown as readonly JsonValue[]
  return rig.dispatcher.transactions.carryOut(tenant, tenant.program!, requests, rig.now)
}

const key = (fromPort: number) => ({ from: '10.0.1.2', to: '198.18.0.80', protocol: 6, fromPort, toPort: 80 })

const small = fc.integer({ min: 1, max: 4 })
/** Commands over few names, so that many of them meet. */
const command: fc.Arbitrary<Command> = fc.oneof(
  small.map((n): Command => ({ do: 'open-tunnel', tunnel: n + 10, key: `t${n}`, to: `10.0.2.${n + 10}` })),
  small.map((n): Command => ({ do: 'close-tunnel', key: `t${n}` })),
  fc.tuple(small, small).map(([n, w]): Command => ({ do: 'create-class', name: `c${n}`, weight: w / 100 })),
  fc
    .tuple(small, small)
    .map(([n, p]): Command => ({ do: 'create-class', name: `c${n}`, weight: 1, parent: `c${p}` })),
  fc.tuple(small, small).map(([n, w]): Command => ({ do: 'set-class', name: `c${n}`, weight: w / 100 })),
  small.map((n): Command => ({ do: 'remove-class', name: `c${n}` })),
  small.map((n): Command => ({ do: 'claim', claim: n + 10, filter: { to: `198.18.0.${n}` }, waitNs: 1e6 })),
  small.map((n): Command => ({ do: 'unclaim', claim: n + 10 })),
  fc
    .tuple(small, small)
    .map(([n, t]): Command => ({ do: 'pin', key: key(n), action: { kind: 'tunnel', tunnel: `t${t}` } })),
  small.map((n): Command => ({ do: 'unpin', key: key(n) })),
  small.map((n): Command => ({ do: 'timer', subscription: n, afterNs: 1e12, repeat: false })),
  small.map((n): Command => ({ do: 'cancel', subscription: n })),
)

/** Short ones are done as a rule, long ones refused. */
const call = fc.oneof(
  fc.array(command, { minLength: 1, maxLength: 2 }),
  fc.array(command, { minLength: 2, maxLength: 6 }),
)

describe('Transactions', () => {
  it('are carried out whole or not at all, whatever is asked', () => {
    let refused = 0
    let done = 0
    fc.assert(
      fc.property(fc.array(call, { minLength: 1, maxLength: 8 }), (calls) => {
        const rig = loaded()
        for (const commands of calls) {
          const before = snapshot(rig)
          if (carryOut(rig, commands)) {
            done++
            continue
          }
          refused++
          expect(snapshot(rig)).to.equal(before)
        }
        const { tunnels, classes, claims } = rig.report()
        const filters = rig.rows('filters').length
        expect(filters, 'what is held is what is in the engine').to.equal(claims)
        const named = rig.rows('tunnels').filter((each) => each['name'] !== null)
        expect(named).to.have.length(tunnels)
        expect(
          rig
            .rows('classes')
            .filter((each) => String(each['name']).startsWith('policy:') && each['draining'] === false),
        ).to.have.length(classes * 2)
      }),
      { numRuns: 100 },
    )
    expect(refused, 'refused ones').to.be.greaterThan(50)
    expect(done, `done ones, beside ${refused} refused`).to.be.greaterThan(20)
  })

  for (const [what, last, code] of [
    ['a tunnel that is not granted', { do: 'open-tunnel', tunnel: 9, key: 'z', to: '11.0.0.1' }, 'forbidden'],
    ['a claim of everything', { do: 'claim', claim: 9, filter: {}, waitNs: 1 }, 'forbidden'],
    [
      'a claim that another one meets',
      { do: 'claim', claim: 9, filter: { to: '198.18.0.1' }, waitNs: 1 },
      'exists',
    ],
    ['a tunnel that is not there', { do: 'close-tunnel', key: 'nothing' }, 'unknown'],
    ['something without a form', { do: 'open-tunnel' }, 'invalid'],
    ['a class beyond the share of the link', { do: 'create-class', name: 'big', weight: 9 }, 'forbidden'],
    ['a pin of somebody else’s flow', { do: 'pin', key: key(99), action: { kind: 'forward' } }, 'conflict'],
    [
      'a query of no table',
      { do: 'watch', subscription: 9, query: { table: 'nothing' }, everyNs: 1e9 },
      'unknown',
    ],
  ] as const)
    it(`leave nothing behind after ${what}`, () => {
      const rig = loaded()
      rig.router.commit([{ do: 'install-flow', key: key(99), action: { kind: 'drop' } }])
      const before = snapshot(rig)
      const first: Command[] = [
        { do: 'open-tunnel', tunnel: 5, key: 't5', to: '10.0.2.5' },
        { do: 'claim', claim: 5, filter: { to: '198.18.5.0/24' }, waitNs: 1e6 },
        { do: 'create-class', name: 'c', weight: 0.1 },
        { do: 'pin', key: key(5), action: { kind: 'tunnel', tunnel: 't5' } },
        { do: 'timer', subscription: 5, afterNs: 1e9, repeat: true },
      ]
      expect(carryOut(rig, [...first, last as unknown as Command])).to.equal(false)
      expect(snapshot(rig)).to.equal(before)
      expect(rig.log().at(-1)).to.include(`refused (${code})`)
      expect(rig.report().counters).to.include({ refusedTransactions: 1, transactions: 0 })
      expect(carryOut(rig, first), 'and may be asked again').to.equal(true)
    })

  it('let decisions through whose commands were refused', () => {
    const rig = new Rig()
    rig.load({
      setup: `
        const tunnel = router.tunnels.open({ to: '10.0.2.2' })
        router.flows.claim({ to: '${SERVICE}' }, (flow) => {
          router.tunnels.open({ to: '11.0.0.' + flow.fromPort })
          return { tunnel } })`,
    })
    for (let port = 1; port <= 3; port++) rig.syn(port)
    rig.advance(10e6)
    expect(rig.report().counters).to.include({ decisions: 3, refusedTransactions: 1 })
    expect(rig.router.take('out')).to.have.length(3)
    expect(rig.report().tunnels).to.equal(1)
  })

  it('keep a class within its plugin’s share of each link (R-SLR-26)', () => {
    const rig = loaded()
    rig.router.commit([{ do: 'create-class', class: { name: 'web', port: 'out', weight: 3 } }])
    // Beside the default class (1) and the operator's (3) on one port, the default class alone on the other.
    expect(carryOut(rig, [{ do: 'create-class', name: 'a', port: 'out', weight: 4 }])).to.equal(true)
    expect(carryOut(rig, [{ do: 'set-class', name: 'a', weight: 4.1 }])).to.equal(false)
    expect(carryOut(rig, [{ do: 'create-class', name: 'b', port: 'in', weight: 1.1 }])).to.equal(false)
    expect(
      carryOut(rig, [{ do: 'create-class', name: 'b', weight: 1e3, parent: 'a', port: 'out' }]),
    ).to.equal(true)
    expect(rig.log().at(-1)).to.include('classes.linkShare 0.5')
    expect(rig.rows('classes').map((each) => each['name'])).to.include.members(['policy:a', 'policy:b'])
  })

  it('let actions name classes of the plugin and of the operator, not of others', () => {
    const rig = new Rig()
    rig.router.commit([{ do: 'create-class', class: { name: 'gold', weight: 1 } }])
    const setup = `router.classes.create({ name: 'own', weight: 0.1 })
      router.flows.claim({ to: config.to }, (flow) => ({ forward: true, class: config.classes[flow.fromPort] }))`
    const classes = ['', 'own', 'gold', 'a:own', 'nothing']
    rig.load({ setup }, { id: 'a', config: { to: '198.18.0.0/16', classes } })
    rig.load({ setup }, { id: 'b', config: { to: '198.19.0.0/16', classes } })
    for (let port = 1; port <= 4; port++) rig.syn(port, '198.19.0.1')
    rig.advance(10e6)
    expect(rig.report('b').counters).to.include({ decisions: 2, refusedDecisions: 2 })
  })

  it('count capabilities of the whole word', () => {
    const rig = new Rig()
    const outcome = rig.load({
      setup: `router.tunnels.open({ to: '10.0.2.2' })`,
      capabilities: { flows: ALL.flows! },
    })
    expect(!outcome.ok && outcome.failure.reason).to.include('tunnels.open needs the capability')
  })
})
