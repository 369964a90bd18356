/**
 * The file that says what an agent has changed. The one idea: a change is written down before it is made and struck
 * out after it is undone, so that whatever ends the agent, the file holds at least what must be undone; undoing what
 * was never made does no harm.
 */
import { readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Change } from './change.ts'
import { HostError } from './errors.ts'

const FILE = 'ledger.json'
const VERSION = 1
const MAX_CHANGES = 10_000

interface Book {
  readonly version: number
  /** Which network namespace of which boot the changes belong to. */
  readonly machine: string
  readonly changes: readonly Change[]
}

export class Ledger {
  readonly #file: string
  readonly #machine: string
  #changes: Change[] = []

  constructor(folder: string, machine = thisMachine()) {
    this.#file = join(folder, FILE)
    this.#machine = machine
  }

  /** In the order in which they were made. */
  get changes(): readonly Change[] {
    return this.#changes
  }

  /**
   * Takes over what an earlier agent has left. False: it was of another boot or namespace, where nothing can be
   * undone from here, and is forgotten.
   * @throws HostError `failed` when the file is damaged
   */
  open(): boolean {
    const book = this.#read()
    if (book === undefined) return true
    const isHere = book.machine === this.#machine
    if (isHere) this.#changes = [...book.changes]
    else rmSync(this.#file, { force: true })
    return isHere
  }

  /** Writes down what is about to be made. */
  add(change: Change): void {
    this.#changes.push(change)
    this.#write()
  }

  /** Strikes out one that was undone, or never made. The file goes with the last of all. */
  remove(change: Change): void {
    this.#changes = this.#changes.filter((each) => each !== change)
    this.#write()
  }

  #read(): Book | undefined {
    let text: string
    try {
      text = readFileSync(this.#file, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw new HostError('failed', `${this.#file}: ${(error as Error).message}`)
    }
    try {
      const book = JSON.parse(text) as Book
      if (book.version === VERSION && Array.isArray(book.changes) && book.changes.length <= MAX_CHANGES)
        return book
    } catch {
      // told below
    }
    throw new HostError(
      'failed',
      `${this.#file}: this is no list of changes of an agent. See what it says, undo that by hand, and remove it`,
    )
  }

  #write(): void {
    try {
      if (this.#changes.length === 0) return rmSync(this.#file, { force: true })
      const book: Book = { version: VERSION, machine: this.#machine, changes: this.#changes }
      writeFileSync(`${this.#file}.new`, JSON.stringify(book, null, 1), { mode: 0o600 })
      renameSync(`${this.#file}.new`, this.#file)
    } catch (error) {
      throw new HostError('failed', `${this.#file}: ${(error as Error).message}`)
    }
  }
}

/** The boot and the network namespace of this process. */
function thisMachine(): string {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  return `${boot} ${readlinkSync('/proc/self/ns/net')}`
}
