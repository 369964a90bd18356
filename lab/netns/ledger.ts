/**
 * What a lab has made on this machine, line by line in a file of its own. The one idea: a line is written before the
 * thing is made, and things are removed by these lines and nothing else; so whatever happens to the lab's process,
 * what it left can be found and nobody else's is touched.
 */
import { appendFileSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeRouterFolder, runtimeFolder } from '../../router/index.ts'
import { LabFailure } from '../lab-failure.ts'
import { bootId, isAlive, markOf, type ProcessMark } from './proc.ts'

/** The first line: whose lab it is. */
export interface LedgerHead {
  readonly lab: string
  /** Of this life of the lab; part of every name that it makes. */
  readonly id: string
  readonly owner: ProcessMark
  readonly boot: string
}

/** One thing. `inode` follows in a line of its own once the namespace is there. */
export type LedgerEntry =
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'namespace'; readonly name: string; readonly inode?: number }
  | ({ readonly kind: 'process'; readonly what: string } & ProcessMark)

export interface LedgerContent extends LedgerHead {
  readonly folders: readonly string[]
  /** By name; the inode is undefined where the lab did not live to write it. */
  readonly namespaces: ReadonlyMap<string, number | undefined>
  readonly processes: readonly (ProcessMark & { readonly what: string })[]
}

const FILE = 'netns.ledger'
const REQUEST = 'netns.down'

/** The folder of a lab's sockets and ledger; it may not be there. */
export function labFolder(lab: string): string {
  return join(runtimeFolder(), lab)
}

export class Ledger {
  readonly id: string
  readonly folder: string
  readonly #file: string

  private constructor(lab: string, id: string) {
    this.id = id
    this.folder = makeRouterFolder(lab)
    this.#file = join(this.folder, FILE)
  }

  /** Begins a lab's ledger. @throws LabFailure `busy` when there is one: the lab is up, or has left things behind */
  static begin(lab: string, id: string): Ledger {
    const ledger = new Ledger(lab, id)
    const owner = markOf(process.pid)
    if (owner === undefined) throw new LabFailure('this system does not tell of its processes in /proc')
    const head: LedgerHead = { lab, id, owner, boot: bootId() }
    // Under its name it is complete from the first moment.
    const draft = `${ledger.#file}.${id}`
    writeFileSync(draft, `${JSON.stringify(head)}\n`, { mode: 0o600 })
    try {
      linkSync(draft, ledger.#file)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      throw new LabFailure(`lab ${lab} is up already`, 'busy')
    } finally {
      rmSync(draft)
    }
    rmSync(join(ledger.folder, REQUEST), { force: true })
    return ledger
  }

  add(entry: LedgerEntry): void {
    appendFileSync(this.#file, `${JSON.stringify(entry)}\n`)
  }

  /** Whether somebody has asked the lab to end. */
  get isAskedToEnd(): boolean {
    return readText(join(this.folder, REQUEST)) !== undefined
  }

  /** Everything is gone: forgets it. */
  close(): void {
    forgetLedger(this.folder)
  }
}

/** What the ledger of a lab says; undefined where there is none. A last line that was cut short is left out. */
export function readLedger(lab: string): LedgerContent | undefined {
  const text = readText(join(labFolder(lab), FILE))
  const lines = (text ?? '').split('\n').flatMap((line) => parseLine(line))
  const head = lines[0] as LedgerHead | undefined
  if (head?.owner === undefined) return undefined
  const entries = lines.slice(1) as LedgerEntry[]
  const namespaces = new Map<string, number | undefined>()
  for (const each of entries) if (each.kind === 'namespace') namespaces.set(each.name, each.inode)
  return {
    ...head,
    folders: entries.flatMap((each) => (each.kind === 'folder' ? [each.path] : [])),
    namespaces,
    processes: entries.flatMap((each) => (each.kind === 'process' ? [each] : [])),
  }
}

/** Whether the process that brought the lab up still runs. */
export function isOwned({ owner, boot }: LedgerHead): boolean {
  return boot === bootId() && isAlive(owner)
}

/** Asks the process that brought a lab up to end it. */
export function askToEnd(lab: string): void {
  const folder = labFolder(lab)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, REQUEST), '')
}

/** Takes the ledger away, and the lab's folder as far as nothing else lies in it. */
export function forgetLedger(folder: string): void {
  for (const name of [FILE, REQUEST]) rmSync(join(folder, name), { force: true })
}

function parseLine(line: string): object[] {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? [value] : []
  } catch {
    return []
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
