/**
 * An engine under everything at once: valid and mutated frames, transactions good and bad, answers right and late,
 * links that fail, a slab that is too small, owners that come and go. Whatever happens, no packet vanishes, nothing
 * throws, and in the end nothing is left.
 */
import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import {
  type Action,
  type Change,
  EngineError,
  MICROSECOND,
  MILLISECOND,
  SECOND,
} from '../../engine/index.ts'
import { checksum, read16 } from '../../engine/wire/index.ts'
import {
  arpFrame,
  echo,
  fragmentsOf,
  icmp,
  ipInIp,
  ipPacket,
  pattern,
  TCP_ACK,
  TCP_FIN,
  TCP_RST,
  TCP_SYN,
  tcp,
  udp,
} from '../support/packets.ts'
import { classed, rewritten, spread, tunneled } from '../support/policies.ts'
import { BROADCAST, HOST_MAC, OTHER_MAC, TestRouter } from '../support/test-router.ts'

const VHA = '198.18.0.80'
const OWNERS = ['router', 'plugin', 'other'] as const
const PORTS = ['a', 'b', 'c'] as const

const small = fc.nat({ max: 5 })
const owner = fc.constantFrom(...OWNERS)
const portName = fc.constantFrom(...PORTS)
const address = fc.constantFrom(
  '10.0.1.2',
  '10.0.2.2',
  '10.0.3.2',
  '10.0.2.9',
  '10.0.1.1',
  '10.0.2.1',
  VHA,
  '192.0.2.1',
  '239.1.1.1',
  '10.0.2.255',
)

const packet: fc.Arbitrary<Uint8Array> = fc
  .record({
    kind: fc.constantFrom('udp', 'tcp', 'echo', 'other', 'nested', 'error', 'long'),
    from: address,
    to: address,
    port: small,
    flags: fc.constantFrom(TCP_SYN, TCP_ACK, TCP_FIN | TCP_ACK, TCP_RST),
    ttl: fc.constantFrom(1, 2, 64),
    tos: fc.constantFrom(0, 1, 2, 3),
    dontFragment: fc.boolean(),
    depth: fc.integer({ min: 1, max: 6 }),
  })
  .map(({ kind, port, flags, depth, ...options }) => {
    const ports = { fromPort: 4000 + port, toPort: 80 + (port & 1), ...options }
    switch (kind) {
      case 'udp':
        return udp(ports)
      case 'tcp':
        return tcp({ ...ports, flags })
      case 'echo':
        return echo({ ...options, identifier: port })
      case 'other':
        return ipPacket(pattern(30), options)
      case 'long':
        return udp({ ...ports, data: 900 })
      case 'nested': {
        let nested = udp(ports)
        for (let i = 0; i < depth; i++)
          nested = ipInIp(nested, { from: '10.0.2.9', to: '10.0.2.1', tos: options.tos })
        return nested
      }
      default: {
        const inner = udp({ ...ports, from: options.to, to: options.from })
        const quote =
          depth > 3 ? ipInIp(inner, { from: '10.0.2.1', to: '10.0.2.9', dontFragment: true }) : inner
        return icmp(depth & 1 ? 3 : 11, depth & 1 ? 4 : 0, 600, quote, options)
      }
    }
  })

const ofNames = (names: readonly string[]) => fc.constantFrom(...names)
const TUNNELS = ['t0', 't1']
const CLASSES = ['gold', 'slow']

const { action } = fc.letrec<{ action: Action }>((tie) => ({
  action: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<Action>(
      { kind: 'forward' },
      { kind: 'drop', reason: 'no-server' },
      { kind: 'decapsulate' },
      { kind: 'forward', via: '10.0.3.77' },
    ),
    ofNames(TUNNELS).map(tunneled),
    fc.tuple(ofNames(CLASSES), tie('action')).map(([name, next]) => classed(name, next)),
    tie('action').map((next) => rewritten({ to: '10.0.2.9', toPort: 81 }, next)),
    tie('action').map((next) => rewritten({ from: '10.0.3.1' }, next)),
    fc.array(tie('action'), { minLength: 1, maxLength: 3 }).map((to): Action => ({ kind: 'replicate', to })),
    fc.array(tie('action'), { minLength: 1, maxLength: 3 }).map((to) => spread(to)),
    fc
      .tuple(fc.constantFrom(0, 20, 500), tie('action'))
      .map(([wait, otherwise]): Action => ({ kind: 'decide', waitNs: wait * MILLISECOND, otherwise })),
  ),
}))

