import { expect } from 'chai'
import { describe, it } from 'mocha'
import {
  type Backend,
  type Capabilities,
  checkBackend,
  checkEnds,
  FEATURES,
  type Feature,
  featuresOf,
  LabFileError,
  labSchema,
  parseLabFile,
} from '../../lab/index.ts'
import { changed, labOf, SAMPLE } from './file/sample.ts'

interface Node {
  readonly properties?: Readonly<Record<string, Node>>
  readonly oneOf?: readonly Node[]
  readonly items?: Node
  readonly additionalProperties?: Node | boolean
  readonly $ref?: string
  readonly const?: unknown
  readonly $defs?: Readonly<Record<string, Node>>
}

/** Every key path of the schema, with `*` for names and list items; policies and plugin configs are one key each. */
function keyPaths(node: Node, path: string, seen: readonly string[] = []): string[] {
  const definitions = (labSchema as Node).$defs!
  if (node.$ref !== undefined) {
    const name = node.$ref.split('/').at(-1)!
    return seen.includes(name) || name === 'policy' ? [] : keyPaths(definitions[name]!, path, [...seen, name])
  }
  const found: string[] = []
  for (const [key, child] of Object.entries(node.properties ?? {})) {
    const at = path === '' ? key : `${path}.${key}`
    found.push(at, ...keyPaths(child, at, seen))
  }
  for (const each of node.oneOf ?? []) {
    const tag = each.properties?.['kind'] ?? each.properties?.['protocol']
    found.push(...keyPaths(each, tag === undefined ? path : `${path}<${tag.const}>`, seen))
  }
  if (node.items !== undefined) found.push(...keyPaths(node.items, `${path}.*`, seen))
  if (typeof node.additionalProperties === 'object')
    found.push(...keyPaths(node.additionalProperties, `${path}.*`, seen))
  return found
}

/** Keys that every backend honours, or that only carry what another key asks for. */
const BASIC = [
  /^(name|seed|duration|nodes|links|events|expect|expect\.\*\.(path|is))$/,
  /^nodes\.\*<(host|router)>\.addresses$/,
  /^nodes\.\*<host>\.(gateway|clients|services)$/,
  /^nodes\.\*<host>\.clients\.\*<\w+>\.(to|rate|count|concurrency|bytes|start|timeout)$/,
  /^nodes\.\*<host>\.agent\.(routers|interval|load)$/,
  /^nodes\.\*<host>\.services\.\*\.(port|bytes)$/,
  /^nodes\.\*<(host|router)>\.routes\.\*\.(to|via|blackhole|cost)$/,
  /^nodes\.\*<router>\.plugins\.\*\.(plugin|bundle|id|config)$/,
  /^links\.\*\.(name|endpoints|queue\.(packets|bytes))$/,
  /^events\.\*\.(at|(set|load|upgrade|unload|kill)\.\w+)$/,
]

/** Key paths that ask for a feature. */
const ASKING: readonly (readonly [RegExp, (key: string) => Feature | undefined])[] = [
  [/^(epoch|rootseed)$/, (key) => key as Feature],
  [/^nodes\.\*<(\w+)>\.kind$/, (key) => `${key}s` as Feature],
  [/^nodes\.\*<(host|router)>\.routes$/, (key) => `${key}-routes` as Feature],
  [/^nodes\.\*<host>\.(virtualHosts)$/, () => 'virtual-hosts'],
  [/^nodes\.\*<host>\.(agent)$/, () => 'host-agent'],
  [/^nodes\.\*<host>\.clients\.\*<(\w+)>\.protocol$/, (key) => `client-${key}` as Feature],
  [/^nodes\.\*<host>\.clients\.\*<\w+>\.(from)$/, () => 'client-from'],
  [/^nodes\.\*<host>\.clients\.\*<http>\.(keepAlive)$/, () => 'client-http-keep-alive'],
  [/^nodes\.\*<host>\.services\.\*\.(protocol)$/, () => 'service-http'],
  [/^nodes\.\*<router>\.(policy|plugins)$/, (key) => `router-${key}` as Feature],
  [/^links\.\*\.(\w+)$/, (key) => `link-${key}` as Feature],
  [/^events\.\*\.(\w+)$/, (key) => `event-${key}` as Feature],
]

const everything = Object.fromEntries(FEATURES.map((each) => [each, true])) as Capabilities

function backendWith(capabilities: Partial<Capabilities>, refusals?: Backend['refusals']): Backend {
  const unused = () => Promise.reject(new Error('unused'))
  const base = { name: 'sim', capabilities: { ...everything, ...capabilities } } as const
  const backend = { ...base, run: unused, up: unused, down: unused }
  return refusals === undefined ? backend : { ...backend, refusals }
}

const labFileOf = (text: string) => parseLabFile(text, 'lab.yaml', { folder: '/', exists: () => true })

function refusalOf(check: () => void): string {
  try {
    check()
  } catch (error) {
    if (error instanceof LabFileError) return error.message
    throw error
  }
  return ''
}

