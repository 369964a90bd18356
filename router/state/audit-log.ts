/**
 * The audit log: who did what, one JSON text a line. The one idea: lines are only ever added, each of a bounded
 * length and of fields that are named here, so that no argument of a request (a configuration, a message to a plugin)
 * gets into it; when a file is full it is put aside, and the oldest goes.
 *
 * A line that cannot be written holds nothing up; it is counted, and the router's health tells.
 */
import { appendFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Who asked. */
export interface AuditActor {
  /** How they came in. */
  readonly via: 'local' | 'remote' | 'configuration' | 'router'
  /** The role of the local socket, or the name in the certificate. */
  readonly name: string
  /** Serial number of the certificate. */
  readonly serial?: string
  /** Address that they came from. */
  readonly address?: string
}

/** What was asked, and what became of it. */
export interface AuditEvent {
  readonly actor: AuditActor
  /** A method of the control protocol, or `connect`, `start`, `stop`. */
  readonly what: string
  readonly outcome: 'done' | 'refused' | 'failed'
  /** Of the refusal. */
  readonly code?: string
  readonly id?: string
  readonly name?: string
  readonly version?: string
  /** SHA-256 of a bundle. */
  readonly bundle?: string
  /** Name in the certificate of a bundle's signer. */
  readonly signer?: string
  /** A closed detail such as `drain`, or a short reason. */
  readonly detail?: string
  /** Events like this one that were left out before it. */
  readonly suppressed?: number
}

export interface AuditLogOptions {
  /** Bytes of a file, at which the next one begins. Default 1 MB. */
  readonly fileBytes?: number
  /** Files that are kept beside the current one. Default 4. */
  readonly files?: number
  /** Calendar milliseconds. */
  readonly clock?: () => number
}

const NAME = 'audit.log'
const LONGEST_TEXT = 200
const PRIVATE = 0o600
const ACTOR_KEYS = ['via', 'name', 'serial', 'address'] as const
const KEYS = ['what', 'outcome', 'code', 'id', 'name', 'version', 'bundle', 'signer', 'detail'] as const

export class AuditLog {
  readonly file: string
  readonly #fileBytes: number
  readonly #files: number
  readonly #clock: () => number
  #lost = 0
  #size: number

  /** Goes on where the log of a folder ends. The folder must be there. */
  constructor(folder: string, options: AuditLogOptions = {}) {
    this.file = join(folder, NAME)
    this.#fileBytes = options.fileBytes ?? 1_000_000
    this.#files = options.files ?? 4
    this.#clock = options.clock ?? Date.now
    this.#size = sizeOf(this.file)
  }

  /** Lines that could not be written. */
  get lost(): number {
    return this.#lost
  }

  /** Adds a line. Throws nothing. */
  write(event: AuditEvent): void {
    const line = lineOf(event, this.#clock())
    try {
      if (this.#size > 0 && this.#size + line.length > this.#fileBytes) this.#rotate()
      appendFileSync(this.file, line, { mode: PRIVATE, flush: true })
      this.#size += line.length
    } catch {
      this.#lost++
    }
  }

  #rotate(): void {
    rmSync(`${this.file}.${this.#files}`, { force: true })
    for (let number = this.#files - 1; number >= 1; number--) moveAside(this.file, number)
    if (this.#files > 0) renameSync(this.file, `${this.file}.1`)
    else rmSync(this.file, { force: true })
    this.#size = 0
  }
}

function moveAside(file: string, number: number): void {
  try {
    renameSync(`${file}.${number}`, `${file}.${number + 1}`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}

/** Only the fields that are known, each shortened; JSON escapes line feeds and everything else that is not printable. */
function lineOf(event: AuditEvent, atMs: number): string {
  const actor = pick(event.actor, ACTOR_KEYS)
  const rest = pick(event, KEYS)
  const suppressed = event.suppressed ? { suppressed: event.suppressed } : {}
  return `${JSON.stringify({ at: new Date(atMs).toISOString(), actor, ...rest, ...suppressed })}\n`
}

function pick<Key extends string>(
  source: Readonly<Partial<Record<Key, string>>>,
  keys: readonly Key[],
): Record<string, string> {
  const entries = keys.flatMap((key) => {
    const text = source[key]
    return text === undefined ? [] : [[key, text.slice(0, LONGEST_TEXT).toWellFormed()] as const]
  })
  return Object.fromEntries(entries)
}