const key = fc
  .record({ from: address, to: address, protocol: fc.constantFrom(1, 6, 17), port: small })
  .map(({ port, ...rest }) => ({ ...rest, fromPort: 4000 + port, toPort: 80 + (port & 1) }))

const change: fc.Arbitrary<Change> = fc.oneof(
  fc
    .tuple(ofNames(TUNNELS), fc.constantFrom('10.0.2.9', '10.0.3.9'))
    .map(([name, to]): Change => ({ do: 'open-tunnel', name, tunnel: { to } })),
  ofNames(TUNNELS).map((name): Change => ({ do: 'close-tunnel', name })),
  fc
    .record({
      name: fc.constantFrom('f0', 'f1', 'f2'),
      to: fc.option(address, { nil: undefined }),
      action,
      priority: small,
    })
    .map(
      ({ to, ...rest }): Change => ({
        do: 'install-filter',
        ...rest,
        filter: to === undefined ? {} : { to },
      }),
    ),
  fc.constantFrom('f0', 'f1', 'f2').map((name): Change => ({ do: 'remove-filter', name })),
  fc
    .tuple(key, action)
    .map(([flow, what]): Change => ({ do: 'install-flow', key: flow, action: what, idleNs: 2 * SECOND })),
  key.map((flow): Change => ({ do: 'remove-flow', key: flow })),
  fc
    .record({
      name: ofNames(CLASSES),
      weight: fc.integer({ min: 1, max: 9 }),
      limitPackets: fc.integer({ min: 1, max: 20 }),
    })
    .map(
      (settings): Change => ({
        do: 'create-class',
        class: { ...settings, ceiling: { rateBps: 1e6, burstBytes: 3036 } },
      }),
    ),
  fc
    .tuple(ofNames(CLASSES), fc.integer({ min: 1, max: 9 }))
    .map(([name, weight]): Change => ({ do: 'set-class', name, weight })),
  ofNames(CLASSES).map((name): Change => ({ do: 'remove-class', name })),
  fc.constantFrom<Change>(
    { do: 'add-route', prefix: '192.0.2.0/24', target: { kind: 'via', via: '10.0.3.254' } },
    { do: 'add-route', prefix: '192.0.2.0/24', target: { kind: 'local' }, cost: 0 },
    { do: 'add-route', prefix: '198.18.0.0/15', target: { kind: 'blackhole' } },
    { do: 'remove-route', prefix: '192.0.2.0/24' },
    { do: 'add-address', port: 'c', address: '10.0.4.1/24' },
    { do: 'remove-address', port: 'c', address: '10.0.4.1/24' },
  ),
)

interface World {
  readonly router: TestRouter
  /** Upcalls that were ever fetched. */
  readonly asked: number[]
}

/** Something that happens; refusals are the engine's right, anything else that is thrown is a bug. */
type Step = (world: World) => void

const mutation = fc.record({
  at: fc.nat({ max: 0xffff }),
  value: fc.nat({ max: 255 }),
  keep: fc.nat({ max: 0xffff }),
  cuts: fc.boolean(),
})

const frames: fc.Arbitrary<Step> = fc.tuple(portName, fc.array(packet, { minLength: 1, maxLength: 6 })).map(
  ([name, packets]) =>
    ({ router }: World) =>
      router.burst(name, packets),
)

const hostile: fc.Arbitrary<Step> = fc
  .tuple(portName, packet, fc.array(mutation, { minLength: 1, maxLength: 4 }))
  .map(([name, sound, changes]) => ({ router }: World) => {
    let frame = router.frame(name, sound)
    for (const { at, value, keep, cuts } of changes) {
      frame[Math.floor((at * frame.length) / 0x10000)] = value
      if (cuts) frame = frame.subarray(0, Math.max(14, Math.ceil((keep * frame.length) / 0x10000)))
    }
    router.injectFrame(name, frame)
  })

const pieces: fc.Arbitrary<Step> = fc
  .record({
    name: portName,
    whole: packet,
    size: fc.constantFrom(16, 64, 256),
    order: fc.array(small, { minLength: 1, maxLength: 8 }),
  })
  .map(({ name, whole, size, order }) => ({ router }: World) => {
    const parts = fragmentsOf(whole, size)
    router.burst(
      name,
      order.map((index) => parts[index % parts.length]!),
    )
  })

const arp: fc.Arbitrary<Step> = fc
  .record({
    name: portName,
    operation: fc.constantFrom(1, 2),
    sender: address,
    target: address,
    mac: fc.constantFrom(HOST_MAC, OTHER_MAC, BROADCAST),
  })
  .map(
    ({ name, mac, ...rest }) =>
      ({ router }: World) =>
        router.injectFrame(name, arpFrame({ ...rest, senderMac: mac })),
  )

