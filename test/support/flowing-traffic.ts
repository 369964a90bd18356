/**
 * Packets that flow while something bad happens. The one idea: a whole router on memory ports (engine, dispatcher,
 * environment manager, real sandbox processes) forwards flows that are pinned and has new ones decided by a plugin of
 * an innocent signer, some of each every few milliseconds, for as long as a test lasts; then every packet is accounted for.
 *
 * The clock goes with the machine's, but never far in one step: what is late here is not late because this process
 * did not get a processor.
 */
import { expect } from 'chai'
import type { TrustStore } from '../../execution-env/certificates/index.ts'
import { type InstallOptions, type Outcome, TrustVerifier } from '../../execution-env/index.ts'
import {
  ProcessSandbox,
  type ProcessSandboxOptions,
  type SandboxEvent,
} from '../../execution-env/sandbox/index.ts'
import { NOW } from '../execution-env/certificates/kit.ts'
import { bundle, Rig, type TestBundle, TestVerifier, tunnelTo } from '../execution-env/rig.ts'
import { FlowAccount } from './flow-account.ts'
import { TCP_ACK, TCP_SYN, tcp } from './packets.ts'

/** The plugin whose flows must not suffer, and its signer. */
export const INNOCENT = 'innocent'
/** The plugin that attacks, and its signer. */
export const ATTACKER = 'attacker'
/** Whose flows the attacker may decide about. */
export const ATTACKED_SERVICE = '198.19.0.0/16'

const MILLISECOND = 1e6
const SERVERS = ['10.0.2.2', '10.0.2.3']
const PINNED_FLOWS = 8
/** New flows that wait for a decision: with more, none is added until some are decided. */
const WAITING_MOST = 32
const STEP_MS = 2
/** However late the machine lets a step be. */
const STEP_NS_MOST = 2 * STEP_MS * MILLISECOND
const PORTS = 60_000
/** A decision may take as long as a crowded machine needs: what is late was made late by an attack. */
const POLICY = `
  const tunnels = config.servers.map((to) => router.tunnels.open({ to }))
  let next = 0
  const decide = () => ({ tunnel: tunnels[next++ % tunnels.length], idle: '1h' })
  router.flows.claim({ to: config.service, protocol: 'tcp' }, decide, { wait: '10s' })`

export class FlowingTraffic {
  readonly rig: Rig
  /** What the attacker's sandbox has told since `begin`. */
  readonly events: SandboxEvent[] = []
  /** By whom real bundles must be signed. Without one, bundles for tests are believed. */
  trust: TrustStore | undefined
  readonly #sandboxes: ProcessSandbox[] = []
  readonly #pinned = new FlowAccount()
  readonly #fresh = new FlowAccount()
  readonly #attacked = new FlowAccount()
  #timer: NodeJS.Timeout | undefined
  #realMs = 0
  #flows = 0
  #steps = 0
  #isQuiet = true
  #decidedBefore = 0
  #droppedBefore = 0
  /** What a step threw: whoever waits gets it. */
  #failure: unknown

  /** @param attackerSandbox for the processes of the attacker's signer */
  private constructor(attackerSandbox: Partial<ProcessSandboxOptions>) {
    const forTests = new TestVerifier()
    this.rig = new Rig({
      timing: { kind: 'measured' },
      verifier: {
        verify: (bytes, occasion) =>
          this.trust === undefined
            ? forTests.verify(bytes)
            : new TrustVerifier(this.trust, () => NOW).verify(bytes, occasion),
      },
      sandbox: (tell, signer) => this.#openSandbox(tell, signer === INNOCENT ? undefined : attackerSandbox),
    })
  }

  /** A router that forwards: the innocent plugin runs, its first flows are pinned. */
  static async open(attackerSandbox: Partial<ProcessSandboxOptions> = {}): Promise<FlowingTraffic> {
    const traffic = new FlowingTraffic(attackerSandbox)
    const outcome = await traffic.load(
      { name: INNOCENT, signer: INNOCENT, setup: POLICY, limits: { batchMs: 1_000, setupMs: 10_000 } },
      { config: { service: '198.18.0.0/16', servers: SERVERS } },
    )
    if (!outcome.ok) throw new Error(`the innocent plugin does not load: ${outcome.failure.reason}`)
    traffic.#sendPinned(TCP_SYN)
    await traffic.pause()
    return traffic
  }

  /** The process of the attacker's signer; undefined before its first plugin. */
  get attackerSandbox(): ProcessSandbox | undefined {
    return this.rig.sandboxes.bySigner.get(ATTACKER) as ProcessSandbox | undefined
  }

  /** Begins an account and lets packets flow. */
  async begin(): Promise<void> {
    this.#fresh.clear()
    this.#attacked.clear()
    this.events.length = 0
    this.#decidedBefore = this.#decided
    this.#droppedBefore = this.#dropped
    this.#isQuiet = false
    await this.during(() => {})
  }

