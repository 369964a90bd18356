import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import { Random } from '../../engine/random.ts'
import { formatMacAddress, parseMacAddress } from '../../engine/wire/index.ts'
import { patternChunk } from '../../host/stack/index.ts'
import { FaultLab } from '../support/fault-lab.ts'
import { KernelUdp } from '../support/kernel-udp.ts'
import { type Running, until } from '../support/lab-up.ts'
import { labWithPlugins } from '../support/labs.ts'
import { remainsOf, requireNetns, withOwnRuntime } from '../support/netns.ts'
import { requireTool } from '../support/oracle.ts'
import { arpFrame, frameOf, udp } from '../support/packets.ts'
import { RawDevice } from '../support/raw-device.ts'

const NAME = `rf-${randomBytes(3).toString('hex')}`
const FILE_BYTES = 12_000_000
/** Of a download: long enough for a fault in its middle. */
const RATE = '2M'
const SERVERS = [1, 2, 3] as const
/** How long hosts and router may take to find together again; they take seconds. */
const AGAIN_MS = 30_000

/** 198.18.1.N is served by server N alone, everything else by whoever has the least load. */
const config = JSON.stringify({
  virtualHosts: [
    { to: '198.18.0.0/15' },
    ...SERVERS.map((n) => ({ to: `198.18.1.${n}`, rules: [{ servers: [`10.0.${n + 1}.2`], strict: true }] })),
  ],
  learn: { from: ['10.0.0.0/8'], silenceMs: 2000 },
})

/** The link of s3 is narrow. */
const LAB = `
name: ${NAME}
nodes:
  c1: { kind: host, addresses: { eth0: 10.0.1.2/24 }, gateway: 10.0.1.1 }
  r1: { kind: router, addresses: { eth0: 10.0.1.1/24, eth1: 10.0.2.1/24, eth2: 10.0.3.1/24, eth3: 10.0.4.1/24 },
        plugins: [ { plugin: ./plugins/slr, config: ${config} } ] }
${SERVERS.map(
  (
    n,
  ) => `  s${n}: { kind: host, addresses: { eth0: 10.0.${n + 1}.2/24 }, gateway: 10.0.${n + 1}.1, virtualHosts: [ 198.18.0.0/15 ],
        agent: { routers: [ 10.0.${n + 1}.1 ], interval: 500ms },
        services: [ { protocol: http, port: 80, bytes: 1k }, { protocol: http, port: 8080, bytes: ${FILE_BYTES} } ] }`,
).join('\n')}
links:
  - { endpoints: [ "c1:eth0", "r1:eth0" ] }
  - { endpoints: [ "r1:eth1", "s1:eth0" ] }
  - { endpoints: [ "r1:eth2", "s2:eth0" ] }
  - { endpoints: [ "r1:eth3", "s3:eth0" ], mtu: 1400 }
`

/** What the services serve. */
const FILE = Buffer.alloc(FILE_BYTES)
for (let at = 0; at < FILE_BYTES; at += 65_521) FILE.set(patternChunk(at, FILE_BYTES - at), at)

const noise = (random: Random, length: number) => Uint8Array.from({ length }, () => random.below(256))

