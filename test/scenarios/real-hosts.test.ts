import { createHash, randomBytes } from 'node:crypto'
import {
  closeSync,
  createReadStream,
  openSync,
  readdirSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import { patternChunk } from '../../host/stack/index.ts'
import type { Report } from '../../lab/index.ts'
import { LabUp, type Running, until } from '../support/lab-up.ts'
import { labWithPlugins } from '../support/labs.ts'
import { remainsOf, requireNetns, runReal, withOwnRuntime } from '../support/netns.ts'
import { authorityIn, signedVersion } from '../support/operators.ts'
import { requireTool, runTool } from '../support/oracle.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const SLR = join(ROOT, 'plugins/slr')
const ID = randomBytes(3).toString('hex')
const SERVERS = [1, 2, 3] as const
const TRANSFER_BYTES = 100_000_000
/** Of the download: slow enough that much happens meanwhile. */
const DOWNLOAD_RATE = '8M'

/** Configuration of the policy: the servers' shares. */
const shares = (...weights: readonly number[]) =>
  JSON.stringify({
    virtualHosts: [{ to: '198.18.0.0/15', policy: 'weighted' }],
    servers: weights.map((weight, index) => ({ address: `10.0.${index + 2}.2`, weight })),
  })

/** A client, a router with a policy and three servers behind one virtual subnet; 1500 bytes on every link. */
const site = (name: string, plugin: string) => `
name: ${name}
nodes:
  c1: { kind: host, addresses: { eth0: 10.0.1.2/24 }, gateway: 10.0.1.1 }
  r1: { kind: router, addresses: { eth0: 10.0.1.1/24, eth1: 10.0.2.1/24, eth2: 10.0.3.1/24, eth3: 10.0.4.1/24 },
        plugins: [ { plugin: ${plugin}, config: ${shares(1, 1, 1)} } ] }
${SERVERS.map(
  (
    n,
  ) => `  s${n}: { kind: host, addresses: { eth0: 10.0.${n + 1}.2/24 }, gateway: 10.0.${n + 1}.1, virtualHosts: [ 198.18.0.0/15 ],
        services: [ { protocol: http, port: 80, bytes: 10k }, { protocol: http, port: 8080, bytes: ${TRANSFER_BYTES} } ] }`,
).join('\n')}
links:
  - { endpoints: [ "c1:eth0", "r1:eth0" ] }
${SERVERS.map((n) => `  - { endpoints: [ "r1:eth${n}", "s${n}:eth0" ] }`).join('\n')}
`

/** The same servers have links to the client's network as well, by which they answer. */
const TWO_ARMED = `
name: rh-${ID}-arms
nodes:
  c1: { kind: host, addresses: { eth0: 10.0.1.2/24, eth1: 10.9.1.1/24, eth2: 10.9.2.1/24, eth3: 10.9.3.1/24 }, gateway: 10.0.1.1,
        clients: [ { protocol: http, to: "198.18.0.80:80", rate: 20/s, count: 30 },
                   { protocol: http, to: "198.18.0.80:80", count: 3, bytes: 1M },
                   { protocol: tcp, to: "198.19.7.7:7000", count: 3, bytes: 500k },
                   { protocol: udp, to: "198.18.0.53:5300", rate: 20/s, count: 10, bytes: 1200 },
                   { protocol: ping, to: 198.18.0.80, rate: 5/s, count: 5 } ] }
  r1: { kind: router, addresses: { eth0: 10.0.1.1/24, eth1: 10.0.2.1/24, eth2: 10.0.3.1/24, eth3: 10.0.4.1/24 },
        plugins: [ { plugin: ./plugins/slr, config: ${shares(1, 1, 1)} } ] }
${SERVERS.map(
  (
    n,
  ) => `  s${n}: { kind: host, addresses: { eth0: 10.0.${n + 1}.2/24, eth1: 10.9.${n}.2/24 }, gateway: 10.0.${n + 1}.1,
        routes: [ { to: 10.0.1.0/24, via: 10.9.${n}.1 } ], virtualHosts: [ 198.18.0.0/15 ],
        services: [ { protocol: http, port: 80, bytes: 20k }, { protocol: tcp, port: 7000 }, { protocol: udp, port: 5300, bytes: 1200 } ] }`,
).join('\n')}
links:
  - { endpoints: [ "c1:eth0", "r1:eth0" ] }
${SERVERS.map((n) => `  - { endpoints: [ "r1:eth${n}", "s${n}:eth0" ] }\n  - { endpoints: [ "c1:eth${n}", "s${n}:eth1" ] }`).join('\n')}
`

/** Receives a body and answers with its SHA-256. */
const HASH_SERVER = `
const { createHash } = require('node:crypto')
require('node:http').createServer((request, response) => {
  const hash = createHash('sha256')
  request.on('data', (part) => hash.update(part)).on('end', () => response.end(hash.digest('hex')))
}).listen(8081, '0.0.0.0', () => console.log('listening'))`

/** Asks for so many pages, each on a connection of its own, and counts who answered. */
async function spread(lab: LabUp, requests: number): Promise<Record<string, number>> {
  const words = [
    '-sS',
    '-m',
    '20',
    '-o',
    '/dev/null',
    '-H',
    'Connection: close',
    '-w',
    '%header{x-pronto-host}\\n',
  ]
  const text = await lab.run('c1', 'curl', ...words, `http://198.18.0.80/?[1-${requests}]`)
  const counts: Record<string, number> = {}
  for (const name of text.trim().split('\n')) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const part of createReadStream(file)) hash.update(part as Buffer)
  return hash.digest('hex')
}

