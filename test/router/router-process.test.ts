import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { afterEach, before, describe, it } from 'mocha'
import { KernelUdp } from '../support/kernel-udp.ts'
import { requireRoot } from '../support/linux.ts'
import { requireTool, runTool } from '../support/oracle.ts'
import { LAUNCHER, RealRouter } from '../support/real-router.ts'

/** `pronto router run` on devices of a namespace, with the machine's own ping, curl and kernel around it. */
describe('a router on real ports', function () {
  this.timeout(60_000)
  const made: RealRouter[] = []

  before(function () {
    requireRoot(this)
    requireTool(this, 'ping', ['-V'])
    requireTool(this, 'curl')
    requireTool(this, 'ethtool')
  })

  afterEach(async () => {
    for (const each of made.splice(0)) await each.remove()
  })

  const make = (more: Readonly<Record<string, unknown>> = {}) => {
    const router = new RealRouter(more)
    made.push(router)
    return router
  }

  const ping = (router: RealRouter, address: string) => router.client.run(`ping -c 5 -i 0.1 -W 2 ${address}`)

  const counters = (router: RealRouter) => {
    const rows = JSON.parse(router.pronto('stats', '--json')).counters as { name: string; value: number }[]
    return Object.fromEntries(rows.map(({ name, value }) => [name, value]))
  }

  it('answers ping itself and forwards between its ports', async () => {
    const router = make()
    await router.start()
    expect(ping(router, '10.0.1.1')).to.contain(' 5 received')
    expect(ping(router, '10.0.2.2')).to.contain(' 5 received')
    const { in: taken, originated = 0, out, delivered = 0, ...rest } = counters(router)
    const dropped = Object.entries(rest).filter(([name]) => name.startsWith('dropped'))
    const lost = dropped.reduce((sum, [, value]) => sum + value, 0)
    expect(taken! + originated).to.equal(out! + delivered + lost)
  })

  it('tells about a hop limit as traceroute expects, and about ports that nobody serves', async () => {
    const router = make()
    await router.start()
    expect(() => router.client.run('ping -c 1 -W 2 -t 1 10.0.2.2')).to.throw('ended with 1')
    const { code } = await curl(router, 'http://10.0.1.1:81/')
    expect(code).to.equal(7)
  })

  it('ends in order on SIGTERM, and gives its devices back', async () => {
    const router = make()
    await router.start()
    expect(router.router.run('tc filter show dev eth0 ingress')).to.contain('pronto_claim')
    const { code, signal, output } = await router.end()
    expect([code, signal]).to.deep.equal([0, null])
    expect(output).to.contain('has ended')
    expect(router.router.run('tc qdisc show dev eth0')).to.not.contain('clsact')
    expect(existsSync(join(router.runtime, 'r1'))).to.equal(false)
  })

  it('cleans up at its next start what a killed one has left', async () => {
    const router = make()
    await router.start()
    await router.end('SIGKILL')
    await router.start()
    expect(ping(router, '10.0.2.2')).to.contain(' 5 received')
    await router.end()
    expect(router.router.run('tc qdisc show dev eth0')).to.not.contain('clsact')
  })

  it('is refused the devices of another one, which goes on', async () => {
    const router = make()
    await router.start()
    const file = join(router.folder, 'r2.yaml')
    const addresses = { eth1: '10.0.9.1/24' }
    writeFileSync(file, JSON.stringify({ name: 'r2', state: join(router.folder, 'state2'), addresses }))
    const words = `env PRONTO_RUNTIME=${router.runtime} ${process.execPath} ${LAUNCHER} router run ${file}`
    expect(() => router.router.run(words)).to.throw('taking eth1: another router of this machine has it')
    expect(ping(router, '10.0.2.2')).to.contain(' 5 received')
  })

  it('takes a device again that was removed and comes back', async () => {
    const router = make()
    await router.start()
    router.router.run('ip link del eth1')
    router.router.run('ip link add name eth1 type veth peer name peer1')
    let filters = ''
    for (let tries = 0; tries < 50 && !filters.includes('pronto_claim'); tries++) {
      await sleep(100)
      filters = router.router.run('tc filter show dev eth1 ingress')
    }
    expect(filters).to.contain('pronto_claim')
    await router.end()
    expect(router.output).to.contain('eth1 is there again')
    expect(router.router.run('tc qdisc show dev eth1')).to.not.contain('clsact')
  })

  it('does not take the way to the rest of the world from its machine, unless it is told to', async () => {
    const router = make()
    router.router.run('ip addr add 10.9.9.2/24 dev eth0')
    router.router.run('ip route add default via 10.9.9.1')
    const refused = await router.start().catch((error: Error) => error)
    expect(String(refused)).to.contain('takeUplink: true')
    expect(router.router.run('tc qdisc show dev eth0')).to.not.contain('clsact')
    router.configure({ ports: { eth0: { takeUplink: true } } })
    await router.start()
    expect(ping(router, '10.0.2.2')).to.contain(' 5 received')
  })

  it('says which device is missing, and takes none then', async () => {
    const router = make({ ports: { eth1: { device: 'nosuch0' } } })
    const refused = await router.start().catch((error: Error) => error)
    expect(refused).to.be.instanceOf(Error)
    expect(String(refused)).to.contain('nosuch0')
    expect(router.router.run('tc qdisc show dev eth0')).to.not.contain('clsact')
  })

  it('hands its own addresses to the programs of its machine, and theirs to the network', async () => {
    const router = make({ punt: 'punt0' })
    await router.start()
    const program = `require('node:http').createServer((_, r) => r.end('from the router itself')).listen(8123, '10.0.1.1')`
    const inside = ['netns', 'exec', router.router.name, process.execPath, '-e', program]
    const server = spawn('ip', inside, { stdio: 'ignore' })
    try {
      let answer = { code: -1 as number | null, body: '' }
      for (let tries = 0; tries < 50 && answer.code !== 0; tries++) {
        await sleep(100)
        answer = await curl(router, 'http://10.0.1.1:8123/')
      }
      expect(answer).to.deep.equal({ code: 0, body: 'from the router itself' })
      expect(router.router.run('ping -c 3 -i 0.1 -W 2 10.0.2.2')).to.contain(' 3 received')
    } finally {
      server.kill()
      await once(server, 'exit')
    }
  })

  it('goes on after a cable was pulled and plugged in again', async () => {
    const router = make()
    await router.start()
    expect(ping(router, '10.0.2.2')).to.contain(' 5 received')
    router.server.run('ip link set eth0 down')
    expect(() => router.client.run('ping -c 1 -W 1 10.0.2.2')).to.throw()
    router.server.run('ip link set eth0 up')
    router.server.run('ip route add default via 10.0.2.1')
    let last = ''
    for (let tries = 0; tries < 50 && !last.includes(' 1 received'); tries++) {
      // The router looks at its links a few times a second.
      await sleep(200)
      try {
        last = router.client.run('ping -c 1 -W 1 10.0.2.2')
      } catch (error) {
        last = String(error)
      }
    }
    expect(last).to.contain(' 1 received')
  })

  it('says once in words what is wrong when frames come that a sender left to hardware', async () => {
    const router = make()
    await router.start()
    router.client.run('ethtool -K eth0 tx on gso on')
    ping(router, '10.0.1.1')
    const udp = new KernelUdp(router.client.path, '10.0.1.2', 5000)
    udp.segment(1000)
    for (let each = 0; each < 3; each++) udp.send(new Uint8Array(6000), '10.0.2.2', 9)
    udp.close()
    for (let round = 0; round < 100 && !router.output.includes('ethtool'); round++) await sleep(50)
    const { output } = await router.end()
    expect(output.match(/port eth0: frames longer than the MTU .*ethtool -K DEVICE tx off/g)).to.have.length(
      1,
    )
  })

  it('captures a port into a file that others can read', async function () {
    requireTool(this, 'tshark')
    const router = make()
    await router.start()
    const file = join(router.folder, 'eth0.pcapng')
    const noise = spawn('ip', ['netns', 'exec', router.client.name, 'ping', '-i', '0.05', '10.0.1.1'], {
      stdio: 'ignore',
    })
    try {
      router.pronto('capture', 'eth0', file, '--duration', '1s')
    } finally {
      noise.kill('SIGKILL')
      await once(noise, 'exit')
    }
    const lines = runTool('tshark', ['-r', file, '-Y', 'icmp.type==0 && !_ws.malformed'])
    expect(lines.trim().split('\n').length).to.be.above(3)
  })
})

async function curl(router: RealRouter, url: string): Promise<{ code: number | null; body: string }> {
  const child = spawn('ip', ['netns', 'exec', router.client.name, 'curl', '-s', '-m', '5', url])
  let body = ''
  child.stdout.on('data', (part) => (body += part))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, body }
}