const transaction: fc.Arbitrary<Step> = fc.tuple(owner, fc.array(change, { minLength: 1, maxLength: 4 })).map(
  ([who, changes]) =>
    ({ router }: World) =>
      refusable(() => router.commit(changes, who)),
)

const answer: fc.Arbitrary<Step> = fc
  .record({ who: owner, what: action, old: fc.nat({ max: 20 }), fetches: fc.boolean() })
  .map(({ who, what, old, fetches }) => ({ router, asked }: World) => {
    const upcall = fetches ? router.engine.nextUpcall() : (asked[old % Math.max(1, asked.length)] ?? 3)
    if (fetches) asked.push(upcall)
    refusable(() => router.commit([{ do: 'resume', upcall, action: what }], who))
    router.settle()
  })

const weather: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(portName, fc.boolean()).map(
    ([name, up]) =>
      ({ router }: World) =>
        router.setUp(name, up),
  ),
  fc
    .tuple(portName, fc.constantFrom(0, MICROSECOND, MILLISECOND, SECOND))
    .map(([name, pace]) => ({ router }: World) => {
      router.port(name).paceNs = pace
    }),
  fc.boolean().map((answers) => ({ router }: World) => {
    router.answersArp = answers
  }),
  fc.constantFrom(1, MILLISECOND, 30 * MILLISECOND, SECOND, 7 * SECOND, 40 * SECOND).map(
    (by) =>
      ({ router }: World) =>
        router.advance(by),
  ),
  fc
    .tuple(owner, fc.constantFrom('purge' as const, 'drain' as const))
    .map(([who, how]) => ({ router }: World) => {
      router.engine.control.removeOwner(who, how, router.now)
      router.settle()
    }),
  fc.tuple(owner, owner).map(
    ([from, to]) =>
      ({ router }: World) =>
        refusable(() => router.engine.control.adopt(from, to)),
  ),
)

function refusable(attempt: () => void): void {
  try {
    attempt()
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
  }
}

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: frames },
  { weight: 2, arbitrary: hostile },
  { weight: 2, arbitrary: pieces },
  { weight: 1, arbitrary: arp },
  { weight: 4, arbitrary: transaction },
  { weight: 2, arbitrary: answer },
  { weight: 3, arbitrary: weather },
)

function world(capacity: number): World {
  const router = new TestRouter(
    [
      { name: 'a', address: '10.0.1.1/24' },
      { name: 'b', address: '10.0.2.1/24', mtu: 576 },
      { name: 'c', address: '10.0.3.1/24' },
    ],
    { slab: { capacity }, flows: { capacity: 12 }, upcalls: { limit: 6 } },
  )
  router.commit([{ do: 'open-tunnel', name: 't0', tunnel: { to: '10.0.2.9' } }], 'plugin')
  return { router, asked: [] }
}

/** Ends everything and looks whether something is left. */
function expectNothingLeft({ router }: World): void {
  for (const each of OWNERS) router.engine.control.removeOwner(each, 'purge', router.now)
  router.settle()
  for (const each of OWNERS) router.engine.control.removeOwner(each, 'purge', router.now)
  router.engine.close(router.now)
  router.expectConserved()
  const { actions, tunnels, filters, flows, upcalls, labels, slab } = router.stages
  expect(
    [actions.size, tunnels.size, filters.size, flows.size, upcalls.open, labels.size],
    'actions, tunnels, filters, flows, upcalls, labels',
  ).to.deep.equal([0, 0, 0, 0, 0, 0])
  expect(slab.available, 'free packets').to.equal(slab.capacity)
}

describe('Conservation (R-PR-03, R-PR-04)', () => {
  it('holds after every step of whatever may happen, and all that was taken is given back', function () {
    this.timeout(60_000)
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 50, size: 'max' }),
        fc.constantFrom(8, 24, 64, 512),
        (steps, capacity) => {
          const around = world(capacity)
          for (const each of steps) {
            each(around)
            around.router.expectConserved()
          }
          // Whatever left is a sound packet: mutated ones never get further than the parser or as far as they say.
          for (const sent of around.router.take()) expectHeader(sent)
          expectNothingLeft(around)
        },
      ),
      { numRuns: 400 },
    )
  })
})

/** What leaves has a right header; what is in it may be as broken as it came. */
function expectHeader(packetBytes: Uint8Array): void {
  expect(read16(packetBytes, 2), 'total length').to.equal(packetBytes.length)
  expect(checksum(packetBytes, 0, (packetBytes[0]! & 15) << 2), 'header checksum').to.equal(0)
}
