/**
 * The registry: which plugins this router runs, on disk. The one idea: bundles lie under the name of their own bytes
 * and never change; one small file says which of them count, and is replaced as a whole. Bundles come before the file
 * that names them and go after it, so that whatever is named is there, whenever the router dies.
 *
 * Beside it lies the last configuration that was applied, in case the one on disk cannot be read at the next start.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { MAX_BUNDLE_BYTES } from '../../execution-env/bundle/index.ts'
import {
  ContractError,
  formatJson,
  formatProblem,
  type JsonLimits,
  type JsonValue,
  parseJson,
} from '../../execution-env/contract/index.ts'
import { type Disk, isUnfinished, REAL_DISK, replaceFile } from './disk.ts'
import {
  type AppliedConfiguration,
  checkConfiguration,
  checkRegistry,
  MAX_ENTRIES,
  type RegistryContent,
  type RegistryEntry,
} from './entry.ts'
import { StateError } from './errors.ts'

const FILE = 'registry.json'
const CONFIGURATION = 'configuration.json'
const BUNDLES = 'bundles'
const BUNDLE_NAME = /^([0-9a-f]{64})\.pronto$/
const FILE_LIMITS: JsonLimits = { maxBytes: 64 << 20, maxDepth: 48, maxValues: 4_000_000 }

/** The name under which a bundle lies: SHA-256 of its bytes, hexadecimal. */
export function fileOf(bundle: Uint8Array): string {
  return createHash('sha256').update(bundle).digest('hex')
}

export class Registry {
  readonly #folder: string
  readonly #disk: Disk
  #entries: ReadonlyMap<string, RegistryEntry>

  private constructor(folder: string, disk: Disk, entries: ReadonlyMap<string, RegistryEntry>) {
    this.#folder = folder
    this.#disk = disk
    this.#entries = entries
  }

  /**
   * Opens the registry of a folder, or begins one, and takes away what a crash has left.
   * @throws StateError `damaged` or `unreadable`
   */
  static open(folder: string, disk: Disk = REAL_DISK): Registry {
    return reaching(folder, () => {
      disk.makeFolder(join(folder, BUNDLES))
      const registry = new Registry(folder, disk, readEntries(join(folder, FILE), disk))
      registry.#tidy()
      return registry
    })
  }

