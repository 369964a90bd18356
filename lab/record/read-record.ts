/**
 * Reads a record for a lab. The one idea: whatever is not as it was written, or was written for another lab, is refused
 * with file and line before anything runs. A record without its last line, of a lab whose process was killed, holds.
 */
import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { type Nanoseconds, NEVER } from '../../engine/index.ts'
import { MAX_BUNDLE_BYTES } from '../../execution-env/bundle/index.ts'
import {
  CertificateError,
  readCertificates,
  readRevocationLists,
  TrustStore,
} from '../../execution-env/certificates/index.ts'
import {
  ContractError,
  formatProblem,
  type JsonLimits,
  type JsonValue,
  parseJson,
} from '../../execution-env/contract/index.ts'
import type { Lab } from '../file/index.ts'
import type { Command } from './command.ts'
import { LabRecordError } from './lab-record-error.ts'
import {
  bundlePath,
  CHECKS,
  type CommandLine,
  checkFirst,
  digestOf,
  type FirstLine,
  FORM,
} from './record-lines.ts'

export interface RecordedCommand {
  readonly atNs: Nanoseconds
  readonly router: string
  readonly command: Command
}

/** A record that fits a lab. */
export interface Recorded {
  /** The lab with everything else that its run followed from. */
  readonly lab: Lab
  /** Whom its routers believe besides the lab's authority. */
  readonly trust: TrustStore
  /** In order of time. */
  readonly commands: readonly RecordedCommand[]
  /** When the lab ended; undefined: it is not known. */
  readonly endNs: Nanoseconds | undefined
}

const MAX_FILE_BYTES = 256 << 20
const LINE_LIMITS: JsonLimits = { maxBytes: 32 << 20, maxDepth: 64, maxValues: 1_000_000 }

/** @throws LabRecordError */
export function readLabRecord(file: string, lab: Lab): Recorded {
  const lines = readLines(file)
  const place = (index: number) => `${file}:${index + 1}`
  const first = readFirst(lines[0] ?? '', place(0))
  checkFits(first, lab, place(0))
  const routers = new Set(lab.nodes.filter(({ kind }) => kind === 'router').map(({ name }) => name))
  const commands: RecordedCommand[] = []
  let endNs: Nanoseconds | undefined
  let latest = 0
  for (const [index, text] of lines.entries()) {
    if (index === 0) continue
    if (endNs !== undefined) throw new LabRecordError('damaged', place(index), 'this stands behind the end')
    const line = readLine(text, place(index))
    if (line.atNs < latest)
      throw new LabRecordError('damaged', place(index), 'this is before the line above it')
    latest = line.atNs
    if (line.do === 'end') endNs = line.atNs
    else if (!routers.has(line.router))
      throw new LabRecordError('foreign', place(index), `${lab.name} has no router ${line.router}`)
    else commands.push(commandOf(line, file, place(index)))
  }
  const { seed, rootSeed, epochMs } = first
  const durationNs = first.durationNs ?? (endNs === undefined ? lab.durationNs : NEVER)
  const trust = readTrust(first.trust, place(0))
  return { lab: { ...lab, seed, rootSeed, epochMs, durationNs }, trust, commands, endNs }
}

function readLines(file: string): string[] {
  try {
    const { size } = statSync(file)
    if (size > MAX_FILE_BYTES)
      throw new LabRecordError('unreadable', file, `longer than ${MAX_FILE_BYTES} bytes`)
    const text = readFileSync(file, 'utf8')
    const lines = text.split('\n')
    // What stands behind the last line feed was being written when the lab's process was killed: never carried out.
    lines.pop()
    if (lines.length === 0)
      throw new LabRecordError('damaged', `${file}:1`, 'expected the first line of a record')
    return lines
  } catch (error) {
    if (error instanceof LabRecordError) throw error
    throw new LabRecordError('unreadable', file, (error as Error).message, { cause: error })
  }
}

function readJson(text: string, place: string): JsonValue {
  try {
    return parseJson(Buffer.from(text), LINE_LIMITS)
  } catch (error) {
    if (error instanceof ContractError) throw new LabRecordError('damaged', place, error.message)
    throw error
  }
}

function readFirst(text: string, place: string): FirstLine {
  const value = readJson(text, place)
  const { form } = (value ?? {}) as { form?: unknown }
  if (form !== FORM) throw new LabRecordError('foreign', place, `expected form ${JSON.stringify(FORM)}`)
  const [problem] = checkFirst(value)
  if (problem !== undefined) throw new LabRecordError('damaged', place, formatProblem(problem))
  return value as unknown as FirstLine
}

function checkFits(first: FirstLine, lab: Lab, place: string): void {
  if (first.lab !== lab.name)
    throw new LabRecordError('foreign', place, `this is a record of ${first.lab}, not of ${lab.name}`)
  if (first.digest !== digestOf(lab))
    throw new LabRecordError('foreign', place, `nodes, links or events of ${lab.name} have changed since`)
}

function readLine(text: string, place: string): CommandLine | { atNs: number; do: 'end' } {
  const value = readJson(text, place)
  const kind = (value as { do?: unknown } | null)?.do
  const check = typeof kind === 'string' && Object.hasOwn(CHECKS, kind) ? CHECKS[kind as 'end'] : undefined
  if (check === undefined)
    throw new LabRecordError('damaged', place, `do: expected one of ${Object.keys(CHECKS).join(', ')}`)
  const [problem] = check(value)
  if (problem !== undefined) throw new LabRecordError('damaged', place, formatProblem(problem))
  return value as unknown as CommandLine
}

function commandOf(line: CommandLine, file: string, place: string): RecordedCommand {
  const { atNs, router, ...command } = line
  if (!('bundle' in command)) return { atNs, router, command }
  const bundle = readBundleFile(bundlePath(file, command.bundle), command.bundle, place)
  return { atNs, router, command: { ...command, bundle } }
}

function readBundleFile(path: string, sha256: string, place: string): Uint8Array {
  let bytes: Uint8Array
  try {
    if (statSync(path).size > MAX_BUNDLE_BYTES)
      throw new LabRecordError('damaged', place, `${path}: longer than a bundle may be`)
    bytes = readFileSync(path)
  } catch (error) {
    if (error instanceof LabRecordError) throw error
    throw new LabRecordError('unreadable', place, `its bundle: ${(error as Error).message}`, { cause: error })
  }
  if (createHash('sha256').update(bytes).digest('hex') !== sha256)
    throw new LabRecordError('damaged', place, `its bundle was altered: ${path}`)
  return bytes
}

function readTrust({ certificates, lists }: FirstLine['trust'], place: string): TrustStore {
  try {
    return new TrustStore(
      certificates === '' ? [] : readCertificates(certificates),
      lists === '' ? [] : readRevocationLists(lists),
    )
  } catch (error) {
    if (error instanceof CertificateError)
      throw new LabRecordError('damaged', place, `trust: ${error.message}`, { cause: error })
    throw error
  }
}