  /** Runs an attack, and answers when pinned and new flows have got through that were sent after its beginning. */
  async during<T>(attack: () => T | Promise<T>): Promise<T> {
    const [pinned, fresh] = [this.#pinned.sent, this.#fresh.sent]
    const result = await attack()
    await this.until(() => this.#pinned.arrived > pinned && this.#fresh.arrived > fresh)
    return result
  }

  /** Loads a plugin, unless it says otherwise the attacker's. @throws what refuses it before it runs */
  load(spec: TestBundle, options: InstallOptions = {}): Promise<Outcome<string>> {
    const bytes = bundle({ name: ATTACKER, signer: ATTACKER, ...spec })
    return this.ask((done) => this.rig.manager.load(bytes, options, this.rig.now, done))
  }

  /** Asks what calls back. */
  async ask<T>(run: (done: (result: T) => void) => void): Promise<T> {
    const results: T[] = []
    run((result) => results.push(result))
    await this.until(() => results.length > 0)
    return results[0]!
  }

  /** Sends the first packet of a flow that the attacker decides about; answers when it was forwarded or dropped. */
  async provoke(): Promise<void> {
    this.#inject(this.#attacked, this.#nextClient(), '198.19.0.1', TCP_SYN)
    await this.until(
      () => this.#attacked.sent === this.#attacked.arrived + this.#dropped - this.#droppedBefore,
    )
  }

  /** Waits while packets flow. Bounded by the test's own time. */
  async until(holds: () => boolean): Promise<void> {
    this.#run()
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure
      if (holds()) return
      await new Promise((settle) => setTimeout(settle, 1))
    }
  }

  /** Sends nothing any more; answers when nothing is on its way. */
  async pause(): Promise<void> {
    this.#isQuiet = true
    const steps = this.#steps
    await this.until(() => {
      const { parked, queued } = this.rig.router.engine.balance()
      return this.#steps > steps && parked === 0 && queued === 0
    })
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Fails unless every packet since `begin` is where it belongs, and the innocent plugin decided every new flow. */
  async expectUnharmed(): Promise<void> {
    await this.pause()
    expect(this.#pinned.wrong(SERVERS), 'pinned flows with lost, doubled or misled packets').to.deep.equal([])
    expect(this.#fresh.wrong(SERVERS), 'new flows with lost, doubled or misled packets').to.deep.equal([])
    expect(this.#fresh.size, 'new flows').to.be.greaterThan(0)
    expect(this.#decided - this.#decidedBefore, 'decisions of the innocent plugin').to.equal(this.#fresh.size)
    const { state, restarts, counters } = this.rig.report(INNOCENT)
    expect({ state, restarts }).to.deep.equal({ state: 'running', restarts: 0 })
    expect(counters).to.include({ faults: 0, late: 0, fallbacks: 0, refusedDecisions: 0 })
    expect(this.#dropped - this.#droppedBefore, 'drops').to.equal(
      this.#attacked.sent - this.#attacked.arrived,
    )
    expect(this.rig.isConserved, 'conservation').to.equal(true)
  }

  /** Ends everything, sandbox processes included. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#failure ??= new Error('the traffic was closed')
    await Promise.all(this.#sandboxes.map((each) => each.close()))
  }

  #openSandbox(tell: (event: SandboxEvent) => void, attacker: Partial<ProcessSandboxOptions> | undefined) {
    const { limits, ...options } = attacker ?? { limits: { graceMs: 60_000 } }
    const sandbox = new ProcessSandbox({
      blocking: false,
      limits: { bootMs: 60_000, deadlineMs: 60_000, ...limits },
      ...options,
      onEvent: (event) => {
        if (attacker !== undefined) this.events.push(event)
        tell(event)
      },
    })
    this.#sandboxes.push(sandbox)
    return sandbox
  }

  get #decided(): number {
    return this.rig.report(INNOCENT).counters!.decisions
  }

  get #dropped(): number {
    return Object.values(this.rig.router.dropped).reduce((sum, each) => sum + each, 0)
  }

  #run(): void {
    this.#realMs = performance.now()
    this.#timer ??= setInterval(() => this.#step(), STEP_MS)
  }

  #step(): void {
    const { rig } = this
    this.#steps++
    const realMs = performance.now()
    rig.router.now += Math.min(Math.floor((realMs - this.#realMs) * MILLISECOND), STEP_NS_MOST)
    this.#realMs = realMs
    try {
      if (!this.#isQuiet) this.#send()
      rig.router.settle()
      rig.manager.poll(rig.now)
      rig.router.settle()
      this.#collect()
    } catch (error) {
      this.#failure ??= error
    }
  }

  #send(): void {
    this.#sendPinned(TCP_ACK)
    if (this.#fresh.sent - this.#fresh.arrived < WAITING_MOST)
      this.#inject(this.#fresh, this.#nextClient(), '198.18.0.80', TCP_SYN)
  }

  #sendPinned(flags: number): void {
    for (let port = 1; port <= PINNED_FLOWS; port++)
      this.#inject(this.#pinned, { from: '10.0.1.2', fromPort: port }, '198.18.0.80', flags)
  }

  /** A client that has not been there yet. */
  #nextClient(): { readonly from: string; readonly fromPort: number } {
    const number = this.#flows++
    return { from: `10.0.1.${3 + Math.floor(number / PORTS)}`, fromPort: 1 + (number % PORTS) }
  }

  #inject(account: FlowAccount, client: { from: string; fromPort: number }, to: string, flags: number): void {
    account.noteSent(`${client.from}:${client.fromPort} ${to}`)
    const { router } = this.rig
    // The engine takes it with the next step.
    router.port('in').deliver(router.frame('in', tcp({ ...client, to, flags })))
  }

  /** Takes what left the router; what nobody sent is a fault. */
  #collect(): void {
    for (const packet of this.rig.router.take()) {
      const exit = tunnelTo(packet)
      const flow = flowOf(exit === 'plain' ? packet : packet.subarray(20))
      const isKnown = [this.#pinned, this.#fresh, this.#attacked].some((each) => each.noteArrived(flow, exit))
      if (!isKnown) throw new Error(`a packet that nobody sent left: ${flow} by ${exit}`)
    }
  }
}

/** Client and destination of a TCP packet, as the accounts name flows. */
function flowOf(packet: Uint8Array): string {
  const address = (at: number): string => packet.subarray(at, at + 4).join('.')
  return `${address(12)}:${(packet[20]! << 8) | packet[21]!} ${address(16)}`
}
