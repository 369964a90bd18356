/**
 * A process of a lab in a node's namespace. The one idea: it leads a group of its own, stands in the ledger by its
 * number and the time of its start, and its end is either asked for or a failure of the lab.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { LabFailure } from '../lab-failure.ts'
import type { Ledger } from './ledger.ts'
import { isAlive, markOf, type ProcessMark, signalGroup } from './proc.ts'
import { toolEnvironment } from './tools.ts'

export interface ProcessRequest {
  /** For people: `nginx of s1`. */
  readonly what: string
  readonly namespace: string
  readonly command: readonly string[]
  /** File for what it says on its standard error, and on its standard output unless `talks`. */
  readonly logFile: string
  /** It is spoken to by lines of JSON. */
  readonly talks?: boolean
  readonly environment?: Readonly<Record<string, string>>
}

type Message = Readonly<Record<string, unknown>>

const LOOK_MS = 10
const GRACE_MS = 800
const LOG_TAIL = 1000

export class LabProcess {
  readonly what: string
  /** How it ended: `exit code 1`, `SIGKILL`; undefined while it runs. */
  ending: string | undefined = undefined
  onMessage: (message: Message) => void = () => {}
  readonly #child: ChildProcess
  readonly #mark: ProcessMark
  readonly #logFile: string
  #expected = false

  private constructor(request: ProcessRequest, child: ChildProcess, mark: ProcessMark) {
    this.what = request.what
    this.#logFile = request.logFile
    this.#child = child
    this.#mark = mark
    child.on('exit', (code, signal) => {
      this.ending = signal ?? `exit code ${code}`
    })
    if (request.talks !== true) return
    child.stdin!.on('error', () => {})
    createInterface({ input: child.stdout! }).on('line', (line) => this.#hear(line))
  }

  /** @throws LabFailure when it cannot be started */
  static start(ledger: Ledger, request: ProcessRequest): LabProcess {
    const { what, namespace, command, logFile, talks = false, environment = {} } = request
    const log = openSync(logFile, 'a', 0o644)
    const stdio = talks ? ['pipe' as const, 'pipe' as const, log] : ['ignore' as const, log, log]
    try {
      const child = spawn('ip', ['netns', 'exec', namespace, ...command], {
        stdio,
        detached: true,
        env: { ...toolEnvironment(), ...environment },
      })
      child.on('error', () => {})
      const mark = child.pid === undefined ? undefined : markOf(child.pid)
      if (mark === undefined) throw new LabFailure(`cannot start ${what}`)
      ledger.add({ kind: 'process', what, ...mark })
      return new LabProcess(request, child, mark)
    } finally {
      closeSync(log)
    }
  }

  get pid(): number {
    return this.#mark.pid
  }

  /** Whether it has ended and nobody asked for that. */
  get isLost(): boolean {
    return this.ending !== undefined && !this.#expected
  }

  /** Why it is lost, with the end of what it said. */
  get failure(): LabFailure {
    const said = readFileSync(this.#logFile, 'utf8').trim().slice(-LOG_TAIL)
    return new LabFailure(`${this.what} ended (${this.ending})${said === '' ? '' : `:\n${said}`}`)
  }

  tell(message: object): void {
    this.#child.stdin?.write(`${JSON.stringify(message)}\n`)
  }

  /** Resolves when `check` says so. @throws LabFailure when it ends before, or takes too long */
  async waitUntil(check: () => boolean, what: string, limitMs: number): Promise<void> {
    const deadline = performance.now() + limitMs
    while (!check()) {
      if (this.ending !== undefined) throw this.failure
      if (performance.now() > deadline)
        throw new LabFailure(`${this.what}: ${what} took longer than ${limitMs / 1000} s`)
      await sleep(LOOK_MS)
    }
  }

  /** Ends it and all it has started at once, as when a plug is pulled. */
  async kill(): Promise<void> {
    this.#expected = true
    if (isAlive(this.#mark)) signalGroup(this.pid, 'SIGKILL')
    await this.#gone()
  }

  /** Lets it end in order, within limits. */
  async end(): Promise<void> {
    this.#expected = true
    if (isAlive(this.#mark)) signalGroup(this.pid, 'SIGTERM')
    await this.#gone(GRACE_MS)
    await this.kill()
  }

  async #gone(limitMs = GRACE_MS): Promise<void> {
    const deadline = performance.now() + limitMs
    while (isAlive(this.#mark) && performance.now() < deadline) await sleep(LOOK_MS)
  }

  #hear(line: string): void {
    try {
      this.onMessage(JSON.parse(line) as Message)
    } catch {
      // not one of its messages
    }
  }
}
