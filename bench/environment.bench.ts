/**
 * What a plugin's life costs: loading a signed bundle of 100 kB, the pause of an upgrade with 10,000 entries of state,
 * and the time from the death of a sandbox process until its plugin decides again. Everything is real: signature,
 * vetting, sandbox process, state; only the network is memory.
 */
import { Engine, MemoryPort, Random, ROUTER_OWNER } from '../engine/index.ts'
import { createIpv4, ETHER_TYPE_IPV4, emitEthernet, emitIpv4, emitUdp } from '../engine/wire/index.ts'
import { buildBundle, signBundle } from '../execution-env/bundle/index.ts'
import {
  type Credential,
  createKey,
  createRoot,
  deriveSeed,
  issueCertificate,
  TrustStore,
  writeRevocationList,
} from '../execution-env/certificates/index.ts'
import { parseManifest } from '../execution-env/contract/index.ts'
import {
  Dispatcher,
  EnvironmentManager,
  type Outcome,
  SandboxPool,
  TrustVerifier,
} from '../execution-env/index.ts'
import type { ProcessSandbox } from '../execution-env/sandbox/index.ts'
import { type Benchmark, type Figure, figure } from './benchmark.ts'

const ENTRIES = 10_000
const CODE_BYTES = 100_000
const LOADS = 7
const UPGRADES = 7
const CRASHES = 3
const AT_MS = 1.75e12
const DAY_MS = 86_400_000
const CAPABILITIES = { flows: { to: ['198.18.0.0/15'], actions: ['forward'] } }
const MAC = [Uint8Array.of(2, 0, 0, 0, 0, 1), Uint8Array.of(2, 9, 0, 0, 0, 1)] as const

/** About a hundred kilobytes of functions, and a table of what each client was given. */
function codeOf(): string {
  let code = `module.exports = { setup(router) {
    let table = new Map(Array.from({ length: ${ENTRIES} }, (_, i) => ['10.0.' + (i >> 8) + '.' + (i & 255), { server: i % 16, bytes: i * 100 }]))
    router.flows.claim({ to: '198.18.0.0/15' }, () => ({ forward: true, idle: '1s' }))
    return { exportState: () => ({ version: 1, table: [...table] }), importState: (old) => { table = new Map(old.table) } }
  } }\n`
  for (let i = 0; code.length < CODE_BYTES; i++)
    code += `function policy${i}(flow, servers) { let best = servers[${i % 7}]; for (const each of servers) if (each.load < best.load) best = each; return best }\n`
  return code
}

/** An authority, and a signer of what this plugin may do. */
function createTrust(): { readonly trust: TrustStore; readonly signer: Credential } {
  const key = (name: string) => createKey({ algorithm: 'ed25519', seed: deriveSeed('bench', name) })
  const validity = { notBeforeMs: AT_MS - DAY_MS, notAfterMs: AT_MS + DAY_MS }
  const root = createRoot({ name: 'bench', serial: '01', key: key('root'), ...validity })
  const times = { number: 1, thisUpdateMs: validity.notBeforeMs, nextUpdateMs: validity.notAfterMs }
  const list = writeRevocationList(root, { ...times, revoked: new Map() })
  const request = { type: 'signer', name: 'signer', serial: '02', key: key('signer'), ...validity } as const
  const grant = { capabilities: parseManifest(manifestOf('1.0.0')).capabilities }
  const certificate = issueCertificate(root, { ...request, grant })
  return {
    trust: new TrustStore([root.certificate], [list]),
    signer: { certificate, key: request.key, chain: [root.certificate] },
  }
}

const manifestOf = (version: string): string =>
  JSON.stringify({ name: 'bench', version, apiVersion: 1, entry: 'plugin.ts', capabilities: CAPABILITIES })

class Router {
  readonly engine = new Engine({ seed: 1 })
  readonly pool = new SandboxPool({ blocking: false })
  readonly dispatcher: Dispatcher
  readonly manager: EnvironmentManager
  readonly #input = new MemoryPort({ name: 'in', mac: MAC[0] })
  readonly #trust = createTrust()
  /** How long the last upgrade let decisions wait. */
  pauseMs = 0
  #flows = 0
  #sentAt = 0

