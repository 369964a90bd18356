/** `pronto lab up` of real hosts as its user runs it, for tests: a process of its own, spoken to by other commands. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Report } from '../../lab/index.ts'
import { temporaryFolder } from './temporary-folder.ts'

const LAUNCHER = resolve(import.meta.dirname, '../../cli/launcher.mjs')
const START_MS = 40_000
const COMMAND_MS = 60_000

/** How a command ended. */
export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A command that runs, with what it has said so far. */
export class Running {
  readonly child: ChildProcess
  stdout = ''
  stderr = ''
  readonly ended: Promise<Outcome>

  constructor(command: string, words: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    this.child = spawn(command, [...words], {
      env: { ...process.env, ...environment },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.child.stdin!.on('error', () => {})
    this.child.stdout!.on('data', (part: Buffer) => {
      this.stdout += part
    })
    this.child.stderr!.on('data', (part: Buffer) => {
      this.stderr += part
    })
    this.ended = once(this.child, 'close').then(([code]) => ({
      code: code as number | null,
      stdout: this.stdout,
      stderr: this.stderr,
    }))
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<Outcome> {
    if (!this.hasEnded) this.child.kill(signal)
    return await this.ended
  }
}

/** Waits until something holds. @throws after `limitMs`, with what was waited for */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  limitMs = 20_000,
): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${limitMs / 1000} s`)
    await sleep(20)
  }
}

export class LabUp {
  readonly folder = temporaryFolder('pronto-lab-up-')
  readonly file = join(this.folder, 'lab.yaml')
  readonly #reportFile = join(this.folder, 'report.json')
  readonly #running: Running[] = []
  readonly #lab: Running

  private constructor(text: string, options: readonly string[]) {
    writeFileSync(this.file, text)
    const words = ['lab', 'up', this.file, '--backend', 'netns', '--report', this.#reportFile, ...options]
    this.#lab = new Running(process.execPath, [LAUNCHER, ...words])
  }

  /** Brings a lab up. @throws with what it said when it does not come up */
  static async start(text: string, ...options: readonly string[]): Promise<LabUp> {
    const lab = new LabUp(text, options)
    try {
      await until('the lab is up', () => lab.#lab.hasEnded || lab.#said.includes('The lab is up'), START_MS)
      if (lab.#lab.hasEnded) throw new Error(lab.#said)
      return lab
    } catch (error) {
      await lab.#lab.end('SIGTERM')
      throw error
    }
  }

  get #said(): string {
    return this.#lab.stdout + this.#lab.stderr
  }

  /** Starts a command of pronto. */
  pronto(...words: readonly string[]): Running {
    const running = new Running(process.execPath, [LAUNCHER, ...words])
    this.#running.push(running)
    return running
  }

  /** Starts a command inside a node. */
  inside(node: string, ...command: readonly string[]): Running {
    return this.pronto('lab', 'exec', this.file, node, '--', ...command)
  }

  /** Runs a command inside a node to its end and answers with what it printed. @throws when it fails */
  async run(node: string, ...command: readonly string[]): Promise<string> {
    const running = this.inside(node, ...command)
    const limit = setTimeout(() => running.child.kill('SIGKILL'), COMMAND_MS)
    const { code, stdout, stderr } = await running.ended
    clearTimeout(limit)
    if (code !== 0)
      throw new Error(`${command.join(' ')} on ${node} ended with ${code}: ${stderr.slice(0, 1000)}`)
    return stdout
  }

  /** Ends what still runs inside, then the lab as Ctrl-C does; answers with its report. */
  async end(): Promise<Report> {
    for (const each of this.#running.splice(0)) await each.end('SIGKILL')
    const { code } = await this.#lab.end('SIGINT')
    if (code !== 0) throw new Error(`the lab ended with ${code}: ${this.#said}`)
    return JSON.parse(readFileSync(this.#reportFile, 'utf8')) as Report
  }
}
