/**
 * The engine's thread, seen from the main one: the engine and the plugins of a router on real ports. The one idea: the
 * facilities are called as if they were here; what takes time (judging a bundle) is done here before.
 */
import { randomInt } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import type { Answer, Change, Explanation, FlowQuestion, Query } from '../../engine/index.ts'
import type { JsonValue } from '../../execution-env/contract/index.ts'
import type { AuthenticBundle, BundleVerifier } from '../../execution-env/index.ts'
import { entryPath } from '../../execution-env/sandbox/index.ts'
import type { RouterConfig } from '../config/index.ts'
import { ControlError } from '../control/errors.ts'
import type { EngineAccess } from '../engine-access.ts'
import type { DryRun, PluginHost, PluginReport, PluginSettings } from '../plugins/plugin-host.ts'
import type { CapturePart } from '../port-captures.ts'
import type { SignalingDatagram } from '../signaling/index.ts'
import { receiveError } from './errors.ts'
import { judgeBundle } from './judge.ts'
import type { EngineThreadOptions, Facilities, Message, Served, ServiceCall, Signals } from './messages.ts'
import { PictureFrame } from './pictures.ts'

interface Pending {
  readonly settle: (value: never) => void
  readonly reject: (error: Error) => void
}

/** How long the engine may take to give up everything, beyond what it was given to drain. */
const CLOSE_MS = 5_000

export class EngineThread {
  readonly engine: EngineAccess
  readonly plugins: PluginHost
  /** Rejects when the thread ends without having been asked to; never resolves. */
  readonly fault: Promise<never>
  /** Hears datagrams of hosts; each must be answered by `signal`. */
  onSignal: ((datagram: SignalingDatagram) => void) | undefined = undefined
  /** Hears what plugins ask of the proxies; each must be answered by `served`. */
  onService: ((call: ServiceCall) => void) | undefined = undefined
  readonly #worker: Worker
  readonly #pending = new Map<number, Pending>()
  readonly #frame = new PictureFrame()
  readonly #exited: Promise<void>
  #calls = 0
  #closing = false
  #ended: Error | undefined

  /**
   * @param verifier judges bundles, on this thread
   * @param program another one than the engine's, for tests
   */
  constructor(verifier: BundleVerifier, program = entryPath(import.meta.url, './engine-program')) {
    const workerData: EngineThreadOptions = { seed: randomInt(2 ** 32) }
    const worker = new Worker(program, { workerData })
    this.#worker = worker
    this.fault = new Promise((_, reject) => {
      worker.on('error', reject)
      worker.on('exit', (code) => reject(new Error(`the engine's thread ended with ${code}`)))
    })
    this.fault.catch((error) => this.#end(error))
    this.#exited = new Promise((settle) => worker.once('exit', () => settle()))
    worker.on('message', (message: Message) => this.#take(message))
    this.engine = this.#engineAccess()
    this.plugins = this.#pluginHost(verifier)
  }

  /** Why the thread has ended without having been asked to. */
  get broken(): Error | undefined {
    return this.#closing ? undefined : this.#ended
  }

  /** Lets what waits leave for up to `drainMs`, gives up everything, and ends the thread. Idempotent. */
  async close(drainMs: number): Promise<void> {
    if (!this.#closing) this.#worker.postMessage({ close: true, drainMs })
    this.#closing = true
    const timer = setTimeout(() => void this.#worker.terminate(), drainMs + CLOSE_MS)
    await this.#exited
    clearTimeout(timer)
  }

  /** Passes on what came of datagrams of hosts. */
  signal(signals: Signals): void {
    if (!this.#closing) this.#worker.postMessage({ signals })
  }

  /** Passes on what the proxies have answered. */
  served(served: Served): void {
    if (!this.#closing) this.#worker.postMessage({ served })
  }

  #engineAccess(): EngineAccess {
    const call = <Result>(method: keyof EngineAccess, ...given: readonly unknown[]) =>
      this.#call<Result>('engine', method, given)
    return {
      begin: (config: RouterConfig) => call<void>('begin', config),
      commit: (changes: readonly Change[]) => call<void>('commit', changes),
      query: (query: Query) => call<Answer>('query', query),
      explain: (question: FlowQuestion) => call<Explanation>('explain', question),
      beginCapture: (port: string, snapBytes: number) => call<number>('beginCapture', port, snapBytes),
      takeCapture: (capture: number) => call<CapturePart>('takeCapture', capture),
      endCapture: (capture: number) => call<void>('endCapture', capture),
    }
  }

  #pluginHost(verifier: BundleVerifier): PluginHost {
    const call = <Result>(
      method: keyof Facilities['plugins'],
      given: readonly unknown[],
      judged?: AuthenticBundle,
    ) => this.#call<Result>('plugins', method, given, judged)
    const judge = (bundle: Uint8Array, occasion: 'first' | 'again') => judgeBundle(verifier, bundle, occasion)
    const none = new Uint8Array()
    return {
      dryRun: async (bundle: Uint8Array, id: string | undefined, settings: PluginSettings) =>
        call<DryRun>('dryRun', [none, id, settings], judge(bundle, 'first')),
      load: async (bundle, id, settings, occasion) =>
        call<PluginReport>(
          'load',
          [none, id, settings, occasion],
          judge(bundle, occasion === 'load' ? 'first' : 'again'),
        ),
      upgrade: async (id, bundle, settings, state, occasion = 'load') =>
        call<PluginReport>(
          'upgrade',
          [id, none, settings, state, occasion],
          judge(bundle, occasion === 'load' ? 'first' : 'again'),
        ),
      rollback: (id) => call<PluginReport>('rollback', [id]),
      unload: (id, flows) => call<void>('unload', [id, flows]),
      call: (id, topic, body, operator) => call<JsonValue>('call', [id, topic, body, operator]),
      ask: (id, name, argument) => call<JsonValue>('ask', [id, name, argument]),
      list: () => this.#frame.plugins,
      sandboxes: () => this.#frame.sandboxes,
      logs: (id) => this.#frame.logs(id),
    }
  }

  #call<Result>(
    facility: keyof Facilities,
    method: string,
    parameters: readonly unknown[],
    judged?: AuthenticBundle,
  ): Promise<Result> {
    if (this.#closing) return Promise.reject(new ControlError('closing', 'the router is going down'))
    // Nobody would answer: whoever waits would keep the router from ending.
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    const call = ++this.#calls
    return new Promise((settle, reject) => {
      this.#pending.set(call, { settle, reject })
      this.#worker.postMessage({ call, facility, method, parameters, ...(judged && { judged }) })
    })
  }

  #take(message: Message): void {
    if ('picture' in message) return this.#frame.hang(message.picture)
    if ('signal' in message) return this.onSignal?.(message.signal)
    if ('service' in message) return this.onService?.(message.service)
    if ('closed' in message) return
    const pending = this.#pending.get(message.reply)
    this.#pending.delete(message.reply)
    if ('error' in message) pending?.reject(receiveError(message.error))
    else pending?.settle(message.value as never)
  }

  #end(error: Error): void {
    this.#ended = error
    for (const { reject } of this.#pending.values()) reject(error)
    this.#pending.clear()
  }
}
