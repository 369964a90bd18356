import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import { signBundle } from '../../execution-env/bundle/index.ts'
import { writePrivateKey } from '../../execution-env/certificates/index.ts'
import { buildPlugin } from '../../sdk/build.ts'
import { DAY, edKey, leaf, list, root } from '../execution-env/certificates/kit.ts'
import { writeFiles } from '../sdk/kit.ts'
import { requireRoot } from '../support/linux.ts'
import { RealRouter } from '../support/real-router.ts'

const ORIGIN = 'http://127.0.0.1:8123'
const MANIFEST = {
  name: 'asker',
  version: '1.0.0',
  apiVersion: 1,
  entry: 'plugin.ts',
  capabilities: {
    http: { get: [ORIGIN] },
    certificates: { lookup: ['*'] },
    keys: { sign: ['moves'], verify: ['moves'] },
    query: { answer: ['heard'] },
    messages: { on: ['heard'] },
  },
}
const PLUGIN = `
export default {
  setup(router) {
    const heard = {}
    const note = (name) => (answer) => { heard[name] = answer.ok ? answer.body ?? answer.name ?? answer.valid : answer.code }
    router.http.get('${ORIGIN}/x', note('http'))
    router.http.get('${ORIGIN}/moved', note('moved'), { redirects: 1 })
    router.certificates.lookup('s1', note('s1'))
    router.certificates.lookup('s2', note('s2'))
    router.keys.sign('moves', 'text', ({ signature }) => router.keys.verify('moves', 'text', signature, note('verdict')))
    router.messages.on('heard', () => heard)
  },
}`
const SERVER = `require('node:http').createServer((q, r) =>
  q.url === '/moved' ? r.writeHead(302, { location: 'http://127.0.0.1:8124/' }).end() : r.end('here')).listen(8123, '127.0.0.1', () => console.log('up'))`

/** Writes what the configuration names: an authority, a published host, a key, a signed bundle. */
async function furnish(folder: string): Promise<Readonly<Record<string, unknown>>> {
  const valid = { notBeforeMs: Date.now() - DAY, notAfterMs: Date.now() + DAY }
  const authority = root({ key: edKey('root'), ...valid })
  const grant = { capabilities: MANIFEST.capabilities, virtualHosts: [] }
  const signer = leaf(authority, { ...valid, grant })
  const host = leaf(authority, { ...valid, type: 'host', name: 's1', serial: '20', grant: {} })
  mkdirSync(join(folder, 'trust', 'certificates'), { recursive: true })
  mkdirSync(join(folder, 'asker'))
  writeFiles(join(folder, 'asker'), { 'pronto.json': JSON.stringify(MANIFEST), 'plugin.ts': PLUGIN })
  const times = { thisUpdateMs: valid.notBeforeMs, nextUpdateMs: valid.notAfterMs }
  writeFileSync(join(folder, 'trust', 'ca.crt'), authority.certificate.toPem())
  writeFileSync(join(folder, 'trust', 'crl.pem'), list(authority, {}, times).toPem())
  writeFileSync(join(folder, 'trust', 'certificates', 's1.crt'), host.certificate.toPem())
  writeFileSync(join(folder, 'moves.key'), writePrivateKey(edKey('moves')))
  const { bytes } = await buildPlugin(join(folder, 'asker'))
  writeFileSync(join(folder, 'asker.pronto'), signBundle(bytes, signer, Date.now()))
  return { trust: 'trust', keys: { moves: 'moves.key' }, plugins: [{ bundle: 'asker.pronto' }] }
}

describe('the proxies of a router on real ports (R-PR-02)', function () {
  this.timeout(60_000)
  let router: RealRouter | undefined

  before(function () {
    requireRoot(this)
  })

  after(() => router?.remove())

  it('answer a sandboxed plugin from the main thread', async () => {
    router = new RealRouter()
    router.configure(await furnish(router.folder))
    const inside = ['netns', 'exec', router.router.name, process.execPath, '-e', SERVER]
    const server = spawn('ip', inside, { stdio: ['ignore', 'pipe', 'ignore'] })
    try {
      await once(server.stdout, 'data')
      await router.start()
      let heard: Record<string, unknown> = {}
      for (let tries = 0; tries < 20 && Object.keys(heard).length < 5; tries++) {
        await sleep(100)
        heard = JSON.parse(router.pronto('call', 'asker', 'heard', '{}', '--json'))
      }
      expect(heard).to.deep.equal({ http: 'here', moved: 'refused', s1: 's1', s2: 'unknown', verdict: true })
    } finally {
      server.kill()
      await once(server, 'exit')
    }
  })
})
