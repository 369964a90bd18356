/**
 * The form of a record: JSON, a line each. The first says which lab it was and what its run followed from; then come
 * the commands in the order in which they were carried out; the last line is the end of the lab.
 */
import { createHash } from 'node:crypto'
import { basename, dirname, join } from 'node:path'
import { NEVER } from '../../engine/index.ts'
import type { TrustStore } from '../../execution-env/certificates/index.ts'
import {
  capabilitiesSchema,
  checkOf,
  type JsonSchema,
  limitsSchema,
} from '../../execution-env/contract/index.ts'
import type { Lab } from '../file/index.ts'
import type { Command } from './command.ts'

export const FORM = 'pronto lab record 1'

/** Everything beside the lab file that a run with operators follows from. */
export interface LabOrigin {
  readonly lab: string
  /** Names nodes, links and events of the lab. */
  readonly digest: string
  readonly seed: number
  readonly rootSeed: number
  readonly epochMs: number
  /** Null: without end. */
  readonly durationNs: number | null
  /** Whom the routers believed besides the lab's authority, PEM; empty where there was nobody. */
  readonly trust: { readonly certificates: string; readonly lists: string }
}

export interface FirstLine extends LabOrigin {
  readonly form: typeof FORM
}

/** A command; its bundle is named by the SHA-256 of its bytes. */
export type CommandLine = { readonly atNs: number; readonly router: string } & Command<string>

export interface LastLine {
  readonly atNs: number
  readonly do: 'end'
}

/** What a lab's run follows from. @param trust whom its routers believe besides its own authority */
export function originOf(lab: Lab, { roots, authorities, lists }: TrustStore): LabOrigin {
  const { name, seed, rootSeed, epochMs, durationNs = NEVER } = lab
  const pem = (items: readonly { toPem(): string }[]) => items.map((each) => each.toPem()).join('')
  return {
    lab: name,
    digest: digestOf(lab),
    seed,
    rootSeed,
    epochMs,
    durationNs: durationNs === NEVER ? null : durationNs,
    trust: { certificates: pem([...roots, ...authorities]), lists: pem(lists) },
  }
}

/** Where a bundle of a record lies: beside it. */
export function bundlePath(record: string, sha256: string): string {
  return join(dirname(record), 'bundles', `${sha256}.pronto`)
}

/** Names what of a lab file a record depends on; where the file's folder lies does not matter. */
export function digestOf({ nodes, links, events }: Lab): string {
  const plain = (key: string, value: unknown) => {
    if (typeof value === 'bigint') return String(value)
    return key === 'path' && typeof value === 'string' ? basename(value) : value
  }
  return createHash('sha256').update(JSON.stringify({ nodes, links, events }, plain)).digest('hex')
}

const text = (maxLength: number, description: string): JsonSchema => ({
  type: 'string',
  maxLength,
  description,
})
const word = (description: string, ...words: string[]): JsonSchema => ({ enum: words, description })

const TIME: JsonSchema = { type: 'integer', minimum: 0, description: 'whole nanoseconds' }
const SEED: JsonSchema = { type: 'integer', minimum: 0, maximum: 0xffff_ffff, description: 'a seed' }
const SHA256: JsonSchema = { type: 'string', pattern: '^[0-9a-f]{64}$', description: 'a SHA-256' }
const ID = text(64, 'an id')
const BY = text(200, 'who')
const PEM = text(16 << 20, 'certificates or lists')

const object = (
  required: Readonly<Record<string, JsonSchema>>,
  optional: Readonly<Record<string, JsonSchema>>,
  description: string,
): JsonSchema => ({
  type: 'object',
  additionalProperties: false,
  required: Object.keys(required),
  properties: { ...required, ...optional },
  description,
})

/** Finds what is wrong with a first line of our form. */
export const checkFirst = checkOf(
  object(
    {
      form: { const: FORM, description: FORM },
      lab: text(200, 'a name'),
      digest: SHA256,
      seed: SEED,
      rootSeed: SEED,
      epochMs: { type: 'number', description: 'a calendar time' },
      durationNs: { anyOf: [TIME, { type: 'null' }], description: 'nanoseconds or null' },
      trust: object({ certificates: PEM, lists: PEM }, {}, 'whom to believe'),
    },
    {},
    'the first line of a record',
  ),
)

const SETTINGS = object(
  {
    config: {},
    priority: { type: 'integer', minimum: -1_000, maximum: 1_000, description: 'a priority' },
    limits: limitsSchema,
    trusted: { const: false, description: 'false' },
  },
  { allow: capabilitiesSchema },
  'settings',
)

const FIELDS: Readonly<Record<Command['do'], readonly [Fields, Fields]>> = {
  load: [{ bundle: SHA256, settings: SETTINGS, by: BY }, { id: ID }],
  'try-load': [{ bundle: SHA256, settings: SETTINGS, by: BY }, { id: ID }],
  upgrade: [
    { id: ID, bundle: SHA256, state: word('move or discard', 'move', 'discard'), by: BY },
    { config: {} },
  ],
  'try-upgrade': [
    { id: ID, bundle: SHA256, state: word('move or discard', 'move', 'discard'), by: BY },
    { config: {} },
  ],
  rollback: [{ id: ID, by: BY }, {}],
  unload: [{ id: ID, flows: word('drain or purge', 'drain', 'purge') }, {}],
  call: [{ id: ID, name: text(200, 'a name'), argument: {}, by: BY }, {}],
  ask: [{ id: ID, name: text(200, 'a name'), argument: {}, by: BY }, {}],
}

type Fields = Readonly<Record<string, JsonSchema>>

/** Finds what is wrong with a line of one kind. */
export const CHECKS = {
  ...Object.fromEntries(
    Object.entries(FIELDS).map(([kind, [required, optional]]) => {
      const common = { atNs: TIME, router: text(64, 'a router'), do: { const: kind, description: kind } }
      return [kind, checkOf(object({ ...common, ...required }, optional, 'a command'))] as const
    }),
  ),
  end: checkOf(object({ atNs: TIME, do: { const: 'end', description: 'end' } }, {}, 'the last line')),
} as Readonly<Record<Command['do'] | 'end', ReturnType<typeof checkOf>>>
