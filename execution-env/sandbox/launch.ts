/**
 * Starts a sandbox process: confined, with nothing of this process but its ends of two pipes. The one idea: what is
 * started can always be ended: the end of the pipe, the death of the router and a kill all do.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Channel } from './channel.ts'
import { type Confinement, confine, nodeFlags, type SystemUser } from './confinement.ts'
import { closeEnds } from './descriptor.ts'
import { entryPath } from './entry-path.ts'
import { openFifoPair } from './fifo.ts'
import { FRAME_BYTES_MAX, type ProcessLimits } from './limits.ts'
import { ownUser } from './own-user.ts'
import type { SandboxProcessSettings } from './sandbox-process.ts'

export interface LaunchOptions {
  /** Whether the router waits for answers or polls for them. */
  readonly blocking: boolean
  readonly limits: ProcessLimits
  /** `own`: one that nobody else has, where it can be had. */
  readonly user?: SystemUser | 'own'
  /** Another program than the sandbox process's, without its ending. For tests. */
  readonly program?: string
}

/** Characters of standard error that are kept. */
const COMPLAINT_LENGTH = 2_000

/** A started process. It may be dead already: whoever reads from the channel finds out. */
export class Launched {
  readonly channel: Channel
  readonly confinement: Confinement
  /** Resolves when the process is gone. */
  readonly gone: Promise<void>
  readonly #child: ChildProcess
  readonly #errorFd: number
  readonly #folder: string
  #closed = false

  /** @throws Error where pipes or processes cannot be made */
  constructor(options: LaunchOptions) {
    const { limits } = options
    const settings: SandboxProcessSettings = {
      memoryBytes: limits.memoryBytes,
      graceMs: limits.graceMs,
      parent: process.pid,
    }
    const program = options.program ?? entryPath(import.meta.url, './sandbox-process')
    const user = options.user === 'own' ? ownUser(program) : options.user
    const confinement = confine(user, options.user !== undefined)
    const node = [process.execPath, ...nodeFlags(program), program, JSON.stringify(settings)]
    const [command, ...parameters] = [...confinement.prefix, ...node] as unknown as [string, ...string[]]
    const { router, child } = openFifoPair(options.blocking)
    this.confinement = confinement
    this.channel = new Channel(router, FRAME_BYTES_MAX)
    // A start that fails is tried again: it must leave nothing open.
    const undo = [() => this.channel.close()]
    try {
      const folder = mkdtempSync(join(tmpdir(), 'pronto-'))
      undo.push(() => rmSync(folder, { recursive: true, force: true }))
      const errorFd = openUnnamed(join(folder, 'stderr'))
      undo.push(() => closeSync(errorFd))
      this.#folder = folder
      this.#errorFd = errorFd
      this.#child = spawn(command, parameters, {
        cwd: this.#folder,
        env: {},
        // A session of its own: a terminal's Ctrl-C is for the router, which ends its sandboxes in order.
        detached: true,
        stdio: ['ignore', 'ignore', this.#errorFd, child.readFd, child.writeFd],
      })
    } catch (error) {
      for (const each of undo.reverse()) each()
      throw error
    } finally {
      closeEnds(child)
    }
    this.gone = new Promise((resolve) => {
      this.#child.once('exit', () => resolve())
      this.#child.once('error', () => resolve())
    })
    this.#child.unref()
    this.#offerToMemoryKiller()
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Whether the event loop has seen it die. */
  get exited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** Says that the process runs: its working folder goes, though it stays in it. */
  settle(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** What the process wrote to standard error last; untrusted, printable, bounded. */
  complaint(): string {
    const { size } = fstatSync(this.#errorFd)
    const bytes = Buffer.alloc(Math.min(size, COMPLAINT_LENGTH))
    readSync(this.#errorFd, bytes, 0, bytes.length, size - bytes.length)
    return bytes
      .toString('latin1')
      .replace(/[^\n\x20-\x7e]/g, '?')
      .trim()
  }

  /** Kills the process and frees what belongs to it. Idempotent. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#child.kill('SIGKILL')
    // Until it is reaped the event loop stays up: it takes no time, and nothing is left behind.
    this.#child.ref()
    this.channel.close()
    closeSync(this.#errorFd)
    this.settle()
  }

  /** When the system runs out of memory, a sandbox goes before the router. */
  #offerToMemoryKiller(): void {
    try {
      writeFileSync(`/proc/${this.pid}/oom_score_adj`, '1000')
    } catch {
      // Not Linux, or not allowed: the process's own limits still hold.
    }
  }
}

/** A file that nobody can find. */
function openUnnamed(path: string): number {
  const fd = openSync(path, 'wx+', 0o600)
  rmSync(path)
  return fd
}
