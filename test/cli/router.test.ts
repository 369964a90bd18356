import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { afterEach, describe, it } from 'mocha'
import { StopRequest } from '../../cli/stop.ts'
import { writePrivateKey } from '../../execution-env/certificates/index.ts'
import { changed } from '../router/config/kit.ts'
import { bundleOf } from '../router/double-host.ts'
import { operator, RemoteKit } from '../router/remote-kit.ts'
import { closeAll, type ServerKit, serve, until } from '../router/server-kit.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { type Outcome, type as typeWords } from './world.ts'

afterEach(closeAll)

const FLOW = 'tcp:10.0.1.2:4000,198.18.0.80:80'

/** Types words to a router that is served. */
class Shell {
  readonly each: ServerKit
  readonly files: string

  constructor(each: ServerKit) {
    this.each = each
    this.files = temporaryFolder('pronto-shell-')
    for (const [name, bytes] of Object.entries({
      one: bundleOf('spread', '1.0.0'),
      two: bundleOf('spread', '2.0.0'),
    }))
      writeFileSync(this.file(`${name}.pronto`), bytes)
  }

  file(name: string, text?: string): string {
    const path = join(this.files, name)
    if (text !== undefined) writeFileSync(path, text)
    return path
  }

  type(...words: string[]): Promise<Outcome> {
    return typeWords([...words, '--router', this.each.folder])
  }

  /** What a command printed; fails when it failed. */
  async out(...words: string[]): Promise<string> {
    const { code, out, err } = await this.type(...words)
    expect([code, err]).to.deep.equal([0, ''])
    return out
  }
}

const shell = async () => new Shell(await serve())