describe('faults among real hosts', function () {
  this.timeout(90_000)
  let lab: FaultLab
  // Before the runtime folder goes, in which the lab's ledger lies.
  after(async () => {
    await lab?.down()
    expect(remainsOf(NAME)).to.deep.equal([])
  })
  withOwnRuntime()

  before(async function () {
    await requireNetns(this)
    for (const tool of ['curl', 'ethtool']) requireTool(this, tool)
    lab = await FaultLab.up(labWithPlugins(LAB))
  })

  /** Asks for so many pages, one after the other; counts who answered, failures as `none`. */
  const spread = async (requests = 6): Promise<Record<string, number>> => {
    const words = [
      '-sS',
      '-m',
      '2',
      '-o',
      '/dev/null',
      '-H',
      'Connection: close',
      '-w',
      '%header{x-pronto-host}\\n',
    ]
    const { stdout } = await lab.inside('c1', 'curl', ...words, `http://198.18.0.80/?[1-${requests}]`).ended
    const counts: Record<string, number> = {}
    for (const name of stdout.trimEnd().split('\n'))
      counts[name || 'none'] = (counts[name || 'none'] ?? 0) + 1
    return counts
  }

  /** Waits until exactly these servers get the new flows, and none fails. */
  const served = async (by: readonly string[]) => {
    let last: Record<string, number> = {}
    const isSo = async () => {
      last = await spread()
      return Object.keys(last).sort().join() === by.join()
    }
    await until(`served by ${by.join()}`, isSo, AGAIN_MS).catch((error: Error) => {
      throw new Error(`${error.message}; it is ${JSON.stringify(last)}`)
    })
  }

  const ALL = ['s1', 's2', 's3']

  beforeEach(async () => await served(ALL))

  afterEach(async () => {
    const counters = await lab.counters()
    const sum = (...names: readonly string[]) =>
      names.reduce((total, name) => total + (counters.get(name) ?? 0), 0)
    const dropped = [...counters.keys()].filter((name) => name.startsWith('dropped.'))
    const held = ['parked', 'queued', 'inProgram']
    expect(sum('in', 'originated', 'copies'), 'conservation').to.equal(
      sum('out', 'delivered', 'merged', ...held, ...dropped),
    )
  })

  /** A download that is under way. */
  class Download {
    readonly #file = join(lab.folder, `download-${randomBytes(3).toString('hex')}`)
    readonly #curl: Running

    constructor(address: string, ...words: readonly string[]) {
      const url = `http://${address}:8080/`
      this.#curl = lab.inside(
        'c1',
        'curl',
        '-sS',
        '-m',
        '60',
        '--limit-rate',
        RATE,
        ...words,
        '-o',
        this.#file,
        url,
      )
    }

    static async from(address: string, ...words: readonly string[]): Promise<Download> {
      const download = new Download(address, ...words)
      await until('it has begun', () => download.bytes > 500_000 || download.#curl.hasEnded)
      expect(download.#curl.hasEnded, download.#curl.stderr).to.equal(false)
      return download
    }

    get bytes(): number {
      return statSync(this.#file, { throwIfNoEntry: false })?.size ?? 0
    }

    get isUnderWay(): boolean {
      return !this.#curl.hasEnded
    }

    /** curl's exit code, when it has ended. What came is right as far as it came. */
    async code(): Promise<number | null> {
      const { code, stderr } = await this.#curl.ended
      const got = readFileSync(this.#file)
      if (code === 0) expect(got.length, stderr).to.equal(FILE_BYTES)
      expect(got.equals(FILE.subarray(0, got.length)), 'what came is right').to.equal(true)
      return code
    }
  }

  const rise = async (names: readonly string[], work: () => void | Promise<void>, table = 'counters') => {
    const earlier = await lab.counters(table)
    await work()
    const later = await lab.counters(table)
    return Object.fromEntries(names.map((name) => [name, (later.get(name) ?? 0) - (earlier.get(name) ?? 0)]))
  }

  const macOf = (node: string, device: string) => {
    const text = /ether ([0-9a-f:]{17})/.exec(lab.ip(node, `link show ${device}`))![1]!
    return parseMacAddress(text)!
  }

  describe('when a cable is pulled and plugged in again', () => {
    for (const [where, pull, plug] of [
      [
        "at the router's end",
        () => lab.ip('r1', 'link set eth2 down'),
        () => lab.ip('r1', 'link set eth2 up'),
      ],
      ["at the server's end", () => lab.network.setNode('s2', false), () => lab.network.setNode('s2', true)],
    ] as const)
      it(`sends new flows elsewhere meanwhile, and what ran goes on, ${where}`, async () => {
        const download = await Download.from('198.18.1.2')
        pull()
        expect(download.isUnderWay, 'the fault is in its middle').to.equal(true)
        await served(['s1', 's3'])
        plug()
        await served(ALL)
        expect(await download.code()).to.equal(0)
      })
  })

  describe('when a link is narrow', () => {
    /** Starts a program on a server that answers a body with its hash; uploads the file to it. */
    const hashing = async (n: number) => {
      const program = `require('node:http').createServer((request, response) => {
        const hash = require('node:crypto').createHash('sha256')
        request.on('data', (part) => hash.update(part)).on('end', () => response.end(hash.digest('hex')))
      }).listen(8081, '0.0.0.0', () => console.log('listening'))`
      const server = lab.inside(`s${n}`, process.execPath, '-e', program)
      await until('the server listens', () => server.hasEnded || server.stdout.includes('listening'))
      const file = join(lab.folder, 'upload')
      writeFileSync(file, FILE)
      return async (limit: number) => {
        const url = `http://198.18.1.${n}:8081/`
        return (await lab.inside('c1', 'curl', '-sS', '-m', String(limit), '-T', file, url).ended).stdout
      }
    }
    const HASH = createHash('sha256').update(FILE).digest('hex')

    it('takes uploads whole, and tells senders of larger packets what fits', async () => {
      const upload = await hashing(3)
      expect(await upload(30)).to.equal(HASH)
      const ping = await lab.inside(
        'c1',
        'ping',
        '-c',
        '1',
        '-W',
        '5',
        '-M',
        'do',
        '-s',
        '1400',
        '198.18.1.3',
      ).ended
      expect(ping.stdout).to.match(/From 10\.0\.1\.1 .*mtu ?= ?1380/)
    })

    it("takes uploads again when only the server's end has become narrow and its agent has seen it", async () => {
      const upload = await hashing(2)
      lab.ip('s2', 'link set eth0 mtu 1400')
      try {
        // Segments that do not fit stand in nobody's way.
        await upload(2)
        await served(ALL)
        await until('an upload arrives', async () => (await upload(3)) === HASH, AGAIN_MS)
      } finally {
        lab.ip('s2', 'link set eth0 mtu 1500')
      }
    })
  })

  describe('when somebody on the link plays a neighbour', () => {
    it("believes no claim to the router's address or to a server's that is known, and traffic goes on", async () => {
      const attacker = new RawDevice(lab.lan.path, 'br0')
      const text = /ether ([0-9a-f:]{17})/.exec(lab.lan.run('ip link show br0'))![1]!
      const senderMac = parseMacAddress(text)!
      const router = macOf('r1', 'eth1')
      const claim = (operation: number, sender: string, target: string) =>
        attacker.send(arpFrame({ operation, senderMac, sender, target, destination: router }))
      const download = await Download.from('198.18.1.1')
      const earlier = (await lab.counters()).get('dropped.arp-spoofed') ?? 0
      const spoofed = await rise(['dropped.arp-spoofed'], async () => {
        for (let round = 0; round < 100; round++) {
          claim(2, '10.0.2.1', '10.0.2.2')
          claim(1, '10.0.2.2', '10.0.2.2')
          claim(2, '10.0.2.2', '10.0.2.1')
        }
        await until(
          'the router has heard',
          async () => (await lab.counters()).get('dropped.arp-spoofed')! >= earlier + 100,
        )
      })
      expect(spoofed).to.deep.equal({ 'dropped.arp-spoofed': 100 })
      const neighbours = await lab.table('neighbours')
      const believed = neighbours.find(({ address }) => address === '10.0.2.2')!['mac']
      expect(parseMacAddress(String(believed))).to.deep.equal(macOf('s1', 'eth0'))
      expect(await download.code()).to.equal(0)
      expect(attacker.taken().filter((frame) => frame[12] === 8 && frame[13] === 0)).to.deep.equal([])
      attacker.close()
    })

    it('sends new flows elsewhere when a server believes that the router is somebody else, until its address is pinned', async () => {
      const attacker = new RawDevice(lab.lan.path, 'br0')
      const text = /ether ([0-9a-f:]{17})/.exec(lab.lan.run('ip link show br0'))![1]!
      const senderMac = parseMacAddress(text)!
      const destination = macOf('s1', 'eth0')
      const lie = arpFrame({ operation: 2, senderMac, sender: '10.0.2.1', target: '10.0.2.2', destination })
      const liar = setInterval(() => attacker.send(lie), 100)
      const neighbour = `10.0.2.1 lladdr ${formatMacAddress(macOf('r1', 'eth1'))} dev eth0`
      try {
        await served(['s2', 's3'])
        lab.ip('s1', `neigh replace ${neighbour} nud permanent`)
        await served(ALL)
      } finally {
        clearInterval(liar)
        attacker.close()
        lab.ip('s1', `neigh replace ${neighbour} nud stale`)
      }
    })
  })

  describe('when packets have sources that no host can have', () => {
    it('drops martians and its own addresses by name', async () => {
      const device = new RawDevice(lab.network.path('c1'), 'eth0')
      const [router, client] = [macOf('r1', 'eth0'), macOf('c1', 'eth0')]
      const martians = ['127.0.0.1', '224.0.0.5', '255.255.255.255', '240.1.2.3', '0.0.0.0']
      const own = ['10.0.1.1', '10.0.4.1']
      const rounds = 50
      const dropped = ['dropped.martian-source', 'dropped.own-source', 'dropped.martian-destination']
      const rises = await rise(dropped, async () => {
        const start = (await lab.counters()).get('in')!
        for (let round = 0; round < rounds; round++) {
          for (const from of [...martians, ...own])
            device.send(frameOf(router, client, udp({ from, to: '198.18.0.80' })))
          device.send(frameOf(router, client, udp({ to: '127.0.0.1' })))
        }
        const sent = rounds * (martians.length + own.length + 1)
        await until('the router has heard', async () => (await lab.counters()).get('in')! >= start + sent)
      })
      expect(rises).to.deep.equal({
        'dropped.martian-source': rounds * martians.length,
        'dropped.own-source': rounds * own.length,
        'dropped.martian-destination': rounds,
      })
      device.close()
    })
  })

  describe('when it is flooded with garbage', () => {
    const FRAMES = 20_000

    it('goes on with its traffic, on a port that is flooded with frames', async () => {
      const device = new RawDevice(lab.network.path('c1'), 'eth0')
      const [router, client] = [macOf('r1', 'eth0'), macOf('c1', 'eth0')]
      const random = Random.fromSeed(1)
      const download = await Download.from('198.18.0.80')
      for (let sent = 0; sent < FRAMES; sent++) {
        const frame = noise(random, 18 + random.below(300))
        // Half of it gets as far as the IP parser.
        frame.set(router)
        frame.set(client, 6)
        if (sent % 2 === 0) frame.set([8, 0, 0x45], 12)
        device.send(frame)
        if (sent % 200 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      expect(download.isUnderWay).to.equal(true)
      await served(ALL)
      expect(await download.code()).to.equal(0)
      device.close()
    })

    it('keeps its sessions, on the signaling port', async () => {
      const socket = new KernelUdp(lab.network.path('c1'), '10.0.1.2', 40_000)
      const random = Random.fromSeed(2)
      const download = await Download.from('198.18.0.80')
      const expired = ['expired', 'restarts', 'welcomes']
      const rises = await rise(
        expired,
        async () => {
          for (let sent = 0; sent < FRAMES; sent++) {
            const datagram = noise(random, 1 + random.below(300))
            // Half of it gets past the magic word, with a type that exists.
            if (sent % 2 === 0) datagram.set([0x50, 0x52, 1, 1 + (sent % 9)].slice(0, datagram.length))
            socket.send(datagram, '10.0.1.1', 4754)
            if (sent % 200 === 0) await new Promise((resolve) => setImmediate(resolve))
          }
        },
        'signaling',
      )
      expect(rises).to.include({ expired: 0, welcomes: 0 })
      expect(await lab.table('hosts')).to.have.length(3)
      expect(await download.code()).to.equal(0)
      socket.close()
    })
  })

  describe('when a server is killed', () => {
    it('fails what ran there, sends new flows elsewhere, and takes it in when it is back', async () => {
      const download = await Download.from('198.18.1.2', '--speed-limit', '1000', '--speed-time', '3')
      await lab.host('s2').fail()
      expect(download.isUnderWay, 'the fault is in its middle').to.equal(true)
      await served(['s1', 's3'])
      expect(await download.code(), 'too slow').to.equal(28)
      await lab.host('s2').recover(0)
      await served(ALL)
    })
  })

  describe('when a host agent is killed', () => {
    /** The web server of s2 tells its load. */
    const serveLoad = () => {
      const lives = readdirSync(lab.folder).filter((name) => name.startsWith('s2-nginx-'))
      const file = join(lab.folder, `s2-nginx-${lives.length - 1}`, 'nginx.conf')
      const server = '  server { listen 127.0.0.1:8090; location / { return 200 0.1; } }\n}\n'
      writeFileSync(file, readFileSync(file, 'utf8').replace(/}\n$/, server))
      process.kill(lab.processOf('s2', 'nginx').pid, 'SIGHUP')
    }

    it('lets what runs go on, sends new flows elsewhere; the next start cleans up, and a load probe then finds a service that hangs', async () => {
      const rules = lab.ip('s2', 'rule')
      const download = await Download.from('198.18.1.2')
      await lab.processOf('s2', 'agent').kill()
      expect(download.isUnderWay, 'the fault is in its middle').to.equal(true)
      await served(['s1', 's3'])
      expect(lab.ip('s2', 'route show table local')).to.contain('local 198.18.0.0/15')
      expect(await download.code()).to.equal(0)

      const file = join(lab.folder, 's2.yaml')
      serveLoad()
      const asBefore = JSON.parse(readFileSync(file, 'utf8')) as object
      const load = { url: 'http://127.0.0.1:8090/', interval: '500ms' }
      writeFileSync(file, JSON.stringify({ ...asBefore, load }))
      const agent = lab.inside(
        's2',
        process.execPath,
        join(import.meta.dirname, '../../cli/main.ts'),
        'host',
        'run',
        file,
      )
      await served(ALL)
      expect(lab.ip('s2', 'rule')).to.equal(rules)

      const nginx = lab.processOf('s2', 'nginx').pid
      process.kill(-nginx, 'SIGSTOP')
      try {
        await served(['s1', 's3'])
      } finally {
        process.kill(-nginx, 'SIGCONT')
      }
      await served(ALL)
      expect(agent.hasEnded, agent.stderr).to.equal(false)
    })
  })

  describe('when the sandbox is killed', () => {
    it('loses nothing of flows that run, and decides again soon', async () => {
      const download = await Download.from('198.18.0.80')
      await lab.router.kill('sandbox')
      expect(download.isUnderWay, 'the fault is in its middle').to.equal(true)
      await served(ALL)
      expect(await download.code()).to.equal(0)
      await lab.router.refresh()
      expect(lab.router.report().plugins[0]).to.include({ state: 'running', restarts: 1 })
    })
  })

  describe('when the router is killed', () => {
    it('comes back with its policy; flows are decided anew: the same server goes on, another one resets', async () => {
      const same = await Download.from('198.18.1.3')
      const others = await Promise.all([Download.from('198.18.0.80'), Download.from('198.18.0.80')])
      await lab.router.kill('process')
      expect(same.isUnderWay, 'the fault is in its middle').to.equal(true)
      await served(ALL)
      expect(await same.code()).to.equal(0)
      for (const each of others) expect(await each.code(), 'whole, or reset').to.be.oneOf([0, 56])
    })
  })
})
