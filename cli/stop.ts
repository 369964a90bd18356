/**
 * When the command shall end. The one idea: a request to stop counts once however often it comes; the first asks
 * the command to end in order, the second ends it at once, and a launcher that is gone is a request with a deadline.
 *
 * One Ctrl-C may come up to three times: from the terminal, from the launcher, which cannot know that the terminal
 * has told the command too, and from npm. What comes within half a second is one request.
 */
import { fstatSync } from 'node:fs'
import { Socket } from 'node:net'
import { constants } from 'node:os'
import { Worker } from 'node:worker_threads'

/** What ends a command in order. SIGQUIT is left alone: it ends at once. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const PIPE_VARIABLE = 'PRONTO_LAUNCHER_PIPE'
/** Requests closer than this are one; no person means two. */
const SAME_REQUEST_MS = 500
/** How long a command may take to end in order after its launcher is gone. */
const GRACE_MS = 3_000
/** How often the guard looks whether the launcher is still there. */
const GUARD_INTERVAL_MS = 500

/** Why a command was asked to stop: an abort reason. */
export class StopRequest extends Error {
  override readonly name = 'StopRequest'
  readonly signal: NodeJS.Signals

  constructor(signal: NodeJS.Signals) {
    super(`stopped by ${signal}`)
    this.signal = signal
  }

  /** As shells count: 128 + the signal's number. */
  get exitCode(): number {
    return 128 + constants.signals[this.signal]
  }
}

/** A command's view of stopping. */
export interface Stop {
  /**
   * The signal that is aborted with a StopRequest when the user wants the command to end. Taking it is a promise to
   * obey it; a command that never takes it is ended by the first request.
   */
  claim(): AbortSignal
}

/** A stop that nobody requests. */
export const NEVER_STOP: Stop = { claim: () => new AbortController().signal }

/** How a StopWatch acts on the world. */
export interface StopEffects {
  /** Ends the process as the signal would. */
  end(signal: NodeJS.Signals): void
  /** The command has taken over the ending. */
  claimed(): void
  /** Monotonic milliseconds. */
  clock(): number
}

/** Counts requests and carries them out. */
export class StopWatch implements Stop {
  readonly #controller = new AbortController()
  readonly #effects: StopEffects
  #claimed = false
  #lastMs = Number.NEGATIVE_INFINITY

  constructor(effects: StopEffects) {
    this.#effects = effects
  }

  claim(): AbortSignal {
    if (!this.#claimed) this.#effects.claimed()
    this.#claimed = true
    return this.#controller.signal
  }

  /** Somebody wants the command to end; SIGQUIT: at once. */
  request(signal: NodeJS.Signals): void {
    const now = this.#effects.clock()
    if (now - this.#lastMs < SAME_REQUEST_MS && signal !== 'SIGQUIT') return
    this.#lastMs = now
    if (!this.#claimed || this.#controller.signal.aborted || signal === 'SIGQUIT') this.#effects.end(signal)
    else this.#controller.abort(new StopRequest(signal))
  }

  /** The launcher is gone: end in order, or soon. */
  abandoned(): void {
    setTimeout(() => this.#effects.end('SIGKILL'), GRACE_MS).unref()
    if (!this.#controller.signal.aborted) this.request('SIGHUP')
  }
}

/** Watches this process's signals and the launcher's pipe, if there is one. */
export function watchStop(): StopWatch {
  const descriptor = Number(process.env[PIPE_VARIABLE])
  delete process.env[PIPE_VARIABLE]
  const launched = Number.isInteger(descriptor) && descriptor > 2 && isPipe(descriptor)
  const claimed = launched ? guardAgainstOrphaning : () => {}
  const stop = new StopWatch({ end: endBySignal, claimed, clock: () => performance.now() })
  for (const signal of SIGNALS) process.on(signal, () => stop.request(signal))
  if (launched) watchPipe(descriptor, stop)
  return stop
}

function isPipe(descriptor: number): boolean {
  try {
    const status = fstatSync(descriptor)
    return status.isSocket() || status.isFIFO()
  } catch {
    return false
  }
}

function watchPipe(descriptor: number, stop: StopWatch): void {
  const pipe = new Socket({ fd: descriptor, readable: true, writable: false })
  let text = ''
  pipe.setEncoding('utf8')
  pipe.on('data', (part: string) => {
    const lines = (text + part).split('\n')
    text = lines.pop() ?? ''
    for (const line of lines) if (line in constants.signals) stop.request(line as NodeJS.Signals)
  })
  pipe.on('error', () => {})
  pipe.on('close', () => stop.abandoned())
  pipe.unref()
}

/** Ends this process as the signal does when nothing handles it. */
function endBySignal(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}

/**
 * Guards a command that may keep its thread busy for long: when the launcher is gone and the command has not ended
 * in order after the grace, it is killed. Runs in a thread of its own; costs nothing else and holds nothing up.
 */
function guardAgainstOrphaning(): void {
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    const { parent, interval, grace } = workerData
    const watch = setInterval(() => {
      if (process.ppid === parent) return
      clearInterval(watch)
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), grace)
    }, interval)`
  const workerData = { parent: process.ppid, interval: GUARD_INTERVAL_MS, grace: GRACE_MS }
  new Worker(code, { eval: true, workerData }).unref()
}
