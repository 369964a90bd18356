/** Options that several lab commands share, and what they mean. */
import { resolve } from 'node:path'
import {
  BACKEND_NAMES,
  type BackendName,
  DURATION,
  hint,
  type LabFile,
  type LoadOptions,
  loadLabFile,
} from '../../lab/index.ts'
import { type Call, type OptionSpec, type Parameter, UsageError } from '../command.ts'

const MAX_SEED = 0xffff_ffff

export const FILE: Parameter = { name: 'FILE', describes: 'a lab file (YAML)' }

/** How a lab is read. */
export const LOAD_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  seed: { value: 'N', describes: `seed in place of the file's, 0 to ${MAX_SEED}` },
  duration: { value: 'TIME', describes: "duration in place of the file's, such as 30s" },
}

export const BACKEND_OPTION: Readonly<Record<string, OptionSpec>> = {
  backend: { value: BACKEND_NAMES.join('|'), describes: 'what brings the lab to life; default sim' },
}

/** What a run writes beside its result. */
export const OUTPUT_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  pcap: { value: 'DIR', describes: 'write one pcapng file per link end into this folder' },
  report: { value: 'FILE', describes: 'write the report as JSON to this file' },
}

/** The lab file of a call, with the options that replace what it says. @throws UsageError, LabFileError */
export function loadLab(call: Call): LabFile {
  return loadLabFile(call.arguments[0]!, loadOptions(call))
}

function loadOptions(call: Call): LoadOptions {
  const seed = call.option('seed')
  const duration = call.option('duration')
  return {
    ...(seed !== undefined && { seed: parseSeed(seed) }),
    ...(duration !== undefined && { durationNs: parseDuration(duration) }),
  }
}

function parseSeed(text: string): number {
  const seed = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (!(seed <= MAX_SEED))
    throw new UsageError(`--seed: expected a whole number from 0 to ${MAX_SEED}, got ${text}`)
  return seed
}

function parseDuration(text: string): number {
  const durationNs = DURATION.parse(text)
  if (durationNs === undefined || durationNs <= 0 || durationNs > 8_640_000e9)
    throw new UsageError(`--duration: expected ${DURATION.expected}, at most 100 days, got ${text}`)
  return durationNs
}

/** The backend that is asked for. @throws UsageError */
export function backendName(call: Call, otherwise: BackendName = 'sim'): BackendName {
  const text = call.option('backend') ?? otherwise
  const name = BACKEND_NAMES.find((each) => each === text)
  if (name === undefined)
    throw new UsageError(
      `--backend: expected ${BACKEND_NAMES.join(' or ')}, got ${text}${hint(text, BACKEND_NAMES)}`,
    )
  return name
}

/** An option that names a file or folder, absolute. */
export function pathOption(call: Call, name: string): string | undefined {
  const value = call.option(name)
  return value === undefined ? undefined : resolve(value)
}
