import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { DocumentError } from '../../../document/index.ts'
import { loadRouterConfig } from '../../../router/config/index.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { changed, configOf, problemsOf, refusalsOf, SAMPLE } from './kit.ts'

const PLUGIN = `${SAMPLE}trust: trust
plugins:
  - bundle: spread-1.0.0.pronto
    id: spread
    priority: 3
    config: { servers: [ 10.0.2.2 ] }
    capabilities: { flows: { to: [ 198.18.0.0/15, 198.18.4.0/24 ] } }
    limits: { memoryBytes: 9000000 }
`

describe('parseRouterConfig', () => {
  it('finds keys of plugins beside the file (R-PR-02)', () => {
    expect(configOf(SAMPLE).keys).to.deep.equal({})
    expect(configOf(`${SAMPLE}keys: { moves: moves.key, other: /k }\n`).keys).to.deep.equal({
      moves: '/etc/pronto/moves.key',
      other: '/k',
    })
  })

  it('resolves everything', () => {
    const config = configOf(
      `${PLUGIN}control:\n  local: { read: adm, operate: 4 }\n  remote: { port: 7443, certificate: r1.crt, key: r1.key }\n`,
    )
    expect(config).to.deep.include({
      name: 'r1',
      ports: [
        { name: 'eth0', device: 'eth0' },
        { name: 'eth1', device: 'eth1' },
      ],
      routes: [{ prefix: '10.9.0.0/16', target: { kind: 'via', via: '10.0.2.9' }, cost: 1 }],
      fallback: 'open',
      trust: '/etc/pronto/trust',
      state: undefined,
      local: { read: 'adm', operate: 4 },
      remote: { host: '127.0.0.1', port: 7443, certificate: '/etc/pronto/r1.crt', key: '/etc/pronto/r1.key' },
    })
    expect(config.plugins).to.deep.equal([
      {
        id: 'spread',
        file: '/etc/pronto/spread-1.0.0.pronto',
        config: { servers: ['10.0.2.2'] },
        priority: 3,
        allow: { flows: { to: ['198.18.0.0/15'] } },
        trusted: false,
        limits: { memoryBytes: 9_000_000 },
      },
    ])
    expect(config.policy.map((each) => each.do)).to.deep.equal([
      'open-tunnel',
      'open-tunnel',
      'create-class',
      'create-class',
      'install-filter',
      'install-filter',
    ])
  })

  it('reads JSON too', () => {
    expect(configOf('{"name": "r1", "addresses": {"eth0": "10.0.1.1/24"}}').name).to.equal('r1')
  })

  it('drops what nobody decides about unless it is told otherwise', () => {
    const fallback = (text: string) => configOf(changed('fallback: open', text)).fallback
    expect(fallback('')).to.equal('closed')
    expect(fallback('fallback: { spread: [ { tunnel: s1 }, { tunnel: s2, weight: 2 } ] }')).to.deep.equal({
      kind: 'spread',
      to: [
        { action: { kind: 'tunnel', tunnel: 'router/s1' }, weight: 1 },
        { action: { kind: 'tunnel', tunnel: 'router/s2' }, weight: 2 },
      ],
    })
  })

  describe('when something is wrong', () => {
    const cases: readonly (readonly [string, string, string])[] = [
      ['fallback: open', 'fallback: { tunnel: s3 }', '13:21 fallback.tunnel: no tunnel s3; did you mean s1?'],
      ['routes:', 'routs:', '3:1 routs: unknown key; did you mean routes?'],
      [
        'fallback: open',
        'fallback: opened',
        '13:11 fallback: expected open (forward), closed (drop), or an action such as { tunnel: NAME }, got "opened"',
      ],
      ['10.0.2.1/24', '10.0.1.9/25', '2:39 addresses.eth1[0]: 10.0.1.0/25 overlaps 10.0.1.0/24 of eth0'],
      [
        '10.0.2.1/24',
        '10.0.2.0/24',
        '2:39 addresses.eth1[0]: expected an address of a host, but 10.0.2.0 is the network address of 10.0.2.0/24',
      ],
      [
        'via: 10.0.2.9',
        'via: 10.0.3.9',
        '4:29 routes[0].via: expected a neighbour, but 10.0.3.9 is on no connected network',
      ],
      [
        'via: 10.0.2.9',
        'via: 10.0.2.1',
        '4:29 routes[0].via: expected another node, but 10.0.2.1 is an own address',
      ],
      [
        'via: 10.0.2.9',
        'blackhole: true, via: 10.0.2.9',
        '4:5 routes[0]: expected exactly one of via and blackhole',
      ],
      [
        'fallback: open',
        'ports: { eth2: {} }',
        '13:10 ports.eth2: no addresses for eth2; did you mean eth0?',
      ],
      [
        'fallback: open',
        'ports: { eth0: { device: eth1 } }',
        '13:8 ports.eth1.device: eth1 is already port eth0',
      ],
      [
        'fallback: open',
        'plugins: [ { bundle: x } ]',
        '1:1 : missing key trust: plugins needs to know whom to believe',
      ],
      [
        'fallback: open',
        'control: { remote: { port: 1, certificate: a, key: b } }',
        '1:1 : missing key trust: control.remote needs to know whom to believe',
      ],
      [
        'fallback: open',
        'trust: t\nplugins: [ { bundle: x, id: router } ]',
        '14:29 plugins[0].id: router is the router itself; expected another id',
      ],
      [
        'fallback: open',
        'trust: t\nplugins: [ { bundle: x, id: a }, { bundle: y, id: a } ]',
        '14:51 plugins[1].id: there is another plugin with id a',
      ],
      [
        'fallback: open',
        'trust: t\nplugins: [ { bundle: x, capabilities: { flow: {} } } ]',
        '14:41 plugins[0].capabilities.flow: unknown key; did you mean flows?',
      ],
      [
        'fallback: open',
        'trust: t\nplugins: [ { bundle: x, capabilities: { flows: { to: [ here ] } } } ]',
        '14:56 plugins[0].capabilities.flows.to[0]: expected an IPv4 address or prefix such as 198.18.0.0/15, without bits beyond its length, got "here"',
      ],
      [
        'fallback: open',
        'control: { local: { root: adm } }',
        '13:21 control.local.root: unknown key; expected read, operate or install',
      ],
    ]
    for (const [value, message] of [
      ['.inf', 'config.rate: expected a finite number'],
      ['"\\uD800"', 'config.rate: expected a text without half of a surrogate pair'],
      ['{ constructor: 1 }', 'config.rate.constructor: a key may not be called so'],
    ] as const)
      it(`keeps from plugins what JSON cannot say: ${value}`, () => {
        const text = changed('config: { servers: [ 10.0.2.2 ] }', `config: { rate: ${value} }`, PLUGIN)
        expect(refusalsOf(text).join('\n')).to.include(message)
      })

    for (const [from, to, refusal] of cases)
      it(`says where: ${refusal}`, () => {
        expect(refusalsOf(changed(from, to)).join('\n')).to.include(refusal)
      })

    it('finds all of it at once', () => {
      const text = changed('via: 10.0.2.9', 'via: 10.0.3.9').replace('tunnel: s2', 'tunnel: s9')
      expect(problemsOf(text).map((each) => each.path)).to.include.members([
        'routes[0].via',
        'policy.filters[1].action.then.tunnel',
      ])
    })
  })

  describe('when the text is hostile', () => {
    it('is refused in words, never with another error', () => {
      fc.assert(
        fc.property(fc.string({ maxLength: 40 }), fc.nat(PLUGIN.length), fc.nat(30), (text, at, length) => {
          problemsOf(PLUGIN.slice(0, at) + text + PLUGIN.slice(at + length))
        }),
        { numRuns: 400 },
      )
    })
  })
})

describe('loadRouterConfig', () => {
  it('takes relative paths from the folder of the file', () => {
    const folder = temporaryFolder('pronto-config-')
    writeFileSync(join(folder, 'r.yaml'), PLUGIN)
    expect(loadRouterConfig(join(folder, 'r.yaml')).trust).to.equal(join(folder, 'trust'))
  })

  it('says that there is no file', () => {
    const file = join(tmpdir(), 'pronto-none', 'r.yaml')
    expect(() => loadRouterConfig(file)).to.throw(
      DocumentError,
      `${file}: expected a router configuration, but there is none`,
    )
  })
})
