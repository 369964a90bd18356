import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import {
  backends,
  isConserved,
  keepLabUp,
  type Recorded,
  type Report,
  readLabRecord,
  runLab,
} from '../../lab/index.ts'
import type { ControlClient } from '../../router/control-client/index.ts'
import { withoutWall } from '../support/labs.ts'
import { authorityIn, sessionWith, signedVersion } from '../support/operators.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { twinRouters } from '../support/twin-routers.ts'

const EVENTS = `
  - { at: 3s, fail: r1 }
  - { at: 5s, recover: r1 }
  - { at: 3s, kill: { router: r2, part: process } }`

interface Listed {
  id: string
  version: string
  previous?: string
  state: string
}

const listed = async (client: ControlClient) =>
  ((await client.call('list')) as unknown as Listed[]).map(
    ({ id, version, previous = '-', state }) => `${id} ${version} ${previous} ${state}`,
  )

const refusalOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'nothing is',
    (error: Error) => error.message,
  )

/** Captures of a folder by file. */
const capturesIn = (folder: string) =>
  new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name)).toString('latin1')]))

describe('a lab that is kept up while its routers come and go (R-PR-02)', () => {
  const runtime = process.env['PRONTO_RUNTIME']
  const stop = new AbortController()
  const folder = temporaryFolder('pronto-run-')
  const record = join(folder, 'record.jsonl')
  const routers = join(folder, 'twins')
  const lab = twinRouters(EVENTS)
  let virtualSeconds = 0
  let ended: Promise<Report>
  let live: Report
  let r1: ControlClient
  let r2: ControlClient

  const at = async (seconds: number) => {
    while (virtualSeconds < seconds) {
      const tick = new Promise((settle) => setTimeout(settle, 20))
      await Promise.race([tick, ended.then(() => expect.fail('the lab has ended'))])
    }
  }

  before(async function () {
    this.timeout(30_000)
    process.env['PRONTO_RUNTIME'] = folder
    const authority = authorityIn(join(folder, 'ca'))
    const version = await signedVersion(authority, '2.0.0')
    mkdirSync(join(folder, 'live'))
    ended = keepLabUp(lab, await backends.open('sim'), {
      signal: stop.signal,
      trust: join(folder, 'ca'),
      record,
      captureFolder: join(folder, 'live'),
      onProgress: ({ virtualNs }) => {
        virtualSeconds = virtualNs / 1e9
      },
    })
    r1 = await sessionWith(join(routers, 'r1'))
    r2 = await sessionWith(join(routers, 'r2'))
    await r1.call('upgrade', { id: 'round-robin', upload: await r1.upload(version) })
    await r2.call('unload', { id: 'round-robin', flows: 'purge' })
    const config = { virtualHost: '198.18.0.0/15', servers: [{ address: '10.2.3.2' }] }
    const mine = { upload: await r2.upload(version), id: 'mine', config, dryRun: true }
    await r2.call('load', mine)
    await r2.call('load', { ...mine, upload: await r2.upload(version), dryRun: false })
    expect(virtualSeconds).to.be.below(3)
  })

  after(async () => {
    r1?.close()
    r2?.close()
    stop.abort()
    await ended
    if (runtime === undefined) delete process.env['PRONTO_RUNTIME']
    else process.env['PRONTO_RUNTIME'] = runtime
  })

  it('answers no more for a router that is down', async () => {
    await at(3.3)
    expect(await refusalOf(r1.call('list'))).to.match(/closed|ended|down/)
    const isThere = () => existsSync(join(routers, 'r1', 'read.sock'))
    while (isThere() && virtualSeconds < 5) await new Promise((settle) => setTimeout(settle, 20))
    expect(isThere()).to.equal(false)
    expect(readdirSync(routers)).to.deep.equal(['r1', 'r2'])
  }).timeout(20_000)

  it('answers for the present life, with the plugins that were installed', async () => {
    await at(5.2)
    r1 = await sessionWith(join(routers, 'r1'))
    expect(await listed(r1)).to.deep.equal(['round-robin 2.0.0 1.0.0 running'])
    r2 = await sessionWith(join(routers, 'r2'))
    expect(await listed(r2)).to.deep.equal(['mine 2.0.0 - running'])
    await r1.call('rollback', { id: 'round-robin' })
    expect(await listed(r1)).to.deep.equal(['round-robin 1.0.0 2.0.0 running'])
    const state = { address: '10.1.2.2', state: 'maintenance' }
    await r1.call('call', { id: 'round-robin', name: 'server/state', argument: state })
  }).timeout(20_000)

  it('leaves its record and nothing else', async () => {
    stop.abort()
    live = await ended
    expect(existsSync(routers)).to.equal(false)
    expect(Object.values(live.routers).every((each) => isConserved(each.packets))).to.equal(true)
    expect(live.routers['r2']!.plugins.map((each) => each.id)).to.deep.equal(['mine'])
    expect(readdirSync(join(folder, 'bundles'))).to.have.length(1)
  }).timeout(20_000)

  describe('when its record is replayed', () => {
    const again = async (name: string) => {
      const recorded: Recorded = readLabRecord(record, lab.lab)
      const captureFolder = join(folder, name)
      const report = await runLab(lab, await backends.open('sim'), { replay: recorded, captureFolder })
      return { report: withoutWall(report), captures: capturesIn(captureFolder) }
    }

    it('does what the lab did, to the byte, each time', async () => {
      const first = await again('first')
      const second = await again('second')
      expect(first.report).to.deep.equal(withoutWall(live))
      expect(second.report).to.deep.equal(first.report)
      const captures = capturesIn(join(folder, 'live'))
      for (const [file, bytes] of captures) {
        expect(first.captures.get(file) === bytes, `${file} is as it was`).to.equal(true)
        expect(second.captures.get(file) === bytes, `${file} is the same again`).to.equal(true)
      }
      expect(captures.size).to.equal(12)
    }).timeout(60_000)
  })
})
