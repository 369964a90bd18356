/**
 * The lock of a state folder: one router at a time. The one idea: a file says which process holds the folder, by its
 * number and the moment of its start, so that what a killed router (kill -9) has left is known to be nobody's; the
 * file appears whole, by a link that only one can make.
 *
 * Taking over what a dead process has left takes a lock of its own, named after what was left: whoever comes late
 * finds that the file is another one meanwhile, and is refused. Processes of other machines or PID namespaces are not
 * seen: a state folder is not shared between them.
 */
import { spawnSync } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { linkSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { StateError } from './errors.ts'

const FILE = 'lock'
/** Locks of locks of locks: more means that routers are killed faster than they start. */
const DEPTH_MAX = 4

/** Fields of a process's status, counted from the third. */
const STATE = 0
const STARTED = 19
/** A zombie. */
const ENDED = 'Z'

/** A process that another one may not mistake for itself. */
interface Holder {
  readonly pid: number
  /** When it began, in whatever form the system has it; empty where it cannot be had. */
  readonly began: string
}

/** Holds a state folder until it is released or the process ends. */
export class StateLock {
  readonly #path: string
  readonly #text: string

  private constructor(path: string, text: string) {
    this.#path = path
    this.#text = text
  }

  /**
   * Takes a folder, which must be there.
   * @throws StateError `locked` while a living process holds it, `unreadable` where it cannot be written
   */
  static take(folder: string): StateLock {
    const path = join(folder, FILE)
    const text = `${JSON.stringify({ pid: process.pid, began: beginningOf(process.pid), id: randomUUID() })}\n`
    try {
      takeFile(path, text, 0)
      removeLeftovers(folder)
    } catch (error) {
      if (error instanceof StateError) throw error
      throw new StateError('unreadable', (error as Error).message, folder, { cause: error })
    }
    return new StateLock(path, text)
  }

  /** Lets the folder go. Idempotent; leaves alone what another one has taken. */
  release(): void {
    if (readOrNothing(this.#path) === this.#text) rmSync(this.#path, { force: true })
  }
}

function takeFile(path: string, text: string, depth: number): void {
  const own = `${path}.${randomUUID()}.own`
  writeFileSync(own, text, { mode: 0o600, flag: 'wx' })
  try {
    if (isLinked(own, path)) return
    const found = readOrNothing(path)
    // It was let go a moment ago.
    if (found === undefined && isLinked(own, path)) return
    const holder = parseHolder(found ?? '')
    if (holder !== undefined && isAlive(holder)) throw locked(path, holder)
    takeOver(path, found ?? '', own, text, depth)
  } finally {
    rmSync(own, { force: true })
  }
}

/** Puts our file in the place of what a dead process has left, unless somebody else is doing so. */
function takeOver(path: string, found: string, own: string, text: string, depth: number): void {
  if (depth === DEPTH_MAX) throw locked(path, undefined)
  const claim = `${path}.${createHash('sha256').update(found).digest('hex').slice(0, 16)}`
  takeFile(claim, text, depth + 1)
  try {
    if ((readOrNothing(path) ?? '') !== found) throw locked(path, parseHolder(readOrNothing(path) ?? ''))
    renameSync(own, path)
  } finally {
    rmSync(claim, { force: true })
  }
}

/** Whether `path` is a new name of `own` now; false when there is a file of this name. */
function isLinked(own: string, path: string): boolean {
  try {
    linkSync(own, path)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    // Whoever has the lock has tidied up: our file is gone with what was left.
    if (code === 'ENOENT') throw locked(path, parseHolder(readOrNothing(path) ?? ''))
    throw error
  }
}

/** What killed routers were about to write. */
function removeLeftovers(folder: string): void {
  for (const name of readdirSync(folder))
    if (name.startsWith(`${FILE}.`)) rmSync(join(folder, name), { force: true })
}

function locked(path: string, holder: Holder | undefined): StateError {
  const who = holder === undefined ? 'another router' : `another router (process ${holder.pid})`
  const place = dirname(path)
  return new StateError('locked', `${who} runs on this folder; see ${basename(path)} in it`, place)
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, began } = JSON.parse(text) as Partial<Holder>
    if (!Number.isInteger(pid) || pid! <= 0 || typeof began !== 'string') return undefined
    return { pid: pid!, began }
  } catch {
    return undefined
  }
}

/**
 * Whether the very process that is named lives: its number may be another one's by now, and one that has ended and
 * whose parent has not asked for it holds nothing any more.
 */
function isAlive({ pid, began }: Holder): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  if (statusOf(pid)?.[STATE] === ENDED) return false
  const now = beginningOf(pid)
  return began === '' || now === '' || now === began
}

/** When a process began: the boot and the ticks since on Linux, what ps(1) says elsewhere; empty when unknown. */
function beginningOf(pid: number): string {
  const fields = statusOf(pid)
  const boot = readOrNothing('/proc/sys/kernel/random/boot_id')?.trim()
  if (fields !== undefined && boot !== undefined) return `${boot} ${fields[STARTED]}`
  const { stdout } = spawnSync('ps', ['-o', 'lstart=', '-p', `${pid}`], {
    encoding: 'utf8',
    env: { LC_ALL: 'C' },
  })
  return stdout?.trim() ?? ''
}

/** What Linux says of a process, from the third field of proc_pid_stat(5) on; undefined where it says nothing. */
function statusOf(pid: number): string[] | undefined {
  const status = readOrNothing(`/proc/${pid}/stat`)
  // The name of the program before may hold anything.
  return status?.slice(status.lastIndexOf(')') + 2).split(' ')
}

function readOrNothing(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ESRCH') return undefined
    throw error
  }
}
