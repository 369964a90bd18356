/**
 * A router with an execution environment, in virtual time: an engine on memory ports, a dispatcher with modelled CPU
 * time, a manager. Bundles are texts that a verifier for tests believes.
 */

import { isConserved, type Nanoseconds, Random } from '../../engine/index.ts'
import {
  type Capabilities,
  type JsonValue,
  type Limits,
  normalise,
  parseManifest,
} from '../../execution-env/contract/index.ts'
import { Dispatcher } from '../../execution-env/dispatch/dispatcher.ts'
import { MODELLED, type Timing } from '../../execution-env/dispatch/timing.ts'
import { EnvironmentManager, type EnvironmentReport } from '../../execution-env/environment-manager.ts'
import type { AuthenticBundle, BundleVerifier, InstallOptions } from '../../execution-env/installation.ts'
import type { Outcome } from '../../execution-env/outcome.ts'
import type { PluginServices } from '../../execution-env/proxies/plugin-services.ts'
import { InProcessSandbox, type Sandbox, type SandboxEvent } from '../../execution-env/sandbox/index.ts'
import type { Sandboxes } from '../../execution-env/sandbox-pool.ts'
import { TCP_SYN, tcp } from '../support/packets.ts'
import { TestRouter } from '../support/test-router.ts'

/** Everything that a test plugin may need. */
export const ALL: Capabilities = {
  flows: {
    to: ['198.18.0.0/15'],
    actions: ['class', 'decapsulate', 'drop', 'forward', 'park', 'replicate', 'rewrite', 'spread', 'tunnel'],
    targets: ['10.0.0.0/8'],
    payloadBytes: 32,
  },
  tunnels: { open: ['10.0.0.0/8'] },
  classes: { linkShare: 0.5, ports: ['*'] },
  routes: { lookup: ['0.0.0.0/0'], watch: ['0.0.0.0/0'] },
  messages: { on: ['*'], send: ['*'] },
  query: { get: ['*'], watch: ['*'], answer: ['*'] },
  timers: { perSecond: 1000 },
  http: { get: ['https://a.example', 'http://10.0.2.9:8080'] },
  certificates: { lookup: ['servers/*'] },
  keys: { sign: ['own'], verify: ['*'] },
}

export interface TestBundle {
  readonly name?: string
  readonly version?: string
  /** The body of `setup(router, config)`. */
  readonly setup?: string
  /** A whole module instead. */
  readonly module?: string
  readonly capabilities?: Capabilities
  readonly limits?: Partial<Limits>
  readonly configSchema?: { readonly [key: string]: JsonValue }
  readonly signer?: string
  readonly grant?: Capabilities
}

/** The bytes of a bundle for tests. */
export function bundle(spec: TestBundle): Uint8Array {
  return Buffer.from(JSON.stringify(spec))
}

/** Believes whatever is written in a bundle for tests. */
export class TestVerifier implements BundleVerifier {
  verify(bytes: Uint8Array): AuthenticBundle {
    const spec = JSON.parse(Buffer.from(bytes).toString()) as TestBundle
    const {
      name = 'policy',
      version = '1.0.0',
      capabilities = ALL,
      limits,
      configSchema,
      signer = 'test',
    } = spec
    const manifest = {
      name,
      version,
      apiVersion: 1,
      entry: 'plugin.ts',
      capabilities,
      ...(limits === undefined ? {} : { limits }),
      configSchema: configSchema ?? { type: 'object' },
    }
    return {
      manifest: parseManifest(JSON.stringify(manifest)),
      code: spec.module ?? `module.exports = { setup(router, config) { ${spec.setup ?? ''} } }`,
      sourceMap: '',
      digest: version,
      signer,
      grant: normalise(spec.grant ?? capabilities),
      warnings: [],
    }
  }
}

class OneSandbox implements Sandboxes {
  readonly #make: (signer: string) => Sandbox
  readonly bySigner = new Map<string, Sandbox>()
  readonly listeners = new Set<(event: SandboxEvent) => void>()

  constructor(make: (signer: string) => Sandbox) {
    this.#make = make
  }

  leave(onEvent: (event: SandboxEvent) => void): void {
    this.listeners.delete(onEvent)
  }