describe('featuresOf', () => {
  it('knows for every key of the schema whether a backend may refuse it', () => {
    const paths = [...new Set(keyPaths(labSchema as Node, ''))]
    expect(paths.length).to.be.greaterThan(60)
    const unknown = paths.filter((path) => {
      if (BASIC.some((each) => each.test(path))) return false
      return !ASKING.some(([pattern, feature]) => {
        const key = pattern.exec(path)?.[1]
        return key !== undefined && FEATURES.some((each) => each === feature(key))
      })
    })
    expect(unknown).to.deep.equal([])
  })

  it('finds what the sample asks for, with its place', () => {
    const uses = [...featuresOf(labOf(SAMPLE))].map(({ feature, path }) => `${feature} ${path.join('.')}`)
    expect(uses).to.deep.equal([
      'hosts nodes.c1.kind',
      'client-http nodes.c1.clients.0.protocol',
      'routers nodes.r1.kind',
      'router-policy nodes.r1.policy',
      'hosts nodes.s1.kind',
      'virtual-hosts nodes.s1.virtualHosts',
      'service-http nodes.s1.services.0.protocol',
      'link-rate links.0.rate',
      'link-delay links.0.delay',
      'link-mtu links.1.mtu',
      'event-fail events.0.fail',
    ])
  })

  it('finds every feature in a lab that uses everything', () => {
    const text = `name: all
epoch: 2030-01-01
rootseed: 9
nodes:
  a:
    kind: host
    addresses: { eth0: 10.0.1.2/24 }
    routes: [ { to: 10.9.0.0/16, via: 10.0.1.1 } ]
    virtualHosts: [ 198.18.0.0/15 ]
    agent: { routers: [ 10.0.1.1 ] }
    clients:
      - { protocol: http, to: "10.0.1.1:80", keepAlive: true, from: 10.0.1.2 }
      - { protocol: tcp, to: "10.0.1.1:80" }
      - { protocol: udp, to: "10.0.1.1:80" }
      - { protocol: ping, to: 10.0.1.1 }
    services: [ { protocol: http, port: 80 }, { protocol: tcp, port: 81 }, { protocol: udp, port: 80 } ]
  r:
    kind: router
    addresses: { eth0: 10.0.1.1/24 }
    routes: [ { to: 10.8.0.0/16, blackhole: true } ]
    policy: { filters: [ { action: drop } ] }
    plugins: [ { plugin: p } ]
links:
  - endpoints: [ "a:eth0", "r:eth0" ]
    rate: 1Mbps
    delay: 1ms
    jitter: 1ms
    loss: 1%
    reorder: 1%
    duplicate: 1%
    corrupt: 1%
    mtu: 1400
    queue: { packets: 10 }
events:
  - { at: 1s, fail: a }
  - { at: 1s, recover: a }
  - { at: 1s, cut: "a:eth0" }
  - { at: 1s, heal: "a:eth0" }
  - { at: 1s, set: { host: a, load: 1 } }
  - { at: 1s, load: { router: r, plugin: p } }
  - { at: 1s, upgrade: { router: r, id: p, plugin: p } }
  - { at: 1s, unload: { router: r, id: p } }
  - { at: 1s, kill: { router: r, part: process } }
`
    const found = new Set([...featuresOf(labOf(text))].map(({ feature }) => feature))
    expect(FEATURES.filter((each) => !found.has(each))).to.deep.equal([])
  })
})

describe('checkBackend', () => {
  it('accepts a lab that the backend can honour', () => {
    expect(refusalOf(() => checkBackend(labFileOf(SAMPLE), backendWith({})))).to.equal('')
  })

  it('names every key that it cannot honour, and why', () => {
    const backend = backendWith({ 'link-delay': 'links have no delay', 'event-fail': 'nothing ever fails' })
    expect(refusalOf(() => checkBackend(labFileOf(SAMPLE), backend))).to.equal(
      `lab.yaml:22:66: links[0].delay: backend sim cannot do this: links have no delay
lab.yaml:25:21: events[0].fail: backend sim cannot do this: nothing ever fails`,
    )
  })

  it('does not refuse what asks for nothing', () => {
    expect(
      refusalOf(() => checkBackend(labFileOf(SAMPLE), backendWith({ 'link-loss': 'no loss' }))),
    ).to.equal('')
  })

  it('adds what the backend refuses for its own reasons', () => {
    const backend = backendWith({}, () => [{ path: ['links', 0, 'rate'], message: 'no router end' }])
    expect(refusalOf(() => checkBackend(labFileOf(SAMPLE), backend))).to.equal(
      'lab.yaml:22:50: links[0].rate: no router end',
    )
  })
})

describe('checkEnds', () => {
  it('refuses a client that never ends, unless the lab has a duration', () => {
    const endless = changed('count: 1000, ', '')
    expect(refusalOf(() => checkEnds(labFileOf(endless)))).to.equal(
      'lab.yaml:8:9: nodes.c1.clients[0]: never ends: expected a count, or a duration for the lab',
    )
    expect(
      refusalOf(() => checkEnds(labFileOf(`duration: 5s\n${changed('{ at: 5s', '{ at: 4s')}`))),
    ).to.equal('')
  })
})
