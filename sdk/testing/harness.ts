/**
 * A router under test: the real environment manager, dispatcher and guest around a network in memory. The one idea:
 * calls take no time, so that everything that follows from one thing has happened when its call returns.
 */
import { Random, type TableName } from '../../engine/index.ts'
import type { ExportedState, Sender } from '../../execution-env/contract/api/index.ts'
import type { JsonValue } from '../../execution-env/contract/index.ts'
import { Dispatcher, EnvironmentManager, type Outcome } from '../../execution-env/index.ts'
import { InProcessSandbox, type Reply } from '../../execution-env/sandbox/index.ts'
import { LogWatch } from './log-watch.ts'
import { TestNetwork } from './network.ts'
import { PluginFault, TestRefusal } from './refusals.ts'
import { testServices } from './services.ts'
import { listener, PluginSources } from './sources.ts'
import type {
  Fate,
  PluginUnderTest,
  TestFlow,
  TestLogLine,
  TestMessage,
  TestPacket,
  TestReport,
  TestRouter,
  TestRouterOptions,
  TestRow,
  TestUpgradeOptions,
} from './test-router.ts'

const NO_TIME = { kind: 'modelled', callNs: 0, recordNs: 0, loadNs: 0 } as const
const EPOCH = '2026-01-01T00:00:00Z'
const ROUNDS = 10_000
const ROWS = 100_000
const UNITS: Readonly<Record<string, number>> = { ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 }
const NEIGHBOUR: Sender = { kind: 'neighbour', name: '10.0.2.2' }
const OPERATOR: Sender = { kind: 'operator', name: 'test' }

type CallResult = Parameters<NonNullable<Parameters<Dispatcher['deliver']>[4]>>[0]

export class Harness implements TestRouter {
  readonly #options: TestRouterOptions
  readonly #network: TestNetwork
  readonly #dispatcher: Dispatcher
  readonly #manager: EnvironmentManager
  readonly #sources = new PluginSources()
  readonly #sandbox = new InProcessSandbox({ moduleOf: (code) => this.#sources.moduleOf(code) })
  readonly #log = new LogWatch()
  readonly #others: readonly string[]
  readonly #received: TestMessage[] = []
  #id = ''
  #now = 0
  #closed = false

