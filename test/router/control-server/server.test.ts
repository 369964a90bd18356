import { execFileSync } from 'node:child_process'
import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect } from 'chai'
import { afterEach, describe, it } from 'mocha'
import { MAX_BUNDLE_BYTES } from '../../../execution-env/bundle/index.ts'
import type { ControlError } from '../../../router/control/errors.ts'
import { ControlServer } from '../../../router/control-server/server.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { bundleOf } from '../double-host.ts'
import { RouterKit, refusalOf } from '../router-kit.ts'
import { closeAll, onClose, serve, until } from '../server-kit.ts'

afterEach(closeAll)

const ONE = bundleOf('spread', '1.0.0')
const TWO = bundleOf('spread', '2.0.0')

describe('ControlServer', () => {
  it('answers every method', async () => {
    const { client: open, kit } = await serve().then(async (each) => ({
      client: await each.client(),
      kit: each.kit,
    }))
    const upload = await open.upload(ONE)
    expect(await open.call('load', { upload, config: { a: 1 }, priority: 2 })).to.include({
      id: 'spread',
      version: '1.0.0',
      priority: 2,
      by: 'local:install',
    })
    expect(await open.call('list')).to.have.length(1)
    kit.host.say('spread', 'hello', 3)
    expect(await open.call('logs', { id: 'spread' })).to.deep.equal([
      { atNs: 3, by: 'plugin', level: 'info', text: 'hello', id: 'spread' },
    ])
    expect(await open.call('call', { id: 'spread', name: 'greet', argument: [1] })).to.deep.equal({
      topic: 'greet',
      body: [1],
    })
    expect(kit.host.calls.at(-1)).to.equal('call spread greet by local:install')
    expect(await open.call('query', { name: 'spread/shares', argument: 2 })).to.deep.equal({
      asked: 'shares',
      argument: 2,
    })
    expect(await open.call('upgrade', { upload: await open.upload(TWO), id: 'spread' })).to.include({
      version: '2.0.0',
    })
    expect(await open.call('rollback', { id: 'spread' })).to.include({ version: '1.0.0' })
    expect(await open.call('unload', { id: 'spread', flows: 'purge' })).to.deep.equal({
      id: 'spread',
      flows: 'purge',
    })
    for (const table of ['flows', 'tunnels', 'classes', 'queues'] as const)
      expect(await open.call(table, { limit: 5 })).to.include({ table })
    expect(await open.call('tunnels', { where: { name: 'router/s1' } }))
      .to.have.property('rows')
      .with.length(1)
    expect(await open.call('query', { name: 'routes' })).to.include({ table: 'routes', truncated: false })
    expect(await open.call('stats')).to.have.all.keys('counters', 'limits', 'ports', 'sandboxes', 'control')
    const flow = { from: '10.0.1.2', to: '198.18.0.80', protocol: 'tcp', fromPort: 1, toPort: 80 }
    expect(await open.call('explain', flow)).to.include({ decidedBy: 'filter', owner: 'router' })
    expect(await open.call('reload')).to.deep.equal({ changes: [], plugins: [], restart: [] })
    expect(await open.call('health')).to.deep.include({
      router: 'r1',
      well: true,
      plugins: 0,
      you: { via: 'local', name: 'install', roles: ['read', 'operate', 'install'] },
    })
  })

  it('tells its health to a plain HTTP request, and nothing else', async () => {
    const { folder } = await serve()
    const socketPath = join(folder, 'read.sock')
    const ask = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
      new Promise<{ status: number; body: string }>((settle, reject) => {
        const request = httpRequest({ socketPath, path, headers, method }, (response) => {
          let body = ''
          response.on('data', (part) => (body += part))
          response.on('end', () => settle({ status: response.statusCode!, body }))
        })
        request.on('error', reject).end()
      })
    const { status, body } = await ask('/health')
    expect(status).to.equal(200)
    expect(JSON.parse(body)).to.deep.include({ router: 'r1', well: true, plugins: 0 })
    expect((await ask('/health', { origin: 'http://a.example' })).status).to.equal(426)
    expect((await ask('/health', {}, 'POST')).status).to.equal(426)
    expect((await ask('/control/1')).status).to.equal(426)
  })

  it('notes who changed what, and no argument of it', async () => {
    const each = await serve()
    const client = await each.client()
    const upload = await client.upload(ONE)
    await client.call('load', { upload, config: { password: 'secret' } })
    await client.call('call', { id: 'spread', name: 'login', argument: 'secret' })
    await client.call('list')
    await refusalOf(client.call('rollback', { id: 'spread' }))
    const lines = each.kit.audited()
    expect(lines.map(({ what, outcome, code, id }) => [what, outcome, code, id])).to.deep.equal([
      ['start', 'done', undefined, undefined],
      ['upload', 'done', undefined, undefined],
      ['load', 'done', undefined, 'spread'],
      ['call', 'done', undefined, 'spread'],
      ['rollback', 'refused', 'unknown', 'spread'],
    ])
    expect(lines[2]).to.deep.include({
      actor: { via: 'local', name: 'install' },
      name: 'spread',
      version: '1.0.0',
      signer: 'CN=double',
    })
    expect(JSON.stringify(lines)).to.not.contain('secret')
  })

  describe('sockets', () => {
    it('are for their owner alone, and one for each role', async () => {
      const { folder } = await serve()
      expect(readdirSync(folder).sort()).to.deep.equal(['install.sock', 'operate.sock', 'read.sock'])
      for (const name of readdirSync(folder)) {
        const status = statSync(join(folder, name))
        expect(status.isSocket()).to.equal(true)
        expect(status.mode & 0o777).to.equal(0o600)
      }
    })

    it('are also for a group where the configuration says so', async () => {
      const gid = process.getgid!()
      const { folder } = await serve({ local: { read: gid } })
      const mode = (name: string) => statSync(join(folder, name)).mode & 0o777
      expect(mode('read.sock')).to.equal(0o660)
      expect(statSync(join(folder, 'read.sock')).gid).to.equal(gid)
      expect(mode('install.sock')).to.equal(0o600)
      const name = execFileSync('id', ['-gn'], { encoding: 'utf8' }).trim()
      await serve({ local: { operate: name } })
      expect(await refusalOf(serve({ local: { operate: 'no-such-group' } }))).to.include({ code: 'unknown' })
    })

    it('go when the server closes', async () => {
      const { server, folder } = await serve()
      await server.close()
      await server.close()
      expect(readdirSync(folder)).to.deep.equal([])
    })

    it('of a dead router are taken over, those of a living one are not', async () => {
      const first = await serve()
      const options = { router: first.kit.router, folder: first.folder }
      const refusal = await refusalOf(ControlServer.open(options))
      expect(refusal).to.include({ code: 'exists' })
      expect(await (await first.client()).call('list')).to.deep.equal([])
      await first.server.close()
      writeFileSync(join(first.folder, 'read.sock'), 'something that is no socket')
      const second = await ControlServer.open(options)
      onClose(() => second.close())
      expect(statSync(join(first.folder, 'read.sock')).isSocket()).to.equal(true)
    })

    it('leave a successor its own', async () => {
      const first = await serve()
      const read = join(first.folder, 'read.sock')
      const { ino } = statSync(read)
      execFileSync('rm', [read])
      const successor = createServer()
      await new Promise<void>((settle) => successor.listen(read, () => settle()))
      onClose(() => successor.close())
      expect(statSync(read).ino).to.not.equal(ino)
      await first.server.close()
      expect(statSync(read).isSocket()).to.equal(true)
    })

    it('are refused below a path that no system takes', async () => {
      const folder = temporaryFolder(`${'x'.repeat(110)}-`)
      const kit = new RouterKit()
      await kit.router.start()
      expect(await refusalOf(ControlServer.open({ router: kit.router, folder }))).to.include({
        code: 'limit',
      })
    })
  })

  describe('roles', () => {
    const READ = ['health', 'list', 'logs', 'flows', 'stats']
    const OPERATE = ['call', 'reload', 'rollback', 'unload']
    const INSTALL = ['upload', 'load', 'upgrade']
    const codeOf = async (
      client: Awaited<ReturnType<Awaited<ReturnType<typeof serve>>['client']>>,
      method: string,
    ) =>
      client.call(method as 'list').then(
        () => 'ok',
        (error: ControlError) => error.code,
      )

    it('allow what they are for, and nothing above', async () => {
      const each = await serve()
      const [read, operate, install] = await Promise.all([
        each.client('read'),
        each.client('operate'),
        each.client('install'),
      ])
      for (const method of [...OPERATE, ...INSTALL])
        expect(await codeOf(read, method), method).to.equal('forbidden')
      for (const method of INSTALL) expect(await codeOf(operate, method), method).to.equal('forbidden')
      for (const method of READ) expect(await codeOf(read, method), method).to.equal('ok')
      for (const method of OPERATE) expect(await codeOf(operate, method), method).to.not.equal('forbidden')
      for (const method of INSTALL) expect(await codeOf(install, method), method).to.equal('invalid')
    })

    it('leave a trace when they are not enough', async () => {
      const each = await serve()
      const read = await each.client('read')
      await refusalOf(read.call('unload', { id: 'spread' }))
      expect(each.kit.audited().at(-1)).to.deep.include({
        actor: { via: 'local', name: 'read' },
        what: 'unload',
        outcome: 'refused',
        code: 'forbidden',
        id: 'spread',
      })
    })
  })

  describe('uploads', () => {
    it('take bundles of the largest size', async () => {
      const each = await serve()
      const client = await each.client()
      const bundle = new Uint8Array(MAX_BUNDLE_BYTES).fill(7)
      const upload = await client.upload(bundle)
      // Complete and unaltered, though no bundle.
      expect(await refusalOf(client.call('load', { upload }))).to.include({
        code: 'refused',
        causeCode: 'checksum',
      })
      expect(each.server.uploads).to.equal(0)
      expect(readdirSync(join(each.folder, '.uploads'))).to.deep.equal([])
      const tooLarge = { bytes: MAX_BUNDLE_BYTES + 1, sha256: '0'.repeat(64) }
      expect(await refusalOf(client.call('upload', tooLarge))).to.include({ code: 'invalid' })
    })

    it('are over with their session', async () => {
      const each = await serve()
      const client = await each.client()
      await client.call('upload', { bytes: 10, sha256: '0'.repeat(64) })
      expect(each.server.uploads).to.equal(1)
      client.close()
      await until(() => each.server.uploads === 0)
    })

    it('are bounded in number for all sessions together', async () => {
      const each = await serve()
      const clients = await Promise.all(Array.from({ length: 9 }, () => each.client()))
      const params = { bytes: 10, sha256: '0'.repeat(64) }
      for (const client of clients.slice(0, 8)) {
        await client.call('upload', params)
        await client.call('upload', params)
      }
      expect(await refusalOf(clients[8]!.call('upload', params))).to.include({ code: 'busy' })
    })

    it('serve one request only', async () => {
      const each = await serve()
      const client = await each.client()
      const upload = await client.upload(ONE)
      expect(await client.call('load', { upload, dryRun: true })).to.deep.include({
        id: 'spread',
        granted: ['flows: to 198.18.0.0/15'],
      })
      expect(each.kit.host.instances.size).to.equal(0)
      expect(await refusalOf(client.call('load', { upload }))).to.include({ code: 'unknown' })
    })
  })

  describe('watch', () => {
    it('tells a table again and again, and ends when asked to', async () => {
      const each = await serve()
      const client = await each.client('read')
      const seen: unknown[] = []
      const end = await client.watch({ query: { table: 'counters' }, everyMs: 100 }, ({ params }) =>
        seen.push(params),
      )
      await until(() => seen.length >= 3)
      expect(seen[0]).to.have.nested.property('answer.table', 'counters')
      await end()
      expect(await refusalOf(client.call('watch', { query: { table: 'none' } }))).to.include({
        code: 'invalid',
      })
    })

    it('tells new lines of logs, each once, and plugins when they change', async () => {
      const each = await serve()
      const client = await each.client()
      await client.call('load', { upload: await client.upload(ONE) })
      each.kit.host.say('spread', 'one', 1)
      const lines: string[] = []
      const lists: number[] = []
      await client.watch({ logs: {}, everyMs: 100 }, ({ params }) => {
        for (const line of params['lines'] as { text: string }[]) lines.push(line.text)
      })
      await client.watch({ plugins: true, everyMs: 100 }, ({ params }) => {
        lists.push((params['plugins'] as unknown[]).length)
      })
      await until(() => lines.length === 1 && lists.length === 1)
      each.kit.host.say('spread', 'two', 2)
      each.kit.host.say('spread', 'three', 3)
      await until(() => lines.length === 3)
      await client.call('unload', { id: 'spread' })
      await until(() => lists.length === 2)
      expect(lines).to.deep.equal(['one', 'two', 'three'])
      expect(lists).to.deep.equal([1, 0])
    })

    it('ends by itself when it cannot go on', async () => {
      const each = await serve()
      const client = await each.client('read')
      const ended = new Promise<string>((settle) => {
        void client.watch(
          { query: { table: 'flows', where: { none: 1 } }, everyMs: 100 },
          ({ kind, params }) => settle(`${kind} ${params['code']}`),
        )
      })
      expect(await ended).to.equal('ended unknown')
    })

    it('is bounded in number, and needs one subject', async () => {
      const each = await serve()
      const client = await each.client('read')
      for (let i = 0; i < 16; i++) await client.call('watch', { plugins: true, everyMs: 3_600_000 })
      expect(await refusalOf(client.call('watch', { plugins: true }))).to.include({ code: 'limit' })
      const other = await each.client('read')
      expect(await refusalOf(other.call('watch', {}))).to.include({ code: 'invalid' })
      expect(await refusalOf(other.call('watch', { plugins: true, logs: {} }))).to.include({
        code: 'invalid',
      })
    })
  })

  describe('close', () => {
    it('says goodbye, ends what waits, and lets what was begun be told', async () => {
      const each = await serve({ timing: { closeMs: 200 } })
      const client = await each.client()
      const call = client.call('call', { id: 'none', name: 'x' })
      await refusalOf(call)
      const load = client.call('load', { upload: await client.upload(bundleOf('slow', '1.0.0', 'slow')) })
      const refused = refusalOf(load)
      await until(() => each.server.counters.requests >= 3)
      await each.server.close()
      expect(await refused).to.include({ code: 'unreachable' })
      expect(await client.ended).to.equal('the router is going down')
      expect(await refusalOf(each.client())).to.include({ code: 'unreachable' })
    })
  })

  describe('when a plugin misbehaves', () => {
    it('names its refusal, and tells strangers nothing of the router', async () => {
      const each = await serve()
      const client = await each.client()
      await client.call('load', { upload: await client.upload(ONE) })
      expect(await refusalOf(client.call('call', { id: 'spread', name: 'throw' }))).to.include({
        code: 'failed',
        message: 'oops',
        causeCode: 'threw',
      })
      const warned = new Promise<Error>((settle) => process.once('warning', settle))
      const refusal = await refusalOf(client.call('call', { id: 'spread', name: 'fault' }))
      expect(refusal).to.include({ code: 'internal' })
      expect(refusal.message).to.not.contain('secret')
      expect((await warned).message).to.contain('secret')
    })
  })
})
