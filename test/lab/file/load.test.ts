import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import { hostsOf, LabFileError, loadLabFile, routersOf } from '../../../lab/index.ts'
import { changed, labOf, refusalOf, SAMPLE } from './sample.ts'

describe('loadLabFile', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'pronto-lab-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  const refusal = (file: string): LabFileError => {
    try {
      loadLabFile(file)
    } catch (error) {
      if (error instanceof LabFileError) return error
      throw error
    }
    throw new Error('was not refused')
  }

  it('reads a lab from a file', () => {
    const file = join(folder, 'sample.yaml')
    writeFileSync(file, SAMPLE)
    expect(loadLabFile(file).lab.name).to.equal('sample')
  })

  it('takes seed and duration of the command before those of the file', () => {
    const file = join(folder, 'seeded.yaml')
    writeFileSync(file, `seed: 5\nduration: 9s\n${SAMPLE}`)
    expect(loadLabFile(file).lab).to.include({ seed: 5, rootSeed: 5, durationNs: 9e9 })
    expect(loadLabFile(file, { seed: 7, durationNs: 1e9 }).lab).to.include({
      seed: 7,
      rootSeed: 7,
      durationNs: 1e9,
    })
  })

  it('names a file that is not there', () => {
    const error = refusal(join(folder, 'none.yaml'))
    expect(error.code).to.equal('unreadable')
    expect(error.message).to.equal(`${join(folder, 'none.yaml')}: expected a lab file, but there is none`)
  })

  it('refuses a folder, bytes that are no text, and a file beyond the bound', () => {
    expect(refusal(folder).message).to.contain('not a regular file')
    writeFileSync(join(folder, 'binary.yaml'), Uint8Array.of(0x6e, 0x61, 0xff, 0xfe))
    expect(refusal(join(folder, 'binary.yaml')).message).to.contain('expected UTF-8 text')
    writeFileSync(join(folder, 'large.yaml'), '#'.repeat((4 << 20) + 1))
    expect(refusal(join(folder, 'large.yaml')).code).to.equal('limit')
  })

  it('looks for plugins from the folder of the lab file', () => {
    const file = join(folder, 'plugin.yaml')
    writeFileSync(file, changed('    policy:', '    plugins: [ { plugin: ../p } ]\n    policy:'))
    expect(refusal(file).problems.map((each) => each.message)).to.deep.equal([
      `expected a folder with pronto.json, but there is no ${join(folder, '..', 'p', 'pronto.json')}`,
    ])
  })
})

