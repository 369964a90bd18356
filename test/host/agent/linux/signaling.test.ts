import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import { requireRoot } from '../../../support/linux.ts'
import { requireTool, runTool } from '../../../support/oracle.ts'
import { RealProcess } from '../../../support/real-host.ts'
import { RealRouter } from '../../../support/real-router.ts'

const CLI = fileURLToPath(new URL('../../../../cli/main.ts', import.meta.url))

/** A host that a router knows, as `pronto query hosts` shows it. */
interface Host {
  readonly address: string
  readonly state: string
  readonly connections: number
}

describe('the agent of a real host', function () {
  this.timeout(60_000)
  let rig: RealRouter
  let agent: RealProcess | undefined

  before(async function () {
    requireRoot(this)
    requireTool(this, 'ethtool')
    rig = new RealRouter()
    const authority = join(rig.folder, 'ca')
    pronto('ca', 'init', authority)
    const grant = join(rig.folder, 'grant.json')
    writeFileSync(grant, JSON.stringify({ virtualHosts: ['198.18.0.0/15'] }))
    pronto('ca', 'issue', authority, '--name', 's1', '--type', 'host', '--grant', grant)
    rig.configure({ trust: authority, signaling: {} })
    await rig.start()
  })

  after(async () => {
    await agent?.end('SIGKILL')
    await rig?.remove()
  })

  function pronto(...words: readonly string[]): string {
    return runTool('env', [`PRONTO_RUNTIME=${rig.runtime}`, process.execPath, CLI, ...words])
  }

  /** Looks until the router knows what is wanted. */
  async function routerKnows(what: (hosts: readonly Host[]) => boolean): Promise<void> {
    let hosts: Host[] = []
    for (let looks = 0; looks < 40; looks++) {
      hosts = JSON.parse(rig.pronto('query', 'hosts', '--json')).rows
      if (what(hosts)) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`the router knows ${JSON.stringify(hosts)}; ${agent?.output}`)
  }

  async function start(more: object = {}): Promise<void> {
    const file = join(rig.folder, 's1.yaml')
    const usual = {
      name: 's1',
      address: '10.0.2.2',
      devices: ['eth0'],
      virtualHosts: ['198.18.0.0/15'],
      routers: ['10.0.2.1'],
      certificate: 'ca/s1.crt',
      key: 'ca/s1.key',
      trust: 'ca',
      interval: '200ms',
      load: { file: 'load' },
    }
    writeFileSync(join(rig.folder, 'load'), '0.4')
    writeFileSync(file, JSON.stringify({ ...usual, ...more }))
    const environment = { PRONTO_RUNTIME: rig.runtime }
    agent = new RealProcess(rig.server, [process.execPath, CLI, 'host', 'run', file, '--json'], environment)
    await agent.says('"phase":"open"')
  }

  it('is taken in, reports, drains and says bye (R-SLR-17)', async () => {
    await start()
    await routerKnows(([host]) => host?.address === '10.0.2.2' && host.state === 'active')
    pronto('host', 'drain', 's1')
    await routerKnows(([host]) => host?.state === 'draining')
    const status = JSON.parse(pronto('host', 'status', 's1', '--json'))
    expect(status.routers[0]).to.include({ router: '10.0.2.1', phase: 'open' })
    expect(status.routers[0].counters.acknowledged).to.be.greaterThan(0)
    expect(status.load.load).to.equal(0.4)
    expect(await agent!.end()).to.equal(0)
    await routerKnows((hosts) => hosts.length === 0)
  })

  it('says hello again to a router that was killed and started again', async () => {
    await start()
    await rig.end('SIGKILL')
    await rig.start()
    await routerKnows(([host]) => host?.address === '10.0.2.2')
    expect(await agent!.end()).to.equal(0)
  })

  it('does not start when its certificate does not grant its virtual hosts', async () => {
    await start({ virtualHosts: ['198.18.0.0/15', '203.0.113.0/24'] }).catch(() => {})
    expect(await agent!.end()).to.equal(1)
    expect(agent!.output).to.include('does not grant').and.include('203.0.113.0/24')
  })

  it('tells why a router does not take it in', async () => {
    const other = join(rig.folder, 'other')
    pronto('ca', 'init', other)
    pronto('ca', 'issue', other, '--name', 's1', '--type', 'host', '--grant', join(rig.folder, 'grant.json'))
    const files = { certificate: 'other/s1.crt', key: 'other/s1.key', trust: 'other' }
    start(files).catch(() => {})
    await agent!.says('"reason"')
    expect(agent!.output).to.include('"reason":"certificate"')
    expect(await agent!.end()).to.equal(0)
  })
})