  /** In order of installation. */
  get entries(): readonly RegistryEntry[] {
    return [...this.#entries.values()]
  }

  get(id: string): RegistryEntry | undefined {
    return this.#entries.get(id)
  }

  /**
   * Remembers an instance, in place of the one with its id. When it returns, that survives a loss of power.
   * @param bundle the bytes of `entry.file`; may be left out when they are here already
   * @throws StateError; the registry stands as before
   */
  put(entry: RegistryEntry, bundle?: Uint8Array): void {
    if (!this.#entries.has(entry.id) && this.#entries.size >= MAX_ENTRIES)
      throw new StateError('limit', `more than ${MAX_ENTRIES} plugins`, this.#folder)
    reaching(this.#folder, () => {
      if (bundle !== undefined) this.#keep(entry.file, bundle)
      this.#replace(new Map(this.#entries).set(entry.id, entry))
    })
  }

  /** Forgets an instance. Nothing happens for an unknown one. @throws StateError */
  remove(id: string): void {
    const left = new Map(this.#entries)
    if (left.delete(id)) reaching(this.#folder, () => this.#replace(left))
  }

  /** The bytes of a bundle that an entry names. @throws StateError `damaged` when they are not what they were */
  readBundle(file: string): Uint8Array {
    const path = this.#pathOf(file)
    return reaching(path, () => {
      const bytes = this.#disk.read(path, MAX_BUNDLE_BYTES)
      if (bytes === undefined) throw new StateError('damaged', 'this bundle is gone', path)
      if (fileOf(bytes) !== file) throw new StateError('damaged', 'this bundle was altered', path)
      return bytes
    })
  }

  /** The last configuration that was applied; undefined where there is none that can be read. */
  readConfiguration(): AppliedConfiguration | undefined {
    const path = join(this.#folder, CONFIGURATION)
    try {
      const bytes = this.#disk.read(path, FILE_LIMITS.maxBytes)
      const value = bytes === undefined ? undefined : parseJson(bytes, FILE_LIMITS)
      return checkConfiguration(value).length === 0 ? (value as unknown as AppliedConfiguration) : undefined
    } catch (error) {
      if (error instanceof ContractError || error instanceof StateError || isSystemError(error))
        return undefined
      throw error
    }
  }

  /** Remembers the configuration that is in force from now on. @throws StateError */
  writeConfiguration(configuration: AppliedConfiguration): void {
    const path = join(this.#folder, CONFIGURATION)
    const bytes = Buffer.from(formatJson({ ...configuration }))
    reaching(path, () => replaceFile(this.#disk, path, bytes))
  }

  #pathOf(file: string): string {
    return join(this.#folder, BUNDLES, `${file}.pronto`)
  }

  #keep(file: string, bundle: Uint8Array): void {
    if (fileOf(bundle) !== file) throw new TypeError('a bundle under the name of another')
    const present = this.#disk.read(this.#pathOf(file), MAX_BUNDLE_BYTES)
    if (present !== undefined && fileOf(present) === file) return
    replaceFile(this.#disk, this.#pathOf(file), bundle)
  }

  #replace(entries: ReadonlyMap<string, RegistryEntry>): void {
    const content: RegistryContent = { form: 1, entries: [...entries.values()] }
    const [problem] = checkRegistry(content)
    assert(problem === undefined, `a registry that could not be read again: ${problem?.place}`)
    const bytes = Buffer.from(formatJson(content as unknown as JsonValue))
    if (bytes.length > FILE_LIMITS.maxBytes)
      throw new StateError('limit', `longer than ${FILE_LIMITS.maxBytes} bytes`, this.#folder)
    replaceFile(this.#disk, join(this.#folder, FILE), bytes)
    this.#entries = entries
    this.#tidy()
  }

  /** Takes away what is of no use any more. What cannot be removed now is left for the next time. */
  #tidy(): void {
    try {
      this.#removeUnnamed()
    } catch (error) {
      if (!isSystemError(error)) throw error
    }
  }

  /** Bundles that nothing names, and files that were never finished. */
  #removeUnnamed(): void {
    const named = new Set(
      this.entries.flatMap((each) => (each.previous ? [each.file, each.previous.file] : [each.file])),
    )
    const bundles = join(this.#folder, BUNDLES)
    for (const name of this.#disk.list(bundles)) {
      const file = BUNDLE_NAME.exec(name)?.[1]
      if (isUnfinished(name) || (file !== undefined && !named.has(file)))
        this.#disk.remove(join(bundles, name))
    }
    for (const name of this.#disk.list(this.#folder))
      if (isUnfinished(name)) this.#disk.remove(join(this.#folder, name))
  }
}

function readEntries(path: string, disk: Disk): ReadonlyMap<string, RegistryEntry> {
  const bytes = disk.read(path, FILE_LIMITS.maxBytes)
  if (bytes === undefined) return new Map()
  let value: JsonValue
  try {
    value = parseJson(bytes, FILE_LIMITS)
  } catch (error) {
    if (error instanceof ContractError) throw new StateError('damaged', error.message, path, { cause: error })
    throw error
  }
  const [problem] = checkRegistry(value)
  if (problem !== undefined) throw new StateError('damaged', formatProblem(problem), path)
  const { entries } = value as unknown as RegistryContent
  return new Map(entries.map((each) => [each.id, each]))
}

/** Runs what reaches the disk; the system's errors become a StateError. */
function reaching<Result>(place: string, work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    if (isSystemError(error)) throw new StateError('unreadable', error.message, place, { cause: error })
    throw error
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error
}
