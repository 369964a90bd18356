/**
 * The sandbox whose plugins run in a confined child process. The one idea: requests go down a channel and come back
 * in order; when the process dies, in whatever way, the request under way is blamed, all that is outstanding fails,
 * and the process is started again; nothing is waited for except, in the blocking mode, the answers themselves.
 *
 * Blocking (the simulator): one request is sent at a time and `poll` waits for all of them, so that what happens
 * depends on virtual time only. Polled (a router on real ports): several requests are under way in the pipe, and
 * `poll` takes what is there.
 */
import type { JsonValue } from '../contract/json.ts'
import type { Batch } from './batch.ts'
import type { SystemUser } from './confinement.ts'
import { Conversation } from './conversation.ts'
import type { Done, Moment } from './effects.ts'
import { Launched } from './launch.ts'
import { PROCESS_LIMITS, type ProcessLimits } from './limits.ts'
import { RequestDesk } from './request-desk.ts'
import { failed } from './requests.ts'
import { CrashBook, RESTART_POLICY, type RestartPolicy } from './restart-policy.ts'
import type { LoadOptions, LoadReport, Sandbox, SandboxStats } from './sandbox.ts'
import { failure, type SandboxFailure } from './sandbox-error.ts'
import type { CrashReason, SandboxEvent } from './sandbox-event.ts'
import { Supervisor } from './supervisor.ts'
import type { VettedCode } from './vetting.ts'

export interface ProcessSandboxOptions {
  readonly blocking: boolean
  readonly limits?: Partial<ProcessLimits>
  readonly restart?: Partial<RestartPolicy>
  /** Run the process as this user; `own`: as one that nobody else has. Takes a privileged router. */
  readonly user?: SystemUser | 'own'
  /** Called from within `poll`, after the replies that failed with it. */
  readonly onEvent?: (event: SandboxEvent) => void
  /** Another program than the sandbox process's. For tests. */
  readonly program?: string
}

export class ProcessSandbox implements Sandbox {
  readonly #limits: ProcessLimits
  readonly #blocking: boolean
  readonly #desk: RequestDesk
  readonly #supervisor: Supervisor
  readonly #conversation: Conversation
  readonly #crashBook: CrashBook
  #crashes = 0
  #polling = false

