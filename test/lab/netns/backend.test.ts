import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { before, describe, it } from 'mocha'
import { backends, keepLabUp, LabFailure, type Measurements } from '../../../lab/index.ts'
import { readLedger } from '../../../lab/netns/ledger.ts'
import { isAlive } from '../../../lab/netns/proc.ts'
import { labOf } from '../../support/labs.ts'
import { remainsOf, requireNetns, runReal, withOwnRuntime } from '../../support/netns.ts'
import { requireTool, runTool } from '../../support/oracle.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const ID = Math.random().toString(36).slice(2, 7)

/** Two hosts on one link. */
const pair = (name: string, clients: string, services: string, more = '') => `
name: ${name}
nodes:
  c1: { kind: host, addresses: { eth0: 10.0.1.2/24 }, clients: ${clients} }
  s1: { kind: host, addresses: { eth0: 10.0.1.3/24 }, services: ${services} }
links: [ { name: wire, endpoints: [ "c1:eth0", "s1:eth0" ] } ]
${more}
`

/** A client and a server on two sides of a router. */
const routed = (name: string, clients: string, link: string, more = '') => `
name: ${name}
nodes:
  c1: { kind: host, addresses: { eth0: 10.0.1.2/24 }, gateway: 10.0.1.1, clients: ${clients} }
  r1: { kind: router, addresses: { eth0: 10.0.1.1/24, eth1: 10.0.2.1/24 } }
  s1: { kind: host, addresses: { eth0: 10.0.2.2/24 }, gateway: 10.0.2.1,
        services: [ { protocol: http, port: 80, bytes: 10k }, { protocol: tcp, port: 7000 } ] }
links:
  - { name: up, endpoints: [ "c1:eth0", "r1:eth0" ]${link} }
  - { endpoints: [ "r1:eth1", "s1:eth0" ] }
${more}
`

const HTTP = '[ { protocol: http, port: 80, bytes: 1k } ]'
const FOREVER = '[ { protocol: http, to: "10.0.1.3:80", rate: 20/s } ]'