  sandboxFor(signer: string, _trusted: boolean, onEvent: (event: SandboxEvent) => void): Sandbox {
    this.listeners.add(onEvent)
    let sandbox = this.bySigner.get(signer)
    if (sandbox === undefined) this.bySigner.set(signer, (sandbox = this.#make(signer)))
    return sandbox
  }
}

export interface RigOptions {
  readonly sandbox?: (onEvent: (event: SandboxEvent) => void, signer: string) => Sandbox
  readonly verifier?: BundleVerifier
  readonly timing?: Timing
  readonly seed?: number
  readonly services?: PluginServices
}

export class Rig {
  readonly router: TestRouter
  readonly dispatcher: Dispatcher
  readonly manager: EnvironmentManager
  readonly sandboxes: OneSandbox

  constructor(options: RigOptions = {}) {
    const { sandbox = () => new InProcessSandbox(), timing = MODELLED, seed = 1, services } = options
    const { verifier = new TestVerifier() } = options
    this.router = new TestRouter(
      [
        { name: 'in', address: '10.0.1.1/24' },
        { name: 'out', address: '10.0.2.1/24' },
      ],
      { seed, slab: { capacity: 16_384 }, upcalls: { packetLimit: 8192, ownerLimit: 4096 } },
    )
    this.dispatcher = new Dispatcher({
      engine: this.router.engine,
      timing,
      calendar: (now) => 1.7e12 + Math.floor(now / 1e6),
      ...(services && { services }),
    })
    this.sandboxes = new OneSandbox((signer) =>
      sandbox((event) => {
        for (const each of this.sandboxes.listeners) each(event)
      }, signer),
    )
    this.manager = new EnvironmentManager({
      dispatcher: this.dispatcher,
      verifier,
      sandboxes: this.sandboxes,
      random: Random.fromSeed(seed),
    })
  }

  get now(): Nanoseconds {
    return this.router.now
  }

  get isConserved(): boolean {
    return isConserved(this.router.engine.balance())
  }

  /** Lets engine and environment work at this moment until both rest. */
  settle(): void {
    for (let round = 0; round < 1000; round++) {
      this.router.settle()
      if (this.manager.poll(this.now) === 0) return
    }
    throw new Error('the environment does not come to rest')
  }

  /** Moves time forward, from one thing that is due to the next. */
  advance(by: Nanoseconds): void {
    const until = this.now + by
    for (let round = 0; round < 1_000_000; round++) {
      this.settle()
      const { engine } = this.router
      const next = Math.min(engine.pollAt(this.now), this.manager.pollAt(this.now))
      const at = Math.max(next, this.now + 1)
      if (at > until) break
      this.router.now = at
    }
    this.router.now = until
    this.settle()
  }

  /** Loads a plugin and waits for the outcome. */
  load(spec: TestBundle, options: InstallOptions = {}): Outcome<string> {
    return this.wait((done) => this.manager.load(bundle(spec), options, this.now, done))
  }

  upgrade(id: string, spec: TestBundle, options: { state?: 'move' | 'discard' } = {}): Outcome {
    return this.wait((done) => this.manager.upgrade(id, bundle(spec), options, this.now, done))
  }

  /** Runs something that calls back, at most two virtual seconds. */
  wait<T>(run: (done: (outcome: T) => void) => void): T {
    let result: { outcome: T } | undefined
    run((outcome) => {
      result = { outcome }
    })
    for (let round = 0; round < 2000 && result === undefined; round++) this.advance(1e6)
    if (result === undefined) throw new Error('no outcome after two seconds')
    return result.outcome
  }

  /** Sends the first packet of a flow from a client's port to the service. */
  syn(fromPort: number, to = '198.18.0.80', toPort = 80): void {
    this.router.inject('in', tcp({ to, fromPort, toPort, flags: TCP_SYN }))
  }

  report(id = 'policy'): EnvironmentReport {
    const report = this.manager.report(id)
    if (report === undefined) throw new Error(`no plugin ${id}`)
    return report
  }

  /** The texts of an instance's log. */
  log(id = 'policy'): string[] {
    return this.manager.logs(id).map((each) => each.text)
  }

  /** Rows of an engine's table. */
  rows(table: string): readonly Readonly<Record<string, unknown>>[] {
    return this.router.engine.query.get({ table, limit: 100_000 }, this.now).rows
  }
}

/** Outer destination of an encapsulated packet. */
export function tunnelTo(packet: Uint8Array): string {
  return packet[9] === 4 ? [...packet.subarray(16, 20)].join('.') : 'plain'
}
