import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { runCli } from '../../cli/cli.ts'
import { commands } from '../../cli/commands/index.ts'
import { Terminal } from '../../cli/terminal.ts'
import { backends } from '../../lab/index.ts'
import { pause } from './launched.ts'
import { type as typeWords } from './world.ts'

const PATIENCE_MS = 40_000

interface News {
  readonly event: string
  readonly [key: string]: unknown
}

/** A command that goes on until it is stopped, and what it has told so far. */
class Running {
  readonly stop = new AbortController()
  readonly code: Promise<number>
  out = ''
  err = ''
  #seen = 0

  constructor(words: readonly string[]) {
    const world = {
      terminal: new Terminal(
        { write: (text) => (this.out += text) },
        { write: (text) => (this.err += text) },
        {},
      ),
      stop: { claim: () => this.stop.signal },
      backends,
      clock: () => performance.now(),
    }
    this.code = runCli(words, commands, world)
  }

  /** The next news of a kind. */
  async next(event: string): Promise<News> {
    const until = performance.now() + PATIENCE_MS
    for (;;) {
      const lines = this.out.split('\n').slice(0, -1)
      while (this.#seen < lines.length) {
        const news = JSON.parse(lines[this.#seen++]!) as News
        if (news.event === event) return news
      }
      if (performance.now() > until) throw new Error(`no ${event}: ${this.out.slice(-2000)}${this.err}`)
      await pause(20)
    }
  }

  async end(): Promise<number> {
    this.stop.abort(new Error('Ctrl-C'))
    return this.code
  }
}

describe('pronto plugin dev', function () {
  this.timeout(60_000)
  let parent: string
  let folder: string
  let running: Running | undefined
  const file = (name: string): string => join(folder, name)
  const edit = (name: string, from: string, to: string): void => {
    const text = readFileSync(file(name), 'utf8')
    expect(text).to.include(from)
    writeFileSync(file(name), text.replace(from, to))
  }
  const begin = (...words: string[]): Running => {
    running = new Running(['plugin', 'dev', folder, ...words])
    return running
  }

  beforeEach(async () => {
    parent = mkdtempSync(join(tmpdir(), 'pronto-dev-'))
    const name = `dev-${Math.random().toString(36).slice(2, 10)}`
    folder = join(parent, name)
    const { scaffoldPlugin } = await import('../../sdk/scaffold.ts')
    scaffoldPlugin(parent, name)
  })
  afterEach(async () => {
    await running?.end()
    running = undefined
    rmSync(parent, { recursive: true })
  })

  it('builds, checks and tests at each change, and ends with 0', async () => {
    const dev = begin('--json')
    expect(await dev.next('look')).to.deep.include({ ok: true, version: '0.1.0', types: [], problems: [] })
    edit('plugin.ts', 'server.load++', 'server.laod++')
    const { types } = (await dev.next('look')) as unknown as { types: { file: string; line: number }[] }
    expect(types[0]).to.include({ file: file('plugin.ts'), line: 17 })
    edit('plugin.ts', 'server.laod++', 'Date.now()')
    const { ok, problems } = (await dev.next('look')) as unknown as { ok: boolean; problems: object[] }
    expect(ok).to.equal(false)
    expect(problems[0]).to.deep.include({ file: file('plugin.ts'), line: 17, column: 7 })
    edit('plugin.ts', 'Date.now()', 'server.load--')
    const { tests } = (await dev.next('look')) as unknown as { tests: { failed: number } }
    expect(tests.failed).to.equal(1)
    expect(await dev.end()).to.equal(0)
    expect(dev.err).to.equal('')
  })

  it('brings a lab up and upgrades it with what is right, and only with that', async () => {
    rmSync(file('plugin.test.ts'))
    const dev = begin('--json', '--lab', file('lab.yaml'))
    expect(await dev.next('placed')).to.deep.include({ ok: true, version: '0.1.0', replaces: false })
    const spread = await dev.next('spread')
    expect(spread['decisions']).to.be.greaterThan(10)
    expect(Object.keys(spread['servers'] as object)).to.deep.equal(['s1', 's2'])
    edit('plugin.ts', 'server.load++', 'server.laod++')
    expect((await dev.next('look'))['types']).to.have.length(1)
    edit('plugin.ts', 'server.laod++', "server.load++\n      router.log.info('picked')")
    edit('pronto.json', '0.1.0', '0.2.0')
    const placed = await dev.next('placed')
    expect(placed).to.deep.include({ ok: true, version: '0.2.0', replaces: true, changes: [] })
    expect(placed['flows']).to.be.greaterThan(0)
    expect(await dev.next('log')).to.include({ text: 'picked', by: 'plugin' })
    edit('plugin.ts', "{ drop: 'no-server' }", '{ forward: true }')
    edit('plugin.ts', 'router.flows.claim', "router.tunnels.open({ to: '11.0.0.1' })\n    router.flows.claim")
    const refused = await dev.next('placed')
    expect(refused).to.include({ ok: false, replaces: true })
    expect(refused['reason']).to.include('11.0.0.1 is beyond the granted tunnels.open')
    expect(await dev.end()).to.equal(0)
  })

  it('signs for a router that runs already', async () => {
    rmSync(file('plugin.test.ts'))
    const lab = readFileSync(file('lab.yaml'), 'utf8')
    writeFileSync(
      join(parent, 'bare.yaml'),
      lab.replace(/ {4}plugins:\n.*\n/, '').replace(/duration.*\n/, ''),
    )
    const manifest = JSON.parse(readFileSync(file('pronto.json'), 'utf8')) as { capabilities: object }
    writeFileSync(join(parent, 'grant.json'), JSON.stringify({ capabilities: manifest.capabilities }))
    const config = { virtualHost: '198.18.0.0/15', servers: ['10.0.2.2'] }
    writeFileSync(join(parent, 'config.json'), JSON.stringify(config))
    const ca = join(parent, 'ca')
    await typeWords(['ca', 'init', ca])
    const who = ['--name', 'alice', '--type', 'signer', '--grant', join(parent, 'grant.json')]
    expect(await typeWords(['ca', 'issue', ca, ...who])).to.include({ code: 0 })
    const record = ['--record', join(parent, 'record.jsonl')]
    const up = new Running(['lab', 'up', join(parent, 'bare.yaml'), '--trust', ca, '--json', ...record])
    try {
      const name = folder.slice(parent.length + 1)
      const key = ['--cert', join(ca, 'alice.crt'), '--key', join(ca, 'alice.key')]
      const dev = begin('--json', '--router', `${name}/r1`, ...key, '--config', join(parent, 'config.json'))
      const first = await dev.next('placed').catch((error: unknown) => {
        throw new Error(`${error}${up.out}${up.err}`)
      })
      expect(first).to.deep.include({ ok: true, replaces: false, id: name })
      expect(String(first['changes'])).to.match(/^open-tunnel 10\.0\.2\.2,install-filter /)
      edit('pronto.json', '0.1.0', '0.2.0')
      expect(await dev.next('placed')).to.deep.include({ ok: true, replaces: true, version: '0.2.0' })
      expect(await dev.end()).to.equal(0)
    } finally {
      await up.end()
    }
  })

  it('refuses what cannot be meant', async () => {
    const refusal = async (...words: string[]) => {
      const { code, err } = await typeWords(['plugin', 'dev', folder, ...words])
      return `${code} ${err.split('\n')[0]}`
    }
    expect(await refusal('--lab', 'a.yaml', '--router', 'r1')).to.match(/^2 .*not both/)
    expect(await refusal('--router', 'r1')).to.match(/^2 .*expected --cert C and --key K/)
    expect(await typeWords(['plugin', 'dev', file('none')])).to.include({
      ...{ code: 1, err: `pronto: ${file('none')}: expected the folder of a plugin\n` },
    })
    const other = file('other.yaml')
    writeFileSync(other, readFileSync(file('lab.yaml'), 'utf8').replace(/ {4}plugins:\n.*\n/, ''))
    const { code, err } = await new Promise<{ code: number; err: string }>((settle) => {
      const dev = new Running(['plugin', 'dev', folder, '--lab', other])
      void dev.code.then((each) => settle({ code: each, err: dev.err }))
    })
    expect(code).to.equal(1)
    expect(err).to.include('no router has the plugin of')
  })
})