/** The file that the services serve, made here. */
function writeExpected(file: string): void {
  const descriptor = openSync(file, 'w')
  for (let at = 0; at < TRANSFER_BYTES; )
    at += writeSync(descriptor, patternChunk(at, Math.min(65_521, TRANSFER_BYTES - at)))
  closeSync(descriptor)
}

const sizeOf = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0

describe('real hosts behind a virtual address', function () {
  this.timeout(120_000)
  withOwnRuntime()
  before(async function () {
    await requireNetns(this)
    requireTool(this, 'curl')
    requireTool(this, 'tcpdump')
  })

  describe('at the standard MTU, brought up by one command', () => {
    const name = `rh-${ID}`
    const router = `${name}/r1`
    const sniffers: Running[] = []
    let lab: LabUp
    let expected = ''
    let bundle = ''
    let source = ''

    before(async () => {
      const folder = temporaryFolder('pronto-real-hosts-')
      const authority = authorityIn(join(folder, 'ca'))
      bundle = join(folder, 'slr-2.0.0.pronto')
      writeFileSync(bundle, await signedVersion(authority, '2.0.0', SLR))
      source = join(folder, 'source')
      writeExpected(source)
      expected = await hashOf(source)
      lab = await LabUp.start(site(name, SLR), '--trust', authority.path)
      // What no link may show: strangers to the client, and tunnels that lead back.
      const sniff = (node: string, filter: string) =>
        sniffers.push(lab.inside(node, 'tcpdump', '-nli', 'eth0', '-Z', 'root', filter))
      sniff('c1', 'not arp and not net 198.18.0.0/15')
      for (const n of SERVERS) sniff(`s${n}`, `src host 10.0.${n + 1}.2 and ip proto 4`)
      for (const each of sniffers)
        await until('tcpdump listens', () => each.hasEnded || each.stderr.includes('listening on'))
    })

    after(async () => {
      await lab?.end()
      expect(remainsOf(name)).to.deep.equal([])
    })

    it('lets curl be answered by all of them', async () => {
      expect(await spread(lab, 30)).to.deep.equal({ s1: 10, s2: 10, s3: 10 })
    })

    it('changes the spread by another signed policy while a download goes on, which arrives intact (R-SLR-11)', async () => {
      const file = join(lab.folder, 'download')
      const words = ['-sS', '-m', '60', '--limit-rate', DOWNLOAD_RATE, '-o', file, 'http://198.18.0.80:8080/']
      const download = lab.inside('c1', 'curl', ...words)
      await until('the download has begun', () => sizeOf(file) > 1e6)
      const config = join(lab.folder, 'shares.json')
      writeFileSync(config, shares(1, 2, 7))
      const upgraded = await lab.pronto(
        'upgrade',
        'slr',
        bundle,
        '--config',
        config,
        '--router',
        router,
        '--json',
      ).ended
      expect(upgraded.code, upgraded.stderr).to.equal(0)
      expect(await spread(lab, 30)).to.deep.equal({ s1: 3, s2: 6, s3: 21 })
      expect(download.hasEnded, 'the download goes on').to.equal(false)
      const { code, stderr } = await download.ended
      expect(code, stderr).to.equal(0)
      expect(await hashOf(file)).to.equal(expected)
      const [plugin] = JSON.parse(
        (await lab.pronto('list', '--router', router, '--json').ended).stdout,
      ) as object[]
      expect(plugin).to.include({ id: 'slr', version: '2.0.0', state: 'running' })
    })

    it('takes an upload of the same size intact', async () => {
      for (const n of SERVERS) {
        const server = lab.inside(`s${n}`, process.execPath, '-e', HASH_SERVER)
        await until('the server listens', () => server.hasEnded || server.stdout.includes('listening'))
      }
      const words = ['-sS', '-m', '60', '-T', source, 'http://198.18.0.80:8081/']
      expect(await lab.run('c1', 'curl', ...words)).to.equal(expected)
    })

    it('passes exit codes of commands on, and says which nodes there are not', async () => {
      const { code } = await lab.inside('s1', 'sh', '-c', 'exit 7').ended
      expect(code).to.equal(7)
      const killed = await lab.inside('s1', 'sh', '-c', 'kill -9 $$').ended
      expect(killed.code).to.equal(137)
      const echo = lab.inside('s2', 'cat')
      echo.child.stdin!.end('through')
      expect(await echo.ended).to.deep.include({ code: 0, stdout: 'through' })
      const { code: refused, stderr } = await lab.inside('s4', 'true').ended
      expect(refused).to.equal(1)
      expect(stderr).to.match(/rh-\w+ has no node s4; did you mean s\d\?/)
    })

    it('showed the client nobody but the virtual address, and tunnelled nothing back (R-SLR-05, R-SLR-06)', async () => {
      for (const each of sniffers) {
        const { stdout, stderr } = await each.end('SIGINT')
        expect(stdout.trim()).to.equal('')
        expect(stderr).to.contain('0 packets captured')
      }
    })

    it('lost no packet from its books, and leaves nothing behind', async () => {
      const report = await lab.end()
      expect(report.conservation).to.equal(true)
      expect(report.routers['r1']!.packets.in).to.be.greaterThan((2 * TRANSFER_BYTES) / 1500)
      expect(remainsOf(name)).to.deep.equal([])
      const { code, stderr } = await lab.inside('c1', 'true').ended
      expect(code).to.equal(1)
      expect(stderr).to.contain('is not up on netns')
    })
  })

  describe('with a way back of their own', () => {
    const folder = temporaryFolder('pronto-real-captures-')
    let report: Report

    /** What tshark shows of link ends: one text a packet, without repetition; checksums are looked at. */
    const shown = (ends: readonly string[], filter: string, fields: readonly string[]) => {
      const merged = join(folder, 'merged')
      runTool('mergecap', ['-w', merged, ...ends.map((end) => join(folder, `${end}.pcapng`))])
      const checks = ['ip', 'tcp', 'udp'].flatMap((each) => ['-o', `${each}.check_checksum:TRUE`])
      // A frame stands in several files: what follows from the order of segments cannot be judged.
      for (const each of ['desegment_tcp_streams', 'analyze_sequence_numbers'])
        checks.push('-o', `tcp.${each}:FALSE`)
      const columns = fields.flatMap((field) => ['-e', field])
      const text = runTool('tshark', [
        '-r',
        merged,
        '-n',
        ...checks,
        '-Y',
        filter,
        '-T',
        'fields',
        ...columns,
      ])
      return [...new Set(text.split('\n').filter((line) => line !== ''))].sort()
    }

    before(async function () {
      requireTool(this, 'tshark')
      requireTool(this, 'mergecap')
      report = await runReal(labWithPlugins(TWO_ARMED), { captureFolder: folder })
    })

    it('answers everything, whole', () => {
      for (const client of report.clients['c1']!) expect(client).to.include({ failed: 0, corrupted: 0 })
      const [pages] = report.clients['c1']!
      expect(Object.keys(pages!.servers)).to.have.members(['s1', 's2', 's3'])
      expect(report.conservation).to.equal(true)
    })

    it('sends no answer by the router, in a tunnel or plain (R-SLR-05)', () => {
      const links = SERVERS.map((n) => `r1-eth${n}`)
      expect(shown(links, 'ip.src == 198.18.0.0/15', ['ip.src'])).to.deep.equal([])
      expect(shown(links, 'ip.proto == 4', ['ip.src', 'ip.dst']).join()).to.match(
        /^10\.0\.2\.1,10\.0\.1\.2\t10\.0\.2\.2,198/,
      )
    })

    it('shows the client its virtual hosts only (R-SLR-06)', () => {
      const virtual = ['198.18.0.53', '198.18.0.80', '198.19.7.7']
      expect(shown(['c1-eth0'], 'ip', ['ip.src', 'ip.dst'])).to.deep.equal(
        virtual.map((each) => `10.0.1.2\t${each}`),
      )
      const back = SERVERS.map((n) => `c1-eth${n}`)
      expect(shown(back, 'ip', ['ip.src', 'ip.dst'])).to.deep.equal(
        virtual.map((each) => `${each}\t10.0.1.2`),
      )
    })

    it('puts nothing malformed on any link, and no checksum that is wrong', () => {
      const ends = readdirSync(folder).filter((file) => file.endsWith('.pcapng'))
      expect(ends).to.have.length(14)
      const wrong = ['ip', 'tcp', 'udp', 'icmp'].map((each) => `${each}.checksum.status == 0`)
      const filter = ['_ws.malformed', 'frame.len > 1514', ...wrong].join(' || ')
      expect(
        shown(
          ends.map((each) => each.replace('.pcapng', '')),
          filter,
          ['frame.number', 'ip.src'],
        ),
      ).to.deep.equal([])
    })
  })
})