describe('parseLabFile', () => {
  describe('when the lab is right', () => {
    const lab = labOf(SAMPLE)

    it('resolves clients to numbers in ns, bytes and per second', () => {
      expect(hostsOf(lab)[0]!.clients).to.deep.equal([
        {
          protocol: 'http',
          address: '198.18.0.80',
          port: 80,
          fromAddress: undefined,
          startNs: 1e9,
          ratePerSecond: 50,
          count: 1000,
          concurrency: 1,
          bytes: 10_000,
          timeoutNs: 30e9,
          keepAlive: false,
        },
      ])
    })

    it('resolves links with their defaults', () => {
      expect(lab.links[0]).to.deep.include({
        name: 'c1:eth0-r1:eth0',
        endpoints: [
          { node: 'c1', interface: 'eth0' },
          { node: 'r1', interface: 'eth0' },
        ],
        rateBps: 100e6,
        delayNs: 2e6,
        jitterNs: 0,
        loss: 0,
        mtu: 1500,
      })
      expect(lab.links[1]).to.include({ rateBps: undefined, mtu: 1520, queuePackets: undefined })
    })

    it('gives defaults to what the file leaves out', () => {
      expect(lab).to.include({ seed: 1, rootSeed: 1, durationNs: undefined })
      expect(new Date(lab.epochMs).toISOString()).to.equal('2026-01-01T00:00:00.000Z')
    })

    it('compiles the policy to changes of the engine', () => {
      expect(routersOf(lab)[0]!.policy).to.deep.equal([
        { do: 'open-tunnel', name: 's1', tunnel: { to: '10.0.2.2' } },
        {
          do: 'install-filter',
          name: 'filter-0',
          filter: { to: '198.18.0.0/15' },
          action: { kind: 'tunnel', tunnel: 's1' },
          priority: 0,
        },
      ])
    })

    it('takes several addresses to an interface, and aliases', () => {
      const text = changed('{ eth0: 10.0.2.2/24 }', '{ eth0: &own [ 10.0.2.2/24, 10.0.2.3/24 ] }')
      expect(hostsOf(labOf(text))[1]!.interfaces).to.deep.equal([
        {
          name: 'eth0',
          addresses: [
            { address: '10.0.2.2', prefixLength: 24 },
            { address: '10.0.2.3', prefixLength: 24 },
          ],
        },
      ])
    })

    it('takes both addresses of a link of two', () => {
      const text = SAMPLE.replaceAll('10.0.2.1', '10.0.2.4')
        .replaceAll('10.0.2.2', '10.0.2.5')
        .replaceAll('10.0.2.4/24', '10.0.2.4/31')
        .replaceAll('10.0.2.5/24', '10.0.2.5/31')
      expect(refusalOf(text)).to.equal('')
    })

    it('gives every protocol its defaults', () => {
      const clients = `- { protocol: ping, to: 10.0.2.2 }
      - { protocol: ping, to: 10.0.2.2, concurrency: 3 }
      - { protocol: tcp, to: "10.0.2.2:65535", concurrency: 2 }
      - { protocol: udp, to: "10.0.2.2:1" }
      - { protocol: http`
      const lab = labOf(
        changed('- { protocol: http', clients).replace(
          'bytes: 1k }',
          'bytes: 1k }, { protocol: http, port: 81 }, { protocol: udp, port: 81 }',
        ),
      )
      expect(
        hostsOf(lab)[0]!.clients.map((each) => [each.port, each.ratePerSecond, each.concurrency, each.bytes]),
      ).to.deep.equal([
        [0, 1, 1, 56],
        [0, undefined, 3, 56],
        [65_535, undefined, 2, 1000],
        [1, undefined, 1, 64],
        [80, 50, 1, 10_000],
      ])
      expect(hostsOf(lab)[1]!.services.map((each) => each.bytes)).to.deep.equal([1000, 1000, undefined])
    })

    it('gives an agent its defaults', () => {
      const agent = (text: string) =>
        hostsOf(labOf(changed('    services:', `    agent: ${text}\n    services:`)))[1]!.agent
      expect(agent('{ routers: [ 10.0.2.1 ] }')).to.deep.equal({
        routers: ['10.0.2.1'],
        intervalNs: 1e9,
        load: 0,
      })
      expect(agent('{ routers: [ 10.0.2.1, 10.0.1.1 ], interval: 500ms, load: 0.2 }')).to.deep.equal({
        routers: ['10.0.2.1', '10.0.1.1'],
        intervalNs: 5e8,
        load: 0.2,
      })
      expect(hostsOf(labOf(SAMPLE))[1]!.agent).to.equal(undefined)
    })

    it('resolves routes', () => {
      const routes =
        'routes: [ { to: 10.9.1.1/16, via: 10.0.2.2 }, { to: 10.8.0.1, blackhole: true, cost: 7 } ]'
      expect(routersOf(labOf(changed('    policy:', `    ${routes}\n    policy:`)))[0]!.routes).to.deep.equal(
        [
          { prefix: '10.9.0.0/16', target: { kind: 'via', via: '10.0.2.2' }, cost: 1 },
          { prefix: '10.8.0.1/32', target: { kind: 'blackhole' }, cost: 7 },
        ],
      )
    })

    it('accepts expectations about whole tables', () => {
      const paths = [
        'clients',
        'clients.c1',
        'clients.c1[0]',
        'clients.c1[0].servers',
        'routers',
        'routers.r1',
        'routers.r1.packets',
        'routers.r1.packets.dropped',
        'clients.c1[0].latencyMs.p99',
      ]
      for (const path of paths) expect(refusalOf(changed('clients.c1[0].failed', path)), path).to.equal('')
    })

    it('puts events in the order in which they happen', () => {
      const events = `events:
  - { at: 9s, recover: s1 }
  - { at: 2s, cut: "s1:eth0" }
  - { at: 500ms, set: { host: s1, load: 0.5 } }
  - { at: 2s, heal: r1:eth1-s1:eth0 }
  - { at: 3s, load: { router: r1, plugin: ../p, id: p } }
  - { at: 4s, unload: { router: r1, id: p } }
  - { at: 5s, kill: { router: r1, part: sandbox } }
  - { at: 3500ms, upgrade: { router: r1, bundle: p.pronto, id: p } }
`
      const { events: resolved } = labOf(changed('events:\n', events))
      expect(resolved.map(({ atNs, kind }) => `${atNs / 1e9} ${kind}`)).to.deep.equal([
        '0.5 set',
        '2 cut',
        '2 heal',
        '3 load',
        '3.5 upgrade',
        '4 unload',
        '5 kill',
        '5 fail',
        '9 recover',
      ])
      expect(resolved[1]).to.include({ link: 'r1:eth1-s1:eth0', index: 1 })
      expect(resolved[4]).to.deep.include({
        id: 'p',
        plugin: { id: 'p', source: { form: 'bundle', path: '/labs/p.pronto' }, config: {} },
      })
    })
  })

  describe('when several things are wrong', () => {
    it('tells all of them in the order of the text', () => {
      const text = SAMPLE.replace('gateway: 10.0.1.1', 'gateway: 10.0.9.1')
        .replace('fail: s1', 'fail: s2')
        .replace('rate: 50/s', 'rate: 0/s')
        .replace('mtu: 1520', 'loss: 101%')
      expect(refusalOf(text).split('\n')).to.deep.equal([
        'lab.yaml:6:14: nodes.c1.gateway: not reachable: expected an address in a subnet of c1 (10.0.1.2/24), got 10.0.9.1',
        'lab.yaml:8:55: nodes.c1.clients[0].rate: expected a frequency from 1 a day to 1000000/s, got "0/s"',
        'lab.yaml:23:50: links[1].loss: expected a percentage from 0% to 100%, got "101%"',
        'lab.yaml:25:21: events[0].fail: no node s2; did you mean s1?',
      ])
    })

    it('lists at most a hundred and counts the rest', () => {
      const services = Array.from({ length: 150 }, () => '{ kind: hsot }')
      const nodes = services.map((each, index) => `  n${index}: ${each}`).join('\n')
      const lines = refusalOf(`name: many\nnodes:\n${nodes}\n`).split('\n')
      expect(lines).to.have.length(101)
      expect(lines[100]).to.equal('... and 50 more problems')
    })
  })
})
