/**
 * From a lab file to a lab. The one idea: three walls, each of which reports all it finds before the next is tried:
 * the text (bounds, YAML), the form (schema), the meaning (names, addresses, units, policy, events, expectations).
 */
import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import {
  type Bounds,
  DURATION,
  type Finding,
  Resolver,
  readDocument,
  readDocumentFile,
  type SourceDocument,
  schemaCheck,
  showValue,
} from '../../document/index.ts'
import { DEFAULT_EPOCH_MS, type Lab } from './lab.ts'
import { MAX_DURATION_NS } from './limits.ts'
import type { RawLab } from './raw.ts'
import { checkAddresses } from './resolve/check-addresses.ts'
import { resolveEvents } from './resolve/event.ts'
import { resolveExpectations } from './resolve/expectation.ts'
import { resolveNode, type Surroundings } from './resolve/node.ts'
import { Topology } from './resolve/topology.ts'
import { labSchema } from './schema/lab-schema.ts'

const checkLab = schemaCheck(labSchema)

const DURATION_BOUNDS: Bounds = {
  min: 1,
  max: MAX_DURATION_NS,
  expected: 'a duration above 0 of at most 100 days',
}
const DEFAULT_SEED = 1
const CALENDAR = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/

/** A lab with the text it came from, for later refusals that name a place. */
export interface LabFile {
  readonly file: string
  readonly lab: Lab
  /** @throws DocumentError with all findings, unless there are none */
  refuse(findings: readonly Finding[]): void
}

/** What a caller may decide in place of the file. */
export interface LoadOptions {
  /** As `--seed`. */
  readonly seed?: number
  /** As `--duration`. */
  readonly durationNs?: number
}

/**
 * Reads and checks a lab file.
 * @throws DocumentError
 */
export function loadLabFile(file: string, options: LoadOptions = {}): LabFile {
  const surroundings = { folder: dirname(resolve(file)), exists: existsSync }
  return parseLabFile(readDocumentFile(file, 'a lab file'), file, surroundings, options)
}

/**
 * Checks the text of a lab file.
 * @param file its name, for messages
 * @throws DocumentError
 */
export function parseLabFile(
  text: string,
  file: string,
  surroundings: Surroundings,
  options: LoadOptions = {},
): LabFile {
  const document = readDocument(text, file)
  document.refuse(checkLab(document.value))
  const lab = resolveLab(document, surroundings, options)
  return { file, lab, refuse: (findings) => document.refuse(findings) }
}

function resolveLab(document: SourceDocument, surroundings: Surroundings, options: LoadOptions): Lab {
  const raw = document.value as unknown as RawLab
  const resolver = new Resolver()
  const topology = new Topology(raw, resolver)
  checkAddresses(topology, resolver)
  const given = resolver.optional(DURATION, raw.duration, ['duration'], DURATION_BOUNDS)
  const durationNs = options.durationNs ?? given
  const seed = options.seed ?? raw.seed ?? DEFAULT_SEED
  const lab: Lab = {
    name: raw.name,
    seed,
    rootSeed: raw.rootseed ?? seed,
    epochMs: resolveEpoch(raw.epoch, resolver),
    durationNs,
    nodes: [...topology.nodes].map(([name, node]) =>
      resolveNode(name, node, topology, surroundings, resolver),
    ),
    links: topology.links.map(({ link }) => link),
    events: resolveEvents(raw.events ?? [], { topology, surroundings, durationNs: given, resolver }),
    expectations: resolveExpectations(raw.expect ?? [], topology.nodes, resolver),
  }
  document.refuse(resolver.findings)
  return lab
}

function resolveEpoch(given: string | undefined, resolver: Resolver): number {
  if (given === undefined) return DEFAULT_EPOCH_MS
  const time = CALENDAR.test(given) ? Date.parse(given) : Number.NaN
  if (!Number.isNaN(time)) return time
  resolver.fault(
    'invalid',
    ['epoch'],
    `expected a calendar time such as 2026-01-01T00:00:00Z, got ${showValue(given)}`,
  )
  return DEFAULT_EPOCH_MS
}
