/**
 * Writes a record while a lab is up. The one idea: a command is on the disk before it is carried out, its bundle before
 * it; so whatever the lab has done can be done again, also when its process was killed.
 */
import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Nanoseconds } from '../../engine/index.ts'
import type { Command } from './command.ts'
import {
  bundlePath,
  type CommandLine,
  type FirstLine,
  FORM,
  type LabOrigin,
  type LastLine,
} from './record-lines.ts'

/** Configurations and messages of operators may hold what is nobody else's business. */
const PRIVATE_FILE = 0o600
const PRIVATE_FOLDER = 0o700

export class RecordWriter {
  readonly file: string
  readonly #origin: LabOrigin
  #isOpen = false
  #trouble: Error | undefined

  /** Nothing is written before the first command. */
  constructor(file: string, origin: LabOrigin) {
    this.file = file
    this.#origin = origin
  }

  /** Whether there is a record. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Writes down a command. @throws the system's errors */
  add(atNs: Nanoseconds, router: string, command: Command): void {
    // A line that may be there in part would make every later one unreadable.
    if (this.#trouble !== undefined) throw this.#trouble
    this.open()
    const { bundle, ...rest } = { bundle: undefined, ...command }
    const named = bundle === undefined ? {} : { bundle: this.#keep(bundle) }
    this.#write({ atNs, router, ...rest, ...named } as CommandLine)
  }

  /** Writes down the end of the lab, if there is a record. Throws nothing: a record without its end holds. */
  end(atNs: Nanoseconds): void {
    if (!this.#isOpen || this.#trouble !== undefined) return
    try {
      this.#write({ atNs, do: 'end' })
    } catch {
      // A report is worth more.
    }
  }

  /** Begins the record, in place of an earlier one of its name. @throws the system's errors */
  open(): void {
    if (this.#isOpen) return
    mkdirSync(dirname(this.file), { recursive: true, mode: PRIVATE_FOLDER })
    writeFileSync(this.file, '', { mode: PRIVATE_FILE })
    this.#write({ form: FORM, ...this.#origin })
    this.#isOpen = true
  }

  #write(line: FirstLine | CommandLine | LastLine): void {
    try {
      appendFileSync(this.file, `${JSON.stringify(line)}\n`)
    } catch (error) {
      this.#trouble = error as Error
      throw error
    }
  }

  #keep(bundle: Uint8Array): string {
    const sha256 = createHash('sha256').update(bundle).digest('hex')
    const path = bundlePath(this.file, sha256)
    if (existsSync(path)) return sha256
    mkdirSync(dirname(path), { recursive: true, mode: PRIVATE_FOLDER })
    writeFileSync(`${path}.new`, bundle, { mode: PRIVATE_FILE })
    renameSync(`${path}.new`, path)
    return sha256
  }
}
