/** Labs in tests: loaded from text or from examples, run on the simulator, their captures read back. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { backends, type LabFile, loadLabFile, parseLabFile, type Report, runLab } from '../../lab/index.ts'

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

/** Runs a lab on the simulator. */
export async function simulate(labFile: LabFile): Promise<Report> {
  return await runLab(labFile, await backends.open('sim'))
}

/** Runs a lab on the simulator and returns its capture files by name as well. */
export async function simulateWithCaptures(
  labFile: LabFile,
): Promise<{ report: Report; captures: Map<string, Uint8Array> }> {
  const folder = mkdtempSync(join(tmpdir(), 'pronto-captures-'))
  try {
    const report = await runLab(labFile, await backends.open('sim'), { captureFolder: folder })
    const captures = new Map(
      readdirSync(folder)
        .sort()
        .map((name) => [name, readFileSync(join(folder, name))]),
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
