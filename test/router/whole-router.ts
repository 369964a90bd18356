/**
 * A whole router on memory ports: engine, environment manager, trust, registry, control server. Its time goes on by
 * itself, a virtual millisecond whenever this process has nothing else to do.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Random } from '../../engine/index.ts'
import { buildBundle, signBundle } from '../../execution-env/bundle/index.ts'
import type { Credential, Revocation } from '../../execution-env/certificates/index.ts'
import type { Capabilities } from '../../execution-env/contract/index.ts'
import { Dispatcher, EnvironmentManager, MODELLED, type Sandboxes } from '../../execution-env/index.ts'
import { InProcessSandbox } from '../../execution-env/sandbox/index.ts'
import type { ControlClient } from '../../router/control-client/client.ts'
import { connectRouter } from '../../router/control-client/connect.ts'
import { ControlServer } from '../../router/control-server/server.ts'
import { LocalEngine } from '../../router/engine-access.ts'
import { ManagedPlugins, trustVerifier } from '../../router/plugins/managed-plugins.ts'
import { Router } from '../../router/router.ts'
import { AuditLog } from '../../router/state/audit-log.ts'
import { Registry } from '../../router/state/registry.ts'
import { Trust } from '../../router/trust.ts'
import { DAY, edKey, leaf, list, NOW, root, VALID } from '../execution-env/certificates/kit.ts'
import { TCP_SYN, tcp } from '../support/packets.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { TestRouter } from '../support/test-router.ts'
import { onClose } from './server-kit.ts'

const ROOT = root({ key: edKey('root') })
const CAPABILITIES: Capabilities = {
  flows: { to: ['198.18.0.0/15'], actions: ['forward', 'tunnel'] },
  tunnels: { open: ['10.0.0.0/8'] },
  messages: { on: ['*'] },
  query: { answer: ['*'] },
}

export const SIGNER = leaf(ROOT, { key: edKey('signer'), grant: { capabilities: CAPABILITIES } })

/** A plugin that tunnels every flow to one server and counts them; version 2 and later take the count over. */
export function policy(version: string, server: string, by: Credential = SIGNER): Uint8Array {
  const code = `
    module.exports = { setup(router, config) {
      let count = 0
      const tunnel = router.tunnels.open({ to: '${server}' })
      router.flows.claim({ to: '198.18.0.0/15', protocol: 'tcp' }, () => { count++; return { tunnel } })
      router.messages.on('count', (body) => ({ count, body, hello: config.hello ?? null }))
      router.query.answer('count', () => count)
      router.log.info('version ${version}')
      return { exportState: () => ({ version: 1, count }), importState: (state) => { count = state.count } }
    } }`
  const manifest = {
    name: 'policy',
    version,
    apiVersion: 1,
    entry: 'plugin.ts',
    capabilities: CAPABILITIES,
    configSchema: { type: 'object', properties: { hello: { type: 'string' } }, additionalProperties: false },
  }
  return signBundle(buildBundle({ manifest, code, sourceMap: '{}' }), by, NOW)
}

export class WholeRouter {
  readonly folder: string
  packets!: TestRouter
  client!: ControlClient
  nowMs = NOW
  #server!: ControlServer
  #router!: Router
  #manager!: EnvironmentManager
  #timer: NodeJS.Timeout | undefined

  constructor(folder = temporaryFolder('pw-')) {
    this.folder = folder
    mkdirSync(join(folder, 'trust'), { recursive: true })
    mkdirSync(join(folder, 'run'), { recursive: true, mode: 0o700 })
    writeFileSync(join(folder, 'trust', 'ca.crt'), ROOT.certificate.toPem())
    this.revoke()
    onClose(() => this.stop())
  }

  /** Brings the router up, as a new process would. */
  async start(
    text = 'name: r1\naddresses: { a: 10.0.1.1/24, b: 10.0.2.1/24 }\ntrust: trust\n',
  ): Promise<this> {
    this.packets = new TestRouter([
      { name: 'a', address: '' },
      { name: 'b', address: '' },
    ])
    const { engine } = this.packets
    const calendar = () => this.nowMs
    const trust = new Trust()
    const dispatcher = new Dispatcher({ engine, timing: MODELLED, calendar })
    const sandbox = new InProcessSandbox()
    const sandboxes: Sandboxes = { sandboxFor: () => sandbox, leave: () => {} }
    this.#manager = new EnvironmentManager({
      dispatcher,
      verifier: trustVerifier(trust, calendar),
      sandboxes,
      random: Random.fromSeed(1),
    })
    const now = () => this.packets.now
    this.#router = new Router({
      name: 'r1',
      version: '0.0.0',
      engine: new LocalEngine(engine, now),
      plugins: new ManagedPlugins({
        manager: this.#manager,
        dispatcher,
        fallback: () => 'closed',
        now,
        wake: () => {},
      }),
      registry: Registry.open(join(this.folder, 'state')),
      audit: new AuditLog(this.folder, { clock: calendar }),
      trust,
      source: () => ({ file: 'router.yaml', folder: this.folder, text }),
      clock: calendar,
    })
    this.#timer = setInterval(() => this.advance(), 1)
    await this.#router.start()
    const folder = join(this.folder, 'run')
    this.#server = await ControlServer.open({ router: this.#router, folder })
    this.client = await connectRouter({ address: { kind: 'local', folder }, role: 'install' })
    return this
  }

  get warnings(): readonly string[] {
    return this.#router.warnings
  }

  /** One virtual millisecond. */
  advance(): void {
    for (let round = 0; round < 100; round++) {
      this.packets.settle()
      if (this.#manager.poll(this.packets.now) === 0) break
    }
    this.packets.now += 1e6
  }

  /** Ends it without a word, as kill -9 does to all but the sockets. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.client?.close()
    await this.#server?.close()
  }

  /** Takes certificates of the root back. */
  revoke(...serials: string[]): void {
    const revocation: Revocation = { atMs: NOW - DAY, reason: 'keyCompromise' }
    const revoked = Object.fromEntries(serials.map((each) => [each, revocation]))
    writeFileSync(join(this.folder, 'trust', 'crl.pem'), list(ROOT, revoked).toPem())
  }

  /** Sends the first packet of a flow; answers where it went, as the outer destination. */
  async flow(fromPort: number): Promise<string> {
    this.packets.take()
    this.packets.inject(
      'a',
      tcp({ from: '10.0.1.2', to: '198.18.0.80', fromPort, toPort: 80, flags: TCP_SYN }),
    )
    for (let round = 0; round < 300 && this.packets.sent.length === 0; round++) this.advance()
    const [packet] = this.packets.take('b')
    return packet === undefined ? 'nowhere' : [...packet.subarray(16, 20)].join('.')
  }
}

/** A signer whom the root does not know of. */
export function stranger(): Credential {
  const other = root({ name: 'Other', key: edKey('other root'), ...VALID })
  return leaf(other, { key: edKey('stranger'), grant: { capabilities: CAPABILITIES } })
}