  constructor() {
    this.engine.addPort({ name: 'in', driver: this.#input })
    const address = { do: 'add-address', port: 'in', address: '10.0.0.1/16' } as const
    this.engine.control.commit(ROUTER_OWNER, [address], 0)
    this.dispatcher = new Dispatcher({ engine: this.engine, calendar: () => AT_MS })
    this.manager = new EnvironmentManager({
      dispatcher: this.dispatcher,
      verifier: new TrustVerifier(this.#trust.trust, () => AT_MS),
      sandboxes: this.pool,
      random: Random.fromSeed(1),
    })
    this.#timePauses()
  }

  /** Notes when a tenant is asked nothing any more and when it is asked again. */
  #timePauses(): void {
    const { dispatcher } = this
    const quiesce = dispatcher.quiesce.bind(dispatcher)
    const resume = dispatcher.resume.bind(dispatcher)
    let pausedAt = 0
    dispatcher.quiesce = (tenant, now, run) => {
      pausedAt = performance.now()
      quiesce(tenant, now, run)
    }
    dispatcher.resume = (tenant) => {
      this.pauseMs = performance.now() - pausedAt
      resume(tenant)
    }
  }

  bundle(version: string): Uint8Array {
    const sourceMap = JSON.stringify({ version: 3, sources: ['plugin.ts'], mappings: 'AAAA' })
    const source = { manifest: parseManifest(manifestOf(version)), code: codeOf(), sourceMap }
    return signBundle(buildBundle(source), this.#trust.signer, AT_MS)
  }

  get now(): number {
    return Math.floor(performance.now() * 1e6)
  }

  /** Lets the router work until something is the case; `watch` sees every turn of its loop. */
  async until(isDone: () => boolean, watch: () => void = () => {}): Promise<void> {
    while (!isDone()) {
      this.engine.poll(this.now)
      this.manager.poll(this.now)
      watch()
      await new Promise(setImmediate)
    }
  }

  /** Milliseconds until something that calls back has done so. */
  async time(run: (done: (outcome: Outcome<unknown>) => void) => void, watch?: () => void): Promise<number> {
    const began = performance.now()
    let ended = 0
    run((outcome) => {
      if (!outcome.ok) throw new Error(outcome.failure.reason)
      ended = performance.now()
    })
    await this.until(() => ended > 0, watch)
    return ended - began
  }

  /** The first packet of a new flow, five thousand times a second. */
  send(): void {
    if (this.now - this.#sentAt < 200_000) return
    this.#sentAt = this.now
    const frame = new Uint8Array(64)
    const source = 0x0a000002
    const destination = 0xc6120001
    const at = emitEthernet(frame, 0, MAC[0], MAC[1], ETHER_TYPE_IPV4)
    emitIpv4(
      frame,
      at,
      Object.assign(createIpv4(), { totalBytes: 50, ttl: 64, protocol: 17, source, destination }),
    )
    emitUdp(frame, at + 20, source, destination, ++this.#flows & 0xffff, 80, new Uint8Array(22))
    this.#input.deliver(frame)
  }
}

async function measureLoads(router: Router): Promise<number[]> {
  const times: number[] = []
  const { manager } = router
  for (let i = 0; i <= LOADS; i++) {
    const bytes = router.bundle(`1.0.${i}`)
    const ms = await router.time((done) => manager.load(bytes, {}, router.now, done))
    if (i > 0) times.push(ms)
    if (i === LOADS) return times
    await router.time((done) => manager.stop('bench', 'purge', router.now, done))
    manager.remove('bench')
  }
  return times
}

/** Times during which decisions waited for an upgrade. */
async function measureUpgrades(router: Router): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < UPGRADES; i++) {
    const bytes = router.bundle(`2.0.${i}`)
    const watch = (): void => router.send()
    await router.time((done) => router.manager.upgrade('bench', bytes, {}, router.now, done), watch)
    times.push(router.pauseMs)
  }
  return times
}

async function measureCrashes(router: Router): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < CRASHES; i++) {
    const { counters, program } = router.dispatcher.tenants.get('bench')!
    const began = performance.now()
    ;(program!.sandbox as ProcessSandbox).kill(router.now)
    await router.until(() => router.manager.report('bench')!.state === 'recovering')
    const decided = counters.decisions
    await router.until(
      () => counters.decisions > decided,
      () => router.send(),
    )
    times.push(performance.now() - began)
  }
  return times
}

export const bench: Benchmark = {
  name: 'environment',
  describes: 'loading, upgrading and coming back of signed plugins in a sandbox process',
  async run(): Promise<Figure[]> {
    const router = new Router()
    try {
      const loads = await measureLoads(router)
      const upgrades = await measureUpgrades(router)
      const { late } = router.dispatcher.tenants.get('bench')!.counters
      const expired = router.engine.stages.upcalls.expired
      const crashes = await measureCrashes(router)
      return [
        figure('load a signed bundle of 100 kB', 'ms', loads, { relation: '<=', value: 150 }),
        figure('decisions wait for an upgrade with 10k entries', 'ms', upgrades, {
          relation: '<=',
          value: 50,
        }),
        figure('parked packets that expired meanwhile', '', [expired + late], { relation: '<=', value: 0 }),
        figure('sandbox process killed until it decides again', 'ms', crashes, {
          relation: '<=',
          value: 1000,
        }),
      ]
    } finally {
      await router.pool.close()
    }
  },
}