  constructor(options: TestRouterOptions) {
    const { clock = EPOCH, seed = 1, others = ['other'] } = options
    const epochMs = Date.parse(clock)
    if (Number.isNaN(epochMs)) throw new TypeError(`clock: expected a time such as ${EPOCH}, got ${clock}`)
    this.#options = options
    this.#others = others
    this.#network = new TestNetwork(options, () => this.#bareTunnels())
    const { engine } = this.#network
    const calendar = (now: number): number => epochMs + Math.floor(now / 1e6)
    this.#dispatcher = new Dispatcher({
      engine,
      timing: NO_TIME,
      calendar,
      services: testServices(options),
    })
    this.#manager = new EnvironmentManager({
      dispatcher: this.#dispatcher,
      verifier: this.#sources,
      sandboxes: { sandboxFor: () => this.#sandbox, leave: () => {} },
      random: Random.fromSeed(seed),
    })
  }

  /** Loads the plugin. @throws PluginError, TestRefusal, and what the environment throws for what it would refuse */
  async load(plugin: PluginUnderTest): Promise<void> {
    const { id, config = {}, capabilities } = this.#options
    for (const other of this.#others) await this.#loadOther(other)
    const bytes = await this.#sources.add(plugin, this.#options)
    const options = {
      config: config as JsonValue,
      trusted: true,
      ...(id === undefined ? {} : { id }),
      ...(capabilities === undefined ? {} : { allow: capabilities }),
    }
    this.#id = this.#outcomeOf<string>((done) => this.#manager.load(bytes, options, this.#now, done))
  }

  async #loadOther(id: string): Promise<void> {
    const bytes = await this.#sources.add(listener(id, this.#received), { id })
    this.#outcomeOf<string>((done) => this.#manager.load(bytes, { id, trusted: true }, this.#now, done))
  }

  get now(): number {
    return this.#now
  }

  send(packet: TestPacket): Fate {
    this.#requireOpen()
    const fate = this.#network.send(packet, () => this.#settle())
    this.#tellFaults()
    return fate
  }

  advance(by: string): readonly Fate[] {
    this.#requireOpen()
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(by)
    if (match === null) throw new TypeError(`advance: expected a duration such as 50ms or 1.5s, got ${by}`)
    const until = this.#now + Math.round(Number(match[1]) * UNITS[match[2]!]!)
    const { engine } = this.#network
    for (;;) {
      this.#settle()
      const next = Math.min(engine.pollAt(this.#now), this.#manager.pollAt(this.#now))
      const at = Math.max(next, this.#now + 1)
      if (!(at <= until)) break
      this.#now = at
    }
    this.#now = until
    this.#settle()
    this.#tellFaults()
    return this.#network.takeLater()
  }

  message(topic: string, body: unknown, from: Sender = NEIGHBOUR): void {
    this.#deliver(topic, body, from)
  }

  received(): readonly TestMessage[] {
    return this.#received
  }

  call(topic: string, body: unknown = null): JsonValue {
    return this.#deliver(topic, body, OPERATOR)
  }

  query(name: string, argument: unknown = null): JsonValue {
    return this.#answerOf((done) => this.#dispatcher.ask(this.#id, name, plain(argument), done))
  }

  flows(): readonly TestFlow[] {
    const far = new Map(this.table('tunnels').map((row) => [String(row['tunnel']), row['to']]))
    const inWords = (action: unknown): string =>
      String(action).replace(
        /\btunnel (\d+)/g,
        (whole, number: string) => `tunnel ${far.get(number) ?? whole}`,
      )
    const own = this.table('flows').filter((row) => row['owner'] === this.#id)
    return own.map((row) => ({ ...row, action: inWords(row['action']) })) as unknown as TestFlow[]
  }

  table(name: string): readonly TestRow[] {
    const { engine } = this.#network
    return engine.query.get({ table: name as TableName, limit: ROWS }, this.#now).rows
  }

  logs(): readonly TestLogLine[] {
    return this.#log.lines
  }

  report(): TestReport {
    const report = this.#manager.report(this.#id)
    if (report === undefined) throw new TestRefusal('unknown', `no plugin ${this.#id}`)
    const { version, state, flows, tunnels, claims, granted, lastFailure, counters } = report
    const { decisions = 0, faults = 0 } = counters ?? {}
    return { version, state, flows, tunnels, claims, decisions, faults, granted, lastFailure }
  }

  state(): ExportedState | undefined {
    const program = this.#dispatcher.tenants.get(this.#id)?.program
    if (program?.hooks.exportsState !== true) return undefined
    let reply: Reply<JsonValue> | undefined
    const moment = this.#dispatcher.moment(this.#now)
    this.#sandbox.call(program.name, 'exportState', null, moment, (each) => {
      reply = each
    })
    this.#sandbox.poll()
    if (reply?.ok === true) return reply.value as unknown as ExportedState
    throw new PluginFault(`exportState: ${reply?.failure.message ?? 'no answer'}`)
  }

  async upgrade(plugin: PluginUnderTest, options: TestUpgradeOptions = {}): Promise<void> {
    const bytes = await this.#sources.add(plugin, this.#options)
    const { config, state } = options
    const changes = {
      ...(config === undefined ? {} : { config: plain(config) }),
      ...(state === undefined ? {} : { state }),
    }
    this.#outcomeOf((done) => this.#manager.upgrade(this.#id, bytes, changes, this.#now, done))
  }

  rollback(): void {
    this.#outcomeOf((done) => this.#manager.rollback(this.#id, this.#now, done))
  }

  unload(): void {
    this.#requireOpen()
    this.#manager.stop(this.#id, 'drain', this.#now)
    this.#settle()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#manager.close()
    this.#network.engine.close(this.#now)
    void this.#sandbox.close()
  }

  #deliver(topic: string, body: unknown, from: Sender): JsonValue {
    return this.#answerOf((done) =>
      this.#dispatcher.deliver(this.#id, topic, plain(body), from, done, this.#now),
    )
  }

  #answerOf(ask: (done: (result: CallResult) => void) => void): JsonValue {
    this.#requireOpen()
    let result: CallResult | undefined
    ask((each) => {
      result = each
    })
    this.#settle()
    this.#tellFaults()
    if (result === undefined) throw new TestRefusal('unavailable', 'the plugin does not answer')
    if (!result.ok) throw new TestRefusal(result.code, result.reason)
    return result.value
  }

  #outcomeOf<Value = undefined>(run: (done: (outcome: Outcome<Value>) => void) => void): Value {
    this.#requireOpen()
    let outcome: Outcome<Value> | undefined
    run((each) => {
      outcome = each
    })
    this.#settle()
    if (outcome === undefined) throw new TestRefusal('unavailable', 'it takes longer than it may')
    if (!outcome.ok) throw new TestRefusal(outcome.failure.code, outcome.failure.reason)
    this.#tellFaults()
    return outcome.value
  }

  /** Lets engine and plugin work at this moment until both rest. */
  #settle(): void {
    for (let round = 0; round < ROUNDS; round++) {
      const moved = this.#network.engine.poll(this.#now) + this.#manager.poll(this.#now)
      for (const { id, log } of this.#dispatcher.tenants)
        if (!this.#others.includes(id)) this.#log.take(log.entries)
      if (moved === 0) return
    }
    throw new PluginFault('it does not come to rest: the plugin brings about what calls it again, for ever')
  }

  #tellFaults(): void {
    const faults = this.#log.takeFaults()
    if (faults.length > 0 && this.#options.faults !== 'log') throw new PluginFault(faults.join('\n'))
  }

  /** Far ends of tunnels without a header of their own. */
  #bareTunnels(): ReadonlySet<string> {
    const tunnels = this.table('tunnels').filter((row) => row['kind'] === 'mac-rewrite')
    return new Set(tunnels.map((row) => String(row['to'])))
  }

  #requireOpen(): void {
    if (this.#closed) throw new TestRefusal('closed', 'this router was closed')
  }
}

/** What is left of a value as JSON: that is how it reaches a plugin. */
function plain(value: unknown): JsonValue {
  return JSON.parse(JSON.stringify(value) ?? 'null') as JsonValue
}