describe('labs of real hosts', function () {
  this.timeout(60_000)
  withOwnRuntime()
  before(async function () {
    await requireNetns(this)
  })

  describe('when hosts talk to each other', () => {
    it('asks nginx by curl, both ways, and says which program made the requests', async () => {
      const clients = `[ { protocol: http, to: "10.0.1.3:80", rate: 20/s, count: 6 },
        { protocol: http, to: "10.0.1.3:80", count: 3, bytes: 200k },
        { protocol: http, to: "10.0.1.3:80", count: 300, concurrency: 8, keepAlive: true } ]`
      const report = await runReal(labOf(pair(`nn-${ID}-http`, clients, HTTP)))
      const [pages, uploads, many] = report.clients['c1']!
      expect(pages).to.deep.include({
        completed: 6,
        failed: 0,
        corrupted: 0,
        servers: { s1: 6 },
        tool: 'curl',
      })
      expect(uploads).to.deep.include({ completed: 3, servers: { s1: 3 }, tool: 'curl' })
      expect(uploads!.bytesOut).to.be.greaterThan(600_000)
      expect(many).to.deep.include({ completed: 300, corrupted: 0, servers: { s1: 300 }, tool: 'built-in' })
      expect(pages!.latencyMs.p50).to.be.a('number')
      expect(remainsOf(`nn-${ID}-http`)).to.deep.equal([])
    })

    it('fails what nobody answers', async () => {
      const clients = `[ { protocol: tcp, to: "10.0.1.3:9", count: 2 }, { protocol: http, to: "10.0.1.3:81", count: 2 },
        { protocol: udp, to: "10.0.1.3:9", count: 2, timeout: 200ms }, { protocol: ping, to: 10.0.1.9, count: 1, timeout: 300ms } ]`
      const report = await runReal(labOf(pair(`nn-${ID}-nobody`, clients, '[]')))
      expect(report.clients['c1']!.map(({ completed, failed }) => [completed, failed])).to.deep.equal([
        [0, 2],
        [0, 2],
        [0, 2],
        [0, 1],
      ])
    })

    it('captures whole packets with right checksums at every link end', async function () {
      requireTool(this, 'tshark')
      const folder = mkdtempSync(join(tmpdir(), 'pronto-captures-'))
      try {
        const clients = '[ { protocol: tcp, to: "10.0.1.3:4000", count: 1, bytes: 300k } ]'
        const lab = labOf(pair(`nn-${ID}-pcap`, clients, '[ { protocol: tcp, port: 4000 } ]'))
        await runReal(lab, { captureFolder: folder })
        expect(readdirSync(folder)).to.have.members(['c1-eth0.pcapng', 's1-eth0.pcapng'])
        const check = ['-o', 'ip.check_checksum:TRUE', '-o', 'tcp.check_checksum:TRUE']
        for (const file of readdirSync(folder)) {
          const read = (filter: string) =>
            runTool('tshark', ['-r', join(folder, file), ...check, '-Y', filter])
          expect(read('ip.checksum.status == 0 || tcp.checksum.status == 0 || frame.len > 1514')).to.equal('')
          expect(read('tcp.flags.syn == 1').trim().split('\n')).to.have.length(2)
        }
      } finally {
        rmSync(folder, { recursive: true })
      }
    })
  })

  describe('when there is a router', () => {
    it('delays, and its packets add up', async () => {
      const clients = `[ { protocol: ping, to: 10.0.2.2, rate: 10/s, count: 8 }, { protocol: tcp, to: "10.0.2.2:7000", count: 2, bytes: 1M } ]`
      const report = await runReal(labOf(routed(`nn-${ID}-router`, clients, ', delay: 20ms')))
      const [pings, streams] = report.clients['c1']!
      expect(pings!.completed).to.equal(8)
      expect(pings!.latencyMs.p50, 'twice the delay').to.be.at.least(40)
      expect(streams).to.deep.include({ completed: 2, corrupted: 0, bytesIn: 2e6, bytesOut: 2e6 })
      expect(report.conservation).to.equal(true)
      expect(report.routers['r1']!.packets.in).to.be.greaterThan(1000)
      expect(remainsOf(`nn-${ID}-router`)).to.deep.equal([])
    })

    it('lets links be cut, nodes fail and its process be killed, and goes on', async () => {
      const clients = `[ { protocol: http, to: "10.0.2.2:80", rate: 20/s, timeout: 300ms, count: 100 },
        { protocol: http, to: "10.0.2.2:80", start: 5s, count: 5, timeout: 40s } ]`
      const events =
        'events: [ { at: 1s, cut: up }, { at: 2s, heal: up }, { at: 3s, fail: s1 }, { at: 4s, recover: s1 }, { at: 5s, kill: { router: r1, part: process } } ]'
      const report = await runReal(labOf(routed(`nn-${ID}-events`, clients, '', events)))
      const [pages, after] = report.clients['c1']!
      expect(pages).to.deep.include({ attempted: 100, corrupted: 0 })
      expect(pages!.failed, 'about a second each').to.be.greaterThan(10)
      expect(after, 'when all is well again').to.deep.include({ completed: 5, servers: { s1: 5 } })
      expect(report.conservation, 'over both lives').to.equal(true)
    })

    it('fails with what a router said that does not come up', async () => {
      const lab = labOf(routed(`nn-${ID}-refused`, '[]', ''))
      const router = lab.lab.nodes[1] as { policySource?: object }
      router.policySource = { filters: [{ action: { tunnel: 'nowhere' } }] }
      const failure = await runReal(lab).catch((error: unknown) => error)
      expect(failure).to.be.instanceOf(LabFailure)
      expect((failure as Error).message).to.match(/router r1 ended \(exit code 1\)[\s\S]*nowhere/)
      expect(remainsOf(`nn-${ID}-refused`)).to.deep.equal([])
    })
  })

  describe('when its user ends it', () => {
    it('rejects with the reason and leaves nothing behind', async () => {
      const stop = new AbortController()
      const reason = new Error('enough')
      const run = runReal(labOf(pair(`nn-${ID}-abort`, FOREVER, HTTP, 'duration: 1m')), {
        signal: stop.signal,
      })
      setTimeout(() => stop.abort(reason), 1500)
      expect(await run.catch((error: unknown) => error)).to.equal(reason)
      expect(remainsOf(`nn-${ID}-abort`)).to.deep.equal([])
    })

    it('tells what it measured when it was kept up, after pictures of it on the way', async () => {
      const stop = new AbortController()
      const seen: Measurements[] = []
      const entered: string[] = []
      const report = await keepLabUp(
        labOf(pair(`nn-${ID}-up`, FOREVER, HTTP)),
        await backends.open('netns'),
        {
          signal: stop.signal,
          onReady: (nodes) => {
            for (const { enter } of nodes)
              entered.push(runTool('ip', [...enter.split(' ').slice(1), 'ip', 'addr']))
          },
          onSnapshot: (measured) => {
            seen.push(measured)
            if (seen.length === 2) stop.abort()
          },
        },
      )
      expect(entered.map((text) => /10\.0\.1\.\d/.exec(text)?.[0])).to.deep.equal(['10.0.1.2', '10.0.1.3'])
      expect(seen[1]!.clients['c1']![0]!.completed).to.be.greaterThan(seen[0]!.clients['c1']![0]!.completed)
      expect(report.clients['c1']![0]!.completed).to.be.at.least(seen[1]!.clients['c1']![0]!.completed)
      expect(remainsOf(`nn-${ID}-up`)).to.deep.equal([])
    })
  })

  describe('when there are several', () => {
    it('runs labs of different names side by side, and refuses one of a name that is up', async () => {
      const names = [`nn-${ID}-a`, `nn-${ID}-b`]
      const clients = '[ { protocol: http, to: "10.0.1.3:80", rate: 20/s, count: 40 } ]'
      const runs = names.map((name) => runReal(labOf(pair(name, clients, HTTP))))
      while (readLedger(names[0]!) === undefined) await sleep(10)
      const again = await runReal(labOf(pair(names[0]!, clients, HTTP))).catch((error: unknown) => error)
      expect(String(again)).to.include(`lab ${names[0]} is up already`)
      for (const { clients: each } of await Promise.all(runs)) expect(each['c1']![0]!.completed).to.equal(40)
      for (const name of names) expect(remainsOf(name)).to.deep.equal([])
    })
  })

  describe('when its process was killed', () => {
    let child: ChildProcess
    const name = `nn-${ID}-killed`

    const startAndKill = async (file: string): Promise<void> => {
      const words = [
        join(import.meta.dirname, '../../../cli/main.ts'),
        'lab',
        'up',
        file,
        '--backend',
        'netns',
      ]
      child = spawn(process.execPath, words, { stdio: 'ignore' })
      const exited = once(child, 'exit')
      while ((readLedger(name)?.processes.length ?? 0) < 2) await sleep(20)
      await sleep(300)
      child.kill('SIGKILL')
      await exited
    }

    it('is removed by `down`, which touches nothing that it did not make', async () => {
      const file = join(temporaryFolder('pronto-down-'), 'lab.yaml')
      const text = pair(name, FOREVER, HTTP)
      writeFileSync(file, text)
      await startAndKill(file)
      const left = readLedger(name)!
      expect([...left.namespaces.keys()]).to.have.length(2)
      for (const space of left.namespaces.keys())
        expect(statSync(`/run/netns/${space}`).ino).to.be.greaterThan(0)
      // Somebody else has taken one of the names meanwhile.
      const [stolen] = [...left.namespaces.keys()] as [string]
      runTool('ip', ['netns', 'del', stolen])
      runTool('ip', ['netns', 'add', stolen])
      const { lab } = labOf(text)
      const { found, removed } = await (await backends.open('netns')).down(lab)
      expect(found).to.equal(true)
      expect(removed.join('\n'))
        .to.match(/nginx of s1/)
        .and.not.include(stolen)
      expect(left.processes.filter(isAlive)).to.deep.equal([])
      expect(remainsOf(name)).to.deep.equal([stolen])
      runTool('ip', ['netns', 'del', stolen])
      expect(await (await backends.open('netns')).down(lab)).to.deep.equal({ found: false, removed: [] })
    })

    it('is cleaned up after by the next lab of its name', async () => {
      const file = join(temporaryFolder('pronto-down-'), 'lab.yaml')
      writeFileSync(file, pair(name, FOREVER, HTTP))
      await startAndKill(file)
      const left = readLedger(name)!
      const clients = '[ { protocol: http, to: "10.0.1.3:80", count: 3 } ]'
      const report = await runReal(labOf(pair(name, clients, HTTP)))
      expect(report.clients['c1']![0]!.completed).to.equal(3)
      expect(left.processes.filter(isAlive)).to.deep.equal([])
      expect(remainsOf(name)).to.deep.equal([])
      expect(readFileSync(file, 'utf8')).to.include(name)
    })
  })
})
