/** Labs in tests: loaded from text or from examples, run on the simulator, their captures read back. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { before, beforeEach, describe } from 'mocha'
import {
  BACKEND_NAMES,
  type BackendName,
  backends,
  type LabFile,
  loadLabFile,
  parseLabFile,
  type Report,
  runLab,
} from '../../lab/index.ts'
import { withOwnRuntime } from './netns.ts'
import { requireLab } from './oracle.ts'

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

/** Says a scenario once for every backend; where this machine cannot bring one to life, its tests say why. */
export function forEachBackend(scenario: (backend: ScenarioBackend) => void): void {
  for (const name of BACKEND_NAMES)
    describe(`on ${name}`, () => {
      let lacks: readonly string[] = []
      withOwnRuntime()
      before(async () => {
        lacks = (await backends.open(name)).lacks?.() ?? []
      })
      beforeEach(function () {
        if (lacks.length === 0) return
        const reason = lacks.join('; ')
        this.currentTest!.title += ` [skipped: ${reason}]`
        requireLab(this, reason)
      })
      scenario({
        name,
        run: async (labFile) => await runLab(labFile, await backends.open(name)),
        runWithCaptures: async (labFile) => await runWithCaptures(labFile, name),
      })
    })
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