describe('the commands for a router', () => {
  it('load, upgrade, roll back and unload', async () => {
    const { each, ...rest } = await shell()
    const sh = new Shell(each)
    expect(rest).to.be.an('object')
    const config = sh.file('config.yaml', 'servers: [ 10.0.2.2 ] # the first one')
    const allow = sh.file('allow.json', '{ "flows": { "to": ["198.18.0.0/15"] } }')
    expect(await sh.out('load', sh.file('one.pronto'), '--dry-run')).to.equal(
      'spread 1.0.0, signed by CN=double, would be accepted; nothing was changed\n  may      flows: to 198.18.0.0/15\n  changes  open-tunnel t\n',
    )
    expect(
      await sh.out(
        'load',
        sh.file('one.pronto'),
        '--config',
        config,
        '--priority',
        '-3',
        '--allow',
        allow,
        '--id',
        'a',
      ),
    ).to.equal('a runs: spread 1.0.0, signed by CN=double\n')
    expect(each.kit.host.instances.get('a')?.running.settings).to.deep.equal({
      config: { servers: ['10.0.2.2'] },
      priority: -3,
      allow: { flows: { to: ['198.18.0.0/15'] } },
      limits: {},
      trusted: false,
    })
    expect(await sh.out('upgrade', 'a', sh.file('two.pronto'), '--discard-state')).to.contain(
      'a runs: spread 2.0.0',
    )
    expect(each.kit.host.calls.at(-1)).to.equal('upgrade a 2.0.0 discard')
    expect(await sh.out('rollback', 'a')).to.contain('a runs again: spread 1.0.0')
    expect(await sh.out('list')).to.match(
      /^ {2}id +plugin +version +before .*\n {2}a +spread +1\.0\.0 +2\.0\.0 +running/,
    )
    expect(JSON.parse(await sh.out('list', '--json'))).to.have.nested.property('[0].by', 'local:operate')
    expect(await sh.out('unload', 'a')).to.equal('a decides no more; its flows drain\n')
    expect(await sh.out('list')).to.equal('no plugins\n')
  })

  it('talk to plugins and show their logs, without letting them command the terminal', async () => {
    const sh = await shell()
    await sh.out('load', sh.file('one.pronto'))
    expect(JSON.parse(await sh.out('call', 'spread', 'greet', '{"a": 1}'))).to.deep.equal({
      topic: 'greet',
      body: { a: 1 },
    })
    expect(JSON.parse(await sh.out('query', 'spread/shares', '[1]'))).to.deep.equal({
      asked: 'shares',
      argument: [1],
    })
    sh.each.kit.host.say('spread', 'hello \u001b[2J', 1_500_000_000)
    expect(await sh.out('logs')).to.equal('     1.500 spread info: hello ?[2J\n')
    expect(JSON.parse(await sh.out('logs', 'spread', '--lines', '1', '--json'))).to.have.length(1)
  })

  it('look at tables, and explain', async () => {
    const sh = await shell()
    expect(await sh.out('tunnels', '--where', 'name=router/s1')).to.match(/name .*\n {2}router\/s1 +ip-in-ip/)
    expect(JSON.parse(await sh.out('query', 'routes', '--where', 'kind=via', '--json')).rows).to.have.length(
      1,
    )
    expect(await sh.out('classes')).to.contain('gold')
    expect(await sh.out('flows')).to.equal('  none\n')
    expect(await sh.out('queues')).to.contain('web')
    expect(await sh.out('stats'))
      .to.contain('limits\n')
      .and.contain('slab.capacity')
    expect(await sh.out('explain', FLOW, '--in', 'eth0'))
      .to.contain('decided by filter of router')
      .and.contain(
        'filter router/b of priority 0: class gold > tunnel router/s2; it goes before router/a (less specific or younger)',
      )
    expect(JSON.parse(await sh.out('explain', FLOW, '--json'))).to.include({ decidedBy: 'filter' })
    const { code, err } = await sh.type('explain', '77')
    expect([code, err]).to.deep.equal([1, 'pronto: no flow of this id is in the table\n'])
  })

  it('reload, and tell the health', async () => {
    const sh = await shell()
    expect(await sh.out('reload')).to.equal('nothing has changed\n')
    sh.each.kit.text = changed('s1: 10.0.2.2', 's1: 10.0.2.3')
    expect(await sh.out('reload', '--dry-run')).to.contain('would change\n  remove-filter a\n')
    expect(await sh.out('reload'))
      .to.contain('changed\n')
      .and.contain('  open-tunnel s1\n')
    expect(await sh.out('health')).to.match(/^r1 \(pronto 0\.0\.0\) is well; 0 plugins\n/)
    sh.each.kit.text = changed('tunnel: s2', 'tunnel: s9')
    const { code, err } = await sh.type('reload')
    expect(code).to.equal(1)
    expect(err).to.match(
      /^router\.yaml:12:\d+: policy\.filters\[1\]\.action\.then\.tunnel: no tunnel s9; did you mean s1\?\n$/,
    )
    expect(JSON.parse((await sh.type('reload', '--json')).out).error.problems).to.have.length(1)
  })

  it('follow until Ctrl-C, which is success', async () => {
    const sh = await shell()
    await sh.out('load', sh.file('one.pronto'))
    const controller = new AbortController()
    const stop = { claim: () => controller.signal }
    const watched = typeWords(
      ['watch', 'counters', '--every', '100ms', '--json', '--router', sh.each.folder],
      undefined,
      { stop },
    )
    const followed = typeWords(['watch', '--router', sh.each.folder], undefined, { stop })
    await until(() => sh.each.server.counters.sessions === 2 && sh.each.server.counters.requests >= 5)
    sh.each.kit.host.say('spread', 'news', 1)
    await until(() => sh.each.server.counters.updates >= 4)
    controller.abort(new StopRequest('SIGINT'))
    const [table, news] = [await watched, await followed]
    expect([table.code, news.code]).to.deep.equal([0, 0])
    for (const line of table.out.trim().split('\n'))
      expect(JSON.parse(line)).to.have.nested.property('answer.table')
    expect(news.out).to.contain('spread').and.contain('running')
  })

  it('fail when the router goes away meanwhile', async () => {
    const sh = await shell()
    const watched = typeWords(['logs', '--follow', '--router', sh.each.folder])
    await until(() => sh.each.server.counters.requests >= 1)
    await sh.each.server.close()
    expect(await watched).to.deep.equal({
      code: 1,
      out: '',
      err: 'pronto: the router closed the connection: the router is going down\n',
    })
  })

  describe('when something is wrong', () => {
    it('say what, with the code of whoever refused', async () => {
      const sh = await shell()
      const cases: readonly (readonly [string[], number, string])[] = [
        [['unload', 'none'], 1, 'pronto: no plugin none'],
        [['load', 'nowhere.pronto'], 1, 'pronto: nowhere.pronto: there is no such file or folder'],
        [
          ['load', sh.file('bad.pronto', 'no bundle')],
          1,
          'bad.pronto: byte 0: too short for a bundle (pronto plugin build',
        ],
        [['load', '.'], 1, 'pronto: .: expected a file, this is a folder'],
        [
          ['load', sh.file('one.pronto'), '--config', sh.file('c.yaml', '- a list')],
          1,
          'c.yaml: expected a mapping',
        ],
        [['load', sh.file('one.pronto'), '--config', sh.file('d.yaml', 'a: [')], 1, 'd.yaml:1:'],
        [
          ['load', sh.file('one.pronto'), '--priority', 'high'],
          2,
          '--priority: expected a whole number from -1000 to 1000, got high',
        ],
        [['call', 'spread', 'x', '{'], 2, 'JSON: expected JSON, such as \'{"a": 1}\', got {'],
        [['flows', '--where', 'x'], 2, '--where: expected COLUMN=VALUE, got x'],
        [['flows', '--where', 'colour=red'], 1, 'table flows has no column "colour"'],
        [['query', 'rotues'], 1, 'no table "rotues"'],
        [
          ['explain', 'nonsense'],
          1,
          'expected a flow such as tcp:10.0.1.2:4000,198.18.0.80:80, got "nonsense"',
        ],
        [['watch', 'cuonters'], 2, 'TABLE: expected'],
        [
          ['watch', 'counters', '--every', '1ms'],
          2,
          '--every: expected a duration from 100ms to 1h, got 1ms',
        ],
      ]
      for (const [words, code, message] of cases) {
        const outcome = await sh.type(...words)
        expect(outcome.err, words.join(' ')).to.contain(message)
        expect(outcome.code, words.join(' ')).to.equal(code)
      }
      expect(
        JSON.parse((await sh.type('load', sh.file('bad.pronto'), '--json')).out),
      ).to.have.nested.property('error.code')
    })

    it('say that there is no such router, or which ones there are', async () => {
      const base = temporaryFolder('pr-')
      const before = process.env['PRONTO_RUNTIME']
      process.env['PRONTO_RUNTIME'] = base
      try {
        const err = async (...words: string[]) => (await typeWords(words)).err
        expect(await err('list')).to.equal(
          'pronto: no router runs here; say which one with --router NAME|URL\n',
        )
        const { folder } = await serve()
        symlinkSync(folder, join(base, 'r1'))
        expect((await typeWords(['list'])).out).to.equal('no plugins\n')
        mkdirSync(join(base, 'lab'))
        symlinkSync(folder, join(base, 'lab', 'r2'))
        expect(await err('list')).to.equal(
          'pronto: say which router with --router NAME; there are lab/r2, r1\n',
        )
        expect((await typeWords(['list', '--router', 'r2'])).code).to.equal(0)
        expect(await err('list', '--router', 'r3')).to.equal(
          'pronto: no router r3 runs here; there are lab/r2, r1\n',
        )
        expect(await err('list', '--router', join(base, 'none'))).to.equal(
          `pronto: no router at ${join(base, 'none')}\n`,
        )
      } finally {
        if (before === undefined) delete process.env['PRONTO_RUNTIME']
        else process.env['PRONTO_RUNTIME'] = before
      }
    })
  })

  describe('when the router is elsewhere', () => {
    it('show a certificate, and want to see the right one', async () => {
      const kit = await RemoteKit.open()
      const own = operator('alice', 'read')
      const files = temporaryFolder('pronto-remote-cli-')
      const [cert, key] = [join(files, 'alice.crt'), join(files, 'alice.key')]
      writeFileSync(cert, own.certificate.toPem())
      writeFileSync(key, writePrivateKey(own.key))
      const url = `wss://127.0.0.1:${kit.port}`
      const identity = ['--cert', cert, '--key', key, '--trust', kit.trust]
      expect(await typeWords(['list', '--router', url])).to.include({
        code: 2,
      })
      expect(
        (await typeWords(['list', '--router', `http://127.0.0.1:${kit.port}`, ...identity])).err,
      ).to.contain('expected wss://, nothing else is encrypted')
      const { err } = await typeWords(['list', '--router', url, ...identity])
      // The list of the kit is judged by the machine's own clock here.
      if (!err.includes('revocation list')) expect(err).to.contain('the router there is r1, not 127.0.0.1')
    })
  })
})
