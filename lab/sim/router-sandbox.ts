/**
 * A router's own sandbox within one that all routers of the lab share. The one idea: to its router it dies and comes
 * back like a process of its own, in virtual time; in the shared process only this router's instances end.
 *
 *     serving --kill--> waiting (back-off) --> starting (boot) --> serving
 */
import { type Nanoseconds, NEVER } from '../../engine/index.ts'
import {
  Backoff,
  type Done,
  type LoadReport,
  RESTART_POLICY,
  type Sandbox,
  type SandboxEvent,
  type SandboxFailure,
  type SandboxState,
} from '../../execution-env/sandbox/index.ts'

/** About what a sandbox process takes to start on a slow machine. */
const BOOT_NS = 100e6

const UNAVAILABLE = failure('unavailable', 'the sandbox process is not running')
const CRASHED = failure('crashed', 'the sandbox process was killed on request')

/** A load, or the unload after it, that waits for the process. */
interface Waiting {
  readonly instance: string
  readonly send: () => void
  readonly refuse: (failure: SandboxFailure) => void
}

export class RouterSandbox implements Sandbox {
  readonly #shared: Sandbox
  readonly #onEvent: (event: SandboxEvent) => void
  readonly #backoff = new Backoff(RESTART_POLICY)
  readonly #loaded = new Set<string>()
  readonly #waiting: Waiting[] = []
  /** What is to be told by the next poll. */
  #news: (() => void)[] = []
  #state: SandboxState = 'serving'
  #changeAt: Nanoseconds = NEVER
  #crashes = 0

  constructor(shared: Sandbox, onEvent: (event: SandboxEvent) => void) {
    this.#shared = shared
    this.#onEvent = onEvent
  }

  load: Sandbox['load'] = (instance, code, options, at, done) => {
    const loaded: Done<LoadReport> = (reply) => {
      if (reply.ok) this.#loaded.add(instance)
      done(reply)
    }
    const refuse = (why: SandboxFailure) => {
      const effects = { requests: [], logs: [], logsDropped: 0, spentNs: 0 }
      this.#news.push(() => done({ ...effects, ok: false, failure: why }))
    }
    const send = () => this.#shared.load(instance, code, options, at, loaded)
    if (this.#state === 'serving') send()
    else if (this.#state === 'starting') this.#waiting.push({ instance, send, refuse })
    else refuse(UNAVAILABLE)
  }

  unload: Sandbox['unload'] = (instance, done) => {
    this.#loaded.delete(instance)
    const send = () => this.#shared.unload(instance, done)
    const isLoadWaiting = this.#waiting.some((each) => each.instance === instance)
    if (isLoadWaiting) this.#waiting.push({ instance, send, refuse: send })
    else send()
  }

  call: Sandbox['call'] = (instance, entry, argument, at, done) =>
    this.#shared.call(instance, entry, argument, at, done)

  decide: Sandbox['decide'] = (instance, entry, batch, at, done) =>
    this.#shared.decide(instance, entry, batch, at, done)

  poll(now: Nanoseconds): number {
    if (now >= this.#changeAt) this.#change()
    const told = this.#shared.poll(now)
    const news = this.#news
    this.#news = []
    for (const tell of news) tell()
    return told + news.length
  }

  pollAt(): Nanoseconds {
    if (this.#news.length > 0) return Number.NEGATIVE_INFINITY
    return Math.min(this.#changeAt, this.#shared.pollAt())
  }

  /** Kills the router's sandbox as it stands; nobody is blamed. Nothing happens while there is none. */
  kill(now: Nanoseconds): void {
    if (this.#state === 'waiting') return
    const lost = [...this.#loaded]
    this.discard()
    for (const { refuse } of this.#waiting.splice(0)) refuse(CRASHED)
    this.#crashes++
    this.#state = 'waiting'
    this.#changeAt = this.#backoff.crashed(now)
    this.#tell({ kind: 'crashed', reason: 'killed', culprit: undefined, lost, detail: '' })
  }

  /** Ends this router's instances. */
  discard(): void {
    for (const instance of this.#loaded) this.#shared.unload(instance)
    this.#loaded.clear()
  }

  stats: Sandbox['stats'] = () => {
    const { instances, ...rest } = this.#shared.stats()
    const own = Object.entries(instances).filter(([name]) => this.#loaded.has(name))
    const crashes = this.#crashes
    return { ...rest, state: this.#state, starts: crashes + 1, crashes, instances: Object.fromEntries(own) }
  }

  async close(): Promise<void> {
    this.discard()
  }

  #change(): void {
    if (this.#state === 'waiting') {
      this.#state = 'starting'
      this.#changeAt += BOOT_NS
      return
    }
    this.#state = 'serving'
    this.#changeAt = NEVER
    for (const { send } of this.#waiting.splice(0)) send()
    this.#tell({ kind: 'serving', starts: this.#crashes + 1 })
  }

  #tell(event: SandboxEvent): void {
    this.#news.push(() => this.#onEvent(event))
  }
}

function failure(code: SandboxFailure['code'], message: string): SandboxFailure {
  return { code, message, stack: '', blamed: false }
}