  constructor(options: ProcessSandboxOptions) {
    const { blocking, user, program, onEvent = () => {} } = options
    const limits = { ...PROCESS_LIMITS, ...options.limits }
    const policy = { ...RESTART_POLICY, ...options.restart }
    const chosen = { ...(user === undefined ? {} : { user }), ...(program === undefined ? {} : { program }) }
    const crashBook = new CrashBook(policy)
    const conversation = new Conversation(blocking, limits)
    this.#limits = limits
    this.#blocking = blocking
    this.#crashBook = crashBook
    this.#conversation = conversation
    this.#supervisor = new Supervisor(
      () => new Launched({ blocking, limits, ...chosen }),
      policy,
      limits.bootMs,
    )
    this.#desk = new RequestDesk({
      instancesMax: limits.instances,
      refusal: () => this.#refusal(),
      isQuarantined: (instance) => crashBook.isQuarantined(instance),
      isSuspect: (instance) => crashBook.isSuspect(instance),
      accept: (request) => conversation.post(request),
      onEvent,
    })
  }

  /** For whoever waits on several descriptors: readable when `poll` has something to take. */
  get readFd(): number | undefined {
    return this.#supervisor.process?.channel.readFd
  }

  /** Whether bytes wait for room in the pipe: only `poll` moves them on. */
  get isSending(): boolean {
    return (this.#supervisor.process?.channel.unsentBytes ?? 0) > 0
  }

  load(instance: string, code: VettedCode, options: LoadOptions, at: Moment, done: Done<LoadReport>): void {
    this.#desk.load(instance, code, options, at, done)
  }

  unload(instance: string, done?: Done<null>): void {
    this.#desk.unload(instance, done)
  }

  call(instance: string, entry: string, argument: JsonValue, at: Moment, done: Done<JsonValue>): void {
    this.#desk.call(instance, entry, argument, at, done)
  }

  decide(instance: string, entry: string, batch: Batch, at: Moment, done: (batch: Batch) => void): void {
    this.#desk.decide(instance, entry, batch, at, done)
  }

  poll(now: number): number {
    if (this.#polling) throw new Error('poll was called from within poll')
    this.#polling = true
    try {
      let told = 0
      for (;;) {
        const moved = this.#advance(now)
        const handed = this.#desk.tell()
        told += handed
        if (!moved && (handed === 0 || !this.#blocking)) return told
      }
    } finally {
      this.#polling = false
    }
  }

  pollAt(): number {
    return this.#desk.hasNews ? Number.NEGATIVE_INFINITY : this.#supervisor.pollAt()
  }

  /** Kills the process as it stands; what follows is as after any of its deaths, but that nobody is blamed. */
  kill(now: number): void {
    if (this.#supervisor.process !== undefined) this.#crash(now, 'killed')
  }

  /** Lets a quarantined instance in again. */
  pardon(instance: string): void {
    this.#crashBook.pardon(instance)
  }

  stats(): SandboxStats {
    const { state, process, starts, confinement } = this.#supervisor
    const { inForce, missing } = confinement
    return {
      kind: 'process',
      state,
      pid: process?.pid,
      starts,
      crashes: this.#crashes,
      outstanding: this.#conversation.outstanding,
      instances: this.#desk.reports(),
      quarantined: this.#crashBook.quarantined,
      confinement: { inForce, missing },
    }
  }

  async close(): Promise<void> {
    const closed = this.#supervisor.close()
    for (const request of this.#conversation.end())
      this.#desk.settle(failed(request, failure('closed', 'the sandbox was closed')))
    this.#desk.forgetAll()
    this.#desk.tell()
    await closed
  }

  /** Does the next thing that can be done. @returns whether there may be another */
  #advance(now: number): boolean {
    const supervisor = this.#supervisor
    if (!supervisor.step(now)) return this.#crash(now, 'start')
    const { process, state } = supervisor
    if (process === undefined) return false
    const step = this.#conversation.advance(process, state, now)
    if (typeof step === 'object') {
      this.#desk.settle(step)
      return true
    }
    if (step === 'nothing') return false
    if (step === 'again') return true
    if (step !== 'ready') return this.#crash(now, step)
    if (!supervisor.ready()) return this.#crash(now, 'protocol')
    this.#desk.note({ kind: 'serving', starts: supervisor.starts })
    return true
  }

  #crash(now: number, reason: CrashReason): true {
    const head = BLAMELESS.includes(reason) ? undefined : this.#conversation.head
    const culprit = head?.record?.name
    const detail = this.#supervisor.ended(now)
    const lost = this.#desk.forgetAll()
    this.#crashes++
    for (const request of this.#conversation.end())
      this.#desk.settle(failed(request, failure('crashed', CRASHES[reason], request === head)))
    this.#desk.note({ kind: 'crashed', reason, culprit, lost, detail })
    if (culprit !== undefined && this.#crashBook.blame(culprit, now))
      this.#desk.note({ kind: 'quarantined', instance: culprit })
    return true
  }

  #refusal(): SandboxFailure | undefined {
    const { state } = this.#supervisor
    if (state === 'closed') return failure('closed', 'the sandbox was closed')
    if (state === 'waiting') return failure('unavailable', 'the sandbox process is not running')
    const { outstanding } = this.#limits
    if (this.#conversation.outstanding < outstanding) return undefined
    return failure('limit', `more than ${outstanding} requests`)
  }
}

const BLAMELESS: readonly CrashReason[] = ['killed', 'start']

const CRASHES: Readonly<Record<CrashReason, string>> = {
  timeout: 'the sandbox process was killed: a call did not come back',
  memory: 'the sandbox process was killed: it took too much memory',
  deadline: 'the sandbox process was killed: it did not answer in time',
  protocol: 'the sandbox process was killed: it sent what it should not',
  start: 'the sandbox process could not be started',
  killed: 'the sandbox process was killed on request',
  died: 'the sandbox process died',
}
