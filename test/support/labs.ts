/** Labs in tests: loaded from text or from examples, run on the simulator, their captures read back. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, beforeEach, describe } from 'mocha'
import {
  BACKEND_NAMES,
  type BackendName,
  BackendUnavailableError,
  backends,
  type LabFile,
  loadLabFile,
  parseLabFile,
  type Report,
  runLab,
} from '../../lab/index.ts'
import { temporaryFolder } from './temporary-folder.ts'

const root = resolve(import.meta.dirname, '../..')
const examples = resolve(import.meta.dirname, '../../examples')

/** A lab of the examples folder. */
export function exampleLab(name: string, seed?: number): LabFile {
  return loadLabFile(join(examples, `${name}.yaml`), seed === undefined ? {} : { seed })
}

/** Labs in tests name no other files. */
const NOWHERE = { folder: '/', exists: () => false }

/** A lab given as YAML. */
export function labOf(text: string): LabFile {
  return parseLabFile(text, 'test.yaml', NOWHERE)
}

/** A lab given as YAML that names plugins of this project, as `./plugins/slr`. */
export function labWithPlugins(text: string): LabFile {
  return parseLabFile(text, 'test.yaml', { folder: root, exists: () => true })
}

/** Where a scenario runs. */
export interface ScenarioBackend {
  readonly name: BackendName
  run(labFile: LabFile): Promise<Report>
  /** With the captures of all link ends, by file name. */
  runWithCaptures(labFile: LabFile): Promise<{ report: Report; captures: Map<string, Uint8Array> }>
}

/**
 * Says a scenario once for every backend. One that this machine does not have is skipped with that reason, and one of
 * `missing` with what it cannot do yet.
 */
export function forEachBackend(
  scenario: (backend: ScenarioBackend) => void,
  missing: Partial<Record<BackendName, string>> = {},
): void {
  for (const name of BACKEND_NAMES)
    describe(`on ${name}`, () => {
      beforeEach(async function () {
        const reason = missing[name] ?? (await unavailability(name))
        if (reason === undefined) return
        this.currentTest!.title += ` [skipped: ${reason}]`
        this.skip()
      })
      // Whoever else runs the same labs on this machine is not met.
      let runtime: string | undefined
      before(() => {
        runtime = process.env['PRONTO_RUNTIME']
        process.env['PRONTO_RUNTIME'] = temporaryFolder('pronto-labs-')
      })
      after(() => {
        if (runtime === undefined) delete process.env['PRONTO_RUNTIME']
        else process.env['PRONTO_RUNTIME'] = runtime
      })
      scenario({
        name,
        run: async (labFile) => await runLab(labFile, await backends.open(name)),
        runWithCaptures: async (labFile) => await runWithCaptures(labFile, name),
      })
    })
}

async function unavailability(name: BackendName): Promise<string | undefined> {
  try {
    const lacks = (await backends.open(name)).lacks?.() ?? []
    if (lacks.length === 0) return undefined
    if (process.env['PRONTO_REQUIRE_LAB'] === '1')
      throw new Error(`PRONTO_REQUIRE_LAB=1, but ${lacks.join('; ')}`)
    return lacks.join('; ')
  } catch (error) {
    if (!(error instanceof BackendUnavailableError)) throw error
    return error.message
  }
}

/** Runs a lab on the simulator. */
export async function simulate(labFile: LabFile): Promise<Report> {
  return await runLab(labFile, await backends.open('sim'))
}

/** Runs a lab on the simulator and returns its capture files by name as well. */
export async function simulateWithCaptures(
  labFile: LabFile,
): Promise<{ report: Report; captures: Map<string, Uint8Array> }> {
  return await runWithCaptures(labFile, 'sim')
}

async function runWithCaptures(
  labFile: LabFile,
  name: BackendName,
): Promise<{ report: Report; captures: Map<string, Uint8Array> }> {
  const folder = mkdtempSync(join(tmpdir(), 'pronto-captures-'))
  try {
    const report = await runLab(labFile, await backends.open(name), { captureFolder: folder })
    const captures = new Map(
      readdirSync(folder)
        .sort()
        .map((file) => [file, readFileSync(join(folder, file))]),
    )
    return { report, captures }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** A report without what depends on the wall clock. */
export function withoutWall(report: Report): Omit<Report, 'wall'> {
  const { wall: _, ...rest } = report
  return rest
}
